"""gradient_descent: the solver of the estimators on any differentiable function.

Two uses: by itself, to see what a learning rate or a start does on a function of two numbers; and as a method of
`scipy.optimize.minimize`. The loop, the rules, the momenta, the history and the ends of a run are those of the estimators.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, OptimizeResult, OptimizeWarning
from sklearn.utils import check_random_state

from . import messages
from ._checks import check_boolean, check_choice, check_integer, check_level, check_number
from .descent import GradientNorm, Run, descend
from .exceptions import DivergenceError, DivergenceWarning
from .functions import EPS, SCHEMES, EvaluationsSpentError, Function
from .momentum import NoMomentum, momentum_for
from .preconditioners import Identity
from .protocols import Array, Momentum, StepRule
from .quasi_newton import LimitedMemory
from .steps import Polyak, Wolfe, rule_for

__all__ = ["gradient_descent"]

#: stop_reason -> status; SciPy's own figures where it has one
STATUS = {"gradient": 0, "max_iter": 1, "precision": 2, "diverged": 3, "unbounded": 4, "maxfev": 5, "callback": 99}
# Iterations of the default rule that tell a run without a bottom from one that only creeps: its steps grow tenfold at
# most, and f = 3x² + 4y − sin z takes 40 of them to −1e20.
PROBE = 100
# Steps in a row of a rule that looks at the function, within rounding errors of each number, that count as the end.
STILL = 10
#: name -> class of the metrics that need a function's gradients alone
METRICS: dict[str | None, type[Identity]] = {None: Identity, "lbfgs": LimitedMemory}
#: SciPy's name of an option -> ours
SCIPYS_NAMES = {"maxiter": "max_iter", "maxfun": "maxfev", "gtol": "tol"}
#: what `scipy.optimize.minimize` hands to every method by name, and nobody else does
MINIMIZE = {"args", "jac", "hess", "hessp", "bounds", "constraints", "callback"}

M = TypeVar("M", bound=Callable[..., Any])


def scipys_options(method: M) -> M:
    """Treat the options that do not exist, and those given under two names, as their caller expects.

    `scipy.optimize.minimize` warns of options that a method does not know, whoever calls a function gets a TypeError. And
    SciPy's ``tol`` is the default of a method's ``gtol``, which is no contradiction to it.
    """
    known = inspect.signature(method).parameters

    @functools.wraps(method)
    def called(*args: Any, **kwargs: Any) -> Any:
        by_minimize = kwargs.keys() >= MINIMIZE
        unknown = [name for name in kwargs if name not in known]
        if unknown and not by_minimize:
            raise TypeError(messages.no_such_keyword(method.__name__, unknown[0], list(known)))
        if unknown:
            warnings.warn(f"Unknown solver options: {', '.join(unknown)}", OptimizeWarning, stacklevel=3)
        for scipys, ours in SCIPYS_NAMES.items():
            theirs, own = kwargs.get(scipys), kwargs.get(ours)
            if theirs is None or own is None or (by_minimize and scipys == "gtol"):
                continue
            check_number(scipys, theirs, 0)
            check_number(ours, own, 0)
            if theirs != own:
                raise ValueError(messages.two_names(scipys, ours, theirs, own))
        return method(*args, **{name: value for name, value in kwargs.items() if name in known})

    return cast(M, called)


@scipys_options
def gradient_descent(
    fun: Callable[..., Any],
    x0: ArrayLike | None,
    args: Any = (),
    jac: Callable[..., Any] | str | bool | None = None,
    hess: None = None,
    hessp: None = None,
    bounds: Bounds | Sequence[tuple[float | None, float | None]] | None = None,
    constraints: Any = (),
    callback: Callable[..., Any] | None = None,
    *,
    learning_rate: str | float | Callable[[int], float] | StepRule = "auto",
    momentum: str | float | Momentum | None = "auto",
    preconditioner: str | None = "auto",
    max_iter: int = 1000,
    tol: float = 1e-6,
    n_starts: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    check_gradient: bool = True,
    on_divergence: str = "warn",
    verbose: int = 0,
    maxiter: float | None = None,
    gtol: float | None = None,
    maxfev: float | None = None,
    maxfun: float | None = None,
    disp: bool | int = False,
    return_all: bool = False,
) -> OptimizeResult:
    """Minimise a differentiable function by gradient descent.

    By itself, or as a method of SciPy's, ``scipy.optimize.minimize(fun, x0, method=gradient_descent, options={...})``: all
    parameters from `learning_rate` on are options then.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, x of shape (n,); with ``jac=True`` it returns the pair (value, gradient). Arrays of one
        number are values, too, and arrays of n numbers gradients, whatever their shapes.
    x0 : array-like of shape (n,) or (n_starts, n), or None
        Where to start. Every row of a matrix is a start: all are run, and the best end is the result. None with
        `n_starts`. A start outside of `bounds` is projected on them. A column, of shape (k, 1), could be one start of k
        numbers as well as k starts of one number, and is refused: write ``x0.ravel()`` for the first, ``n_starts=k`` or
        `bounds` of one pair for the second. `fun` gets x of shape (n,) always.
    args : tuple, default=()
        Further arguments of `fun` and `jac`.
    jac : callable, True, {"2-point", "3-point", "cs"} or None, default=None
        The gradient: ``jac(x, *args)`` of shape (n,); True where `fun` returns it, too; or how it is found by finite
        differences within `bounds`. None is ``"3-point"``: the error of ``"2-point"``, half as dear, is often larger
        than `tol`. ``"cs"`` calls `fun` with complex numbers.
    hess, hessp : None
        Not used; anything else is refused.
    bounds : scipy.optimize.Bounds or sequence of (low, high), default=None
        Every step is projected on this box; None in a pair is no bound.
    constraints : tuple, default=()
        Not supported; anything but an empty one is refused.
    callback : callable, default=None
        Called after each iteration: ``callback(xk)``, or ``callback(intermediate_result)`` where that is its parameter's
        name, with an `OptimizeResult` that has x, fun, jac and nit. ``StopIteration`` ends the descent, the starts that
        were still to come included.
    learning_rate : float, str, callable or rule, default="auto"
        As the estimators have it, for instance 0.1, ``lambda k: 1 / (k + 1)``, ``"backtracking"`` or
        ``sklearn_gd.steps.Cosine(0.2)``. A number alone is the textbook, x ← x − learning_rate·∇F(x). ``"auto"`` is
        ``"wolfe"`` in the metric ``"lbfgs"``. ``"polyak"`` needs to know the least value:
        ``sklearn_gd.steps.Polyak(optimum=...)``.
    momentum : {"auto", "nesterov"}, float, momentum object or None, default="auto"
        As the estimators have it; ``"auto"`` is none.
    preconditioner : {"auto", "lbfgs"} or None, default="auto"
        The metric in which descent is steepest: that of the last ten steps (L-BFGS), or the plain gradient's. ``"auto"`` is
        ``"lbfgs"`` with ``learning_rate="auto"``, and None with all others.
    max_iter : int, default=1000
        Iterations at most, of each start.
    tol : float, default=1e-6
        The Euclidean norm of the gradient at which a run ends; the gradient is taken without the components that
        `bounds` hold.
    n_starts : int or None, default=None
        As many starts, drawn uniformly in the box that `bounds` must then be; `x0`, if given, is the first of them. If `x0`
        has as many rows, these are the starts, and none is drawn.
    random_state : int, RandomState instance or None, default=None
        Draws the starts.
    check_gradient : bool, default=True
        Whether a gradient of the user's is compared with the change of `fun` along a short line: at each start (two values), and
        where a run ends without success.
    on_divergence : {"warn", "raise"}, default="warn"
        What to do where the result comes from a run that diverged: warn, or raise `DivergenceError`.
    verbose : int, default=0
        1 prints a line at iterations 1, 2, ..., 10, 20, ... and at the end, 2 at every one.
    maxiter : int or None, default=None
        SciPy's name of `max_iter`; whole numbers of type float, and inf, are allowed.
    gtol : float or None, default=None
        SciPy's name of `tol`. It is the Euclidean norm here, which is never less than the largest component that SciPy's methods
        look at. In `scipy.optimize.minimize` it goes before ``tol``, as for SciPy's own methods.
    maxfev, maxfun : int or None, default=None
        Calls of `fun` at the most, of each start, those of finite differences included; but a start is always evaluated with its
        gradient. The result is the best place whose gradient was found. Both names mean the same. None is no limit.
    disp : bool or int, default=False
        Whether to print at the end why it ended, the value, and what it took.
    return_all : bool, default=False
        Whether the result has ``allvecs``, too: the rows of ``path`` as a list, SciPy's name of it.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        With the fields

        - ``x``, ``fun``, ``jac``: the place, the value and the gradient there, always finite. Of a run that diverged, the
          best it has seen.
        - ``success``: whether the gradient is within `tol`.
        - ``stop_reason``, ``status``, ``message``: why the run ended, as a word (``"gradient"`` 0, ``"max_iter"`` 1,
          ``"precision"`` 2, ``"diverged"`` 3, ``"unbounded"`` 4, ``"maxfev"`` 5, ``"callback"`` 99), a number and a sentence.
        - ``nit``; ``nfev``, ``njev``: iterations; calls of `fun` and gradients, of all starts together.
        - ``history``: as the estimators' ``history_``: a dict of lists, one entry for the start and each iteration; "passes"
          counts the calls of `fun` and `jac`.
        - ``path``: ndarray of shape (n_entries, n), the places that belong to ``history``.
        - ``starts``: the results of all starts, in their order.

    Raises
    ------
    ValueError, TypeError
        For parameters that are not allowed or do not exist, and for what is not supported; where one is given under both of its
        names with different values; where `fun` or its gradient is not finite at any start; where the gradient disagrees with
        `fun` at a start.
    DivergenceError
        If the run diverges and ``on_divergence="raise"``.

    Warns
    -----
    DivergenceWarning
        If the run diverges and ``on_divergence="warn"``.
    OptimizeWarning
        Of `scipy.optimize`, if ``minimize`` hands over options that do not exist; they are ignored, as by SciPy's methods.

    See Also
    --------
    scipy.optimize.minimize : Takes this function as its ``method``.

    Notes
    -----
    What `fun`, `jac` and `callback` raise is not caught. NaN from `fun` is a place that a search turns back from; a rate that
    never looks at the function ends there as diverged.

    References
    ----------
    A. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes rendus 25, 1847.

    D. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming 45, 1989,
    doi:10.1007/BF01589116.

    D. Bertsekas, "On the Goldstein-Levitin-Polyak gradient projection method", IEEE Transactions on Automatic Control 21,
    1976, doi:10.1109/TAC.1976.1101194 (bounds).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> from sklearn_gd import gradient_descent
    >>> result = gradient_descent(rosen, [-1.2, 1.0], jac=rosen_der)
    >>> result.x.round(6), result.stop_reason
    (array([1., 1.]), 'gradient')

    The textbook, and the same through SciPy:

    >>> result = gradient_descent(lambda x: x @ x, [3.0, 4.0], learning_rate=0.1, tol=1e-3)
    >>> [round(norm, 2) for norm in result.history["gradient_norm"][:3]]
    [10.0, 8.0, 6.4]
    >>> options = {"learning_rate": 0.1, "maxiter": 1000, "gtol": 1e-3}
    >>> again = minimize(lambda x: x @ x, [3.0, 4.0], method=gradient_descent, options=options)
    >>> bool(np.all(again.x == result.x))
    True

    Of two valleys, the lower one:

    >>> valleys = lambda x: (x[0] ** 2 - 1) ** 2 + 0.3 * x[0]
    >>> result = gradient_descent(valleys, None, bounds=[(-2, 2)], n_starts=5, random_state=0)
    >>> result.x.round(2), sorted({float(start.x[0].round(2)) for start in result.starts})
    (array([-1.04]), [-1.04, 0.96])
    """
    _check_supported(fun, callback, hess, hessp, constraints)
    check_boolean("return_all", return_all)
    check_boolean("check_gradient", check_gradient)
    check_choice("on_divergence", on_divergence, ("warn", "raise"))
    check_level("verbose", verbose)
    check_level("disp", disp)
    parts = _parts(learning_rate, momentum, preconditioner)
    limits = _limits(tol, gtol, max_iter, maxiter, maxfev, maxfun)
    method = Method(*parts, *limits, _teller(callback), bool(check_gradient), int(verbose))
    jac = _scheme(jac)
    starts, low, high = _starts(x0, n_starts, bounds, random_state)
    results: list[OptimizeResult] = []
    for start in starts:
        results.append(method.descend_from(start, Function(fun, args, jac, low, high)))
        if results[-1].stop_reason == "callback":
            break
    out = _best(results, on_divergence)
    if return_all:
        out.allvecs = list(out.path)
    if disp:
        print(messages.summary(out))
    return out


# ------------------------------------------------------------------------------------------------ what the user gave


def _check_supported(fun: Any, callback: Any, hess: Any, hessp: Any, constraints: Any) -> None:
    if not callable(fun):
        raise TypeError(f"fun must be callable, got {fun!r}.")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}.")
    for name, value in (("hess", hess), ("hessp", hessp)):
        if value is not None:
            raise ValueError(messages.unsupported(name, "uses gradients alone"))
    if constraints is not None and not (isinstance(constraints, (tuple, list, dict)) and not constraints):
        raise ValueError(messages.unsupported("constraints", "knows bounds, and no other constraints"))


def _parts(learning_rate: Any, momentum: Any, preconditioner: Any) -> tuple[StepRule, Momentum, type[Identity]]:
    """The rule, the momentum and the kind of metric."""
    automatic = isinstance(learning_rate, str) and learning_rate == "auto"
    rule = Wolfe() if automatic else rule_for(learning_rate)
    if isinstance(rule, Polyak) and rule.optimum is None:
        raise ValueError(messages.polyak_needs_the_optimum())
    if preconditioner == "auto":
        preconditioner = "lbfgs" if automatic else None
    if preconditioner not in list(METRICS):
        raise ValueError(f"preconditioner must be None, 'auto' or 'lbfgs', got {preconditioner!r}.")
    if preconditioner is not None and not rule.metric:
        raise ValueError(messages.metric_of_its_own(preconditioner, learning_rate))
    return rule, momentum_for(momentum, rule, learning_rate), METRICS[preconditioner]


def _limits(tol: Any, gtol: Any, max_iter: Any, maxiter: Any, maxfev: Any, maxfun: Any) -> tuple[float, int, float]:
    """The norm of the gradient, and the numbers of iterations and of calls, at which a run ends.

    Of two names of one parameter with a value each, the values are the same, or that of SciPy's is the default of the other.
    """
    check_integer("max_iter", max_iter, 0)
    check_number("tol", tol, 0)
    if gtol is not None:
        check_number("gtol", gtol, 0)
    calls = [_count(name, value, 1) for name, value in (("maxfev", maxfev), ("maxfun", maxfun)) if value is not None]
    return (
        tol if gtol is None else gtol,
        max_iter if maxiter is None else _count("maxiter", maxiter, 0),
        min(calls, default=math.inf),
    )


def _count(name: str, value: Any, low: int) -> int:
    """A number of iterations or calls as SciPy's options have them: 1e4 and inf are numbers, too."""
    if isinstance(value, (float, np.floating)):
        if value == math.inf:
            return sys.maxsize
        if float(value).is_integer():
            value = int(value)
    check_integer(name, value, low)
    return int(value)


