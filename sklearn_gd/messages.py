"""What is said where a run, a function, stored data or a picture fails: the value, the cause, the way out."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .descent import Run
    from .protocols import Array, StepRule

NO_ARRAY_API_COMPAT = (
    "array_api_dispatch=True with arrays that are not NumPy's needs the package array-api-compat: "
    "pip install 'sklearn-gd[array-api]'."
)


def other_namespace(method: str, fitted: object, given: object) -> str:
    """The text for X that lives elsewhere than the X of the fit.

    Parameters
    ----------
    method : str
        With its class.
    fitted, given : Place or None
        None for NumPy.
    """

    def told(place: object) -> str:
        return "NumPy" if place is None else str(place)

    return (
        f"{method}() must use the same namespace and the same device as fit(): the coefficients are of {told(fitted)}, X is "
        f"of {told(given)}. Convert X, or fit again on arrays like it (with array_api_dispatch=True to stay outside NumPy)."
    )


# ------------------------------------------------------------------------------------------- parameters in other packages' words

#: names of `sklearn.linear_model.SGDRegressor` for learning rates -> what they are there, and what is nearest here
SGDS_RATES = {
    "invscaling": (
        "eta0 / t**power_t",
        "a callable, learning_rate=lambda k: 0.01 / (k + 1) ** 0.25, or a schedule with a name, 'inverse-time'",
    ),
    "optimal": ("1 / (alpha * (t0 + t))", "'inverse-time', or sklearn_gd.steps.InverseTime(0.1, decay=0.01)"),
    "adaptive": ("eta0, divided by 5 where the loss stops falling", "'backtracking', which halves the rate there"),
}

#: parameters of other estimators -> where here
ELSEWHERE = {
    "eta0": "the rate is learning_rate itself, a number, or the first parameter of a schedule, sklearn_gd.steps.InverseTime(0.1)",
    "power_t": "learning_rate may be any callable, lambda k: 0.01 / (k + 1) ** 0.25",
    "penalty": "the penalty is L2, and none with alpha=0 (least squares) or C=np.inf (logistic regression)",
    "l1_ratio": "the penalty is L2",
    "solver": "learning_rate and preconditioner say how to descend",
    "C": "least squares has alpha, the penalty's strength: Ridge's alpha over the number of samples",
    "alpha": "logistic regression has C, the inverse of the penalty's strength, as LogisticRegression",
    "loss": "GDLinearRegression has squared error, GDLogisticRegression log loss",
    "n_jobs": "the threads are those of BLAS: threadpoolctl.threadpool_limits sets their number",
    "early_stopping": "a fit ends by tol and max_iter",
    "n_iter_no_change": "a fit ends by tol and max_iter",
    "batch_size": "every iteration sees all samples",
    "shuffle": "with batch_size rows are drawn in a new order for each pass, and without every iteration sees all of them",
}


def sgds_rate(name: str) -> str:
    """The text for a learning rate of SGDRegressor's."""
    what, here = SGDS_RATES[name]
    return (
        f"learning_rate={name!r} is a name of SGDRegressor's, for {what}. The nearest here is {here}; 'auto' chooses the rate of each "
        "iteration."
    )


def not_a_rate(value: object, names: Collection[str]) -> str:
    """The text for a learning rate of a type that none has."""
    return (
        f"learning_rate must be a positive number, one of {', '.join(map(repr, names))}, a callable of the iteration or a rule of "
        f"sklearn_gd.steps; got {value!r} of type {type(value).__name__}."
    )


def momentum_switched(value: bool) -> str:
    """The text for a momentum that is only switched on or off."""
    way = "momentum='nesterov', or a number as momentum=0.9" if value else "momentum=None"
    return f"momentum must be a number in [0, 1), a name, an object of sklearn_gd.momentum or None, got {value!r}: write {way}."


def metric_of_its_own(name: str, rate: object) -> str:
    """The text for a preconditioner beside a rule that is one."""
    return (
        f"preconditioner must be 'auto' or None with learning_rate={rate!r}, whose metric is its own, a rate for each coordinate; got "
        f"preconditioner={name!r}. Use a number, a schedule or a rule that looks at the loss with it."
    )


#: what no batches are drawn for -> its name where it is no parameter, and why, and what to do
WITHOUT_BATCHES = {
    "learning_rate": (
        "",
        "it looks at the loss of all samples, or at a bound of its curvature. Use a number, a callable or a schedule with it, or "
        "batch_size=None",
    ),
    "momentum": (
        "",
        "it grows towards 1, and adds up the noise of batches. Use a number below 1, or batch_size=None",
    ),
    "weights": (
        "sample_weight or class_weight",
        "a weight of 2 would not be the same as the row twice, which may be in two batches. Repeat rows, or use batch_size=None",
    ),
    "offset": (
        "offset",
        "exposures are weights of the rows, of which a batch has none. Use batch_size=None, or a number as learning_rate on all samples",
    ),
    "data elsewhere": (
        "data of Dask or on a device",
        "rows are drawn one by one, from memory or a file. Use NumPy's arrays or SciPy's sparse ones, or batch_size=None",
    ),
}


