"""Quantile, Poisson and Huber regression beside other packages: seconds to the same accuracy.

Uses: everything, or the races whose names begin with one of some words, on other simulated data::

    python -m benchmarks.losses
    python -m benchmarks.losses --only "quantile 0.5" Poisson --seed 7 --cap 10

========== ==================================================================================================================
quantile   QuantileRegressor (HiGHS); the best of HiGHS on the dual, statsmodels, pinball-qr, pyfixest and quantes; real data
quantiles  nine at once, beside nine fits of one
Poisson    PoissonRegressor, glum and statsmodels: a table of claims, and twenty shapes, raw and standardised
Huber      HuberRegressor on twenty shapes; "at its scale", fixed at what it is at the optimum, statsmodels' RLM
========== ==================================================================================================================

Each solver is fitted at tolerances that fall by decades. Its figure is that of the loosest whose objective, evaluated by the same code
for all (`benchmarks.objectives`), lies within 1e-6 of the best that any of them reached, relative to it; we are fitted at our tightest
first, so that there is one. The ratio of a race is the best figure of the others over ours: below 1 we lose. Who is not there within
``--cap`` seconds, all its tolerances together, has no figure; the ratio then counts the cap for the others, and four caps for us. Fits
of less than five seconds that decide it are repeated in turn, and their medians taken.

Quantile fits have to certify their optimum besides: `dual_gap_` at ``tol=1e-6`` stands in the row.

The data of a race depend on ``--seed`` and its own shape alone. Packages take part where they are installed, real data where
SKLEARN_GD_DATA and SCIKIT_LEARN_DATA have them.
"""

from __future__ import annotations

import timeit
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from sklearn.preprocessing import StandardScaler

import sklearn_gd

from . import contests, rivals
from .measure import alternate
from .objectives import EPSILON, huber, huber_optimum, pinball, pinball_optimum, poisson
from .problems import PROBLEMS, load_npz
from .shapes import OURS, Ended, attempts, counts, dense, ratio

__all__ = ["MEANS", "Race", "Standing", "claims", "contaminated", "events", "main", "races", "spreading", "standings"]

#: Relative gap of the objective at which a solver is there.
GAP = 1e-6
#: Longer fits are made once, in seconds; and those of the others that are slower than this multiple of the fastest decide nothing.
LONG, CONTENDER = 5.0, 3.0
#: Tolerances, as powers of ten: from the first to the last.
THEIRS, MINE = (-1, -10), (-2, -7)
#: Entries of X up to which HiGHS is given the primal linear program, two columns for each sample: above it takes minutes.
MOST_HIGHS = 1_000_000

#: What the geometric means of the groups are to be at the least.
MEANS = {"Poisson": 3.0, "Huber": 5.0}