def _scheme(jac: Any) -> Any:
    """What `Function` takes."""
    if jac is None or jac is False:
        return "3-point"
    if isinstance(jac, str):
        check_choice("jac", jac, SCHEMES, ", a callable, True or None")
    elif jac is not True and not callable(jac):
        raise TypeError(f"jac must be a callable, True, None or a string, got {jac!r}.")
    return jac


def _starts(x0: Any, n_starts: int | None, bounds: Any, random_state: Any) -> tuple[Array, Array, Array]:
    """All starts, one a row, and the box."""
    if x0 is None and (n_starts is None or bounds is None):
        raise ValueError("x0 must be given, or n_starts and bounds to draw starts from.")
    given = None if x0 is None else _given(x0, bounds, n_starts)
    low, high = _box(bounds, None if given is None else given.shape[1])
    starts = np.empty((0, len(low))) if given is None else given
    if n_starts is not None:
        check_integer("n_starts", n_starts, 1)
        starts = _filled(starts, n_starts, low, high, random_state)
    return np.clip(starts, low, high), low, high


def _given(x0: Any, bounds: Any, n_starts: int | None) -> Array:
    """The starts that the user gives, one a row."""
    starts = np.asarray(x0)
    if starts.dtype.kind not in "fiub":
        raise TypeError(f"x0 must be real numbers, got an array of {starts.dtype}.")
    if starts.ndim > 2 or not starts.size or not np.isfinite(starts).all():
        raise ValueError(f"x0 must be finite numbers of shape (n,) or (n_starts, n), got {x0!r}.")
    starts = np.atleast_2d(starts.astype(np.float64))
    one_pair = isinstance(bounds, (list, tuple, np.ndarray)) and len(bounds) == 1
    if starts.shape[1] == 1 < len(starts) and not one_pair and n_starts is None:
        raise ValueError(messages.column_start(len(starts)))
    return starts