def not_of_batches(what: str, value: object = None) -> str:
    """The text for what does not go with mini-batches.

    Parameters
    ----------
    what : str
        A name of `WITHOUT_BATCHES`.
    value : object
        The parameter's, where it is one.
    """
    name, why = WITHOUT_BATCHES[what]
    return f"batch_size does not go with {name or f'{what}={value!r}'}: {why}."


def none_given(name: str, meaning: str, instead: str) -> str:
    """The text for None where other packages have a meaning for it."""
    return f"{name} must be a number, got None: {meaning} is {instead}."


def parameter_of_others(estimator: str, name: str, known: Sequence[str]) -> str:
    """The text for a parameter that other estimators have."""
    return f"Invalid parameter {name!r} for estimator {estimator}: {ELSEWHERE[name]}. Valid parameters are: {list(known)!r}."


def no_such_inner_parameter(name: str, value: object, key: str, having: Sequence[type]) -> str:
    """The text for a rule's or momentum's parameter where there is none, and the classes that have it."""
    text = f"{name}__{key} was given, and {name}={value!r} has no parameter {key!r}"
    if not having:
        return f"{text}, as all others that {name} may be."
    names = [kind.__name__ for kind in having]
    module = having[0].__module__.partition("._")[0]  # the files of a package are its own affair
    return f"{text}; {', '.join(names)} of {module} {'have' if len(names) > 1 else 'has'} it: write {name}={module}.{names[0]}({key}=...)."


def diverged(run: Run, rule: StepRule, limit: float | None, batch_size: int | None = None, bounded: bool = True) -> str:
    """The text for a run that left the finite numbers or grew without end.

    Parameters
    ----------
    run : Run
    rule : rule
    limit : float or None
        2/L of the run's metric; None where a rule's rates are in none.
    batch_size : int or None
    bounded : bool
        Whether L is a bound; else it is what the loss has where it was lowest, or the best constant prediction, if that is more.
    """
    rate = run.last.rate
    where = "became infinite" if run.history.rises < 20 else f"rose {run.history.rises} times in a row"
    text = f"Gradient descent diverged: with learning_rate={rate:.3g} the loss {where} at iteration {run.iteration}. "
    if limit is not None and bounded:
        text += f"The largest safe learning rate for these data is about {limit:.3g} (2/L). "
    elif limit is not None:
        text += (
            f"The largest that converges near the optimum is about {limit:.3g} (2/L there, as far as this run tells), and none is safe "
            "everywhere: the curvature of this loss has no bound. "
        )
    if limit is not None and batch_size is not None:
        text += f"Batches of {batch_size} may be steeper than all samples together, and need smaller ones. "
    if limit is None:
        text += (
            f"{type(rule).__name__} takes steps of about its rate in each coefficient: use one much smaller than these are at the optimum, "
            "or learning_rate='auto'."
        )
    elif rule.scheduled:
        text += (
            f"Use a smaller one ({f'{limit / 2:.3g} never rises' if bounded else f'below {limit / 2:.3g}'}), standardise the features, "
            "which allows a larger one, or leave the choice to learning_rate='auto'."
        )
    else:
        text += f"{type(rule).__name__} should not do this: use learning_rate='auto'."
    return text + " The coefficients are those of the best iterate."


