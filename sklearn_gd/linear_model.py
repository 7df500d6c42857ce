"""The two estimators: their loss, their target and their predictions on `base.BaseGD`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from . import messages
from ._checks import check_number
from .arrays import beside, cast, class_totals, in_units, is_elsewhere, looked_up, namespace, on_host
from .base import BaseGD, Target, lazy_on_dask
from .losses import Binomial, HalfSquaredError, Multinomial
from .plan import Constant
from .protocols import Array, Momentum, StepRule
from .workers import accuracy, encode_blocks, is_dask, r2

__all__ = ["GDLinearRegression", "GDLogisticRegression"]


class GDLinearRegression(MultiOutputMixin, RegressorMixin, BaseGD):
    """Least squares and ridge regression by batch gradient descent.

    Minimises the mean half squared error, plus a penalty if one is asked for:

        F(w, b) = 1/S · Σᵢ sᵢ ½ (xᵢ·w + b − yᵢ)² + alpha/2 ‖w‖²,    S = Σᵢ sᵢ,

    with sᵢ the sample weights. By default there is nothing to tune: the fit chooses its learning rates, its momentum
    and its metric, and ends at the optimum on raw, unscaled data. With a number as `learning_rate` it is the textbook's
    gradient descent.

    Parameters
    ----------
    alpha : float, default=0.0
        Strength of the L2 penalty, at least 0; 0 is ordinary least squares. The loss is a mean: the optimum is that of
        scikit-learn's ``Ridge(alpha=S * alpha)``.

    learning_rate : float, str, callable or rule, default="auto"
        How far each iteration goes. A number alone is the textbook, w ← w − learning_rate·∇F(w), iterate for iterate:
        nothing is searched, scaled or added to it.

        - ``"auto"``: the best rate of each iteration, together with the best momentum, in closed form. Needs no
          scaling.
        - a number greater than 0: that rate at every iteration.
        - a callable ``rate(k)`` of the iteration k = 0, 1, 2, ...: its values, at least 0.
        - ``"constant"``, ``"inverse-time"``, ``"exponential"``, ``"step"``, ``"cosine"``: a schedule from 0.1
          downwards; other figures by its object, as in ``sklearn_gd.steps.InverseTime(0.5, decay=0.1)``.
        - ``"lipschitz"``: 1/L, with L the largest curvature that the loss can have on these data.
        - ``"backtracking"``: halved until the loss falls by a part of what the slope promises (Armijo).
        - ``"wolfe"``: as far as the loss falls enough and its slope has flattened (Wolfe).
        - ``"exact"``: the best rate along the direction, O(n_samples) a trial.
        - ``"barzilai-borwein"``: from the change of the last two gradients, with a non-monotone safeguard.
        - ``"polyak"``: (F − F*)/‖∇F‖² with F* guessed, or given by ``sklearn_gd.steps.Polyak(optimum=...)``.
        - ``"adgd"``: from the local curvature, without a search and without a value of the loss.
        - ``"silver"``: the silver schedule, long steps among short ones, in units of 1/L.
        - ``"adagrad"``, ``"rmsprop"``, ``"adam"``, ``"amsgrad"``: a rate for each coefficient, from the gradients seen, step for
          step as in PyTorch; they never look at the loss, and not all of them converge.

        A rule may also be passed as an object of `sklearn_gd.steps`; ``set_params(learning_rate__decay=0.1)`` and
        searches reach its parameters, and those of a name, which becomes its rule.

    momentum : {"auto", "nesterov"}, float, momentum object or None, default="auto"
        How much of the last step is repeated.

        - ``"auto"``: chosen with the learning rate by ``learning_rate="auto"``; none for every other learning rate.
        - a number in [0, 1): heavy ball, w ← w − learning_rate·∇F(w) + momentum·(last step).
        - ``"nesterov"``: the gradient is taken ahead, where the last step leads; restarted when it points uphill there.
        - an object of `sklearn_gd.momentum`.
        - None: none; ``learning_rate="auto"`` keeps its own.

        A number and ``"nesterov"`` go with numbers, callables, schedules, ``"lipschitz"``, ``"backtracking"`` and
        ``"exact"``; the other rules choose their steps by themselves and refuse them.

    preconditioner : {"auto", "diagonal", "full", "nystrom"} or None, default="auto"
        The metric in which descent is steepest: w ← w − learning_rate·P·∇F(w). It changes how many iterations are
        needed, never the optimum: the penalty stays on the user's coefficients.

        - ``"auto"``: with ``learning_rate="auto"`` by the problem, see Notes; none with a number, a callable or a
          schedule, or with ``"adam"`` and its kin, which bring their own; ``"diagonal"`` with the other rules.
        - ``"diagonal"``: columns as if standardised, their centring included and implicit, so that sparse data stay
          sparse.
        - ``"full"``: the Gram matrix. With ``learning_rate=1`` one step is the normal equation.
        - ``"nystrom"``: the diagonal metric and a low-rank sketch of what it leaves, for data with many samples and
          many features; its rank, up to 256, is doubled until the sketch has caught the leading part.
        - None: P = 1, plain gradients.

        What was chosen is ``preconditioner_``.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    max_iter : int, default=1000
        Iterations at the most, at least 0. Ending there is a `ConvergenceWarning` that names the cause and the way out.

    tol : float, default=1e-6
        When the gradient counts as zero, at least 0; its square estimates the relative gap between the objective and
        its minimum. The exact criterion is in Notes; it is the same for every learning rate.

    batch_size : int or None, default=None
        None is batch gradient descent: each iteration is a step along the gradient of all samples. A number, at least 1, makes
        each iteration a pass over the samples in a new order, in steps along the gradients of so many of them, as in
        scikit-learn's SGD; 1 is a step for each sample. For numbers, callables, schedules and ``"adam"`` and its kin, on
        data in memory or in a file, without weights; see Notes.

    init : {"zeros", "random"}, array-like or tuple, default="zeros"
        The first coefficients: zeros; standard normal numbers; an array of the shape of ``coef_``; or a pair of arrays
        (coef, intercept). With an array alone the intercept starts at 0.

    random_state : int, RandomState instance or None, default=None
        Of ``init="random"`` and `batch_size`. Nothing else is random: same data and same parameters give the same result.

    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit rather than from `init`.

    on_divergence : {"warn", "raise"}, default="warn"
        What to do when the loss rises without end or leaves the finite numbers: keep the best finite iterate and issue
        a `DivergenceWarning` that names the largest safe learning rate, or raise `DivergenceError`, for which a
        `GridSearchCV` scores the candidate NaN and ranks it last.

    verbose : int, default=0
        0 is silent; 1 prints a line for the iterations 0 to 9, then every tenth to 90, every hundredth, and so on; 2
        and more print all of them.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of two dimensions where y has two.

    intercept_ : float or ndarray of shape (n_targets,)
        The intercept; 0 with ``fit_intercept=False``.

    n_iter_ : int
        Steps taken; with `batch_size` passes over the samples.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    loss_curve_ : list of float
        The objective at the start and after each iteration: ``n_iter_ + 1`` numbers, less a last one that is not
        finite.

    history_ : dict of str to list of float
        What was observed, an entry for each of ``loss_curve_``: ``"loss"``, the same numbers; ``"gradient_norm"``, as
        `tol` measures it; ``"learning_rate"``, ``"momentum"`` and ``"step_length"`` of the step that led there (0 at
        the start; the length is that of the step in the coefficients); ``"passes"``, the reads of X so far. A run that
        solved another form of the problem (see Notes) has that form's rates and lengths.

    preconditioner_ : {"diagonal", "full", "nystrom"} or None
        The metric at the end.

    stages_ : list of dict
        What was done, in order: the ``"form"`` of the problem, the ``"metric"``, the ``"rule"`` of the steps, how many
        ``"iterations"`` there were, the reads of X (``"passes"``), and why the stage was ``"left"``: for what was
        bought then, or the reason of the end. With ``learning_rate="auto"`` a fit begins with what needs no set-up, and buys a better metric
        or form where its price is less than what is still to be done; any other rule is one stage.

    stop_reason_ : {"gradient", "precision", "max_iter", "diverged", "callback"}
        Why the fit ended.

        - ``"gradient"``: the gradient is within `tol`, so this is the optimum.
        - ``"precision"``: the gradient is within its rounding errors, or nothing is left to gain but those, before it
          was within `tol`. This is as close as the arithmetic comes to the optimum: more than 1e-3 of the explained
          loss (or `tol`, where that is more) that a check finds left out is a `PrecisionWarning`, see Notes. That
          goes with ``"gradient"``, too.
        - ``"max_iter"``: iterations ran out; a `ConvergenceWarning` was issued.
        - ``"diverged"``: the loss grew without end or was not finite; the coefficients are those of the best iterate.
        - ``"callback"``: a callback of scikit-learn's asked to stop.

    See Also
    --------
    GDLogisticRegression : The same for classes.
    sklearn.linear_model.LinearRegression : Least squares by an orthogonal factorisation.
    sklearn.linear_model.Ridge : Least squares with an L2 penalty, in closed form or iteratively.
    sklearn.linear_model.SGDRegressor : Descent along the gradients of single samples.

    Notes
    -----
    **Weights.** A sample weight of 2 is the same as the row twice, a weight of 0 the same as the row removed; only the
    ratios of weights count. The intercept is never penalised.

    **Batches.** With `batch_size` an iteration draws ``order = random.permutation(n_samples)`` from
    ``random = sklearn.utils.check_random_state(random_state)``, cuts it into batches of that size, of which the last has what is left,
    and takes a step along the gradient of each batch's objective: the mean loss of its samples, and the whole penalty. A callable and
    a schedule count these steps, over all passes, and momentum goes from one pass to the next. `max_iter`, ``n_iter_`` and
    ``history_`` count the passes: the objective and the gradient of all samples are looked at after each, at the price of one
    more read of X, and the fit ends by them. Batches are a lesson rather than a fast way here: at a constant rate the noise of their
    gradients does not fall. A weight of 2 would not be the row twice, so weights are refused.

    **The end of a fit.** With ∇F taken with respect to the coefficients of the centred columns, the fit ends when

        ‖D^(−1/2) ∇F(w, b)‖ / √(2 F(w, b)) ≤ tol,

    where D is diagonal: c·var(xⱼ) + alpha for a feature, c for the intercept, with c the bound of the loss's second
    derivative, 1 for squared error. Where F falls below √eps·F₀, that takes its place: F₀ is the loss of the best
    constant prediction (of 0 without an intercept), eps the precision of X, so √eps is 1.5e-8 in double precision. With
    several targets each column of ∇F is divided by √(2 F₀) of its own target, and the whole by √(F/F₀). The criterion
    does not depend on the number of samples, on the scale of the weights, or on the units of features and target.

    Several targets are problems of their own that share the passes over the data, and every one may have its own units;
    ``history_`` has the means of their rates.

    **What "auto" does.** The gradient of squared error is linear in the coefficients, so the best learning rate and the
    best momentum of an iteration are known in closed form: the iterates are those of conjugate gradients. The metric:

    - One symmetric product of X gives its Gram matrix, after which an iteration is free of n_samples. In the metric of
      that matrix *one step of length 1 is the solution of the normal equation*. Where the matrix has lost too many
      digits, a few more steps in the same metric follow gradients that are computed from the data. Among equal
      solutions the smallest is returned.
    - Where the matrix costs more than 20 passes over X (some 600 columns of dense data), conjugate gradients in the
      diagonal metric are tried first; if their pace says that they need longer than the matrix, they hand over to
      conjugate gradients in the metric of a matrix of low precision, and those to the matrix in full. Beyond 8000
      columns no matrix is formed, and a Nyström sketch takes its place [4]_.
    - With fewer samples than features (and up to 3000 samples) the problem is rotated into the space that the rows
      span: n coordinates instead of p, by the inner products of the rows. Columns whose spread is more than 100 times
      that of the n-th largest, raw timestamps say, keep coordinates of their own. With a penalty conjugate gradients
      are tried before, and the inner products give the dual normal equation.

    **What the end is worth.** The criterion sees a gradient, and the metric of a matrix does not see directions in which
    columns hardly differ. So where "auto" has formed a matrix of the columns, or of the rows, of data in memory or in
    files, the end is checked against the data: half the square of Newton's decrement, and what there is to gain along
    directions that the matrix takes for none. Where that is more than 1e-6 of the explained loss (or `tol`, where that
    is more), the fit goes on, for float64 data in a metric that tells more of them apart [5]_. What cannot be told
    apart by the precision of X, or is lost where coefficients are rounded to it, is a `PrecisionWarning` from 1e-3 of
    the explained loss on; the message names the part and the way out.

    Where columns depend on each other almost exactly, scikit-learn's ``LinearRegression(tol=0)``, an orthogonal method,
    gets more digits of the coefficients right (its default, ``tol=1e-6``, leaves out directions). In float64, with
    columns in units of their spread, R² was the same to 1e-6 up to a condition number of 1e10, and coefficients to three
    digits: a fit ends where the loss is flat to tol². Beyond 1e10, and in float32 beyond 1e6, a fit may leave out a part
    of what the columns explain.

    **Precision.** Products of X and sums over samples are made in double precision, whatever X holds, in the fit and in
    predictions (on devices that have it): answers depend on the processor in the order of sums alone. What is as long
    as there are samples, and the results, are in the precision of X. A metric may be less precise, a result never is.
    A column whose spread is within a rounding error of its mean is constant: its coefficient is 0 where there is an
    intercept. Numbers whose squares float64 does not hold, and coefficients that X's precision does not hold, are a
    ValueError that names them.

    Dense X in float32 or float64 and C or Fortran order is not copied; sparse X is converted to compressed rows where it is
    not, and never made dense. A fit in float32 returns float32. X may stay in its file: a `numpy.memmap`, and any object
    with a `shape`, an `ndim`, a NumPy `dtype` and slices of rows (`h5py.Dataset`, `zarr.Array`) that is no array in memory
    or on a device, no data frame and no Dask collection, is read by blocks of rows, by `fit` and by the predictions.

    References
    ----------
    .. [1] A. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes rendus de
       l'Académie des Sciences 25, 1847.

    .. [2] G. Narkiss and M. Zibulevsky, "Sequential subspace optimization method for large-scale unconstrained
       problems", Technion CCIT report 559, 2005.

    .. [3] B. Shea and M. Schmidt, "Why line search when you can plane search? SO-friendly neural networks allow
       per-iteration optimization of learning and momentum rates for every layer", 2024, arXiv:2406.17954.

    .. [4] Z. Frangella, J. Tropp and M. Udell, "Randomized Nyström preconditioning", SIAM Journal on Matrix Analysis
       and Applications 44, 2023, doi:10.1137/21M1466244.

    .. [5] T. Fukaya, R. Kannan, Y. Nakatsukasa, Y. Yamamoto and Y. Yanagisawa, "Shifted Cholesky QR for computing the QR
       factorization of ill-conditioned matrices", SIAM Journal on Scientific Computing 42, 2020,
       doi:10.1137/18M1218212.

    The sources of the other learning rates and of momentum are given at their classes in `sklearn_gd.steps` and
    `sklearn_gd.momentum`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDLinearRegression
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDLinearRegression().fit(X, y)
    >>> round(model.score(X, y), 4)
    0.5177

    It took one step: the normal equation.

    >>> model.n_iter_, model.preconditioner_, model.stop_reason_
    (1, 'full', 'gradient')

    The textbook, with a learning rate of its own:

    >>> from sklearn.preprocessing import scale
    >>> textbook = GDLinearRegression(learning_rate=0.1, tol=1e-2).fit(scale(X), y)
    >>> textbook.stop_reason_
    'gradient'
    >>> textbook.history_["learning_rate"][:3]
    [0.0, 0.1, 0.1]
    """

    def __init__(
        self,
        *,
        alpha: float = 0.0,
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
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            preconditioner=preconditioner,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            batch_size=batch_size,
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.alpha = alpha

    _one_target = False

    def _check_own_parameters(self) -> None:
        if self.alpha is None:
            raise TypeError(messages.none_given("alpha", "no penalty", "alpha=0"))
        check_number("alpha", self.alpha, 0, right=False)

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Array]:
        if scipy.sparse.issparse(y):
            raise TypeError("y is sparse; a dense array is required: use y.toarray().")
        return self._validated(X, y, **self._accepted(X), multi_output=True, y_numeric=True)

    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        if isinstance(y, np.ndarray):
            check_range(y, X.dtype)
        y, weight = cast(beside(y, X), X.dtype), in_units(weight)[0]
        n_outputs = y.shape[1] if y.ndim == 2 else None
        return HalfSquaredError(), y, weight, float(self.alpha), None, n_outputs, {}

    def _shaped(self, coef: Array, intercept: Array) -> tuple[Array, Any]:
        return coef, intercept[()]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute R², the share of the target's variance that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            1 − Σ (y − prediction)² / Σ (y − mean)², averaged over the targets.
        """
        if is_dask(X):
            return r2(self.predict(X), y, sample_weight)
        return super().score(X, y, sample_weight)

    @lazy_on_dask
    def predict(self, X: Any) -> Array:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            ``X @ coef_.T + intercept_``.
        """
        return self._raw(X, "predict")


class GDLogisticRegression(ClassifierMixin, BaseGD):
    """Logistic regression, binomial and multinomial, by batch gradient descent.

    Minimises the mean log loss plus a penalty:

        F(W, b) = 1/S · Σᵢ sᵢ ℓ(yᵢ, xᵢ·W + b) + 1/(2·C·S) ‖W‖²,    S = Σᵢ sᵢ,

    with sᵢ the sample weights times the class weights. ℓ is log(1 + exp(−y·raw)), y = ±1, for two classes, and the
    negative logarithm of the softmax for more. The optimum is that of scikit-learn's ``LogisticRegression(C=C)``. By
    default there is nothing to tune: the fit chooses its learning rates, its momentum and its metric, and ends at the
    optimum on raw, unscaled data. With a number as `learning_rate` it is the textbook's gradient descent.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the L2 penalty, greater than 0; ``C=inf`` is no penalty. It weighs the *sum* of the losses
        against ½‖W‖², as in scikit-learn: twice the data are penalised half as much.

    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights, ``{class: factor}``; classes that are left out have 1. ``"balanced"`` is S /
        (K·S_class), inversely proportional to the weighted frequencies. None is 1 for all.

    learning_rate : float, str, callable or rule, default="auto"
        How far each iteration goes. A number alone is the textbook, w ← w − learning_rate·∇F(w), iterate for iterate:
        nothing is searched, scaled or added to it.

        - ``"auto"``: the best rate of each iteration, together with the best momentum, by a search that reads no X.
          Needs no scaling.
        - a number greater than 0: that rate at every iteration.
        - a callable ``rate(k)`` of the iteration k = 0, 1, 2, ...: its values, at least 0.
        - ``"constant"``, ``"inverse-time"``, ``"exponential"``, ``"step"``, ``"cosine"``: a schedule from 0.1
          downwards; other figures by its object, as in ``sklearn_gd.steps.InverseTime(0.5, decay=0.1)``.
        - ``"lipschitz"``: 1/L, with L the largest curvature that the loss can have on these data.
        - ``"backtracking"``: halved until the loss falls by a part of what the slope promises (Armijo).
        - ``"wolfe"``: as far as the loss falls enough and its slope has flattened (Wolfe).
        - ``"exact"``: the best rate along the direction, O(n_samples) a trial.
        - ``"barzilai-borwein"``: from the change of the last two gradients, with a non-monotone safeguard.
        - ``"polyak"``: (F − F*)/‖∇F‖² with F* guessed, or given by ``sklearn_gd.steps.Polyak(optimum=...)``.
        - ``"adgd"``: from the local curvature, without a search and without a value of the loss.
        - ``"silver"``: the silver schedule, long steps among short ones, in units of 1/L.
        - ``"adagrad"``, ``"rmsprop"``, ``"adam"``, ``"amsgrad"``: a rate for each coefficient, from the gradients seen, step for
          step as in PyTorch; they never look at the loss, and not all of them converge.

        A rule may also be passed as an object of `sklearn_gd.steps`; ``set_params(learning_rate__decay=0.1)`` and
        searches reach its parameters, and those of a name, which becomes its rule.

    momentum : {"auto", "nesterov"}, float, momentum object or None, default="auto"
        How much of the last step is repeated.

        - ``"auto"``: chosen with the learning rate by ``learning_rate="auto"``; none for every other learning rate.
        - a number in [0, 1): heavy ball, w ← w − learning_rate·∇F(w) + momentum·(last step).
        - ``"nesterov"``: the gradient is taken ahead, where the last step leads; restarted when it points uphill there.
        - an object of `sklearn_gd.momentum`.
        - None: none; ``learning_rate="auto"`` keeps its own.

        A number and ``"nesterov"`` go with numbers, callables, schedules, ``"lipschitz"``, ``"backtracking"`` and
        ``"exact"``; the other rules choose their steps by themselves and refuse them.

    preconditioner : {"auto", "diagonal", "full", "nystrom"} or None, default="auto"
        The metric in which descent is steepest: w ← w − learning_rate·P·∇F(w). It changes how many iterations are
        needed, never the optimum: the penalty stays on the user's coefficients.

        - ``"auto"``: with ``learning_rate="auto"`` by the problem, see Notes; none with a number, a callable or a
          schedule, or with ``"adam"`` and its kin, which bring their own; ``"diagonal"`` with the other rules.
        - ``"diagonal"``: columns as if standardised, their centring included and implicit, so that sparse data stay
          sparse.
        - ``"full"``: the bound of the Hessian by Böhning and Lindsay [1]_; with ``learning_rate="auto"`` the Hessian
          itself, renewed; its p² numbers are the user's choice beyond 2000 features, where ``"auto"`` does without.
        - ``"nystrom"``: the diagonal metric and a low-rank sketch of what it leaves, for data with many samples and
          many features; its rank, up to 256, is doubled until the sketch has caught the leading part.
        - None: P = 1, plain gradients.

        What was chosen is ``preconditioner_``.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    max_iter : int, default=1000
        Iterations at the most, at least 0. Ending there is a `ConvergenceWarning` that names the cause and the way out.

    tol : float, default=1e-6
        When the gradient counts as zero, at least 0; its square estimates the relative gap between the objective and
        its minimum. The exact criterion is in Notes; it is the same for every learning rate.

    batch_size : int or None, default=None
        None is batch gradient descent: each iteration is a step along the gradient of all samples. A number, at least 1, makes
        each iteration a pass over the samples in a new order, in steps along the gradients of so many of them, as in
        scikit-learn's SGD; 1 is a step for each sample. For numbers, callables, schedules and ``"adam"`` and its kin, on
        data in memory or in a file, without weights; see Notes.

    init : {"zeros", "random"}, array-like or tuple, default="zeros"
        The first coefficients: zeros; standard normal numbers; an array of the shape of ``coef_``; or a pair of arrays
        (coef, intercept). With an array alone the intercept starts at 0. ``learning_rate="auto"``
        may begin at a better place.

    random_state : int, RandomState instance or None, default=None
        Of ``init="random"`` and `batch_size`. Nothing else is random: same data and same parameters give the same result.

    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit rather than from `init`.

    on_divergence : {"warn", "raise"}, default="warn"
        What to do when the loss rises without end or leaves the finite numbers: keep the best finite iterate and issue
        a `DivergenceWarning` that names the largest safe learning rate, or raise `DivergenceError`, for which a
        `GridSearchCV` scores the candidate NaN and ranks it last.

    verbose : int, default=0
        0 is silent; 1 prints a line for the iterations 0 to 9, then every tenth to 90, every hundredth, and so on; 2
        and more print all of them.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row for two classes, of the log-odds of the second.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0 with ``fit_intercept=False``.

    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.

    n_iter_ : int
        Steps taken; with `batch_size` passes over the samples.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    loss_curve_ : list of float
        The objective at the start and after each iteration: ``n_iter_ + 1`` numbers, less a last one that is not
        finite.

    history_ : dict of str to list of float
        What was observed, an entry for each of ``loss_curve_``: ``"loss"``, the same numbers; ``"gradient_norm"``, as
        `tol` measures it; ``"learning_rate"``, ``"momentum"`` and ``"step_length"`` of the step that led there (0 at
        the start; the length is that of the step in the coefficients); ``"passes"``, the reads of X so far. A run that
        solved another form of the problem (see Notes) has that form's rates and lengths.

    preconditioner_ : {"diagonal", "full", "nystrom"} or None
        The metric at the end.

    stages_ : list of dict
        What was done, in order: the ``"form"`` of the problem, the ``"metric"``, the ``"rule"`` of the steps, how many
        ``"iterations"`` there were, the reads of X (``"passes"``), and why the stage was ``"left"``: for what was
        bought then, or the reason of the end. With ``learning_rate="auto"`` a fit begins with what needs no set-up, and buys a better metric
        or form where its price is less than what is still to be done; any other rule is one stage.

    stop_reason_ : {"gradient", "precision", "max_iter", "diverged", "callback"}
        Why the fit ended.

        - ``"gradient"``: the gradient is within `tol`, so this is the optimum.
        - ``"precision"``: the gradient is within its rounding errors, or nothing is left to gain but those, before it
          was within `tol`. This is as close as the arithmetic comes to the optimum: more than 1e-3 of the explained
          loss (or `tol`, where that is more) that a check finds left out is a `PrecisionWarning`, see Notes. That
          goes with ``"gradient"``, too.
        - ``"max_iter"``: iterations ran out; a `ConvergenceWarning` was issued.
        - ``"diverged"``: the loss grew without end or was not finite; the coefficients are those of the best iterate.
        - ``"callback"``: a callback of scikit-learn's asked to stop.

    See Also
    --------
    GDLinearRegression : The same for numbers.
    sklearn.linear_model.LogisticRegression : Quasi-Newton, Newton and stochastic solvers of the same problem.
    sklearn.linear_model.SGDClassifier : Descent along the gradients of single samples.

    Notes
    -----
    **Weights.** A sample weight of 2 is the same as the row twice, a weight of 0 the same as the row removed. Since S
    grows with the weights, doubling all of them is the same as doubling C. The intercept is never penalised.

    **Batches.** With `batch_size` an iteration draws ``order = random.permutation(n_samples)`` from
    ``random = sklearn.utils.check_random_state(random_state)``, cuts it into batches of that size, of which the last has what is left,
    and takes a step along the gradient of each batch's objective: the mean loss of its samples, and the whole penalty. A callable and
    a schedule count these steps, over all passes, and momentum goes from one pass to the next. `max_iter`, ``n_iter_`` and
    ``history_`` count the passes: the objective and the gradient of all samples are looked at after each, at the price of one
    more read of X, and the fit ends by them. Batches are a lesson rather than a fast way here: at a constant rate the noise of their
    gradients does not fall. A weight of 2 would not be the row twice, so weights are refused.

    **The end of a fit.** With ∇F taken with respect to the coefficients of the centred columns, the fit ends when

        ‖D^(−1/2) ∇F(w, b)‖ / √(2 F(w, b)) ≤ tol,

    where D is diagonal: c·var(xⱼ) + 1/(C·S) for a feature, c for the intercept, with c the bound of the loss's second
    derivative, 1/4 for two classes and 1/2 for more. Where F falls below √eps·F₀, that takes its place: F₀ is the loss
    of the best constant prediction (of 0 without an intercept), eps the precision of X, so √eps is 1.5e-8 in double
    precision. The criterion does not depend on the number of samples, on the scale of the weights, or on the units of
    the features.

    **What "auto" does.** The raw predictions are linear in the coefficients, and those of the last step are known. So
    once per iteration the loss is minimised over the plane of the direction and the last step, by a few Newton steps on
    two numbers, O(n_samples) each: learning rate and momentum together. The metric:

    - Up to 2000 features, the Hessian at the current coefficients, computed anew when the decrease slows and a new one
      pays. For tall data it is made of a sample of the rows (50 a feature, at least 2000), drawn by their share of the
      Hessian, and the fit starts at the optimum of a sample, each where that costs less than all rows do; the sample grows
      when its metric is found wanting. Of few columns, and of sparse rows with few values, it is made of all.
    - For three classes and more, the whole Hessian over all classes up to 200 coefficients. Beyond, Newton's directions
      by inner conjugate gradients, one read of X each, preconditioned by every class's own block, of sampled rows.
    - Beyond 2000 features, the diagonal metric and, if its pace says that it needs longer than that costs, a Nyström
      sketch [7]_; both precondition inner conjugate gradients for three classes and more.
    - With fewer samples than features (and up to 3000 samples) the problem is rotated into the space that the rows
      span: n coordinates instead of p, by the inner products of the rows. Columns whose spread is more than 100 times
      that of the n-th largest, raw timestamps say, keep coordinates of their own. There the above applies.

    A loss that rises for a few iterations has not diverged: with a large learning rate it may, and still converge [4]_.

    **Separated classes.** With ``C=inf`` there is no finite optimum where some direction lowers no sample's log-odds of its
    class against another, and raises one [9]_: the coefficients grow without end, and the fit ends where the loss hardly
    changes. It is a `SeparationWarning` where all samples are on their sides, and where Newton's step at the end shows
    such a direction, as for a value of a feature that only one class has. The predictions of these samples are right,
    coefficients have no meaning. A penalty, any finite `C`, makes the optimum finite.

    **What the end is worth.** The criterion sees a gradient, and the metric of a matrix does not see directions in which
    columns hardly differ. So where "auto" has formed a matrix of the columns, or of the rows, of data in memory or in
    files, the end is checked against the data: half the square of Newton's decrement, and what there is to gain along
    directions that the matrix takes for none. Where that is more than 1e-6 of the explained loss (or `tol`, where that
    is more), the fit goes on, for float64 data in a metric that tells more of them apart [8]_. What cannot be told
    apart by the precision of X, or is lost where coefficients are rounded to it, is a `PrecisionWarning` from 1e-3 of
    the explained loss on; the message names the part and the way out.

    **Precision.** Products of X and sums over samples are made in double precision, whatever X holds, in the fit and in
    predictions (on devices that have it): answers depend on the processor in the order of sums alone. What is as long
    as there are samples, and the results, are in the precision of X. A metric may be less precise, a result never is.
    A column whose spread is within a rounding error of its mean is constant: its coefficient is 0 where there is an
    intercept. Numbers whose squares float64 does not hold, and coefficients that X's precision does not hold, are a
    ValueError that names them.

    Dense X in float32 or float64 and C or Fortran order is not copied; sparse X is converted to compressed rows where it is
    not, and never made dense. A fit in float32 returns float32. X may stay in its file: a `numpy.memmap`, and any object
    with a `shape`, an `ndim`, a NumPy `dtype` and slices of rows (`h5py.Dataset`, `zarr.Array`) that is no array in memory
    or on a device, no data frame and no Dask collection, is read by blocks of rows, by `fit` and by the predictions.

    References
    ----------
    .. [1] D. Böhning and B. Lindsay, "Monotonicity of quadratic-approximation algorithms", Annals of the Institute of
       Statistical Mathematics 40, 1988, doi:10.1007/BF00049423 (the bound of the Hessian).

    .. [2] D. Böhning, "Multinomial logistic regression algorithm", Annals of the Institute of Statistical Mathematics
       44, 1992, doi:10.1007/BF00048682.

    .. [3] B. Shea and M. Schmidt, "Why line search when you can plane search? SO-friendly neural networks allow
       per-iteration optimization of learning and momentum rates for every layer", 2024, arXiv:2406.17954.

    .. [4] J. Wu, P. Bartlett, M. Telgarsky and B. Yu, "Large stepsize gradient descent for logistic loss:
       non-monotonicity of the loss improves optimization efficiency", COLT 2024, arXiv:2402.15926.

    .. [5] P. Xu, J. Yang, F. Roosta-Khorasani, C. Ré and M. Mahoney, "Sub-sampled Newton methods with non-uniform
       sampling", NeurIPS 2016, arXiv:1607.00559.

    .. [6] R. Dembo, S. Eisenstat and T. Steihaug, "Inexact Newton methods", SIAM Journal on Numerical Analysis 19,
       1982, doi:10.1137/0719025.

    .. [7] Z. Frangella, J. Tropp and M. Udell, "Randomized Nyström preconditioning", SIAM Journal on Matrix Analysis
       and Applications 44, 2023, doi:10.1137/21M1466244.

    .. [8] T. Fukaya, R. Kannan, Y. Nakatsukasa, Y. Yamamoto and Y. Yanagisawa, "Shifted Cholesky QR for computing the QR
       factorization of ill-conditioned matrices", SIAM Journal on Scientific Computing 42, 2020,
       doi:10.1137/18M1218212.

    .. [9] A. Albert and J. Anderson, "On the existence of maximum likelihood estimates in logistic regression models",
       Biometrika 71, 1984, doi:10.1093/biomet/71.1.1.

    The sources of the other learning rates and of momentum are given at their classes in `sklearn_gd.steps` and
    `sklearn_gd.momentum`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_gd import GDLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDLogisticRegression().fit(X, y)
    >>> round(model.score(X, y), 3)
    0.958
    >>> model.stop_reason_
    'gradient'

    The textbook, on standardised features:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> textbook = GDLogisticRegression(learning_rate=0.5, tol=1e-2)
    >>> pipeline = make_pipeline(StandardScaler(), textbook).fit(X, y)
    >>> pipeline[-1].stop_reason_
    'gradient'
    >>> pipeline[-1].history_["learning_rate"][:3]
    [0.0, 0.5, 0.5]
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
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
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            preconditioner=preconditioner,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            batch_size=batch_size,
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.C = C
        self.class_weight = class_weight

    def _check_own_parameters(self) -> None:
        if self.C is None:
            raise TypeError(messages.none_given("C", "no penalty", "C=np.inf"))
        check_number("C", self.C, 0, left=False)
        weight = self.class_weight
        if not (weight is None or isinstance(weight, dict) or (isinstance(weight, str) and weight == "balanced")):
            raise ValueError(f"class_weight must be None, a dict or 'balanced', got {weight!r}.")

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Array]:
        return self._validated(X, y, **self._accepted(X))

    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        index: Any
        weight, unit = in_units(weight)
        classes, index, counts = encode_blocks(y, weight, encode) if is_dask(y) else encode(y, weight, X)
        k = len(classes)
        if k < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {classes[0]!r}"
            )
        if self.class_weight is not None:
            # a sample of each class stands for all of them, with their weight
            per_class = compute_class_weight(self.class_weight, classes=classes, y=classes, sample_weight=counts)
            if not (np.isfinite(per_class).all() and (per_class >= 0).all() and per_class.any()):
                raise ValueError(
                    f"class_weight must give finite weights that are not negative, and not all zero, got {self.class_weight!r}."
                )
            look_up = functools.partial(looked_up, per_class)
            factor = cast(
                index.map_blocks(look_up, dtype=per_class.dtype) if is_dask(index) else look_up(index), X.dtype
            )
            weight = factor if weight is None else weight * factor
            counts = counts * per_class
        total = float(counts.sum())
        alpha = 0.0 if math.isinf(self.C) else strength(float(self.C), total, unit)
        share = counts / total
        present = share[share > 0]
        # the loss of the constant prediction: log k without an intercept
        entropy = float(-(present * np.log(present)).sum()) if self.fit_intercept else math.log(k)
        attributes = {"classes_": classes}
        if k == 2:
            return Binomial(), cast(2 * index - 1, X.dtype), weight, alpha, Constant(entropy), None, attributes
        return Multinomial(), index, weight, alpha, Constant(entropy), k, attributes

    def _shaped(self, coef: Array, intercept: Array) -> tuple[Array, Any]:
        return (coef[None, :], np.reshape(intercept, (1,))) if coef.ndim == 1 else (coef, intercept)

    @lazy_on_dask
    def decision_function(self, X: Any) -> Array:
        """Compute the raw predictions: the log-odds, or one score a class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        raw : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log-odds of the second, ``classes_[1]``; for more, scores whose softmax are the
            probabilities.
        """
        return self._scores(X, "decision_function")

    def _scores(self, X: Any, method: str) -> Array:
        raw = self._raw(X, method)
        return raw[:, 0] if raw.shape[1] == 1 else raw

    @lazy_on_dask
    def predict(self, X: Any) -> Array:
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Members of ``classes_``.
        """
        raw = self._scores(X, "predict")
        xp = namespace(raw)
        index = cast(raw > 0, xp.int64) if raw.ndim == 1 else xp.argmax(raw, axis=1)
        if on_host(self.classes_).dtype.kind in "iufb":
            return looked_up(self.classes_, index)
        return self.classes_[on_host(index)]

    @lazy_on_dask
    def predict_proba(self, X: Any) -> Array:
        """Compute the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        raw = self._scores(X, "predict_proba")
        return Multinomial.probabilities(self._two_columns(raw))[0]

    @lazy_on_dask
    def predict_log_proba(self, X: Any) -> Array:
        """Compute the logarithms of the probabilities of the classes, exact where a probability rounds to 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        raw = self._two_columns(self._scores(X, "predict_log_proba"))
        return raw - Multinomial.probabilities(raw)[1][:, None]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy, the share of samples whose class is predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            From 0 to 1.
        """
        if is_dask(X):
            return accuracy(self.predict(X), y, sample_weight)
        return super().score(X, y, sample_weight)

    @staticmethod
    def _two_columns(raw: Array) -> Array:
        if raw.ndim == 2:
            return raw
        xp = namespace(raw)
        return xp.stack([xp.zeros_like(raw), raw], axis=1)