def _filled(given: Array, n_starts: int, low: Array, high: Array, random_state: Any) -> Array:
    """`n_starts` starts, of which those that are not given are drawn in the box."""
    if len(given) == n_starts:
        return given
    if len(given) > 1:
        raise ValueError(f"n_starts={n_starts} and an x0 of {len(given)} starts: give one of them.")
    if not np.isfinite([low, high]).all():
        raise ValueError(
            "n_starts needs bounds that are finite on both sides: starts are drawn uniformly between them."
        )
    drawn = check_random_state(random_state).uniform(low, high, (n_starts - len(given), len(low)))
    return np.vstack([given, drawn])


def _box(bounds: Any, n: int | None) -> tuple[Array, Array]:
    """Lower and upper bounds of shape (n,), where n is known, or as many as there are."""
    if bounds is None:
        bounds = Bounds()
    try:
        if isinstance(bounds, Bounds):
            low, high = np.atleast_1d(bounds.lb), np.atleast_1d(bounds.ub)
        else:
            pairs = [(-np.inf if low is None else low, np.inf if high is None else high) for low, high in bounds]
            low, high = np.array(pairs, dtype=np.float64).T
    except (TypeError, ValueError) as error:
        raise type(error)(f"bounds must be scipy.optimize.Bounds or pairs (low, high), got {bounds!r}.") from error
    n = max(len(low), len(high)) if n is None else n
    if any(len(side) not in (n, 1 if isinstance(bounds, Bounds) else n) for side in (low, high)):
        raise ValueError(f"bounds has {max(len(low), len(high))} pairs, and x0 {n} numbers.")
    low, high = (np.broadcast_to(side, n).astype(np.float64) for side in (low, high))
    if not (low <= high).all() or (low == np.inf).any() or (high == -np.inf).any():
        raise ValueError(f"bounds must have low <= high, got {bounds!r}.")
    return low, high


