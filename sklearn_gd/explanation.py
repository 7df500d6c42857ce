"""One iteration with its numbers: what a teacher writes on the board, of the run that an estimator makes."""

from __future__ import annotations

import copy
import html
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from . import messages
from ._checks import check_choice, check_integer
from .arrays import is_elsewhere
from .files import is_stored
from .losses import Binomial, HalfSquaredError, Multinomial
from .plan import as_stored
from .protocols import Array, StepRule
from .steps import PlaneSearch
from .trace import split
from .workers import is_dask

if TYPE_CHECKING:
    from .descent import Run
    from .plan import Problem

__all__ = ["Explanation", "explain"]

# Features whose columns, and whose products with the residuals, are shown beside each other, and the line that they fit on, as far as
# one does.
ACROSS, LINE = 3, 120
# Partial derivatives that are compared with differences of the loss, the largest: each takes two sweeps over the samples.
CHECKED = 100
# The root of the mean square of a change of the predictions, in units of the target's spread, at which a central difference has the least
# error: rounding errors of the loss are eps/h of it, the third derivative's part is h².
CHANGE = float(np.cbrt(np.finfo(np.float64).eps))

# The columns that say what a row is.
INDEX = ("sample", "class", "target", "coefficient")

#: by name
Columns: TypeAlias = dict[str, Array]
#: the names of the columns, the rows of cells, and the lines below
Table: TypeAlias = tuple[list[str], list[list[str]], list[str]]


class OneStep:
    """Told before and after each iteration; keeps what one of them starts from, and ends the run after it."""

    coef: Any = None
    new: Any = None

    def __init__(self, iteration: int, rule: StepRule) -> None:
        self.iteration, self.rule = iteration, rule

    def before(self, run: Run) -> None:
        if run.iteration != self.iteration:
            return
        before = run.last.start
        self.coef, self.gradient, self.loss = run.base.coef.copy(), run.base.gradient.copy(), run.base.value
        self.last_step = np.zeros_like(self.coef) if before is None else run.point.coef - before.coef
        # as they are here: they may get other numbers once they have been minimised
        objective: Any = run.objective
        self.parts = copy.copy(objective.loss), copy.copy(objective.penalty)

    def after(self, run: Run) -> bool:
        if run.iteration != self.iteration + 1 or self.new is not None:
            return self.new is not None
        self.rate, self.factor = run.last.rate, run.last.momentum
        if self.rule.metric:
            self.direction = run.metric.direction(self.gradient)
            self.step = self.rate * self.direction
        else:  # a rate for each coefficient, of gradients up to this one: the rule alone knows it
            self.step = run.point.coef - self.coef
            self.direction = self.step / (self.rate or 1.0)
        # heavy ball repeats the last step; Nesterov's momentum looks ahead from where this one leads
        self.momentum = self.factor * self.last_step + (run.base.coef - run.point.coef)
        self.new, self.new_loss = run.base.coef.copy(), run.base.value
        return True

    def finish(self) -> None:
        """Nothing: all that is needed is kept already."""


