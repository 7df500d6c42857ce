"""The data of the benchmarks, their objective, and the best known value of it.

Two uses: a solver measured on a problem, and its result judged::

    problem = PROBLEMS["adult-raw-C1"]
    X, y, strength, kind = load_problem(problem.name)      # strength: C (logistic) or alpha (squared)
    coef, intercept = my_solver(X, y)
    objective(X, y, coef, intercept, strength, kind) / reference(problem, folder)["objective"] - 1

The ``.npz`` files (arrays ``X`` and ``y``) lie in the folder that the environment variable ``SKLEARN_GD_DATA`` names,
scikit-learn's fetchers look where ``SCIKIT_LEARN_DATA`` says; nothing is downloaded. Data that cannot be had raise
`Unavailable`, with the reason.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import expit, logsumexp, softmax
from sklearn import datasets
from sklearn.preprocessing import OneHotEncoder, StandardScaler

__all__ = [
    "PROBLEMS",
    "Problem",
    "Unavailable",
    "coordinates",
    "largest_eigenvalue",
    "load_npz",
    "load_problem",
    "objective",
    "optimum",
    "reference",
]


class Unavailable(RuntimeError):
    """The data of a problem cannot be had on this machine."""


@dataclass(frozen=True)
class Problem:
    """One row of the benchmark.

    Attributes
    ----------
    name, group : str
        ``group`` is one of "binary", "multinomial", "tall", "wide", "squares", "ridge".
    kind : {"logistic", "squared"}
    make : callable
        Returns ``(X, y)``.
    strength : float
        ``C`` where logistic, ``alpha`` of ``1/n sum 1/2 (y - yhat)^2 + alpha/2 ||w||^2`` where squared. With
        ``relative_strength`` a multiple of the largest eigenvalue of the covariance.
    target : {"objective", "coef"}
        What "there" means: an objective within 1e-6 (relative) of the best, or coefficients within 1e-8.
    """

    name: str
    group: str
    kind: str
    make: Callable
    strength: float
    target: str = "objective"
    relative_strength: bool = False


# ---------------------------------------------------------------------------------------------------- sources


def load_npz(name):
    """Arrays ``X`` and ``y`` of a file in the folder that SKLEARN_GD_DATA names, or `Unavailable`.

    A sparse X is stored as ``X_data``, ``X_indices``, ``X_indptr`` and ``X_shape``, those of a CSR matrix.
    """
    folder = os.environ.get("SKLEARN_GD_DATA")
    if not folder:
        raise Unavailable("SKLEARN_GD_DATA names no folder")
    path = Path(folder, f"{name}.npz")
    if not path.exists():
        raise Unavailable(f"{path.name} is not in the folder that SKLEARN_GD_DATA names")
    with np.load(path, allow_pickle=False) as data:
        if "X" in data:
            X = data["X"]
        else:
            X = sp.csr_matrix((data["X_data"], data["X_indices"], data["X_indptr"]), shape=tuple(data["X_shape"]))
        return X.astype(np.float64), data["y"]


def _fetched(fetch, **options):
    try:
        return fetch(download_if_missing=False, return_X_y=True, **options)
    except OSError as error:
        raise Unavailable(f"{fetch.__name__}: {error}") from error


def _bundled(load, label=None):
    def make():
        X, y = load(return_X_y=True)
        return X.astype(np.float64), y if label is None else label(y)

    return make


def _kddcup(dense):
    """Normal or attack: 38 numeric columns and three one-hot encoded ones, sparse; or dense and standardised."""
    X, y = _fetched(datasets.fetch_kddcup99, percent10=True)
    categorical = [1, 2, 3]
    numeric = np.delete(X, categorical, axis=1).astype(np.float64)
    encoded = OneHotEncoder().fit_transform(X[:, categorical].astype(str))
    X = sp.hstack([sp.csr_matrix(numeric), encoded], format="csr")
    y = (y != b"normal.").astype(np.int64)
    return (StandardScaler().fit_transform(X.toarray()) if dense else X), y


def _mnist():
    X, y = load_npz("mnist")
    return X[:60_000] / 255.0, y[:60_000]


def _newsgroups():
    return _fetched(datasets.fetch_20newsgroups_vectorized)


def _newsgroups_planted():
    """The documents of 20newsgroups with labels drawn from a planted 20-class model.

    Stands in where the fetcher's cache holds the word counts but not the messages, which have the labels.
    """
    import joblib

    path = Path(datasets.get_data_home(), "20newsgroup_vectorized_py3.pkl")
    if not path.exists():
        raise Unavailable(f"{path.name} is not in scikit-learn's data folder")
    X = joblib.load(path)[0].astype(np.float64)
    X = sp.csr_matrix(sp.diags(1 / np.maximum(np.sqrt(X.multiply(X).sum(axis=1)).A1, 1e-300)) @ X)
    rng = np.random.default_rng(0)
    # Rarer words weigh more, as they do in a text classifier; Gumbel noise makes the labels softmax draws.
    document_frequency = np.bincount(X.indices, minlength=X.shape[1]) + 1
    coef = rng.standard_normal((X.shape[1], 20)) * np.log(X.shape[0] / document_frequency)[:, None]
    raw = X @ coef
    raw = 2.0 * (raw - raw.mean(axis=0)) / raw.std(axis=0)
    return X, np.argmax(raw + rng.gumbel(size=raw.shape), axis=1)


def _classification(n_samples, n_features):
    return lambda: datasets.make_classification(
        n_samples=n_samples, n_features=n_features, n_informative=min(10, n_features // 2), random_state=0
    )


def _gaussian(n_samples, n_features, condition):
    """Normal rows with a mean; the covariance has log-uniform eigenvalues from 1 to `condition`, no axis special."""

    def make():
        rng = np.random.default_rng(n_features)
        X = rng.standard_normal((n_samples, n_features))
        if condition > 1:
            rotation = scipy.linalg.qr(rng.standard_normal((n_features, n_features)), mode="economic")[0]
            X = (X * np.geomspace(1, np.sqrt(condition), n_features)) @ rotation
        X += rng.uniform(-1, 1, n_features)
        coef = rng.standard_normal(n_features)
        return X, X @ coef + 3.0 + rng.standard_normal(n_samples)

    return make


def _standardised(make):
    def made():
        X, y = make()
        return StandardScaler().fit_transform(X), y

    return made


def _california():
    X, y = _fetched(datasets.fetch_california_housing)
    return X.astype(np.float64), y


# ---------------------------------------------------------------------------------------------------- problems


def _problems():
    binary = {
        "breast_cancer": _bundled(datasets.load_breast_cancer),
        "wine0": _bundled(datasets.load_wine, lambda y: (y == 0).astype(int)),
        "digits>4": _bundled(datasets.load_digits, lambda y: (y > 4).astype(int)),
        "credit_default": lambda: load_npz("credit_default"),
        "golub_leukemia": lambda: load_npz("golub_leukemia"),
        "adult": lambda: load_npz("adult"),
    }
    for name, make in binary.items():
        for scaling, scaled in (("raw", make), ("std", _standardised(make))):
            for C in (1, 100):
                yield Problem(f"{name}-{scaling}-C{C}", "binary", "logistic", scaled, C)
    multinomial = {
        "iris": _bundled(datasets.load_iris),
        "wine": _bundled(datasets.load_wine),
        "digits": _bundled(datasets.load_digits),
    }
    for name, make in multinomial.items():
        for scaling, scaled in (("raw", make), ("std", _standardised(make))):
            for C in (1, 100):
                yield Problem(f"{name}-{scaling}-C{C}", "multinomial", "logistic", scaled, C)
    yield Problem("california", "squares", "squared", _california, 0.0)
    yield Problem("uci_protein", "squares", "squared", lambda: load_npz("uci_protein"), 0.0)
    yield Problem("blogfeedback", "squares", "squared", lambda: load_npz("blogfeedback"), 0.0)
    for n_samples, n_features in ((100_000, 100), (50_000, 500), (1_000_000, 20)):
        make = _gaussian(n_samples, n_features, 10)
        yield Problem(f"gaussian-{n_samples}x{n_features}", "squares", "squared", make, 0.0)
    for n_samples, n_features in ((300_000, 100), (1_000_000, 20)):
        make = _classification(n_samples, n_features)
        yield Problem(f"classification-{n_samples}x{n_features}-C1", "tall", "logistic", make, 1)
    for C in (1, 100):
        yield Problem(f"kddcup99-sparse-C{C}", "binary", "logistic", lambda: _kddcup(dense=False), C)
        yield Problem(f"kddcup99-std-C{C}", "binary", "logistic", lambda: _kddcup(dense=True), C)
    for strength in (1e-3, 1e-2, 1e-1, 1e0, 1e1):
        make = lambda: load_npz("mice_snp")  # noqa: E731  one line beside its use
        yield Problem(f"mice_snp-{strength:g}", "ridge", "squared", make, strength, relative_strength=True)
    yield Problem("20newsgroups-C1", "multinomial", "logistic", _newsgroups, 1)
    yield Problem("20newsgroups_planted-C1", "multinomial", "logistic", _newsgroups_planted, 1)
    yield Problem("mnist-C1", "multinomial", "logistic", _mnist, 1)
    for n_samples, n_features in ((20_000, 1_000), (20_000, 2_000), (12_000, 6_000)):
        for condition in (1, 10, 50):
            make = _gaussian(n_samples, n_features, condition)
            name = f"gaussian-{n_samples}x{n_features}-cond{condition}"
            yield Problem(name, "wide", "squared", make, 0.0, target="coef")


#: name -> Problem, the cheap ones first.
PROBLEMS = {problem.name: problem for problem in _problems()}


def load_problem(name, dtype=np.float64):
    """The data of a problem.

    Returns
    -------
    X : ndarray or CSR of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    strength : float
        ``C`` or ``alpha``, absolute.
    kind : {"logistic", "squared"}

    Raises
    ------
    Unavailable
        Where the data cannot be had.
    """
    problem = PROBLEMS[name]
    X, y = problem.make()
    strength = float(problem.strength)
    if problem.relative_strength:
        strength *= largest_eigenvalue(X)
    X = X.astype(dtype, copy=False)
    return X, y, strength, problem.kind


def largest_eigenvalue(X):
    """Of the covariance; by power iterations, since a benchmark needs it to a few digits only."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    direction = np.random.default_rng(0).standard_normal(X.shape[1])
    value = 0.0
    for _ in range(100):
        direction /= np.linalg.norm(direction)
        product = X @ direction - mean @ direction
        product = X.T @ product - mean * product.sum()
        value, direction = direction @ product / X.shape[0], product
    return float(value)


