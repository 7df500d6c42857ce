"""What the candidates of a search can share, decided before any work is done; nothing here reads X.

Two uses: `GDSearchCV`, which fits all shared candidates from the second moments of a few groups of rows; and whoever asks why a
search took as long as it did: `Sharing` is printed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from .._compat import has_callbacks
from ..linear_model import GDLinearRegression, GDLogisticRegression
from ..momentum import HeavyBall, Nesterov, NoMomentum
from ..poisson import GDPoissonRegression
from ..protocols import Array, Momentum
from ..steps import PlaneSearch, Schedule

__all__ = ["REFUSED", "Model", "Repeated", "Round", "Rows", "Setting", "Sharing", "model_of", "rounds_of", "setting_of"]

#: Rows of X: a slice where they lie together, and are then no copy.
Rows = slice | Array

#: The transformers that are an affine map of each column, and their parameters that say which.
SCALERS: dict[type, tuple[str, ...]] = {
    StandardScaler: ("with_mean", "with_std"),
    MinMaxScaler: ("feature_range", "clip"),
    MaxAbsScaler: ("clip",),
}
# A fit by "auto" ends at the optimum: with a tolerance up to this one the scores are the same to its square, and the iterations that
# conjugate gradients need in the metric of a Gram matrix, or on the way to it, are fewer than these.
CLOSE, ENOUGH = 1e-4, 100
#: In the reason of a candidate whose every fit is an error.
REFUSED = "refuses its parameters"


@dataclass(frozen=True)
class Sharing:
    """What became of the candidates of a search.

    Parameters
    ----------
    reasons : tuple of str or None
        Why a candidate was not shared, in the order of ``cv_results_["params"]``; None where it was.
    """

    reasons: tuple[str | None, ...]

    @property
    def shared(self) -> tuple[bool, ...]:
        """Whether a candidate was shared."""
        return tuple(reason is None for reason in self.reasons)

    def __str__(self) -> str:
        lines = []
        for reason, members in groupby(enumerate(self.reasons), key=lambda pair: pair[1]):
            numbers = [number for number, _ in members]
            which = f"candidate {numbers[0]}" if len(numbers) == 1 else f"candidates {numbers[0]} to {numbers[-1]}"
            lines.append(f"{which}: shared" if reason is None else f"{which}: not shared, because {reason}")
        return "\n".join(lines)


class Model(NamedTuple):
    """An estimator whose parts are known here.

    Attributes
    ----------
    steps : dict of str to estimator
        The steps of a pipeline by name; of a bare estimator one, without a name.
    last : str
        The name of the model's step.
    """

    steps: dict[str, Any]
    last: str


class Setting(NamedTuple):
    """What a candidate asks of squared error.

    Attributes
    ----------
    scaling : tuple of (class, parameters)
        The scalers in front of the model.
    fit_intercept : bool
    alpha : float
    rule : Schedule or None
        The learning rates; None for the optimum.
    momentum : Momentum
        None, heavy ball's or Nesterov's.
    max_iter, tol, init : as the estimator has them
    strict : bool
        Whether divergence is an error.
    """

    scaling: tuple[tuple[type, tuple[Any, ...]], ...]
    fit_intercept: bool
    alpha: float
    rule: Schedule | None
    momentum: Momentum
    max_iter: int
    tol: float
    init: Any
    strict: bool


def model_of(estimator: Any) -> Model | str:
    """The parts of an estimator, or why nothing can be shared between its fits.

    Parameters
    ----------
    estimator : estimator
    """
    if type(estimator) is Pipeline and estimator.steps:
        steps, last = dict(estimator.steps), estimator.steps[-1][0]
        if has_callbacks(estimator):
            return "the pipeline has callbacks, which see every fit"
    else:
        steps, last = {"": estimator}, ""
    if type(steps[last]) in (GDLogisticRegression, GDPoissonRegression):
        called = [step for step in steps.values() if has_callbacks(step)]
        return f"{type(called[0]).__name__} has callbacks, which see every fit" if called else Model(steps, last)
    if type(steps[last]) is not GDLinearRegression:
        return f"{type(steps[last]).__name__} has no fits that follow from the same second moments"
    return next((text for step in steps.values() if (text := _refused(step))), None) or Model(steps, last)


def _refused(step: Any) -> str | None:
    """Why a step stands in the way."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return None
    if type(step) is not GDLinearRegression and type(step) not in SCALERS:
        return f"{type(step).__name__} is no affine map of each column that is known here"
    return f"{type(step).__name__} has callbacks, which see every fit" if has_callbacks(step) else None


def setting_of(model: Model, params: Mapping[str, Any]) -> Setting | str:
    """What a candidate asks for, or why it is fitted on its own.

    Parameters
    ----------
    model : Model
    params : dict of str to object
        The candidate's, as `set_params` takes them.

    Raises
    ------
    KeyError
        For a parameter that there is not.
    """
    steps, own = dict(model.steps), {name: {} for name in model.steps}  # type: dict[str, Any], dict[str, dict[str, Any]]
    for key, value in params.items():
        name, _, inner = key.partition("__") if model.last else ("", "", key)
        if not inner:
            steps[name] = value if name in steps else steps[name]
        elif "__" in inner:
            return f"{key} is a parameter of a part"
        elif inner.endswith("_"):
            raise KeyError(inner)
        else:
            own[name][inner] = value
    if type(steps[model.last]) is not GDLinearRegression:
        return f"{type(steps[model.last]).__name__} has no fits that follow from the same second moments"
    scaling = []
    for name, step in steps.items():
        if name == model.last or step is None or (isinstance(step, str) and step == "passthrough"):
            continue
        scaler = _scaler(step, own[name])
        if isinstance(scaler, str):
            return scaler
        scaling.append(scaler)
    return _of_model(steps[model.last], own[model.last], tuple(scaling))