def explain(
    model: Any, X: Any, y: Any, sample_weight: Any = None, *, iteration: int = 0, rows: int = 10
) -> Explanation:
    """Show one iteration of a fit with its numbers.

    Predictions, residuals and losses of the samples; each partial derivative as the sum that it is; the step; and the
    coefficients after it, which are those of the next iterate to the last bit. The gradient is checked by differences of
    the loss.

    Parameters
    ----------
    model : GDLinearRegression or GDLogisticRegression, or a pipeline that ends with one
        Fitted or not: its parameters count, and it stays as it is. `learning_rate` is a number, a callable, a schedule or the
        name of a rule, not ``"auto"``, which may solve another form of the problem; `batch_size` is None. Of a pipeline the numbers are those of X as
        the steps before transform it.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data, in memory.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        The target.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    iteration : int, default=0
        Steps taken before: 0 is the step from `init`, whose rate is that of k = 0.
    rows : int, default=10
        Samples, and coefficients, that the tables show. Sums are those of all.

    Returns
    -------
    explanation : Explanation
        Prints as a table, shows as one in a notebook, and has data frames.

    Raises
    ------
    ValueError
        If the run ends before this iteration, if `learning_rate` is ``"auto"`` or there is a `batch_size`, and for what `fit` refuses.
    TypeError
        If `model` is no estimator of this package, or X is not in memory.

    See Also
    --------
    DescentPathDisplay : All iterates on the surface of their loss.

    Examples
    --------
    >>> from sklearn_gd import GDLinearRegression, explain
    >>> step = explain(GDLinearRegression(learning_rate=0.1), [[1.0], [2.0], [3.0]], [2.0, 3.0, 5.0])
    >>> step  # doctest: +ELLIPSIS
    GDLinearRegression, iteration 0, from the start: learning_rate = 0.1
    <BLANKLINE>
    sample  x0  y  prediction  residual     loss  residual·x0
         0   1  2           0        -2        2           -2
         1   2  3           0        -3      4.5           -6
         2   3  5           0        -5     12.5          -15
       sum                          -10       19          -23
      mean                     -3.33333  6.33333     -7.66667
    Mean of residual·x: the loss's partial derivative by the coefficient of x.
    Mean of residual: by the intercept.
    <BLANKLINE>
    coefficient  value  partial derivative  step = -0.1·derivative  new value
             x0      0            -7.66667                0.766667   0.766667
      intercept      0            -3.33333                0.333333   0.333333
    Loss: 6.33333; after the step 1.28259.
    Checked by central differences of the loss: largest relative deviation ...
    >>> step.new_coef
    array([0.76666667])
    """
    check_integer("iteration", iteration, 0)
    check_integer("rows", rows, 1)
    if is_dask(X) or is_elsewhere(X) or is_stored(X):
        raise TypeError(messages.only_numbers_in_memory(X))
    last, _, X = split("explain", model, X, y)
    estimator = clone(last).set_params(on_divergence="warn", verbose=0)
    rule = estimator._parts()[0]
    if isinstance(rule, PlaneSearch):
        raise ValueError(messages.not_explained(last.learning_rate))
    if last.batch_size is not None:
        raise ValueError(messages.many_steps(last.batch_size))
    one = OneStep(iteration, rule)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        problem, run = estimator._fit(X, y, sample_weight, one)
    if one.new is None:
        raise ValueError(messages.no_such_iteration(iteration, run.iteration, str(run.reason), last.tol))
    kept = np.arange(len(np.asarray(y)))
    if sample_weight is not None and np.ndim(sample_weight):
        kept = np.flatnonzero(np.asarray(sample_weight))  # rows without a weight are none
    with np.errstate(all="ignore"):
        return explained(estimator, problem, one, kept, np.asarray(y)[kept], rows)


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Explanation:
    """One iteration with its numbers, see `explain`.

    Printed it is two tables of text, in a notebook two of HTML.

    Parameters
    ----------
    iteration : int
        Steps taken before.
    learning_rate : float
        The rate of this step.
    loss, new_loss : float
        The objective, its penalty included, before the step and after it.
    new_coef, new_intercept : ndarray, and float or ndarray
        The next iterate: ``coef_`` and ``intercept_`` of a fit with ``max_iter=iteration + 1``.
    deviation : float
        The largest difference between a partial derivative and a central difference of the loss, relative to the sum of the sizes of
        the terms that the derivative is the sum of.
    coefficients : dict of str to ndarray
        The columns of the table of coefficients, an entry for each coefficient.
    samples : dict of str to ndarray
        The columns of the table of samples that do not depend on the features, an entry for each sample and output.
    features : list of str
        Their names.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        As the fit saw it: without the rows that have no weight.
    title : str
        What is said above the tables.
    notes : tuple of str
        What is said below them: of the sums, of the loss, of the check.
    rows : int
        Samples, and coefficients, that are shown.
    """

    iteration: int
    learning_rate: float
    loss: float
    new_loss: float
    new_coef: Array
    new_intercept: Any
    deviation: float
    coefficients: Mapping[str, Array]
    samples: Mapping[str, Array]
    features: Sequence[str]
    X: Any
    title: str
    notes: tuple[str, str, str]
    rows: int

    def to_frame(self, table: str = "coefficients") -> Any:
        """Make a data frame of a table, with all of its rows and columns.

        Parameters
        ----------
        table : {"coefficients", "samples"}, default="coefficients"
            Of the coefficients, a row for each; or of the samples, a row for each sample and output.

        Returns
        -------
        frame : pandas.DataFrame
            Its index names the coefficients, or the samples; and the outputs, where there are several.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_choice("table", table, ("coefficients", "samples"))
        try:
            import pandas
        except ImportError as error:
            raise ImportError(messages.NO_PANDAS) from error
        n, p = self.X.shape
        columns = self.coefficients if table == "coefficients" else self._of_samples(n, range(p))
        return pandas.DataFrame(columns).set_index([name for name in INDEX if name in columns])

    @property
    def _slope(self) -> str:
        return slope_name(self.samples)

    def _of_samples(self, rows: int, features: Sequence[int]) -> Columns:
        """The first rows of the table of samples, with some features and their products with the slopes."""
        outputs = len(self.samples["sample"]) // self.X.shape[0]
        x = np.repeat(dense(self.X[:rows][:, list(features)]), outputs, axis=0)
        of_features = {self.features[j]: column for j, column in zip(features, x.T, strict=True)}
        columns = {name: column[: len(x)] for name, column in self.samples.items()}
        slope = columns[self._slope]
        return {
            **{name: columns.pop(name) for name in INDEX if name in columns},
            **of_features,
            **columns,
            **{f"{self._slope}·{name}": slope * column for name, column in of_features.items()},
        }

    def _sums(self, features: Sequence[int]) -> Columns:
        """The sums over all samples, of shares where there are weights: by column a number for each output."""
        n = self.X.shape[0]
        slopes, losses = (self.samples[name].reshape(n, -1) for name in (self._slope, "loss"))
        if "share" in self.samples:
            share = self.samples["share"].reshape(n, -1)
            slopes, losses = slopes * share, losses * share
        products = {f"{self._slope}·{self.features[j]}": column_of(self.X, j) @ slopes for j in features}
        return {self._slope: slopes.sum(axis=0), "loss": losses.sum(axis=0)[:1], **products}

    def _samples_table(self) -> Table:
        most = min(len(self.features), ACROSS)
        tables = (self._table_across(count) for count in range(most, 0, -1))
        return next((table for table in tables if len(aligned(*table[:2])[0]) <= LINE), self._table_across(1))

    def _table_across(self, count: int) -> Table:
        """The table of samples with so many features."""
        n, p = self.X.shape
        shown, features = min(self.rows, n), range(count)
        columns = self._of_samples(shown, features)
        cells = [[cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
        outputs = len(cells) // shown
        # what is the sample's, rather than an output's, stands once
        own = {"sample", "loss", "share", *self.features, *(["y"] if "class" in columns else [])}
        once = [k for k, name in enumerate(columns) if name in own]
        for i in range(len(cells)):
            for k in once if i % outputs else ():
                cells[i][k] = ""
        cells += [["…"] * len(columns)] if shown < n else []
        sums = self._sums(features)
        totals = {"weighted mean": sums}
        if "share" not in columns:
            totals = {"sum": sums, "mean": {name: values / n for name, values in sums.items()}}
        for name, found in totals.items():
            for c in range(outputs):
                row = [cell(found[k][c]) if c < len(found.get(k, ())) else "" for k in columns]
                row[0] = name
                if outputs > 1:
                    row[1] = cells[c][1]
                cells.append(row)
        notes = self.notes[0].split("\n") + ([messages.SHARES] if "share" in columns else [])
        if p > count:
            notes.append(messages.more_features(p - count))
        return list(columns), cells, notes

    def _coefficients_table(self) -> Table:
        columns, p = self.coefficients, len(self.features)
        size = p + ("intercept" in columns["coefficient"][p : p + 1])
        cells = [[cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
        shown = []
        for i, row in enumerate(cells):
            if i % size < self.rows or i % size == p:
                shown.append(row)
            elif i % size == self.rows:
                shown.append(["…"] * len(row))
        return list(columns), shown, list(self.notes[1:])

    def __repr__(self) -> str:
        """Both tables, as text."""
        lines = [self.title]
        for names, cells, notes in (self._samples_table(), self._coefficients_table()):
            lines += ["", *aligned(names, cells), *notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Both tables, for a notebook."""
        parts = [f"<p><strong>{html.escape(self.title)}</strong></p>"]
        for names, cells, notes in (self._samples_table(), self._coefficients_table()):
            rows = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in cells)
            head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
            parts += [f"<p>{html.escape(note)}</p>" for note in notes]
        return "\n".join(parts)