def strength(C: float, total: float, unit: int) -> float:
    """1/(C·S) with S = total·2^unit, of which the products on the way may leave the range of numbers."""
    (c, c_unit), (t, t_unit) = math.frexp(C), math.frexp(total)
    try:
        return math.ldexp(1.0 / (c * t), -(c_unit + t_unit + unit))
    except OverflowError as error:
        raise ValueError(messages.too_strong(C, math.ldexp(total, min(unit, 0)))) from error


# The root of the range of float64 numbers, with room for sums of squares: of larger numbers, and of smaller ones, they are not numbers.
MOST, LEAST = 1e150, 1e-150


def check_range(y: Array, dtype: np.dtype[Any]) -> None:
    """Refuse a target of numbers that the arithmetic of X does not hold, or whose squares double precision does not."""
    size = float(np.abs(y.astype(np.float64, copy=False)).max(initial=0.0))
    kind = np.finfo(np.float64 if dtype != np.float32 else dtype)
    if size and not max(LEAST, float(kind.tiny)) <= size <= min(MOST, float(kind.max)):
        raise ValueError(messages.out_of_range("y", size, kind.dtype))


# Labels that are counted one by one on a device, a pass over them each; sorting them costs about as much as so many.
FEW_LABELS = 32


def encode(y: Array, weight: Array | None, X: Any = None) -> tuple[Array, Array, Array]:
    """The sorted classes, the index of each sample's, where X is, and the weight of each class; continuous targets are refused."""
    classes, index = indexed(y)
    index = beside(index, X)
    return classes, index, class_totals(index, weight, len(classes))


