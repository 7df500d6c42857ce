"""BaseGD: parameters, validation, the run of the solver and its results, shared by both estimators.

Two uses: `GDLinearRegression`, `GDLogisticRegression`, which add their loss, their target and their predictions.
"""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import arrays, messages
from ._checks import check_boolean, check_choice, check_integer, check_number
from ._compat import DOCUMENTATION, CallbackSupportMixin, Documented, with_callbacks
from .callbacks import tasks_for
from .compiled import KINDS
from .descent import Run
from .designs import design_for
from .designs.rows import NotFiniteError
from .designs.threads import quiet
from .exceptions import DivergenceError, DivergenceWarning, PrecisionWarning, SeparationWarning
from .files import PickedRows, StoredRows, is_stored, loaded, open_rows, predictions
from .momentum import MOMENTA, HeavyBall, NoMomentum, momentum_for
from .plan import (
    NOTICED,
    Constant,
    MiniBatches,
    Prepared,
    Problem,
    Rounds,
    as_stored,
    explicit,
    follow,
    note_rounding,
    plan_for,
    separated,
)
from .preconditioners import PRECONDITIONERS
from .protocols import Array, Loss, Momentum, Recorder, StepRule
from .steps import RULES, PlaneSearch, rule_for
from .workers import collect, is_dask, over_blocks

__all__ = ["BaseGD", "lazy_on_dask", "warn"]

#: what `BaseGD._target` returns
Target: TypeAlias = (
    "tuple[Loss, Array, Array | None, float, Constant | None, int | None, dict[str, Any], *tuple[Rounds, ...]]"
)

#: Modules between a user's call and what is warned of: ours, and scikit-learn's that call a method in the context of callbacks.
BETWEEN = (f"{__package__}.", "sklearn.callback.")

# Entries of X from which a pass to look for NaN is worth saving: about 50 µs.
CHECKED_FIRST = 1 << 17


M = TypeVar("M", bound=Callable[..., Any])


def lazy_on_dask(method: M) -> M:
    """Let a predict method take Dask collections, too: block by block, when the result is computed."""

    @functools.wraps(method)
    def either(self: Any, X: Any) -> Any:
        if not is_dask(X):
            return method(self, X)
        check_is_fitted(self)
        attributes = [name for name in READ if hasattr(self, name)]
        return over_blocks(self, method.__name__, X, arrays.DTYPES, attributes)

    return cast(M, either)


def goes_on_as(method: Callable[..., Any]) -> Callable[[M], M]:
    """What another method returns, raises and warns of, behind the parameters that a docstring ends with."""

    def documented(own: M) -> M:
        if own.__doc__:
            _, section, rest = inspect.cleandoc(method.__doc__ or "").partition("\nReturns\n")
            own.__doc__ = f"{inspect.cleandoc(own.__doc__)}\n{section}{rest}\n"
        return own

    return documented


# The fitted attributes that predictions are made of.
READ = ("coef_", "intercept_", "classes_", "n_features_in_")


class Ingested(NamedTuple):
    """Validated data, and where results return to that are not NumPy's.

    Attributes
    ----------
    X, y, weight
        In memory, on a device, in a file or with workers; weight may be None.
    place, labels
        The libraries and devices of X and of y, None for NumPy's.
    offset
        What is added to the raw predictions, where X is; None for nothing.
    """

    X: Any
    y: Any
    weight: Any
    place: Any = None
    labels: Any = None
    offset: Any = None