def explained(estimator: Any, problem: Problem, one: OneStep, kept: Array, y: Array, rows: int) -> Explanation:
    """All of an iteration, from what was solved and what was kept of the run."""
    design: Any = problem.design
    X, fit_intercept = design.X, bool(design.fit_intercept)
    (n, p), K = X.shape, problem.outputs
    share = None if problem.weight is None else problem.weight.astype(np.float64)
    target = problem.y.astype(np.float64) if problem.y.dtype.kind == "f" else problem.y
    raw = X @ one.coef[:p] + (one.coef[p] if fit_intercept else 0.0)
    loss, penalty = one.parts
    values, slope, _ = loss.derivatives(target, raw, 1)
    deviation, checked = compare(problem, target, share, raw, slope, one)

    kind = "class" if hasattr(estimator, "classes_") else "target"
    outputs = getattr(estimator, "classes_", np.arange(K))
    told = predicted(estimator, loss, raw)
    samples = {
        "sample": np.repeat(kept, K),
        **({kind: np.tile(outputs, n)} if K > 1 else {}),
        "y": np.broadcast_to(y.reshape(n, -1), (n, K)).ravel(),
        **{name: column.ravel() for name, column in (*told.items(), (slope_name(told), slope))},
        "loss": np.repeat(values, K),
        **({} if share is None else {"share": np.repeat(share, K)}),
    }
    names = [str(name) for name in getattr(estimator, "feature_names_in_", [f"x{j}" for j in range(p)])]
    features = [f"{name} of X" if name in samples else name for name in names]

    of_penalty = np.zeros_like(one.coef)
    penalty.add_gradient(one.coef, of_penalty)
    parts = {"of the loss": one.gradient - of_penalty, "of the penalty": of_penalty} if of_penalty.any() else {}
    by, along = "derivative", {}
    if not np.array_equal(one.direction, -one.gradient):
        by = "P·derivative" if one.rule.metric else "u"
        along = {by: -one.direction}
    columns = {
        "value": one.coef,
        **parts,
        "partial derivative": one.gradient,
        **along,
        f"step = {-one.rate:.6g}·{by}": one.step,
        **({"momentum": one.momentum} if one.momentum.any() else {}),
        "new value": one.new,
    }
    coefficients = {
        **({kind: np.repeat(outputs, len(one.coef))} if K > 1 else {}),
        "coefficient": np.array([*features, "intercept"][: len(one.coef)] * K),
        **{name: column.reshape(-1, K).T.ravel() for name, column in columns.items()},
    }

    stored = as_stored(problem, one.new)
    intercept = stored[p] if fit_intercept else np.zeros(stored.shape[1:], dtype=stored.dtype)
    new_coef, new_intercept = estimator._shaped(np.ascontiguousarray(stored[:p].T), intercept)
    return Explanation(
        iteration=one.iteration,
        learning_rate=one.rate,
        loss=one.loss,
        new_loss=one.new_loss,
        new_coef=new_coef,
        new_intercept=new_intercept,
        deviation=deviation,
        coefficients=coefficients,
        samples=samples,
        features=features,
        X=X,
        title=messages.step_title(type(estimator).__name__, one.iteration, one.rate, one.factor),
        notes=(
            messages.sums_told(slope_name(told), share is not None, fit_intercept),
            messages.loss_told(one.loss, penalty.value(one.coef), one.new_loss),
            messages.check_told(deviation, checked, one.coef.size),
        ),
        rows=rows,
    )