def unconverged(
    run: Run, rule: StepRule, limit: float | None, tol: float, batch_size: int | None = None, bounded: bool = True
) -> str:
    """The text for a run that ended at ``max_iter``; `bounded` as `diverged` has it."""
    these = "for these data" if bounded else "where the run ended"
    norm = run.history["gradient_norm"][-1]
    text = f"Gradient descent did not converge: after max_iter={run.max_iter} iterations the gradient's norm is {norm:.2g}, tol={tol:.2g}. "
    losses = np.array(run.history["loss"][-50:])
    rises = int((np.diff(losses) > 0).sum())
    rate = run.last.rate
    if batch_size is not None:
        return text + (
            f"Gradients of batch_size={batch_size} have noise that does not fall: at a constant rate, {rate:.3g} here, the loss levels off "
            "above the least. Let the rate fall, as by lambda k: 0.1 / (1 + 0.01 * k), k counting the batches; larger batches have less "
            "of it, and batch_size=None has none."
        )
    if not rule.metric:
        return text + (
            f"{type(rule).__name__} takes steps of about learning_rate={rate:.3g} in each coefficient: raise it or max_iter where the optimum "
            "is further away, let it fall, as by learning_rate=lambda k: 0.1 / (k + 1) ** 0.5 of the rule, where the loss goes up and down, "
            "or use learning_rate='auto'."
        )
    if not rule.scheduled or limit is None:
        return text + (
            "Raise max_iter, or tol if this is close enough, or use a stronger preconditioner "
            "('full') or learning_rate='auto' if this was not the choice already."
        )
    if rate > limit:
        return text + (
            f"The learning rate {rate:.3g} is too large: beyond about {limit:.3g} (2/L) the iterates leave the minimum. "
            f"Try {limit / 2:.3g}, or learning_rate='auto'."
        )
    if rises > len(losses) // 4:
        return text + (
            f"The loss oscillates: the learning rate {rate:.3g} bounces across the minimum. "
            f"Try {limit / 2:.3g} (1/L {these}), or learning_rate='auto'."
        )
    if rate < 0.1 * limit:
        return text + (
            f"The learning rate {rate:.3g} is too small: the loss is still falling. Rates up to about {limit / 2:.3g} (1/L {these}) "
            f"{'never rise' if bounded else 'do not rise there'}. Raise it, raise max_iter, or use learning_rate='auto'."
        )
    known = f"1/L is {limit / 2:.3g}" + ("" if bounded else " where the run ended")
    return text + (
        f"The learning rate {rate:.3g} is about right for these data ({known}), but they are badly conditioned: "
        "standardise the features, add momentum='nesterov', raise max_iter, or use learning_rate='auto'."
    )


def imprecise(part: float, dtype: np.dtype[Any]) -> str:
    """The text for an end that leaves out a part of what could be explained.

    Parameters
    ----------
    part : float
    dtype : dtype
        Of X.
    """
    other = "pass X in float64, " if dtype == np.float32 else ""
    return (
        f"About {part:.1%} of the loss that these columns could explain is left out: they depend on each other, or lie far from zero "
        f"beside their spread, so that {dtype} cannot tell them apart. To get it, {other}drop or combine columns that say nearly the "
        "same, subtract a constant from columns far from zero, or add a penalty, which makes the optimum unique; for least squares "
        "scikit-learn's LinearRegression(tol=0) is exact to higher condition numbers."
    )


def out_of_range(name: str, size: float, dtype: np.dtype[Any]) -> str:
    """The text for numbers whose squares, or which themselves, an arithmetic does not hold.

    Parameters
    ----------
    name : str
        What they are: y, or a column of X.
    size : float
        The largest of them.
    dtype : dtype
        Of the arithmetic.
    """
    what = "too large" if size > 1 else "too small"
    return (
        f"{name} has numbers up to {size:.3g}, which are {what} for {dtype}, or their squares for float64: choose another unit, as in "
        f"{name.split(',')[0]} * {1 / size:.0e}."
    )


def coefficients_out_of_range(size: float, dtype: np.dtype[Any]) -> str:
    """The text for coefficients that X's precision does not hold."""
    return (
        f"A coefficient of {size:.3g} is too large for {dtype}, the precision of X: pass X in float64, or choose units in which y and the "
        "columns of X are less far from each other."
    )


def separated() -> str:
    """The text for classes that a hyperplane separates, without a penalty."""
    return (
        "There is no finite optimum: a linear function separates classes (all samples, or those of one class from those of another), so "
        "that without a penalty the likelihood grows with the coefficients for ever. The fit ended where the loss hardly changed; its predictions "
        "are right, its coefficients are not meaningful. Use a penalty (C=1.0), drop the features that separate, or collect more data."
    )


def empty_rows() -> str:
    """The text for samples without an event that a direction moves by themselves, without a penalty."""
    return (
        "There is no finite optimum: a linear function is lower in some samples, in all of which y is 0, and the same in all others (a value "
        "of a feature without an event), so that without a penalty the mean there falls, and the coefficients grow, for ever. The fit ended "
        "where the deviance hardly changed; its predictions are right, its coefficients are not meaningful. Use a penalty (alpha=1e-6 is "
        "one), merge or drop the values without an event, or collect more data."
    )


def offset_out_of_range(low: float, high: float, most: float, dtype: np.dtype[Any]) -> str:
    """The text for offsets whose exponentials an arithmetic does not hold."""
    return (
        f"offset has numbers from {low:.3g} to {high:.3g}, and beyond ±{most:.3g} {dtype} does not hold products of their exponentials: it "
        "is the logarithm of an exposure. Choose another unit of the exposure, which subtracts a constant."
    )


def negative_counts(low: float) -> str:
    """The text for a target of Poisson regression that is below zero."""
    return f"y must not be negative: it is counts or rates, and its smallest value is {low:.3g}."