# ---------------------------------------------------------------------------------------------------- objective


def objective(X, y, coef, intercept, strength, kind):
    """The mean loss plus the penalty, in float64, whatever the fit's own precision.

    Parameters
    ----------
    coef, intercept
        In scikit-learn's shapes.
    strength : float
        ``C`` for ``kind="logistic"``, ``alpha`` for ``kind="squared"``.
    """
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    intercept = np.atleast_1d(np.asarray(intercept, dtype=np.float64))
    # A float32 `X` is converted in slices: NumPy would otherwise convert all of it, or round `coef`.
    raw = np.concatenate(
        [X[i : i + 65_536].astype(np.float64, copy=False) @ coef.T for i in range(0, X.shape[0], 65_536)]
    )
    raw += intercept
    if kind == "squared":
        return 0.5 * float(np.mean((raw[:, 0] - y) ** 2)) + 0.5 * strength * float(np.sum(coef**2))
    codes = np.unique(y, return_inverse=True)[1]
    penalty = 0.5 / (strength * X.shape[0]) * float(np.sum(coef**2))
    return _log_loss(codes, raw) + penalty


def _log_loss(codes, raw):
    if raw.shape[1] == 1:
        return float(np.mean(np.logaddexp(0.0, (1 - 2 * codes) * raw[:, 0])))
    return float(np.mean(logsumexp(raw, axis=1) - raw[np.arange(len(codes)), codes]))


