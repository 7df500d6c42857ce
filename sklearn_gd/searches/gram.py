"""Candidates of squared error, from second moments of a few groups of rows.

Two uses: penalties, whose optima are a factorisation each; and learning rates, whose descents are known in closed form.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import _safe_indexing

from .._compat import at_rows, score
from ..arrays import DTYPES
from ..costs import CALL, ITERATION, factorisation
from ..designs import design_for
from ..designs.threads import one_blas_thread, whole_blas
from ..linear_model import GDLinearRegression
from ..preconditioners import EPS
from ..protocols import Array
from ..workers import collect, is_dask
from .inner import InnerProducts
from .moments import Columns, Moments, affine, columns_of, columns_together, moments_of, sum_of
from .refit import fitted_front, refitted
from .scores import STANDARD, fitted, standard_scores
from .sharing import Round, Rows, Setting, rounds_of, setting_of, together
from .squares import Descent, Fit, Part, optima
from .work import Work

__all__ = ["GramWork"]

# Numbers that the groups' second moments may be: 32 MB, or so many times those of X. Ten folds of as many rows as columns have ten times.
MATRICES, TIMES = 1 << 22, 16
# Penalties that are worth the inner products of each training part's rows: of 800 x 5,000 these take as long as two fits.
FEW = 3
# What a fit of its own takes besides, in operations as `costs` counts them: 2 ms for validation, cloning and a score.
SINGLE_FIT = 5e6
LOST = "the products of a training part have lost too many digits: its columns, or its rows, depend on each other"


class GramWork(Work):
    """As `Work`, for `GDLinearRegression`.

    Attributes
    ----------
    whole : tuple of (Part, Columns or None), or None
        All rows, where some splits' groups are.
    """

    whole: tuple[Part, Columns | None] | None = None

    def evaluate(self) -> None:
        n, p = self.design.n_samples, self.design.n_features
        try:
            rounds = list(rounds_of(self.splits, n))
        except ValueError as error:
            self.leave(str(error))
            return
        most = max((len(part.groups) for part in rounds), default=0)
        few = min((len(train) for train, _ in self.splits), default=0) <= p
        if few and self.design.where == "workers":
            self.leave("X is a Dask collection, and a training part has fewer samples than features")
        elif few:
            others = [n for n in self.shared if self.settings[n].rule is not None]
            self.leave("a training part has fewer samples than features, of which optima alone are shared", others)
            if not (issparse(self.design.X) or isinstance(self.design.X, np.ndarray)):
                others = [n for n in self.shared if self.settings[n].scaling]
                self.leave("a training part has fewer samples than features, and scaled it is a copy in memory", others)
            for (scaling, _), members in self._alike().items():
                if scaling and len(members) < FEW:
                    self.leave(
                        f"fewer than {FEW} penalties on few samples behind scalers are as fast one by one", members
                    )
                elif not self._cheaper(bool(scaling), members, min(len(train) for train, _ in self.splits)):
                    self.leave("the products of the rows, and their factorisations, cost more than the fits", members)
        elif most * p * p > max(MATRICES, TIMES * n * p):
            self.leave(f"second moments of {most} groups of rows would take more than {TIMES} times the memory of X")
        with np.errstate(all="ignore"), one_blas_thread(), whole_blas(p):
            if few:
                self._by_rows()  # where any are left
                return
            for part in rounds:
                self._round(part)

    def refitted(self, number: int) -> Any:
        with one_blas_thread():
            return refitted(self, number)

    # -- the data -------------------------------------------------------------------------------------------------------

    def setting(self, candidate: Mapping[str, Any]) -> Setting | str:
        return setting_of(self.model, candidate)

    def ready(self, weight: Any) -> bool:
        """Validate the data as the estimator does; False where that, or the data's kind, leaves every fit on its own."""
        probe = GDLinearRegression()
        on_workers = any(is_dask(array) for array in (self.X, self.y, weight))
        if on_workers and not (weight is None and not self.routed.scorer.score):
            self.leave("the data are Dask collections with weights")
            return False
        try:
            if on_workers:
                X, y, *_ = collect(probe, self.X, self.y, None, None, DTYPES, False)
            else:
                X, y = probe._check_X_y(self.X, self.y)
                weight = probe._check_weight(weight, X)
            _, y, weight, *_ = probe._target(y, weight, X)
        except (TypeError, ValueError) as error:
            self.leave(f"the data are refused: {error}")
            return False
        self.design: Any = design_for(X, True)
        if self.design.where == "device" or not (on_workers or isinstance(y, np.ndarray)):
            self.leave(f"X is {type(X).__name__}")
            return False
        if issparse(X):
            for number in self.shared:
                refusing = [kind.__name__ for kind, given in self.settings[number].scaling if _needs_dense(kind, given)]
                if refusing:
                    self.leave(f"{refusing[0]} refuses sparse data", [number])
        self.target, self.weight = y, weight
        self.attributes = {name: value for name, value in vars(probe).items() if name.endswith("_in_")}
        self.wanted = self._wanted()
        return bool(self.shared)

    def _wanted(self) -> dict[str, str | None] | None:
        """The scorers by their results' names, where all of them are scores of columns of predictions; else None."""
        scoring, given = self.search.scoring, self.routed.scorer.score
        if callable(scoring) or not set(given) <= {"sample_weight"}:
            return None
        if scoring is None or isinstance(scoring, str):
            scoring = {"score": scoring}
        elif not isinstance(scoring, dict):
            scoring = {name: name for name in scoring}
        if not all(kind is None or isinstance(kind, str) for kind in scoring.values()):
            return None
        if not all(kind in STANDARD for kind in scoring.values()):
            return None
        # as it was given: rounded to the precision of X for the fit alone
        self.measured = np.asarray(self.y, dtype=np.float64).reshape(self.design.n_samples, -1)
        weight = given.get("sample_weight")
        self.heaviness = None if weight is None else np.asarray(weight, dtype=np.float64)
        return dict(scoring)

    # -- the fits -------------------------------------------------------------------------------------------------------

    def _round(self, part: Round) -> None:
        """The results of splits whose training parts are made of the same groups."""
        design, p = self.design, self.design.n_features
        if not self.shared:
            return
        try:
            groups = [moments_of(design, rows, self.target, self.weight) for rows in part.groups]
        except ValueError as error:
            self.leave(f"the data are refused: {error}")
            return
        columns: list[Columns] = []
        kinds = {kind.__name__ for n in self.shared for kind, _ in self.settings[n].scaling}
        if kinds:
            bounds = kinds != {"StandardScaler"}
            known: list[Moments | None] = list(groups) if self.weight is None else [None] * len(groups)
            columns = [columns_of(design, *pair, bounds) for pair in zip(part.groups, known, strict=True)]
        eps = EPS if design.dtype == np.float64 else float(np.finfo(design.dtype).eps)
        if self.whole is None and all_of(part.groups) == design.n_samples:
            self.whole = (
                Part(sum_of(groups), p, design.n_samples, eps),
                columns_together(columns) if columns else None,
            )
        for split, members in part.splits:
            start = time.perf_counter()
            moments = sum_of([groups[g] for g in members])
            if not moments.weight_sum > 0:
                self.leave("a training part has no weight")
                return
            n_samples = len(self.splits[split][0])
            fits, coefs = self._fits(
                Part(moments, p, n_samples, eps), columns_together([columns[g] for g in members]) if columns else None
            )
            middle = time.perf_counter()
            self._score(split, fits, coefs, middle - start)

    def _cheaper(self, scaled: bool, members: Sequence[int], rows: int) -> bool:
        """Whether optima by inner products of so many rows cost less than fits, whose iterations are as `plan.planning` foresees them."""
        if not all(self.settings[n].alpha for n in members):
            return True  # a fit without a penalty takes them, too
        design, many = self.design, len(members)
        products = design.row_products_cost / (1 if scaled else len(self.splits))
        shrink = math.sqrt(rows / max(design.n_features, rows + 1))
        steps = math.log(2 / min(self.settings[n].tol or EPS for n in members)) / -math.log(shrink)
        fit = SINGLE_FIT + steps * (design.product_cost() + CALL + ITERATION)
        return bool(products + many * factorisation(rows) <= many * fit)

    def _by_rows(self) -> None:
        """The results of optima on few samples."""
        bare = {intercept for scaling, intercept in self._alike() if not scaling}
        try:
            made = {each: InnerProducts(self.design, self.target, self.weight, each) for each in bare}
            for split, (train, _) in enumerate(self.splits):
                start = time.perf_counter()
                fits: dict[int, Fit] = {}
                coefs: dict[int, Array] = {}
                for (scaling, intercept), members in self._alike().items():
                    rows, products, affinity = train, made.get(intercept), None
                    if scaling:
                        rows, products, affinity = np.arange(len(train)), *self._scaled(scaling, intercept, train)
                    if products is None or not np.isfinite(products.products.diagonal()).all():
                        raise ValueError("X has numbers that are not finite")
                    optima = products.optima(rows, [self.settings[n].alpha for n in members])
                    found = self._stored(self._at_optimum(members, optima), products.centre, intercept)
                    fits |= found
                    coefs |= unscaled(found, affinity)
                self._score(split, fits, coefs, time.perf_counter() - start)
        except ValueError as error:
            self.leave(f"the data are refused: {error}")

    def _scaled(self, scaling: Any, fit_intercept: bool, train: Array) -> tuple[InnerProducts, tuple[Array, Array]]:
        """The inner products of a training part behind scalers, and the map of its columns."""
        bounds = any(kind is not StandardScaler for kind, _ in scaling)
        factor, shift = affine(scaling, columns_of(self.design, together(train), None, bounds))
        X = self.design.X[train]
        # what scalers make of sparse columns has no shift
        X = X.multiply(factor).tocsr() if issparse(X) else X * factor + shift
        weight = None if self.weight is None else self.weight[train]
        design = design_for(X.astype(self.design.dtype, copy=False), True)
        return InnerProducts(design, self.target[train], weight, fit_intercept), (factor, shift)

    def _alike(self) -> dict[tuple[Any, bool], list[int]]:
        """The shared candidates by the columns that their models see."""
        found: dict[tuple[Any, bool], list[int]] = {}
        for number in self.shared:
            found.setdefault((self.settings[number].scaling, self.settings[number].fit_intercept), []).append(number)
        return found

    def _stored(self, found: Mapping[int, Fit], centre: Array, fit_intercept: bool) -> dict[int, Fit]:
        """Fits in the precision of X, whose columns have some centre."""
        if self.design.dtype == np.float64:
            return dict(found)
        return {
            number: fit._replace(coef=_rounded(fit.coef, centre, self.design.dtype, fit_intercept))
            for number, fit in found.items()
        }

    def _at_optimum(self, members: list[int], coefs: Sequence[Array | None]) -> dict[int, Fit]:
        """The fits of candidates that ask for the optimum; those that have lost too many digits are left."""
        pairs = list(zip(members, coefs, strict=True))
        self.leave(LOST, [n for n, coef in pairs if coef is None])
        return {n: Fit(coef, 1, "gradient") for n, coef in pairs if coef is not None}

    def _fits(self, part: Part, columns: Columns | None) -> tuple[dict[int, Fit], dict[int, Array]]:
        """The fits of the shared candidates on a training part, and their coefficients for the columns as they are."""
        fits: dict[int, Fit] = {}
        coefs: dict[int, Array] = {}
        for (scaling, fit_intercept), members in self._alike().items():
            affinity = affine(scaling, columns) if columns is not None and scaling else None
            seen = part if affinity is None else part.scaled(*affinity)
            found = self._optima(seen, fit_intercept, [n for n in members if self.settings[n].rule is None])
            found |= self._descents(seen, fit_intercept, [n for n in members if self.settings[n].rule is not None])
            found = self._stored(found, seen.centre, fit_intercept)
            fits |= found
            coefs |= unscaled(found, affinity)
        return fits, coefs

    def _optima(self, part: Part, fit_intercept: bool, members: list[int]) -> dict[int, Fit]:
        """The candidates that ask for the optimum."""
        if not members:
            return {}
        return self._at_optimum(members, optima(part, [self.settings[n].alpha for n in members], fit_intercept))

    def _descents(self, part: Part, fit_intercept: bool, members: list[int]) -> dict[int, Fit]:
        """The candidates that have learning rates."""
        found: dict[int, Fit] = {}
        made: dict[Any, Descent] = {}
        for number in members:
            setting: Setting = self.settings[number]
            if not (part.variances > (4 * part.eps * part.target) ** 2).all():
                self.leave("the target is constant in a training part", [number])
                continue
            key = setting.alpha, id(setting.init)
            try:
                if key not in made:
                    made[key] = Descent(part, setting.alpha, fit_intercept, self._start(setting, part))
                fit = made[key].fit(setting.rule, setting.momentum, setting.max_iter, setting.tol)  # type: ignore[arg-type]
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                self.leave(f"its fit failed: {error}", [number])
                self.failing.add(number)
                continue
            found[number] = fit
        return found

    def _start(self, setting: Setting, part: Part) -> Array:
        """The first coefficients, of two dimensions."""
        size, targets = len(part.centre) + setting.fit_intercept, self.target.shape[1:]
        model = GDLinearRegression(fit_intercept=setting.fit_intercept)
        if setting.init is not None:
            model.init = setting.init
        return model._start((size, *targets)).reshape(size, -1)

    # -- the results ----------------------------------------------------------------------------------------------------

    def _score(self, split: int, fits: dict[int, Fit], coefs: dict[int, Array], seconds: float) -> None:
        """Note the scores of a split."""
        parts = {"test": self.splits[split][1]}
        members = self.without_errors(self.shared, fits, len(parts["test"]), seconds)
        start = time.perf_counter()
        if self.search.return_train_score:
            parts["train"] = self.splits[split][0]
        found: dict[str, list[Any]] = {}
        for name, rows in parts.items():
            scores = None
            if self.wanted is not None and members:
                all_coefs = np.stack([coefs[n] for n in members], axis=1)
                scores = standard_scores(
                    self.wanted, self.design, together(np.sort(rows)), all_coefs, self.measured, self.heaviness
                )
            found[name] = self._others(split, members, fits, rows) if scores is None else self._single(scores)
        for number in members:
            if fits[number].reason in self.ends:
                self.ends[fits[number].reason].append(number)
        self.note(members, found, len(parts["test"]), (seconds, time.perf_counter() - start))

    def _single(self, scores: dict[str, Array]) -> list[Any]:
        """The scores of each candidate: a number, or one a name."""
        if self.search.scoring is None or isinstance(self.search.scoring, str):
            return scores["score"].tolist()
        columns = zip(*(values.tolist() for values in scores.values()), strict=True)
        return [dict(zip(scores, values, strict=True)) for values in columns]

    def _others(self, split: int, members: list[int], fits: dict[int, Fit], rows: Array) -> list[Any]:
        """The scores by scorers that ask for an estimator."""
        X, y = _safe_indexing(self.X, rows), _safe_indexing(self.y, rows)
        params = at_rows(self.X, self.routed.scorer.score, rows)
        fronts: dict[Any, Any] = {}
        found = []
        for number in members:
            scaling = self.settings[number].scaling
            if scaling not in fronts:
                fronts[scaling] = self._front(split, number)
            front, attributes = fronts[scaling]
            estimator = fitted(
                self.search.estimator, self.candidates[number], fits[number], front, attributes, self.target
            )
            found.append(score(estimator, X, y, self.scorers, params, self.search.error_score))
        return found

    def _front(self, split: int, number: int) -> tuple[list[Any], dict[str, Any]]:
        """The steps in front of a candidate's model, fitted on the training part of a split, and what the model learns of names."""
        estimator = clone(self.search.estimator).set_params(**clone(self.candidates[number], safe=False))
        if not self.model.last or len(estimator.steps) == 1:
            return [], self.attributes
        return fitted_front(estimator.steps[:-1], _safe_indexing(self.X, self.splits[split][0]))