def no_scale(epsilon: float, scale: float) -> str:
    """The text for a scale of errors that is none."""
    fitted = 1 - 1 / epsilon**2
    return (
        f"The best scale is 0: more than {fitted:.0%} of the samples (1 - 1/epsilon**2) can be fitted exactly, so that no threshold of "
        f"epsilon={epsilon:g} tells outliers. The coefficients are those of least absolute errors, to scale_={scale:.2g}. Give a number as "
        "scale, in units of y, a larger epsilon, or a penalty alpha."
    )


def no_events() -> str:
    """The text for a target of Poisson regression that is zero everywhere."""
    return "y is zero in every sample that has a weight: the best mean is 0, whose logarithm no coefficients have. At least one must be positive."


def no_quantiles(value: object) -> str:
    """The text for quantiles that are none."""
    return f"quantile must be a number between 0 and 1, or a list of at least one such, got {value!r}."


def not_proved(run: Run, rule: StepRule, gap: float, tol: float) -> str:
    """The text for a fit of quantiles whose end no dual point shows to be the optimum.

    Parameters
    ----------
    run : Run
    rule : rule
    gap, tol : float
        The largest of the relative gaps, infinite where nothing was proved, and what it was to be.
    """
    proved = f"the dual proves a gap of {gap:.2g}" if np.isfinite(gap) else "no dual point proves anything of the loss"
    where = f"after max_iter={run.max_iter} iterations {proved}, tol={tol:.2g}"
    if run.reason == "diverged":
        text = (
            f"Gradient descent diverged: with learning_rate={run.last.rate:.3g} the loss rose without end at iteration {run.iteration}. The "
            "gradients of a quantile's loss are no larger far from the optimum than near it: it is the learning rates that grow. Use smaller "
            "ones"
        )
        return text + ", or leave the choice to learning_rate='auto'. The coefficients are those of the best iterate."
    if run.reason != "max_iter":
        return (
            f"The fit ended at rounding errors, and there {proved}, tol={tol:.2g}. Raise tol, pass X in float64, subtract a constant from "
            "columns far from zero, or use learning_rate='auto' if this was not the choice already."
        )
    if rule.scheduled:
        text = f"Gradient descent did not converge: {where}. "
        rates, losses = run.history["learning_rate"][1:], np.array(run.history["loss"][-50:])
        if (np.diff(losses) < 0).all():
            text += (
                "The loss was still falling: the learning rates are too small. They are in units of y (with standardised columns a step "
                "changes predictions by about the rate): raise them, or max_iter. "
            )
        elif rates and rates[-1] == rates[0]:
            text += (
                "The loss of a quantile has a kink at every sample, and its gradients do not shrink towards the optimum: steps of a constant "
                "rate go on for ever, at a distance in proportion to it. Use one that falls, as sklearn_gd.steps.InverseTime does. "
            )
        return text + (
            "No run with rates of one's own proves where it ends: filter this warning, or use learning_rate='auto', which ends at the optimum "
            "and proves it."
        )
    text = f"Gradient descent did not converge: {where}. Raise max_iter, or tol if this is close enough"
    if rule.plane:
        return text + "."
    return text + (
        ", or use learning_rate='auto': other rules descend on a loss with its kinks rounded off, less from round to round, and take more "
        "iterations the less it is."
    )


def cluster_lost(error: BaseException) -> str:
    """The text for a Dask cluster that has gone."""
    return (
        f"The Dask cluster was closed or lost before the result was there ({type(error).__name__}: {error}). Connect a Client to a "
        "running cluster, make the collections again from their source, and call the method again."
    )


def not_finite_in_block(value: float, row: int, column: int, block: int, row_in_block: int) -> str:
    """The text for an entry of a Dask collection that is NaN or infinite."""
    return (
        f"Input X contains {'NaN' if value != value else 'infinity'}: {value} in row {row}, column {column} (row {row_in_block} of block "
        f"{block}: X.blocks[{block}]). Remove such rows, or impute them in a pipeline before this estimator."
    )


def no_numbers(dtype: np.dtype[Any]) -> str:
    """The text for a stored X of another kind than numbers."""
    if dtype.kind == "c":
        return f"Complex data not supported: X is stored as {dtype}. Use X.real and X.imag as features."
    return f"X is stored as {dtype}, which are no numbers: floating-point numbers, integers or booleans are needed."


def not_finite(name: str, row: int, column: int, value: float) -> str:
    """The text for a stored X with NaN or infinity in it, rows and columns counted from 0."""
    what = "NaN" if np.isnan(value) else "infinity"
    return (
        f"Input X contains {what}: row {row}, column {column} (counted from 0) of {name} is the first. "
        "Give rows that are to be ignored finite numbers and a sample weight of 0."
    )


def truncated(name: str, needed: int, size: int) -> str:
    """The text for a file that is shorter than the array in it."""
    return f"{name} is truncated: its array needs the first {needed} bytes, and it has {size}. Write or copy it again."