# ---------------------------------------------------------------------------------------------------- references


def reference(problem, folder, data=None):
    """The best known objective of a problem: from the folder, or computed once (`optimum`) and put there.

    Returns
    -------
    dict
        "objective"; "bound", an estimate of how far above the optimum it may be (half the squared Newton decrement);
        "method"; "seconds"; and for ``target="coef"`` the ndarray "coef".
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path, coef_path = folder / f"{problem.name}.json", folder / f"{problem.name}.npy"
    if path.exists():
        known = json.loads(path.read_text())
        if problem.target == "coef":
            known["coef"] = np.load(coef_path)
        return known
    X, y, strength, kind = load_problem(problem.name) if data is None else data
    start = time.perf_counter()
    coef, intercept, bound, method = optimum(X, y, strength, kind)
    known = {
        "objective": objective(X, y, coef, intercept, strength, kind),
        "bound": float(bound),
        "method": method,
        "seconds": round(time.perf_counter() - start, 3),
        "n_samples": X.shape[0],
        "n_features": X.shape[1],
        "strength": strength,
    }
    path.write_text(json.dumps(known, indent=1))
    if problem.target == "coef":
        np.save(coef_path, coef)
        known["coef"] = coef
    return known


def optimum(X, y, strength, kind):
    """The coefficients, the intercept, a bound of what is left to gain, and the method.

    Newton's method with Cholesky factors in centred, scaled coordinates (the penalty stays on the user's), conjugate
    gradients where the Hessian is too large; orthogonal factors for the plain least squares.
    """
    return (_least_squares if kind == "squared" else _newton)(X, y, strength)


def coordinates(X):
    """``Z`` and a map back: columns centred and scaled, and no more of them than rows."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    X = X.toarray() if sp.issparse(X) else np.asarray(X, dtype=np.float64)
    Z = X - mean
    rotation = None
    if Z.shape[1] > Z.shape[0]:
        # The optimum lies in the span of the rows, and an orthonormal basis of it keeps the penalty what it is.
        left, values, rotation = scipy.linalg.svd(Z, full_matrices=False, check_finite=False)
        keep = values > values[0] * 1e-13
        Z, rotation = left[:, keep] * values[keep], rotation[keep]
    scale = Z.std(axis=0)
    scale[scale == 0] = 1.0
    Z /= scale

    def back(coef, intercept):
        coef = coef / scale
        coef = coef if rotation is None else coef @ rotation
        return coef, intercept - coef @ mean

    return Z, 1 / scale**2, back