def _teller(callback: Callable[..., Any] | None) -> Callable[[OptimizeResult], Any] | None:
    """A callback of either of SciPy's signatures as a function of the intermediate result."""
    if callback is None:
        return None
    try:
        names = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):  # a builtin has no signature
        names = set()
    if names == {"intermediate_result"}:
        return lambda result: callback(intermediate_result=result)
    return lambda result: callback(result.x)


# ------------------------------------------------------------------------------------------------ the descent


class Recorder:
    """The places of a run, and word of them to the user's callback."""

    def __init__(self, start: Any, tell: Callable[[OptimizeResult], Any] | None, searches: bool) -> None:
        self.path, self.tell, self.searches = [start.coef], tell, searches
        self.still = 0
        self.best = self.flattest = start

    def before(self, run: Run) -> None:
        """Nothing: the history has its row already."""

    def after(self, run: Run) -> bool:
        if len(self.path) == len(run.history["loss"]):
            return False  # a place that is not finite
        base = run.base
        self.path.append(base.coef)
        self.best = base if base.coef is run.history.best_coef else self.best
        self.flattest = base if base.coef is run.history.flattest_coef else self.flattest
        moved = np.abs(self.path[-1] - self.path[-2]) > 4 * EPS * np.abs(base.coef)
        self.still = 0 if moved.any() else self.still + 1
        if self.searches and self.still >= STILL:
            run.reason = run.reason or "precision"
        if self.tell is None:
            return run.reason is not None
        try:
            self.tell(OptimizeResult(x=base.coef.copy(), fun=base.value, jac=base.full.copy(), nit=run.iteration))
        except StopIteration:
            run.reason = "callback"
        return run.reason == "callback"