def unreadable(name: str, start: int, stop: int, error: Exception) -> str:
    """The text for rows that could not be read."""
    return f"reading rows {start} to {stop - 1} of {name} failed with {type(error).__name__}: {error}"


# ------------------------------------------------------------------------------------------- any function


def function_end(run: Run, rule: StepRule, limit: float | None) -> str:
    """The text of a result of `minimize.gradient_descent`.

    Parameters
    ----------
    run : Run
    rule : rule
    limit : float or None
        2/L at the result, where the rate is the user's.
    """
    k, tol = run.iteration, f"tol={run.stopping.tol:.2g}"
    reached = f"the gradient's norm is {run.history['gradient_norm'][-1]:.2g}, {tol}"
    safe = "" if limit is None else f" The curvature at the result allows rates up to about {limit:.3g} (2/L)."
    function: Any = run.objective
    texts = {
        "gradient": f"Converged: {reached}.",
        "callback": f"The callback raised StopIteration at iteration {k}.",
        "precision": f"The search found nothing lower beyond rounding errors: at iteration {k} {reached}. Raise tol, scale the "
        "function, or give a more accurate gradient.",
        "unbounded": "The function is unbounded below, as far as can be seen: it falls in proportion to the distance, below "
        "-1e20. Add bounds, or look at the sign of the function.",
        "max_iter": f"Not converged: after max_iter={run.max_iter} iterations {reached}. Raise max_iter or tol, or use "
        f"learning_rate='auto' if this was not the choice already.{safe}",
        "maxfev": f"Not converged: after {function.nfev} calls of fun (maxfev={function.limit}) the gradient's norm at the best "
        f"place is {run.history.norm:.2g}, {tol}. Raise maxfev or tol, or give the gradient (jac), which saves the calls of finite "
        "differences.",
    }
    if run.reason in texts:
        return texts[run.reason]
    value = run.base.value
    if run.history.rises >= 20:
        what = f"the function rose {run.history.rises} times in a row"
    elif np.isfinite(value):
        what = "the gradient is not finite"
    else:
        what = f"the function is {value:.3g}"
    smaller = "a smaller learning rate or " if rule.scheduled else ""
    return (
        f"Gradient descent diverged: with learning_rate={run.last.rate:.3g} {what} at iteration {k}. Use {smaller}learning_rate='auto', "
        f"which turns back from such places.{safe} The result is the best iterate."
    )


def wrong_gradient(where: str, seen: float, said: float) -> str:
    """The text for a gradient that is not the function's."""
    return (
        f"The gradient disagrees with finite differences of fun at {where}: along a line through it fun changes by {seen:.6g} "
        f"per unit of length, and the gradient says {said:.6g}. Look at jac, leave it out (jac=None), or pass check_gradient=False."
    )


def not_finite_at_the_start(x: Array, value: float) -> str:
    """The text for a start where the function or its gradient has no value."""
    what = "the gradient is not finite" if np.isfinite(value) else f"fun is {value}"
    return f"At the start x0={np.array2string(x, threshold=8)} {what}: start where both are finite, or give bounds."


def not_a_number(out: Any) -> str:
    """The text for a value that is none."""
    return f"fun must return a real number, got {out!r}." + (" Does it return anything?" if out is None else "")


def not_a_pair(out: Any) -> str:
    """The text for a function that does not return its gradient, too."""
    return f"With jac=True fun must return a pair (value, gradient), got {out!r}."


def no_such_level(variable: str, value: str, levels: Sequence[str]) -> str:
    """A cap of the kernels' instructions that there is not."""
    return (
        f"The environment variable {variable} is {value!r}, and must be one of {', '.join(map(repr, levels))}: the highest level of "
        "instructions that compiled loops may use. Unset it for the highest that the processor has."
    )


def not_a_gradient(out: Any, shape: tuple[int, ...]) -> str:
    """The text for a gradient of the wrong shape."""
    got = np.shape(out) if isinstance(out, np.ndarray) else None
    return f"The gradient must be real numbers of shape {shape}, got {'' if got is None else f'shape {got}: '}{out!r}."


def labels_of_several_kinds(types: Collection[str]) -> str:
    """The text for classes that cannot be sorted, or are no labels."""
    return (
        f"Unknown label type: y is an array of objects of type {', '.join(sorted(types))}. Strings alone are taken as objects; use "
        "y.astype(int) for numbers, y.astype(str) for a mixture, and give labels that are missing a name or leave their rows out."
    )


def too_strong(C: float, total: float) -> str:
    """The text for a penalty that is no number."""
    return (
        f"C={C!r} is too small for samples of total weight {total:.3g}: the penalty 1/(C * sum of the weights) overflows. Use a larger "
        "C, or larger sample weights."
    )