def _least_squares(X, y, alpha):
    n_samples, n_features = X.shape
    Z, inverse_squares, back = coordinates(X)
    target = y - y.mean()
    if alpha == 0 and n_features >= 1000:
        factor = scipy.linalg.cho_factor(Z.T @ Z)
        coef = scipy.linalg.cho_solve(factor, Z.T @ target)
        for _ in range(3):
            coef += scipy.linalg.cho_solve(factor, Z.T @ (target - Z @ coef))
        method = "Cholesky, refined"
    else:
        if alpha > 0:
            Z_ = np.vstack([Z, np.diag(np.sqrt(n_samples * alpha * inverse_squares))])
            target = np.concatenate([target, np.zeros(Z.shape[1])])
        else:
            Z_ = Z
        triangle = scipy.linalg.qr(np.column_stack([Z_, target]), mode="r", check_finite=False)[0]
        size = Z.shape[1]
        # Columns that are sums of others up to the rounding of single precision (blogfeedback's are) have singular
        # values of 1e-9: the coefficients of millions that they would get fit that rounding. Who finds them all the
        # same goes below the "best known", and has got there.
        cutoff = np.sqrt(np.finfo(np.float64).eps)
        coef = scipy.linalg.lstsq(triangle[:size, :size], triangle[:size, size], cond=cutoff)[0]
        method = "QR, singular values"
    gradient = Z.T @ (Z @ coef - (y - y.mean())) / n_samples + alpha * inverse_squares * coef
    coef, intercept = back(coef, y.mean())
    return coef, intercept, np.linalg.norm(gradient), method


def _newton(X, y, C):
    n_samples = X.shape[0]
    alpha = 1 / (C * n_samples)
    codes = np.unique(y, return_inverse=True)[1]
    n_outputs = 1 if codes.max() == 1 else codes.max() + 1
    if sp.issparse(X) and X.shape[0] * X.shape[1] > 2e8:
        Z, inverse_squares, back = X, np.ones(X.shape[1]), lambda coef, intercept: (coef, intercept)
    else:
        Z, inverse_squares, back = coordinates(X)
    size = Z.shape[1] * n_outputs
    dense = size <= 3000
    hot = codes[:, None] if n_outputs == 1 else np.eye(n_outputs)[codes]
    penalty = alpha * inverse_squares[:, None]
    precondition = None if dense else _bound_preconditioner(Z, penalty[:, 0], n_outputs)

    def value(coef, intercept):
        return _log_loss(codes, Z @ coef + intercept) + 0.5 * float(np.sum(penalty * coef**2))

    coef, intercept = np.zeros((Z.shape[1], n_outputs)), np.zeros(n_outputs)
    current = value(coef, intercept)
    best_bound = np.inf
    for _ in range(200):
        raw = Z @ coef + intercept
        probability = expit(raw) if n_outputs == 1 else softmax(raw, axis=1)
        residual = (probability - hot) / n_samples
        gradient, slope = Z.T @ residual + penalty * coef, residual.sum(axis=0)
        solve = _newton_dense if dense else _newton_iterative
        step, shift = solve(Z, probability, penalty, gradient, slope, precondition)
        decrement = float(np.sum(gradient * step) + slope @ shift)
        best_bound = min(best_bound, abs(decrement) / 2)
        if decrement / 2 <= 1e-15 * current:
            break
        length = 1.0
        while length > 1e-12:
            new = value(coef - length * step, intercept - length * shift)
            if new < current - 1e-4 * length * decrement:
                break
            length /= 2
        else:
            break  # at the rounding error of the value
        coef, intercept, current = coef - length * step, intercept - length * shift, new
    coef, intercept = back(coef.T, intercept)
    return coef, intercept, best_bound, "Newton, Cholesky" if dense else "Newton, conjugate gradients"