def _scaler(step: Any, own: dict[str, Any]) -> tuple[type, tuple[Any, ...]] | str:
    """A scaler's class and what its map depends on, or why it is not shared."""
    text = _refused(step)
    if text:
        return text
    # what a constructor sets, and nobody else; `get_params` takes as long as a small fit
    given = dict(vars(step))
    for name in own:
        given[name]  # a KeyError where there is no such parameter
    given.update(own)
    if given.get("clip"):
        return f"{type(step).__name__}(clip=True) is no affine map"
    kind = type(step)
    found = tuple(given.get(name, False) for name in SCALERS[kind])  # older MaxAbsScalers have no clip
    switches = [value for name, value in zip(SCALERS[kind], found, strict=True) if name != "feature_range"]
    span = given.get("feature_range", (0, 1))
    if not all(isinstance(switch, (bool, np.bool_)) for switch in switches) or not _rises(span):
        return f"{kind.__name__} {REFUSED}"
    return kind, found


def _rises(span: Any) -> bool:
    """Whether bounds are a pair that MinMaxScaler takes."""
    return isinstance(span, tuple) and len(span) == 2 and bool(span[0] < span[1])


def _of_model(model: Any, own: dict[str, Any], scaling: tuple[Any, ...]) -> Setting | str:
    """The model's part of `setting_of`."""
    probe = copy.copy(model)
    known = vars(probe)
    for name in own:
        known[name]  # a KeyError where there is no such parameter
    known.update(own)
    try:
        rule, momentum, preconditioner = probe._parts()
    except (TypeError, ValueError) as error:
        return f"{type(model).__name__} {REFUSED}: {error}"
    if probe.verbose:
        return "verbose prints the iterations of every fit"
    if probe.batch_size is not None:
        return f"batch_size={probe.batch_size} draws the batches of every fit"
    if isinstance(probe.init, str) and probe.init != "zeros":
        return f"init={probe.init!r} draws another start for every fit"
    at_optimum = type(rule) is PlaneSearch
    if at_optimum:
        if preconditioner not in ("auto", "full"):
            return f"preconditioner={preconditioner!r} may end before the optimum"
        if probe.tol > CLOSE or probe.max_iter < ENOUGH:
            return f"tol={probe.tol} and max_iter={probe.max_iter} may end before the optimum"
    elif not isinstance(rule, Schedule):
        return f"learning_rate={probe.learning_rate!r} looks at the loss"
    elif preconditioner is not None:
        return f"preconditioner={preconditioner!r} with a learning rate is not known in closed form"
    elif type(momentum) not in (NoMomentum, HeavyBall, Nesterov):
        return f"momentum={probe.momentum!r} is not known in closed form"
    return Setting(
        scaling,
        bool(probe.fit_intercept),
        float(probe.alpha),
        None if at_optimum else rule,
        momentum,
        int(probe.max_iter),
        float(probe.tol),
        None if isinstance(probe.init, str) else probe.init,
        probe.on_divergence == "raise",
    )


class Repeated(ValueError):
    """A training part has a row more than once."""


class Round(NamedTuple):
    """Splits whose training parts are made of the same groups of rows.

    Attributes
    ----------
    groups : list of slice or ndarray
        Those that are in some training part; no row is in two of them.
    splits : list of (int, list of int)
        A split's number, and the groups that its training part is made of.
    """

    groups: list[Rows]
    splits: list[tuple[int, list[int]]]


def rounds_of(splits: Sequence[tuple[Array, Array]], n_samples: int) -> Iterator[Round]:
    """Splits by the groups of rows that their training parts are made of, one read of X a round.

    The k training parts of a k-fold have k patterns of membership: one round. Repetitions are a round each, and random
    splits, whose patterns double with every split, each one of its own.

    Parameters
    ----------
    splits : sequence of (train, test)
    n_samples : int

    Raises
    ------
    Repeated
        If a training part has a row more than once.
    """
    labels = np.zeros(n_samples, dtype=np.intp)
    members: list[Array] = []
    first = 0
    for number, (train, _) in enumerate(splits):
        member = np.zeros(n_samples, dtype=np.intp)
        member[train] = 1
        if member.sum() != len(train):
            raise Repeated(f"the training part of split {number} has rows more than once")
        finer = 2 * labels + member
        found = np.bincount(finer) > 0
        if members and np.count_nonzero(found) > len(members) + 2:
            yield _round(labels, members, first)
            first, members, finer = number, [], member
            found = np.bincount(finer) > 0
        labels = (np.cumsum(found) - 1)[finer]
        members.append(member)
    yield _round(labels, members, first)


def _round(labels: Array, members: list[Array], first: int) -> Round:
    """The groups of a round, but for those in no training part."""
    rows = [np.flatnonzero(labels == label) for label in range(labels.max(initial=-1) + 1)]
    rows = [group for group in rows if any(member[group[0]] for member in members)]
    splits = [(first + k, [g for g, group in enumerate(rows) if member[group[0]]]) for k, member in enumerate(members)]
    return Round([together(group) for group in rows], splits)


def together(rows: Array) -> Rows:
    """A slice of the same rows, where they lie together."""
    if len(rows) and rows[0] >= 0 and rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