def column_start(k: int) -> str:
    """The text for a start that could be read in two ways."""
    return (
        f"x0 of shape ({k}, 1) could be one start of {k} numbers or {k} starts of one number each. Write x0.ravel() for one "
        f"start: fun then gets x of shape ({k},), and x[:, None] is the column. Write n_starts={k} for {k} starts."
    )


def no_such_keyword(function: str, name: str, known: Sequence[str]) -> str:
    """The text for a keyword that a function does not have."""
    close = difflib.get_close_matches(name, known, n=1)
    return (
        f"{function}() got an unexpected keyword argument {name!r}"
        + (f": did you mean {close[0]!r}?" if close else ".")
        + f" It knows {', '.join(known)}; arguments of fun go into args=(...)."
    )


def two_names(scipys: str, ours: str, first: object, second: object) -> str:
    """The text for a parameter that is given twice."""
    return f"{scipys}={first!r} and {ours}={second!r} are two names of one parameter, and differ: give one of them."


def summary(result: Any) -> str:
    """What is printed at the end, in the form that SciPy's methods have."""
    figures = {
        "Current function value": f"{result.fun:.6g}",
        "Iterations": result.nit,
        "Function evaluations": result.nfev,
        "Gradient evaluations": result.njev,
    }
    return "\n".join([result.message, *(f"         {name}: {figure}" for name, figure in figures.items())])


def unsupported(name: str, why: str) -> str:
    """The text for a parameter of SciPy's that is not used."""
    return f"{name} was given, but gradient_descent {why}: leave it out, or use another method."


def polyak_needs_the_optimum() -> str:
    """The text for Polyak's rule without F*."""
    return (
        "learning_rate='polyak' needs the least value, which is not known of a function: pass "
        "sklearn_gd.steps.Polyak(optimum=...), or use another rule."
    )


# --------------------------------------------------------------------------------------------- what the pictures refuse


def no_matplotlib(display: str) -> str:
    """The text where a display cannot draw."""
    return f"{display} draws with matplotlib, which is not installed: pip install 'sklearn-gd[plot]' or pip install matplotlib."


def no_such_axis(display: str, name: object, known: Sequence[str]) -> str:
    """The text for a parameter that is on no axis."""
    return f"{display} has an axis for a parameter whose values are numbers, another one for each: one of {list(known)}, got {name!r}."


def no_such_score(display: str, metric: object, known: Sequence[str]) -> str:
    """The text for a score that the search has not, or has beside others."""
    return f"{display} draws one score: metric must be one of {list(known)}, got {metric!r}."


def no_scores_kept(display: str, estimator: str) -> str:
    """The text for scores that were thrown away."""
    return (
        f"{display} draws the scores that {estimator} keeps with store_cv_results=True, scoring=None and leave-one-out: fit it so, or draw "
        "a GDSearchCV over alpha."
    )


def not_a_search(display: str, estimator: object) -> str:
    """The text for an estimator that searched for nothing."""
    return (
        f"{display} draws searches with cv_results_, as GDSearchCV and GridSearchCV, GDLogisticRegressionCV and GDLinearRegressionCV, "
        f"got {type(estimator).__name__}."
    )


def not_one_or_two(display: str, varied: Sequence[str]) -> str:
    """The text for searches over nothing, or too much, to draw."""
    return (
        f"{display} draws scores over one or two parameters whose values are numbers, and the search varied {list(varied) or 'none'}: "
        "name the axes by x and y."
    )


def nothing_to_choose(name: str, value: object, estimator: str) -> str:
    """The text for a choice where there is none."""
    return f"{estimator} has one score over one parameter: leave {name}=None, got {value!r}."


def no_runs() -> str:
    """The text for an empty list of estimators."""
    return "There is nothing to draw: give an estimator, or a list or dict of at least one."


def no_curvature(display: str) -> str:
    """The text for a loss with kinks."""
    return (
        f"{display} draws learning rates in units of 1/L, and the loss of a quantile has kinks, where L is infinite: compare its runs in a "
        "LossCurveDisplay."
    )


def no_subplot(display: str) -> str:
    """The text for axes whose place cannot be divided."""
    return f"{display} divides the axes that it is given, and can divide subplots alone: give an ax of plt.subplots(), or none."


def not_gradient_descent(display: str, estimator: object) -> str:
    """The text for an estimator of another kind."""
    return (
        f"{display} shows runs of the estimators of sklearn_gd, alone or as the last step of a pipeline, "
        f"got {type(estimator).__name__}."
    )


def not_the_optimum(optimum: float, lowest: float) -> str:
    """The text for an optimum that a run went below."""
    return (
        f"optimum={optimum:.6g} is above the lowest loss of the runs, {lowest:.6g}: a gap to it would be negative. Give the "
        "minimum of the same objective, penalty included, or leave optimum=None for the lowest loss seen."
    )