def predicted(estimator: Any, loss: Any, raw: Array) -> Columns:
    """What a loss's raw predictions are called, and the probabilities that they mean."""
    if isinstance(loss, HalfSquaredError):
        return {"prediction": raw}
    if isinstance(loss, (Binomial, Multinomial)):
        probability = Multinomial.probabilities(estimator._two_columns(raw))[0]
        name = "score" if raw.ndim == 2 else "log-odds"
        return {name: raw, "probability": probability if raw.ndim == 2 else probability[:, 1]}
    return {"raw prediction": raw}


def slope_name(columns: Mapping[str, Array]) -> str:
    """What the slope of a sample's loss is called: with these predictions it is the residual."""
    return "residual" if "prediction" in columns or "probability" in columns else "slope"


def compare(
    problem: Problem, y: Array, share: Array | None, raw: Array, slope: Array, one: OneStep
) -> tuple[float, int]:
    """The largest deviation of the run's partial derivatives from central differences of the loss, and how many were compared.

    All in double precision and from X, with nothing of the run's but the gradient. A deviation is relative to the sum of the sizes of the
    terms whose sum the derivative is: these, not the sum, have the rounding errors.
    """
    loss, penalty = one.parts
    X, scale = problem.design.X, np.broadcast_to(problem.scale, problem.outputs)  # type: ignore[attr-defined]

    def objective(raw: Array, coef: Array) -> float:
        return float(np.average(loss.derivatives(y, raw, 0)[0], weights=share)) + penalty.value(coef)

    of_penalty = np.zeros_like(one.coef)
    penalty.add_gradient(one.coef, of_penalty)
    largest = 0.0
    places = np.argsort(-np.abs(one.gradient), axis=None, kind="stable")[:CHECKED]
    for place in zip(*np.unravel_index(places, one.coef.shape), strict=True):
        j, output = place[0], place[1:]
        x = column_of(X, j) if j < X.shape[1] else np.ones(len(raw))
        spread = float(np.sqrt(np.average(x * x, weights=share)))
        h = CHANGE * float(scale[output or (0,)]) / (spread or 1.0)
        ends = []
        for sign in (1, -1):
            moved, coef = raw.copy(), one.coef.copy()
            moved[:, *output] += sign * h * x
            coef[place] += sign * h
            ends.append(objective(moved, coef))
        size = np.average(np.abs(slope[:, *output] * x), weights=share) + abs(of_penalty[place])
        difference = abs((ends[0] - ends[1]) / (2 * h) - one.gradient[place])
        largest = max(largest, difference / size if size else difference)
    return float(largest), len(places)


def column_of(X: Any, j: int) -> Array:
    """A column in double precision."""
    return dense(X[:, [j]])[:, 0]


def dense(block: Any) -> Array:
    """Numbers of X as an array in double precision."""
    return np.asarray(block.toarray() if issparse(block) else block, dtype=np.float64)


def aligned(names: list[str], cells: list[list[str]]) -> list[str]:
    """The lines of a table of text."""
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    return [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (names, *cells)
    ]


def cell(value: Any) -> str:
    """A number with six digits; what is not one as it is."""
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