def indexed(y: Array) -> tuple[Array, Array]:
    """The sorted classes, and the index of each sample's."""
    if is_elsewhere(y):
        xp = namespace(y)
        if not xp.isdtype(y.dtype, ("bool", "integral")):
            check_classification_targets(y)
        elif xp.isdtype(y.dtype, "integral"):
            low, high = int(xp.min(y)), int(xp.max(y))  # as doubles, large ones would lose digits
            k = high - low + 1
            # a few labels without a gap: subtracted, not sorted
            if k <= FEW_LABELS and high < 2**63:
                shifted = cast(y, xp.int64) - low
                if class_totals(shifted, None, k).all():
                    return on_host(cast(xp.arange(low, high + 1, dtype=xp.int64), y.dtype)), shifted
        classes, index = xp.unique_inverse(y)
        return on_host(classes), index
    if y.dtype.kind in "iub" and len(y):
        low, high = int(y.min()), int(y.max())
        if high - low < max(len(y), 256):
            # integers near each other, as most labels are: counted in one pass, not sorted; in a type that holds all of them
            wide: Any = np.uint64 if y.dtype.kind == "u" else np.int64
            shifted = np.subtract(y, wide(low), dtype=wide).astype(np.intp, copy=False)
            present = np.flatnonzero(np.bincount(shifted, minlength=high - low + 1))
            classes = (present.astype(wide) + wide(low)).astype(y.dtype)
            return classes, shifted if len(present) == high - low + 1 else np.searchsorted(present, shifted)
    else:
        if y.dtype == object and not all(isinstance(label, str) for label in y):
            raise ValueError(messages.labels_of_several_kinds({type(label).__name__ for label in y}))
        check_classification_targets(y)
    return np.unique(y, return_inverse=True)