def other_objective(display: str, names: tuple[str, str], reason: str) -> str:
    """The text for runs that cannot be compared."""
    return (
        f"{display} compares runs on one objective, and {names[0]!r} and {names[1]!r} have different ones ({reason}): "
        "use a display for each."
    )


def not_two_coefficients(coefs: object) -> str:
    """The text for a choice that makes no plane."""
    return f"coefs must name two different coefficients, got {coefs!r}."


def no_such_coefficient(coef: object, features: list[str], shape: tuple[int, ...]) -> str:
    """The text for a coefficient that the model does not have."""
    known = ", ".join(features[:5]) + (", ..." if len(features) > 5 else "")
    outputs = f", or a tuple of one of these and an output from 0 to {shape[1] - 1}" if len(shape) > 1 else ""
    intercept = ' or "intercept"' if shape[0] > len(features) else ""
    return (
        f"coefs: there is no coefficient {coef!r}; it must be an index from 0 to {len(features) - 1}, a feature ({known})"
        f"{intercept}{outputs}."
    )


def no_widgets() -> str:
    """The text where sliders cannot be shown."""
    return "Sliders need ipywidgets, which is not installed: pip install 'sklearn-gd[interactive]' or pip install ipywidgets."


def no_descent(display: str) -> str:
    """The text for a picture that was made from numbers."""
    return (
        f"{display}.interactive() runs the descent again, and this display was made from numbers alone: make it by from_estimator or "
        "from_result."
    )


def unknown_projection(projection: object) -> str:
    """The text for a projection that no picture has."""
    return f'projection must be "3d" or None, got {projection!r}.'


def one_coordinate(option: str) -> str:
    """The text for what a curve cannot have."""
    return f"{option} needs a surface over two coordinates, and this loss has one coordinate; leave it out to see the curve."


def flat_axes(display: str) -> str:
    """The text for axes of the wrong projection."""
    return (
        f'{display} with projection="3d" needs axes of that projection, such as '
        'plt.subplot(projection="3d"), and the ones given are flat.'
    )


def not_one_feature(n_features: int) -> str:
    """The text for data that have no line to draw."""
    return (
        f"FitDisplay draws a model over one feature, and X has {n_features}: choose a column, X[:, [0]], or look at the "
        "coefficients with DescentPathDisplay."
    )


# ------------------------------------------------------------------------------------------------------------------- searches


def search_shares(n_candidates: int, n_splits: int) -> str:
    """The line for a search all of whose candidates are shared, in scikit-learn's words."""
    return f"Fitting {n_splits} folds for each of {n_candidates} candidates, totalling {n_candidates * n_splits} fits, all of them shared"