def unscaled(fits: Mapping[int, Fit], affinity: tuple[Array, Array] | None) -> dict[int, Array]:
    """The coefficients of fits for columns as they are, before a map x ↦ factor·x + shift of each."""
    if affinity is None:
        return {number: fit.coef for number, fit in fits.items()}
    factor, shift = affinity
    return {
        number: np.concatenate([factor[:, None] * fit.coef[:-1], fit.coef[-1:] + shift @ fit.coef[:-1]])
        for number, fit in fits.items()
    }


def _needs_dense(kind: type, given: tuple[Any, ...]) -> bool:
    """Whether a scaler's map does not keep zeros, so that it refuses sparse data."""
    return kind is MinMaxScaler or (kind is StandardScaler and bool(given[0]))


def all_of(groups: Sequence[Rows]) -> int:
    """The number of rows in groups."""
    return sum(rows.stop - rows.start if isinstance(rows, slice) else len(rows) for rows in groups)


def _rounded(coef: Array, centre: Array, dtype: Any, fit_intercept: bool) -> Array:
    """Coefficients in the precision of X, the intercept that which goes with the others as they were rounded."""
    low = coef.astype(dtype)
    if fit_intercept:
        low[-1] = coef[-1] + centre @ (coef[:-1] - low[:-1])
    return low