@dataclass(frozen=True)
class Data:
    """X, y and the weights of the rows, if they have any; and a scale, if it is given."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None = None
    scale: float | None = None


#: A fit, of X and y; gives coefficients and intercepts.
Fit = Callable[[Any, np.ndarray], tuple[Any, Any]]


@dataclass(frozen=True)
class Race:
    """Data, who takes part, and how they are judged.

    Attributes
    ----------
    group, name : str
        The name begins with what `group` is summed up under, or says more.
    make : callable
        Returns the `Data`, or raises `Unavailable`.
    fits : callable
        Of the data and the seconds of the cap; returns the fits of each, from the loosest tolerance to the tightest.
    judge : callable
        Of the data, coefficients and intercept; returns the objective.
    least : float
        What the ratio is to be.
    certify : callable, optional
        Of the data; returns the gap of our fit at ``tol=1e-6``, as it tells it.
    """

    group: str
    name: str
    make: Callable[[], Data]
    fits: Callable[[Data, float], Mapping[str, Sequence[Fit]]]
    judge: Callable[[Data, Any, Any], float]
    least: float
    certify: Callable[[Data], float] | None = None


# ---------------------------------------------------------------------------------------------------- data


def linear(X: Any, rng: np.random.Generator) -> np.ndarray:
    """A linear function of the columns, each with as much to say, of spread 1 about 0."""
    square = X.multiply(X) if sp.issparse(X) else np.square(X)
    spread = np.sqrt(np.ravel(square.mean(axis=0)) - np.square(np.ravel(X.mean(axis=0))))
    raw = X @ (rng.standard_normal(X.shape[1]) / np.where(spread > 0, spread, 1.0))
    return (raw - raw.mean()) / raw.std()


def spreading(X: Any, rng: np.random.Generator) -> np.ndarray:
    """Linear, with t-distributed noise that is wider where the linear part is far from its middle."""
    signal = linear(X, rng)
    return 1 + signal + 0.5 * (1 + np.abs(signal)) * rng.standard_t(3, len(signal))


def contaminated(X: Any, outliers: float, rng: np.random.Generator) -> np.ndarray:
    """Linear, with normal noise; a share of `outliers` lies some fifty times as far off, most of them above."""
    y = 1 + linear(X, rng) + 0.5 * rng.standard_normal(X.shape[0])
    far = rng.random(len(y)) < outliers
    y[far] += rng.normal(25, 25, far.sum())
    return y


def events(X: Any, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Counts of a log-linear model with this rate in its middle."""
    return rng.poisson(rate * np.exp(0.7 * linear(X, rng))).astype(np.float64)


def raw_columns(n: int, p: int, density: float, rng: np.random.Generator) -> Any:
    """Columns in units from 1e-3 to 1e4; dense ones with offsets of up to ten units."""
    units = 10.0 ** rng.uniform(-3, 4, p)
    if density < 1:
        return sp.csr_matrix(counts(n, p, density, rng) @ sp.diags(units))
    return (rng.standard_normal((n, p)) + rng.uniform(-10, 10, p)) * units


def standardised(data: Data) -> Data:
    """Columns of spread 1, dense ones about 0."""
    return replace(data, X=StandardScaler(with_mean=not sp.issparse(data.X)).fit_transform(data.X))


def claims(n: int, seed: int) -> Data:
    """Claim frequencies of n policies, their exposures as the weights: one in twenty has a claim.

    Forty columns, a quarter of it stored: the driver's and the vehicle's age, its power and the density of its district, and four
    categories, areas, brands, fuels and regions, one level of each left out; as those of the French motor insurers.
    """
    rng = np.random.default_rng([seed, n])
    age = np.clip(rng.gamma(9, 5, n) + 5, 18, 99).round()
    vehicle = np.clip(rng.exponential(7, n), 0, 40).round()
    power = 4 + np.clip(rng.poisson(2.5, n), 0, 11)
    density = np.clip(np.exp(rng.normal(6, 1.9, n)), 1, 27_000).round()
    raw = 0.3 * ((age - 45) / 25) ** 2 - 0.02 * vehicle + 0.03 * power + 0.1 * np.log(density)
    blocks = [sp.csr_matrix(np.column_stack([age, vehicle, power, density]))]
    for levels in (6, 11, 2, 21):
        level = rng.choice(levels, n, p=rng.dirichlet(np.full(levels, 2.0)))
        raw += rng.normal(0, 0.3, levels)[level]
        there = np.flatnonzero(level)  # the first is the one left out
        blocks.append(sp.csr_matrix((np.ones(len(there)), (there, level[there] - 1)), shape=(n, levels - 1)))
    exposure = np.clip(rng.beta(0.9, 0.8, n), 0.003, 1.0)
    rate = np.exp(raw)
    claimed = rng.poisson(0.053 * exposure * rate / np.mean(exposure * rate))
    return Data(sp.hstack(blocks, format="csr"), claimed / exposure, exposure)