@dataclass(frozen=True)
class Method:
    """What the descents from all starts have in common.

    Parameters
    ----------
    rule, momentum
    metric : class of a metric
    tol : float
    max_iter : int
    calls : float
        Calls of the function at the most.
    tell : callable (intermediate result), or None
    check_gradient : bool
    verbose : int
    """

    rule: StepRule
    momentum: Momentum
    metric: type[Identity]
    tol: float
    max_iter: int
    calls: float
    tell: Callable[[OptimizeResult], Any] | None
    check_gradient: bool
    verbose: int

    def descend_from(self, start: Array, function: Function) -> OptimizeResult:
        """The result of one start; of one where nothing can be done, an infinite value."""
        place = function.at(start)
        if not (math.isfinite(place.value) and np.isfinite(place.full).all()):
            message = messages.not_finite_at_the_start(place.coef, place.value)
            return Result(_as_result(function, place, "diverged", message, 0, {}, [place.coef]), fun=math.inf)
        differs = self._disagreement(function, place)
        if differs is not None:
            raise ValueError(messages.wrong_gradient("x0", *differs))
        function.limit = self.calls
        run = Run(function, start, GradientNorm(self.tol), self.max_iter, EPS, self.verbose)
        run.metric = self.metric()
        run.point = place  # its value is known
        with np.errstate(all="ignore"):
            return self._result(run, function)

    def _disagreement(self, function: Function, place: Any) -> tuple[float, float] | None:
        return function.disagreement(place) if self.check_gradient and function.trusted else None

    def _result(self, run: Run, function: Function) -> OptimizeResult:
        """Descend, and say how it ended."""
        rule, momentum = self.rule, self.momentum
        recorder = Recorder(run.point, self.tell, not rule.scheduled and isinstance(momentum, NoMomentum))
        try:
            descend(run, learning_rate=rule, momentum=momentum, preconditioner=run.metric, callback=recorder)
        except EvaluationsSpentError:
            _end_at_limit(run, recorder.best)
        with contextlib.suppress(EvaluationsSpentError):  # what the message could have said besides
            if run.reason == "max_iter" and _falls_forever(run, function):
                run.reason = "unbounded"
        place = next(seen for seen in (run.base, recorder.best, recorder.flattest) if seen.coef is run.coef)
        differs = limit = None
        with contextlib.suppress(EvaluationsSpentError):
            if run.reason in ("max_iter", "precision", "diverged"):
                differs = self._disagreement(function, place)
            if rule.scheduled and rule.metric and run.reason in ("diverged", "max_iter"):
                largest = run.smoothness()
                limit = 2 / largest if largest > 0 else None
        message = messages.function_end(run, rule, limit)
        if differs is not None:
            message += " " + messages.wrong_gradient("its end", *differs)
        return _as_result(function, place, run.reason, message, run.iteration, dict(run.history), recorder.path)