class BaseGD(CallbackSupportMixin, Documented, BaseEstimator, ABC):
    """Batch gradient descent for linear models; see the estimators for the parameters."""

    # the estimators are documented under the name by which they are imported
    _doc_link_template = DOCUMENTATION + "api/sklearn_gd.{estimator_name}.html"

    coef_: Array
    intercept_: Any
    n_iter_: int
    n_features_in_: int
    loss_curve_: list[float]
    history_: dict[str, list[float]]
    preconditioner_: str | None
    stop_reason_: str

    def __init__(
        self,
        *,
        learning_rate: str | float | Callable[[int], float] | StepRule = "auto",
        momentum: str | float | Momentum | None = "auto",
        preconditioner: str | None = "auto",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
        batch_size: int | None = None,
        init: str | ArrayLike | tuple[ArrayLike, ArrayLike] = "zeros",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        on_divergence: str = "warn",
        verbose: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.preconditioner = preconditioner
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.init = init
        self.random_state = random_state
        self.warm_start = warm_start
        self.on_divergence = on_divergence
        self.verbose = verbose

    _one_target = True  # whether y must have one dimension
    _in_rounds = False  # whether its loss has a number of its own that is renewed
    _separated = messages.separated()  # what is said where there is no finite optimum

    # -- what an estimator adds -------------------------------------------------------------------------------------

    @abstractmethod
    def _check_own_parameters(self) -> None:
        """Refuse the estimator's own parameters."""

    @abstractmethod
    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Array]:
        """Validated X and y."""

    @abstractmethod
    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        """What the loss sees.

        Returns
        -------
        loss, target, weight, alpha, constant : as `plan.Problem` has them; the weights not yet normalised
        n_outputs : int or None
            None for coefficients of one dimension.
        attributes : dict
            Further fitted attributes.
        *rounds : Rounds
            What becomes of the loss when it has been minimised, if anything does.
        """

    # -- parameters ---------------------------------------------------------------------------------------------------

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the rule and of the momentum included.

        Parameters
        ----------
        **params : dict
            Parameters by name. ``learning_rate__decay=0.1`` is that of the rule: where `learning_rate` is a name, as
            ``"inverse-time"``, it becomes the rule of that name, with this parameter.

        Returns
        -------
        self : estimator
            Itself.

        Raises
        ------
        ValueError
            If there is no such parameter; nothing has been set then.
        """
        own = self.get_params(deep=False)
        for key in params:
            name = key.partition("__")[0]
            if name not in own and name in messages.ELSEWHERE:
                raise ValueError(messages.parameter_of_others(type(self).__name__, name, list(own)))
        for name, named, kinds in (
            ("learning_rate", RULES, list(RULES.values())),
            ("momentum", MOMENTA, [HeavyBall, *MOMENTA.values()]),
        ):
            inner = [key.partition("__")[2] for key in params if key.startswith(f"{name}__")]
            value = params.get(name, own.get(name))
            if not inner or name not in own or (hasattr(value, "get_params") and not isinstance(value, type)):
                continue
            part: Any = named[value]() if isinstance(value, str) and value in named else None
            for key in inner:
                if part is None or key not in part.get_params():
                    having = [kind for kind in kinds if key in kind().get_params()]
                    raise ValueError(messages.no_such_inner_parameter(name, value, key, having))
            params[name] = part
        return super().set_params(**params)

    def _parts(self) -> tuple[StepRule, Momentum, str | None]:
        """The rule, the momentum and the preconditioner's name, all parameters checked."""
        self._check_own_parameters()
        check_integer("max_iter", self.max_iter, 0)
        if self.tol is None:
            raise TypeError(messages.none_given("tol", "to run all of max_iter", "tol=0"))
        check_number("tol", self.tol, 0)
        check_boolean("fit_intercept", self.fit_intercept)
        check_boolean("warm_start", self.warm_start)
        check_choice("on_divergence", self.on_divergence, ("warn", "raise"))
        if not isinstance(self.verbose, (bool, np.bool_)):
            check_integer("verbose", self.verbose, 0)
        if isinstance(self.init, str):
            check_choice("init", self.init, ("zeros", "random"), ", or arrays of coefficients")
        elif isinstance(self.init, tuple) and len(self.init) != 2:
            raise ValueError(
                f"init must be 'zeros', 'random', coefficients, or a pair (coef, intercept), got a tuple of {len(self.init)}."
            )
        elif not isinstance(self.init, tuple) and not hasattr(self.init, "__len__"):
            raise TypeError(
                f"init must be 'zeros', 'random', coefficients, or a pair (coef, intercept), got {self.init!r}."
            )
        try:
            check_random_state(self.random_state)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"random_state must be None, an integer of at least 0, or a RandomState: {error}"
            ) from error
        rule = rule_for(self.learning_rate)
        momentum = momentum_for(self.momentum, rule, self.learning_rate)
        name = self.preconditioner
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"preconditioner must be None or a string, got {name!r} of type {type(name).__name__}.")
            check_choice("preconditioner", name, ("auto", *PRECONDITIONERS), ", or None")
        if name == "auto" and not isinstance(rule, PlaneSearch):
            name = None if rule.scheduled else "diagonal"
        if name is not None and not rule.metric:
            raise ValueError(messages.metric_of_its_own(name, self.learning_rate))
        if self.batch_size is not None:
            check_integer("batch_size", self.batch_size, 1)
            if not rule.scheduled:
                raise ValueError(messages.not_of_batches("learning_rate", self.learning_rate))
            if type(momentum) not in (NoMomentum, HeavyBall):
                raise ValueError(messages.not_of_batches("momentum", self.momentum))
        return rule, momentum, name

    # -- data ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def _accepted(X: Any) -> dict[str, Any]:
        """What X may be, for scikit-learn's validation."""
        # In a large array the first pass over X, which is made anyway, finds NaN and infinity.
        large = isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.size > CHECKED_FIRST
        return {"accept_sparse": "csr", "dtype": arrays.float_dtypes(X), "ensure_all_finite": not large}

    def _validated(self, X: Any, *y: Any, **accepted: Any) -> Any:
        """scikit-learn's validation; of X that stays in its file it sees the shape and the kind of numbers."""
        if y and _is_ready(X, y[0], accepted["ensure_all_finite"]):
            # nothing is left to convert or to refuse, and columns of an array have no names
            self.n_features_in_ = X.shape[1]
            self.__dict__.pop("feature_names_in_", None)
            return X, *y
        if not is_stored(X):
            checked = validate_data(self, X, *y, **accepted)
            X = checked[0] if y else checked
            if issparse(X):
                X = arrays.one_index_type(X)
                if y and not X.has_canonical_format:
                    # a column's squares are those of entries, not of the parts that these may be stored in
                    X = X.copy()
                    X.sum_duplicates()
            return (X, checked[1]) if y else X
        rows = open_rows(X)
        checked = validate_data(self, rows.stand_in(), *y, **{**accepted, "ensure_all_finite": False})
        return (rows, checked[1]) if y else rows

    def _check_beside(self, values: Any, X: Any, name: str, what: str) -> Any:
        """One finite number a sample, where X is."""
        n = X.shape[0]
        if isinstance(values, Real):
            values = np.full(n, values)
        if arrays.is_elsewhere(X):
            values = arrays.place_of(X).put(values)
        values = check_array(
            values,
            accept_sparse=False,
            ensure_2d=False,
            # in X's arithmetic once they are shares: large and small ones may have no place there
            dtype=X.dtype if arrays.is_elsewhere(X) else arrays.DTYPES,
            input_name=name,
            estimator=self,
        )
        if values.ndim != 1:
            raise ValueError(f"{what}s must be 1D array or scalar, got {values.ndim}D array.")
        if values.shape != (n,):
            raise ValueError(
                f"{name}.shape == {values.shape}, expected {(n,)}: one {what.split()[-1].lower()} a sample."
            )
        return values

    def _check_weight(self, sample_weight: Any, X: Any) -> Array | None:
        if sample_weight is None:
            return None
        weight: Array = self._check_beside(sample_weight, X, "sample_weight", "Sample weight")
        xp = arrays.namespace(weight)
        low, high = float(xp.min(weight)), float(xp.max(weight))
        if low < 0:
            raise ValueError(f"Negative values in data passed to `sample_weight`: the smallest is {low:.3g}.")
        if not high:
            raise ValueError("Sample weights must not all be zero: at least one sample must have a positive weight.")
        return weight

    def _start(self, shape: tuple[int, ...]) -> Array:
        """The first coefficients, the intercept last, in double precision."""
        p = shape[0] - bool(self.fit_intercept)
        if self.warm_start and hasattr(self, "coef_"):
            given: Any = (self.coef_, self.intercept_)
            name = "the coefficients of the last fit (warm_start=True)"
        elif isinstance(self.init, str):
            if self.init == "zeros":
                return np.zeros(shape)
            return check_random_state(self.random_state).standard_normal(shape)
        else:
            given = self.init if isinstance(self.init, tuple) else (self.init, None)
            name = "init"
        coef = self._start_array(given[0], name)
        intercept = None if given[1] is None else self._start_array(given[1], name)
        outputs = shape[1:]
        expected = (*outputs, p)
        if coef.size != int(np.prod(expected)) or coef.shape[-1:] != (p,) or coef.ndim > 2:
            raise ValueError(f"{name}: coefficients of shape {coef.shape}, expected {expected}.")
        out = np.zeros(shape)
        out[:p] = coef.reshape(expected).T
        if intercept is not None:
            if intercept.size not in (1, int(np.prod(outputs))) or intercept.ndim > 1:
                raise ValueError(f"{name}: an intercept of shape {intercept.shape}, expected {outputs}.")
            if self.fit_intercept:
                out[p] = np.broadcast_to(intercept.ravel(), outputs) if outputs else intercept.ravel()[0]
            elif intercept.any() and name == "init":
                raise ValueError("init: an intercept was given, and fit_intercept=False.")
        return out

    def _start_array(self, array: Any, name: str) -> Array:
        if arrays.is_elsewhere(array):
            array = arrays.transfer(array)
        try:
            return check_array(
                array, ensure_2d=False, allow_nd=True, dtype=np.float64, input_name="init", estimator=self
            )
        except (TypeError, ValueError) as error:
            # NumPy scalars and 0-d arrays are intercepts, which check_array refuses
            scalar = np.asarray(array)
            if scalar.ndim == 0 and scalar.dtype.kind in "fiu" and np.isfinite(scalar):
                return scalar.astype(np.float64).reshape(1)
            raise type(error)(f"{name} must be arrays of finite numbers: {error}") from error

    # -- the fit --------------------------------------------------------------------------------------------------------

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Training data; float32 and float64 arrays are used where they are, without a copy. Memory maps and arrays in
            files (`h5py.Dataset`, `zarr.Array` and their like) are read by blocks of rows. The blocks of Dask collections are
            kept in the memory of their workers until the fit ends.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, not all zero. A weight of 2 is the same as the row twice, a weight of 0 as the row removed.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError, TypeError
            For parameters or data that are not allowed, before any work is done.
        OSError
            If X is in a file that is truncated or cannot be read; the message names it and the rows.
        DivergenceError
            If the run diverges and ``on_divergence="raise"``.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` is reached, with the cause and the way out.
        DivergenceWarning
            If the run diverges and ``on_divergence="warn"``.
        PrecisionWarning
            If more than 1e-3 of the loss that the columns could explain (or `tol`, where that is more) is found left out, because
            the arithmetic cannot tell them apart; the message names the part and the way out.
        SeparationWarning
            If the end shows that there is no finite optimum: classes that are separated, with ``C=inf``; a value of a feature without
            an event, of Poisson regression with ``alpha=0``.
        """
        return self._fit_or_restore(X, y, sample_weight)

    def _fit_or_restore(self, X: Any, y: Any, sample_weight: Any, **given: Any) -> Self:
        """Fit, or be as before."""
        before = vars(self).copy()
        try:
            self._fit(X, y, sample_weight, **given)
        except BaseException:
            # A refused or failed fit loses nothing that an earlier one had fitted.
            for name in [name for name in vars(self) if _is_fitted_attribute(name)]:
                delattr(self, name)
            self.__dict__.update({name: value for name, value in before.items() if _is_fitted_attribute(name)})
            raise
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, recorder: Recorder | None = None, offset: Any = None
    ) -> tuple[Problem, Run]:
        """Prepare, plan, run; told to scikit-learn's callbacks or to a recorder. What was solved, and how it went."""
        rule, momentum, preconditioner = self._parts()
        if self.batch_size is not None:
            self._check_batches(X, y, sample_weight, offset)
        beside = {"sample_weight": sample_weight, "offset": offset}
        metadata = {name: values for name, values in beside.items() if values is not None}
        given = {"X": X, "y": y, "metadata": metadata or None}
        data = self._ingest(X, y, **beside)
        problem, attributes = self._problem(data)

        def results(run: Run) -> dict[str, Any]:
            return self._placed(run, problem, data, attributes)

        problem.callback = tasks = tasks_for(self, given, results) if recorder is None else recorder
        with np.errstate(all="ignore"):  # overflow is found from its result, and told in words
            try:
                with quiet(problem.design):
                    if isinstance(rule, PlaneSearch):
                        run = follow(plan_for(problem, preconditioner), problem, preconditioner)
                    elif self.batch_size is None:
                        run = explicit(problem, rule, momentum, preconditioner)
                    else:
                        random = check_random_state(self.random_state)
                        passes = MiniBatches(rule, momentum, problem.model, int(self.batch_size), random)
                        run = explicit(problem, passes, NoMomentum(), preconditioner)
            except NotFiniteError:
                self._refuse_not_finite(data.X, problem.design)
                raise
            with quiet(problem.design):
                self._report(problem, run, rule)
        check_coefficients(run, problem)
        self.__dict__.update(results(run))
        if tasks is not None:
            tasks.finish()
        return problem, run

    def _placed(self, run: Run, problem: Problem, data: Ingested, attributes: dict[str, Any]) -> dict[str, Any]:
        """The fitted attributes of a run: arrays where X came from; the classes, which may be words, where y did."""
        fitted = {**self._results(run, problem), **attributes}
        for name, origin in (("coef_", data.place), ("intercept_", data.place), ("classes_", data.labels)):
            if origin is not None and name in fitted:
                fitted[name] = origin.put(fitted[name])
        return fitted

    def _check_batches(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> None:
        """Refuse what no batch is drawn of, before any work."""
        if sample_weight is not None or getattr(self, "class_weight", None) is not None:
            raise ValueError(messages.not_of_batches("weights"))
        if offset is not None:
            raise ValueError(messages.not_of_batches("offset"))
        if is_dask(X) or is_dask(y) or arrays.dispatched(X):
            raise ValueError(messages.not_of_batches("data elsewhere"))

    def _ingest(self, X: Any, y: Any, sample_weight: Any, offset: Any = None) -> Ingested:
        """Validated data, wherever they live, without the rows that have no weight."""
        if any(is_dask(values) for values in (X, y, sample_weight, offset)):
            X, y, weight, offset = collect(self, X, y, sample_weight, offset, arrays.DTYPES, self._one_target)
            return Ingested(X, y, weight, offset=offset)
        labels = arrays.place_of(y) if arrays.dispatched(y) else None
        X, place, (y, sample_weight, offset) = arrays.settled(X, y, sample_weight, offset)
        X, y = self._check_X_y(X, loaded(y))
        weight = self._check_weight(loaded(sample_weight), X)
        if offset is not None:
            offset = self._check_beside(loaded(offset), X, "offset", "Offset")
        if weight is not None and not arrays.namespace(weight).all(weight != 0):
            # A weight of zero removes the row: also from what decides how the problem is solved.
            rows = arrays.rows_with(weight)
            if isinstance(X, StoredRows):
                X = PickedRows(X, rows, all_checked=True)
            else:
                check_array(X, accept_sparse=True, input_name="X", estimator=self)  # the rows that go, too
                X = arrays.taken(X, rows)
            y, weight = arrays.taken(y, rows), arrays.taken(weight, rows)
            offset = None if offset is None else arrays.taken(offset, rows)
        return Ingested(X, y, weight, place, labels, offset)

    def _problem(self, data: Ingested) -> tuple[Problem, dict[str, Any]]:
        """What is minimised, and the fitted attributes that the target tells."""
        X = data.X
        beside = () if data.offset is None else (data.offset,)
        found = self._target(data.y, data.weight, X, *beside)
        loss, target, weight, alpha, constant, n_outputs, attributes, *rounds = found
        if weight is not None:
            total = (
                arrays.home(arrays.total(weight))[0] if arrays.is_elsewhere(weight) else weight.sum(dtype=np.float64)
            )
            weight = arrays.cast(weight / total, X.dtype)
        design: Any = design_for(X, bool(self.fit_intercept))
        if design.where == "workers":
            target, weight = design.hold(target), design.hold(weight)
        start = self._start((design.size,) if n_outputs is None else (design.size, n_outputs))
        prepared = Prepared(design, target, weight)
        problem = Problem(
            prepared,
            loss,
            alpha,
            constant,
            start,
            self.tol,
            self.max_iter,
            int(self.verbose),
            rounds=next(iter(rounds), None),
        )
        return problem, attributes

    def _refuse_not_finite(self, X: Any, design: Any) -> None:
        """Say what is not finite, and where; of rows in a file the error has said it."""
        if is_dask(X):
            design.refuse_not_finite()
        elif not isinstance(X, StoredRows):
            check_array(X, accept_sparse=True, input_name="X", estimator=self)

    def _report(self, problem: Problem, run: Run, rule: StepRule) -> None:
        """Say what has to be said about the end of a run."""
        if self._report_own(problem, run, rule):
            return
        ended = run.reason in ("gradient", "precision")
        unpenalised = problem.loss.separable and not problem.alpha and problem.design.where == "memory"
        if unpenalised and run.reason in ("gradient", "precision", "max_iter") and separated(run):
            warn(self._separated, SeparationWarning)
            return
        if ended:
            note_rounding(problem, run)
            left_out = run.rounding.left_out
            if left_out > max(NOTICED, self.tol):
                warn(messages.imprecise(left_out, problem.design.dtype), PrecisionWarning)
        elif run.reason == "diverged":
            text = messages.diverged(run, rule, self._limit(run, rule), self.batch_size, problem.loss.bounded)
            if self.on_divergence == "raise":
                raise DivergenceError(text)
            warn(text, DivergenceWarning)
        elif run.reason == "max_iter":
            limit = self._limit(run, rule) if rule.scheduled else None
            text = messages.unconverged(run, rule, limit, self.tol, self.batch_size, problem.loss.bounded)
            warn(text, ConvergenceWarning)

    @staticmethod
    def _limit(run: Run, rule: StepRule) -> float | None:
        """The largest safe learning rate, 2/L; None of a rule with a metric of its own, and where the loss is straight."""
        largest = run.smoothness() if rule.metric else 0.0
        return 2 / largest if largest > 0 else None

    def _report_own(self, problem: Problem, run: Run, rule: StepRule) -> bool:
        """Say it in words of the estimator's own; whether nothing is left to say."""
        return False

    def _results(self, run: Run, problem: Problem) -> dict[str, Any]:
        """The fitted attributes of a run, at its end or under way."""
        coef = as_stored(problem, run.coef)
        if self.fit_intercept:
            coef, intercept = coef[:-1], coef[-1]
        else:
            intercept = np.zeros(problem.start.shape[1:], dtype=coef.dtype)
        coef, intercept = self._shaped(np.ascontiguousarray(coef.T), intercept)
        return {
            "coef_": coef,
            "intercept_": intercept,
            "n_iter_": run.iteration,
            "loss_curve_": list(run.history["loss"]),
            "history_": {name: list(column) for name, column in run.history.items()},
            "preconditioner_": run.metric.name,
            "stop_reason_": run.reason,
            "stages_": [stage._asdict() for stage in run.log.stages],
        }

    def _shaped(self, coef: Array, intercept: Array) -> tuple[Array, Any]:
        """Coefficients of shape (n_outputs, n_features) or (n_features,) in the estimator's convention."""
        return coef, intercept

    # -- predictions ----------------------------------------------------------------------------------------------------

    def _raw(self, X: Any, method: str) -> Array:
        """X @ coef_.T + intercept_, for a method of that name."""
        check_is_fitted(self)
        X = self._validated(X, accept_sparse="csr", dtype=arrays.float_dtypes(X), reset=False)
        fitted, given = ((arrays.place_of(array) if arrays.is_elsewhere(array) else None) for array in (self.coef_, X))
        if fitted != given:
            raise ValueError(messages.other_namespace(f"{type(self).__name__}.{method}", fitted, given))
        if isinstance(X, StoredRows):
            return predictions(X, self.coef_, self.intercept_)
        coef = self.coef_ if self.coef_.ndim == 1 else self.coef_.T
        if given is None and X.dtype == coef.dtype == np.float32:
            # products in double precision, as those of the fit: large terms that cancel leave what they left there
            design: Any = design_for(X, True)
            with quiet(design):
                return design.forward(
                    np.concatenate([coef, np.reshape(self.intercept_, (1, *coef.shape[1:]))], dtype=np.float64)
                )
        return X @ coef + self.intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags


def warn(text: str, category: type[Warning]) -> None:
    """Warn at the line that called a method of ours: whatever lies between, callbacks or a subclass, is not the user's."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(BETWEEN):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


def check_coefficients(run: Run, problem: Problem) -> None:
    """Refuse a result that the precision of X does not hold."""
    largest, dtype = float(np.abs(run.coef).max(initial=0.0)), problem.design.dtype
    if largest > float(np.finfo(dtype).max):
        raise ValueError(messages.coefficients_out_of_range(largest, dtype))


def _is_ready(X: Any, y: Any, finite: bool) -> bool:
    """Whether scikit-learn's validation would return these as they are: that takes a fit of small data a third of its time."""
    if type(X) in (csr_array, csr_matrix):
        ready = X.ndim == 2 and X.indices.dtype == X.indptr.dtype == np.int32 and X.has_canonical_format
        stored = X.data
    else:
        ready, stored = type(X) is np.ndarray and X.ndim == 2, X
    if not (ready and stored.dtype in KINDS and stored.size > 0):
        return False
    if type(y) is not np.ndarray or y.dtype.kind not in "biuf" or y.shape != X.shape[:1]:
        return False
    with np.errstate(all="ignore"):
        # a sum that is not finite may be an overflow: validation will tell
        return bool(np.isfinite(y).all()) and (not finite or math.isfinite(stored.sum()))


def _is_fitted_attribute(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")