def which(numbers: Sequence[int], candidates: Sequence[object]) -> str:
    """The first three candidates by their numbers and parameters, and how many more there are."""
    named = [f"{number} ({candidate})" for number, candidate in zip(numbers[:3], candidates[:3], strict=True)]
    more = len(numbers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def search_unconverged(count: int, total: int, numbers: Sequence[int], candidates: Sequence[object]) -> str:
    """The text for shared fits that ended at ``max_iter``.

    Parameters
    ----------
    count, total : int
        Fits that did, and all that were shared.
    numbers : sequence of int
        The candidates'.
    candidates : sequence of dict
        Their parameters.
    """
    return (
        f"{count} of {total} shared fits did not converge: they ended at max_iter. They are those of candidates {which(numbers, candidates)}. "
        "Their scores are those of the iterate there. Raise max_iter, or learning rates that are too small, or use learning_rate='auto'; "
        "where early stopping is what you study, filter this warning."
    )


def search_fit_diverged(n_iter: int, candidate: object) -> str:
    """What a shared fit would have raised that diverged, with on_divergence="raise"."""
    return (
        f"DivergenceError: Gradient descent diverged at iteration {n_iter}: the learning rate of {candidate} is too large. Leave it out, "
        "standardise the features, which allows a larger one, or use learning_rate='auto'.\n"
    )


def search_diverged(count: int, total: int, numbers: Sequence[int], candidates: Sequence[object]) -> str:
    """The text for shared fits that left the finite numbers or grew without end; parameters as in `search_unconverged`."""
    return (
        f"{count} of {total} shared fits diverged: their learning rates are too large for the data. They are those of candidates "
        f"{which(numbers, candidates)}. Their scores are those of the best iterate. Use smaller ones, standardise the features, which allows "
        "larger ones, or use learning_rate='auto'."
    )


def no_penalty(name: str, estimator: str) -> str:
    """The text for a path over something that is no penalty of the estimator's."""
    return (
        f"a path is over the penalty, got {name!r} of {estimator}: it is 'alpha' of GDLinearRegression, 'C' of GDLogisticRegression. "
        "For other parameters there is GridSearchCV."
    )


def in_memory_alone(estimator: str, what: str) -> str:
    """The text for data that a cross-validated estimator does not take."""
    return (
        f"{estimator} takes NumPy arrays, sparse matrices, data frames and arrays in files, got {what}: convert it, or use GridSearchCV over "
        "the estimator without CV in its name."
    )


def too_many_to_leave_out(classes: int, features: int, most: int) -> str:
    """The text for a Hessian that is too large for leverages."""
    return (
        f"leave-one-out of {classes} classes and {features} features takes a matrix of order {classes * (features + 1)}, and {most} is the "
        "most: use folds, cv=5."
    )


def alone_in_its_class(label: object) -> str:
    """The text for leave-one-out where a class has one sample."""
    return f"leave-one-out needs two samples of each class, and {label!r} has one: without it nothing is known of the class."


def nothing_left(samples: int) -> str:
    """The text for leave-one-out of too few samples."""
    return f"leave-one-out needs at least 2 samples that have a weight, got n_samples={samples}."


def nothing_to_store(cv: object) -> str:
    """The text for results of each row where folds are scored."""
    return (
        f"store_cv_results=True goes with leave-one-out, cv=None, got cv={cv!r}: a fold has one score, not one a row."
    )


# ------------------------------------------------------------------------------------------- one iteration with its numbers

SHARES = "Share: a sample's weight over the sum of weights."
NO_PANDAS = (
    "to_frame() makes a pandas.DataFrame, and pandas is not installed: pip install pandas, or print the explanation."
)


def no_samples_for_a_sum(loss: str) -> str:
    """The text for the rate of a sum of unknown length."""
    return f"loss={loss!r} needs n_samples: the gradient of a sum is n_samples times that of the mean; write n_samples=len(X)."


def only_numbers_in_memory(X: object) -> str:
    """The text for data whose numbers are not at hand."""
    return (
        f"explain shows the numbers of X in memory, got {type(X).__name__}: convert some rows of it to a NumPy array."
    )


def not_explained(rate: object) -> str:
    """The text for the rule that chooses the form of the problem."""
    return (
        f"learning_rate={rate!r} has no textbook iteration to explain: it chooses the form of the problem, its metric, rate and momentum, so "
        "that a step may be the solution of the normal equation. Give a number, a callable, a schedule of sklearn_gd.steps or the name of "
        "another rule, such as 'lipschitz'."
    )


def many_steps(batch_size: int) -> str:
    """The text for iterations of several steps."""
    return (
        f"with batch_size={batch_size} an iteration is a pass, a step for each batch, and explain shows one step of all samples: use "
        "batch_size=None."
    )


def no_such_iteration(iteration: int, taken: int, reason: str, tol: float) -> str:
    """The text for an iteration after the end of a run."""
    ends = {
        "gradient": f"the gradient is within tol={tol:.3g}" + ("; tol=0 goes on" if tol else ""),
        "max_iter": "that is max_iter; raise it to go on",
        "precision": "nothing is left but rounding errors",
        "diverged": "the loss grows without end; a smaller learning_rate does not",
    }
    there = f"its last iteration is {taken - 1}" if taken else "it takes no step at all"
    return f"iteration={iteration} is after the end of the run: {there} ({ends.get(reason, reason)})."


def step_title(estimator: str, iteration: int, rate: float, momentum: float) -> str:
    """The line above the numbers of an iteration."""
    place = f"after {iteration} step{'s' if iteration > 1 else ''}" if iteration else "from the start"
    repeated = f", momentum = {momentum:.6g}" if momentum else ""
    return f"{estimator}, iteration {iteration}, {place}: learning_rate = {rate:.6g}{repeated}"


def sums_told(slope: str, weighted: bool, fit_intercept: bool) -> str:
    """What the sums over the samples are, a line each.

    Parameters
    ----------
    slope : str
        The name of the slopes' column.
    weighted : bool
    fit_intercept : bool
    """
    mean = "Weighted mean" if weighted else "Mean"
    text = f"{mean} of {slope}·x: the loss's partial derivative by the coefficient of x."
    if fit_intercept:
        text += f"\n{mean} of {slope}: by the intercept."
    return text


def more_features(count: int) -> str:
    """What is left out of a line of samples."""
    return f"{count} more feature{'s' if count > 1 else ''}: to_frame('samples') has all."


def loss_told(loss: float, penalty: float, after: float) -> str:
    """The objective before and after a step."""
    parts = f" = {loss - penalty:.6g} of the samples + {penalty:.6g} of the penalty" if penalty else ""
    return f"Loss: {loss:.6g}{parts}; after the step {after:.6g}."


def check_told(deviation: float, checked: int, size: int) -> str:
    """What the comparison of a gradient with differences found."""
    which = "Checked" if checked == size else f"The {checked} largest of {size} partial derivatives checked"
    return f"{which} by central differences of the loss: largest relative deviation {deviation:.1g}."