#: Real data as they are: bundled with scikit-learn, or in the folders that are named. Where there is no target, the first column.
REAL: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "diabetes": partial(load_diabetes, return_X_y=True, scaled=False),
    "linnerud": lambda: _first_target(*load_linnerud(return_X_y=True)),
    "iris": lambda: _first_column(load_iris(return_X_y=True)[0]),
    "wine": lambda: _first_column(load_wine(return_X_y=True)[0]),
    "breast_cancer": lambda: _first_column(load_breast_cancer(return_X_y=True)[0]),
    "digits": partial(load_digits, return_X_y=True),
    "california": PROBLEMS["california"].make,
    "uci_protein": partial(load_npz, "uci_protein"),
    "credit_default": lambda: _first_column(load_npz("credit_default")[0]),
    "blogfeedback": partial(load_npz, "blogfeedback"),
}


def _first_target(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return X, y[:, 0]


def _first_column(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(X[:, 1:]), X[:, 0].copy()


def real(name: str, step: int) -> Data:
    """Every `step`-th row, where there are a thousand."""
    X, y = REAL[name]()
    step = step if len(y) >= 1_000 else 1
    return Data(np.asarray(X, dtype=np.float64)[::step], np.asarray(y, dtype=np.float64)[::step])


# ---------------------------------------------------------------------------------------------------- who takes part


def ladder(fit: Callable[..., Any], first: int = THEIRS[0], last: int = THEIRS[1], **options: Any) -> list[Fit]:
    """Fits at tolerances that fall by decades."""
    return [partial(fit, tol=10.0**power, **options) for power in range(first, last - 1, -1)]


def ours(make: Callable[..., Any], **options: Any) -> list[Fit]:
    def fit(X: Any, y: np.ndarray, tol: float) -> tuple[Any, Any]:
        model = make(tol=tol, max_iter=rivals.MANY).fit(X, y, **options)
        return model.coef_, model.intercept_

    return ladder(fit, *MINE)


def quantile_model(quantile: Any, **options: Any) -> Any:
    return sklearn_gd.GDQuantileRegression(quantile=quantile, **options)


def beside_highs(quantile: float, data: Data, cap: float) -> dict[str, list[Fit]]:
    theirs = partial(rivals.highs, quantile=quantile, time_limit=cap)
    return {OURS: ours(partial(quantile_model, quantile)), "QuantileRegressor": [theirs]}


def beside_others(quantile: float, data: Data, cap: float) -> dict[str, list[Fit]]:
    fits = {OURS: ours(partial(quantile_model, quantile))}
    fits["HiGHS, dual"] = [partial(pinball_optimum, quantile=quantile, time_limit=cap)]
    if rivals.there("statsmodels"):
        fits["statsmodels QuantReg"] = ladder(rivals.statsmodels_quantreg, quantile=quantile)
    if rivals.there("pinball"):
        for method in ("fn", "pfn"):
            # it wants the quantile further than the tolerance from 0 and 1
            fits[f"pinball-qr {method}"] = ladder(rivals.pinball, -2, quantile=quantile, method=method)
    if rivals.there("pyfixest"):
        for method in ("fn", "pfn"):
            fits[f"pyfixest {method}"] = ladder(rivals.pyfixest, quantile=quantile, method=method)
    if rivals.there("quantes", "cvxopt"):
        fits["quantes"] = ladder(rivals.quantes, quantile=quantile)
    return fits


def beside_both(quantile: float, data: Data, cap: float) -> dict[str, list[Fit]]:
    fits = beside_others(quantile, data, cap)
    return fits | (beside_highs(quantile, data, cap) if data.X.size <= MOST_HIGHS else {})


def judge_quantile(quantile: float, data: Data, coef: Any, intercept: Any) -> float:
    return pinball(data.X, data.y, coef, intercept, quantile)


def certify_quantile(quantile: Any, data: Data) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what stopped early shows in its gap
        model = quantile_model(quantile, tol=1e-6, max_iter=rivals.MANY).fit(data.X, data.y)
    return float(np.max(model.dual_gap_))


#: Nine of them.
QUANTILES = np.arange(1, 10) / 10


def at_once(data: Data, cap: float) -> dict[str, list[Fit]]:
    """All quantiles in one fit, and in one after the other."""

    def one_by_one(X: Any, y: np.ndarray, tol: float) -> tuple[Any, Any]:
        models = [quantile_model(quantile, tol=tol, max_iter=rivals.MANY).fit(X, y) for quantile in QUANTILES]
        return np.array([model.coef_ for model in models]), np.array([model.intercept_ for model in models])

    return {OURS: ours(partial(quantile_model, list(QUANTILES))), "one by one": ladder(one_by_one, *MINE)}


def judge_quantiles(data: Data, coef: Any, intercept: Any) -> float:
    values = zip(QUANTILES, np.asarray(coef), np.asarray(intercept), strict=True)
    return float(np.mean([pinball(data.X, data.y, w, b, quantile) for quantile, w, b in values]))


def beside_glms(alpha: float, data: Data, cap: float) -> dict[str, list[Fit]]:
    weight = data.sample_weight
    fits = {OURS: ours(partial(sklearn_gd.GDPoissonRegression, alpha=alpha), sample_weight=weight)}
    options: dict[str, Any] = {"alpha": alpha, "sample_weight": weight}
    for solver in ("newton-cholesky", "lbfgs"):
        fits[f"PoissonRegressor {solver}"] = ladder(rivals.poisson_regressor, solver=solver, **options)
    if rivals.there("glum"):
        fits["glum irls-ls"] = ladder(rivals.glum, **options)
    if rivals.there("statsmodels") and not alpha:
        # it takes no sparse matrix: here as many columns of numbers as there are
        fits["statsmodels GLM"] = ladder(partial(as_array, rivals.statsmodels_glm), sample_weight=weight)
    return fits


def as_array(fit: Callable[..., Any], X: Any, y: np.ndarray, **options: Any) -> tuple[Any, Any]:
    return fit(X.toarray() if sp.issparse(X) else X, y, **options)


def judge_poisson(alpha: float, data: Data, coef: Any, intercept: Any) -> float:
    return poisson(data.X, data.y, coef, intercept, alpha, data.sample_weight)


def beside_huber(data: Data, cap: float) -> dict[str, list[Fit]]:
    theirs = ladder(rivals.huber_regressor, alpha=0.0, epsilon=EPSILON)
    return {OURS: ours(partial(sklearn_gd.GDHuberRegression, epsilon=EPSILON)), "HuberRegressor": theirs}


def beside_rlm(data: Data, cap: float) -> dict[str, list[Fit]]:
    assert data.scale is not None
    mine = partial(sklearn_gd.GDHuberRegression, epsilon=EPSILON, scale=data.scale)
    theirs = ladder(rivals.statsmodels_rlm, epsilon=EPSILON, scale=data.scale)
    return {OURS: ours(mine), "statsmodels RLM": theirs}


def judge_huber(data: Data, coef: Any, intercept: Any) -> float:
    return huber(data.X, data.y, coef, intercept, scale=data.scale)


# ---------------------------------------------------------------------------------------------------- the races

#: Rows, columns, the share of the entries that is stored, the penalty and the rate of the counts.
POISSON: list[tuple[int, int, float, float, float]] = [
    (300, 3, 1, 0.0, 1.0),
    (300, 30, 1, 1e-3, 2.0),
    (1_000, 10, 1, 0.0, 0.5),
    (1_000, 2_000, 1, 1e-2, 1.0),
    (2_000, 50, 1, 0.0, 2.0),
    (2_000, 500, 1, 1e-3, 1.0),
    (5_000, 20, 1, 1e-4, 0.2),
    (5_000, 1_000, 1, 1e-3, 1.0),
    (10_000, 10, 1, 0.0, 0.1),
    (10_000, 100, 1, 1e-4, 5.0),
    (10_000, 100, 0.1, 1e-4, 1.0),
    (10_000, 2_000, 0.01, 1e-3, 1.0),
    (20_000, 200, 1, 0.0, 1.0),
    (20_000, 500, 0.02, 1e-4, 0.5),
    (50_000, 20, 1, 0.0, 0.05),
    (50_000, 1_000, 0.01, 1e-3, 1.0),
    (100_000, 10, 1, 1e-4, 10.0),
    (100_000, 50, 1, 0.0, 0.5),
    (200_000, 20, 1, 0.0, 0.1),
    (200_000, 200, 0.03, 1e-4, 0.2),
]

#: Rows, columns, the share of outliers, and the columns' offsets at the most.
HUBER: list[tuple[int, int, float, float]] = [
    (100, 3, 0.0, 0),
    (300, 10, 0.1, 1e1),
    (500, 5, 0.3, 1e6),
    (1_000, 20, 0.05, 1e3),
    (1_000, 50, 0.2, 1e6),
    (2_000, 10, 0.0, 1e6),
    (2_000, 100, 0.1, 1e3),
    (5_000, 5, 0.3, 1e4),
    (5_000, 20, 0.2, 0),
    (5_000, 200, 0.1, 1e2),
    (10_000, 10, 0.1, 1e6),
    (10_000, 50, 0.3, 1e5),
    (10_000, 100, 0.0, 1e1),
    (20_000, 20, 0.2, 1e6),
    (20_000, 200, 0.1, 0),
    (50_000, 10, 0.3, 1e3),
    (50_000, 50, 0.05, 1e6),
    (100_000, 10, 0.1, 1e6),
    (100_000, 20, 0.2, 1e2),
    (200_000, 10, 0.3, 1e6),
]


def quantile_data(n: int, p: int, seed: int) -> Data:
    rng = np.random.default_rng([seed, n, p])
    X = dense(n, p, rng)
    return Data(X, spreading(X, rng))


def poisson_data(n: int, p: int, density: float, rate: float, scaled: bool, seed: int) -> Data:
    rng = np.random.default_rng([seed, n, p, round(1e6 * density)])
    X = raw_columns(n, p, density, rng)
    data = Data(X, events(X, rate, rng))
    return standardised(data) if scaled else data


def claims_data(n: int, scaled: bool, seed: int) -> Data:
    data = claims(n, seed)
    return standardised(data) if scaled else data


def huber_data(n: int, p: int, outliers: float, offset: float, seed: int) -> Data:
    rng = np.random.default_rng([seed, n, p, round(100 * outliers)])
    X = dense(n, p, rng)
    y = contaminated(X, outliers, rng)
    return Data(X + offset * rng.uniform(-1, 1, p), y)


def at_its_scale(make: Callable[[], Data]) -> Data:
    data = make()
    return replace(data, scale=huber_optimum(data.X, data.y)[2])


def races(quick: bool, seed: int = 0) -> Iterator[Race]:
    """All of them; with `quick` a few, on a few rows."""
    cut = 20 if quick else 1

    def quantile_race(group: str, name: str, make: Callable[[], Data], fits: Any, q: float, least: float) -> Race:
        judge, certify = partial(judge_quantile, q), partial(certify_quantile, q)
        return Race(group, f"quantile {q:g}, {name}", make, partial(fits, q), judge, least, certify)

    for n, p, least, beside in ((10_000, 10, 50.0, 1.0), (2_000, 10, 5.0, 1.0), (100_000, 20, 0.0, 2.0)):
        n //= cut
        make = partial(quantile_data, n, p, seed)
        for q in (0.5,) if quick else (0.5, 0.9):
            shape = f"{n:,} × {p:,}"
            if least:
                yield quantile_race("quantile, beside HiGHS", f"{shape}, beside HiGHS", make, beside_highs, q, least)
            yield quantile_race(
                "quantile, beside the others", f"{shape}, beside the others", make, beside_others, q, beside
            )
    for n, p in ((10_000, 10), (100_000, 20)):
        n //= cut
        make = partial(quantile_data, n, p, seed)
        certify = partial(certify_quantile, list(QUANTILES))
        # at once in three times the time of one: a third of nine
        yield Race("quantiles", f"quantiles, nine, {n:,} × {p:,}", make, at_once, judge_quantiles, 3.0, certify)
    for name in list(REAL)[:: 3 if quick else 1]:
        for q in (0.5,) if quick else (0.5, 0.9):
            make = partial(real, name, cut)
            yield quantile_race("quantile, real data", f"{name}, raw", make, beside_both, q, 1.0)

    n = 678_000 // cut**2
    for scaling, scaled in (("raw", False), ("standardised", True)):
        make = partial(claims_data, n, scaled, seed)
        fits, judge = partial(beside_glms, 0.0), partial(judge_poisson, 0.0)
        yield Race("Poisson", f"Poisson, claims, {n:,} × 40, {scaling}", make, fits, judge, 1.0)
    for n, p, density, alpha, rate in POISSON[:: 6 if quick else 1]:
        if quick:
            n, p = max(n // cut, 300), max(p // cut, 3)
        stored = f", {density:.3g} of it stored" if density < 1 else ""
        for scaling, scaled in (("raw", False), ("standardised", True)):
            name = f"Poisson, {n:,} × {p:,}{stored}, alpha = {alpha:g}, rate {rate:g}, {scaling}"
            make = partial(poisson_data, n, p, density, rate, scaled, seed)
            fits, judge = partial(beside_glms, alpha), partial(judge_poisson, alpha)
            yield Race("Poisson", name, make, fits, judge, 1.0)
    for n, p, outliers, offset in HUBER[:: 6 if quick else 1]:
        n, p = max(n // cut, 100), min(p, 10) if quick else p
        name = f"{n:,} × {p:,}, outliers {outliers:.0%}, offsets {offset:g}"
        make = partial(huber_data, n, p, outliers, offset, seed)
        yield Race("Huber", f"Huber, {name}", make, beside_huber, judge_huber, 1.0)
        if rivals.there("statsmodels"):
            fixed = partial(at_its_scale, make)
            yield Race("Huber, at its scale", f"Huber at its scale, {name}", fixed, beside_rlm, judge_huber, 1.0)


# ---------------------------------------------------------------------------------------------------- measuring


def ended(
    fits: Mapping[str, Sequence[Fit]], data: Data, judge: Callable[..., float], cap: float
) -> tuple[dict[str, list[Ended]], dict[str, str]]:
    """Our tightest fit, and of each those from the loosest to the first that is there; and the words of who failed in all."""
    left = {name: list(several) for name, several in fits.items()}
    found: dict[str, list[Ended]] = {name: [] for name in fits}
    failed: dict[str, str] = {}
    spent = dict.fromkeys(fits, 0.0)

    def value(coef: Any, intercept: Any) -> float:
        with np.errstate(all="ignore"):
            objective = judge(data, coef, intercept)
        return objective if np.isfinite(objective) else np.inf

    def make(name: str, which: int) -> None:
        start = timeit.default_timer()
        made = attempts([left[name].pop(which)], data.X, data.y, value, cap)
        spent[name] += timeit.default_timer() - start
        if isinstance(made, str):
            failed[name] = made
        else:
            found[name] += made
        if not made or spent[name] > cap:
            left[name].clear()

    make(OURS, -1)
    while waiting := [name for name, several in left.items() if several and not near(found)[name]]:
        make(waiting[0], 0)
    return found, {name: words for name, words in failed.items() if not found[name]}


def near(found: Mapping[str, Sequence[Ended]]) -> dict[str, list[Ended]]:
    """Of each the fits that are there."""
    best = least(found)
    return {name: [fit for fit in fits if fit.objective - best <= GAP * abs(best)] for name, fits in found.items()}


def least(found: Mapping[str, Sequence[Ended]]) -> float:
    return min((fit.objective for fits in found.values() for fit in fits), default=np.inf)


def measure(race: Race, cap: float, repeats: int) -> dict[str, Any]:
    """The row of a race."""
    data = race.make()
    found, failed = ended(race.fits(data, cap), data, race.judge, cap)
    there = {name: min(fits, key=lambda fit: fit.seconds) for name, fits in near(found).items() if fits}
    fastest = min((fit.seconds for name, fit in there.items() if name != OURS), default=np.inf)
    short = {
        name: fit
        for name, fit in there.items()
        if fit.seconds <= LONG and (name == OURS or fit.seconds <= CONTENDER * fastest)
    }
    known = {name: fit.seconds for name, fit in short.items()}
    repeated = alternate({name: fit.again for name, fit in short.items()}, repeats, known) if short else {}
    seconds = {
        name: repeated[name].seconds if name in repeated else there[name].seconds if name in there else None
        for name in found
    }
    best = least(found)
    return {
        "race": race.name,
        "group": race.group,
        "seconds": seconds,
        "fastest": {name: taken.fastest for name, taken in repeated.items()},
        "gaps": {
            name: float((min(fit.objective for fit in fits) - best) / abs(best)) if best else 0.0
            for name, fits in found.items()
            if fits
        },
        "failed": failed,
        "ratio": ratio(seconds, cap),
        "contested": any(value is not None for name, value in seconds.items() if name != OURS),
        "least": race.least,
        "dual_gap": race.certify(data) if race.certify else None,
    }


def lost(row: Mapping[str, Any]) -> bool:
    """Whether a fit of ours failed: is not there, or does not certify that it is."""
    return row["seconds"][OURS] is None or (row["dual_gap"] is not None and not row["dual_gap"] <= GAP)


@dataclass(frozen=True)
class Standing:
    """Of a group's races: how many, and in how many another is there; of those the ratios' geometric mean and the least of them.

    And the ratios below what they are to be, and the races that we failed in, of all of them.
    """

    races: int
    contested: int
    mean: float
    least: float
    below: int
    failures: int

    def __str__(self) -> str:
        return (
            f"races {self.races}, {self.contested} contested  geometric mean {self.mean:.2f}  least {self.least:.3f}  "
            f"below what it is to be: {self.below}  failures: {self.failures}"
        )


def standings(rows: Sequence[Mapping[str, Any]]) -> dict[str, Standing]:
    """By groups; NaN where none of a group is contested."""
    found = {}
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group]
        ratios = np.array([row["ratio"] for row in own if row["contested"]])
        found[group] = Standing(
            races=len(own),
            contested=len(ratios),
            mean=float(np.exp(np.log(ratios).mean())) if len(ratios) else np.nan,
            least=float(ratios.min()) if len(ratios) else np.nan,
            below=sum(row["ratio"] < row["least"] for row in own),
            failures=sum(lost(row) for row in own),
        )
    return found


def line(row: Mapping[str, Any]) -> str:
    gap = row["dual_gap"]
    return contests.line("race", row, *([] if gap is None else [f"dual gap {gap:.0e}"]))


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print and write; the record, as `report` reads it."""
    quick, cap = (
        "a few races on a few rows; some twenty seconds altogether",
        "seconds for a solver in a race (60; 1 with --quick)",
    )
    options = contests.parser("losses", __doc__, "races", quick, cap).parse_args(arguments)
    options.cap = options.cap or (1.0 if options.quick else 60.0)
    options.repeats = options.repeats or (2 if options.quick else 5)
    record = contests.run(options, races(options.quick, options.seed), measure, line, "losses.json")
    for group, standing in standings(record["rows"]).items():
        print(f"{group}: {standing}", flush=True)
    return record


if __name__ == "__main__":
    main()