def _end_at_limit(run: Run, best: Any) -> None:
    """End a run whose next place could not be evaluated any more."""
    run.reason, run.base, run.iteration = "maxfev", best, len(run.history["loss"]) - 1
    run.history.norm = run.stopping.measure(best.gradient, best.value, best.coef)[0]
    run.log.report(run)


def _falls_forever(run: Run, function: Function) -> bool:
    """Whether the default rule, from where a run was still falling as fast as before, finds no bottom."""
    losses = run.history["loss"]
    half = len(losses) // 2
    if not losses[half] - losses[-1] > 0.9 * (losses[0] - losses[half]) > 0:
        return False
    probe = Run(function, run.base.coef, GradientNorm(run.stopping.tol), PROBE, EPS)
    probe.metric = LimitedMemory()
    descend(probe, learning_rate=Wolfe(), momentum=NoMomentum(), preconditioner=probe.metric)
    return probe.reason == "unbounded"


# ------------------------------------------------------------------------------------------------ results


class Result(OptimizeResult):
    """What is printed of it fits a screen: the record of the run is left out."""

    def __repr__(self) -> str:
        """The fields without those that are as long as the run."""
        return repr(
            OptimizeResult({k: v for k, v in self.items() if k not in ("history", "path", "starts", "allvecs")})
        )


def _as_result(
    function: Function, place: Any, reason: Any, message: str, nit: int, history: dict[str, list[float]], path: Any
) -> OptimizeResult:
    return Result(
        x=place.coef.copy(),
        fun=place.value,
        jac=place.full.copy(),
        success=reason == "gradient",
        stop_reason=reason,
        status=STATUS[reason],
        message=message,
        nit=nit,
        nfev=function.nfev,
        njev=function.njev,
        history=history,
        path=np.array(path),
    )


def _best(results: list[OptimizeResult], on_divergence: str) -> OptimizeResult:
    """The lowest of the results, with the calls of all."""
    best = min(results, key=lambda result: result.fun)
    if not math.isfinite(best.fun):
        raise ValueError(results[-1].message)
    if best.stop_reason == "diverged":
        if on_divergence == "raise":
            raise DivergenceError(best.message)
        warnings.warn(best.message, DivergenceWarning, stacklevel=4)
    totals = {name: sum(result[name] for result in results) for name in ("nfev", "njev")}
    return Result({**best, **totals, "starts": results})