def _newton_dense(Z, probability, penalty, gradient, slope, _):
    n_samples, n_features = Z.shape
    n_outputs = probability.shape[1]
    width = n_features + 1
    hessian = np.empty((n_outputs * width, n_outputs * width))
    for i in range(n_outputs):
        for j in range(i, n_outputs):
            weight = probability[:, i] * ((i == j) - probability[:, j]) / n_samples
            weighted = Z * weight[:, None]
            block = np.empty((width, width))
            block[:-1, :-1] = Z.T @ weighted
            block[-1, :-1] = block[:-1, -1] = weighted.sum(axis=0)
            block[-1, -1] = weight.sum()
            if i == j:
                block[range(n_features), range(n_features)] += penalty[:, 0]
            hessian[i * width : (i + 1) * width, j * width : (j + 1) * width] = block
            hessian[j * width : (j + 1) * width, i * width : (i + 1) * width] = block.T
    if n_outputs > 1:
        # A constant added to all intercepts changes nothing: without this the matrix is singular.
        corner = np.arange(n_outputs) * width + n_features
        hessian[np.ix_(corner, corner)] += 1.0 / n_outputs
    # Scaled to a unit diagonal, for saturated probabilities leave entries many orders apart.
    scale = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    right = np.vstack([gradient, slope]).T.ravel() * scale
    hessian *= scale[:, None] * scale
    for jitter in (0.0, 1e-15, 1e-13, 1e-11, 1e-9, 1e-7):
        try:
            hessian[np.diag_indices_from(hessian)] += jitter
            solution = scipy.linalg.cho_solve(scipy.linalg.cho_factor(hessian), right)
            break
        except np.linalg.LinAlgError:
            continue
    solution = (solution * scale).reshape(n_outputs, width).T
    return solution[:-1], solution[-1]


def _newton_iterative(Z, probability, penalty, gradient, slope, precondition):
    n_samples = Z.shape[0]

    def product(step, shift):
        raw = Z @ step + shift
        if probability.shape[1] == 1:
            curved = probability * (1 - probability) * raw
        else:
            curved = probability * (raw - np.sum(probability * raw, axis=1, keepdims=True))
        curved /= n_samples
        return Z.T @ curved + penalty * step, curved.sum(axis=0)

    step, shift = np.zeros_like(gradient), np.zeros_like(slope)
    r, r0 = gradient.copy(), slope.copy()
    d, d0 = precondition(r, r0)
    old = start = np.sum(r * d) + r0 @ d0
    for _ in range(1000):
        q, q0 = product(d, d0)
        length = old / (np.sum(d * q) + d0 @ q0)
        step, shift, r, r0 = step + length * d, shift + length * d0, r - length * q, r0 - length * q0
        z, z0 = precondition(r, r0)
        new = np.sum(r * z) + r0 @ z0
        if new <= 1e-4 * start:
            break
        d, d0, old = z + new / old * d, z0 + new / old * d0, new
    return step, shift


def _bound_preconditioner(Z, penalty, n_outputs):
    curvature = 0.25 if n_outputs == 1 else 1 / n_outputs
    if sp.issparse(Z):
        diagonal = curvature * np.asarray(Z.multiply(Z).mean(axis=0)).ravel() + penalty
        return lambda r, r0: (r / diagonal[:, None], r0 / curvature)
    factor = scipy.linalg.cho_factor(curvature / len(Z) * (Z.T @ Z) + np.diag(penalty))
    return lambda r, r0: (scipy.linalg.cho_solve(factor, r), r0 / curvature)
