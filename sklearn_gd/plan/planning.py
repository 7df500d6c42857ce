"""By which stages the optimum is sought, as far as it is known before the fit.

Two uses: ``learning_rate="auto"``, whose plan is a first stage that needs no set-up and what can be bought where it proves slow; and a rule
that the user has chosen, whose plan is that one stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..costs import CALL, ITERATION, SAMPLE, dense_product, factorisation, symmetric_product
from ..losses import HalfSquaredError
from .problem import SKETCH, Problem
from .rounds import SmoothingRounds
from .span import suits

__all__ = ["Plan", "Stage", "hessian_cost", "iteration_cost", "needs_inner", "plan_for", "sample_rows"]

# The largest order of a matrix that is held and factorised: 512 MB.
MATRIX = 8000
# Coefficients up to which a Hessian over all outputs is factorised as a whole, rather than its blocks on the diagonal for inner
# iterations: as many matrices as there are pairs of outputs take less time than the inner iterations of one output's. So few make their
# matrix at once, too: it takes no longer than the interpreter does for the iterations that it saves.
JOINT = 200
# Samples up to which a Gram matrix of as many columns takes a millisecond or two.
FEW_SAMPLES = 5000
# Rows of a sample for a column: its Hessian then differs from that of all rows, in the metric of the latter, by about
# 2/√50 = 0.28, which costs the plane search an iteration or two. Where inner iterations mend what it lacks fewer will do.
SAMPLE_ROWS, INNER_SAMPLE_ROWS = 50, 3
# Rows of the smallest sample: of fewer it costs no less.
LEAST_SAMPLE = 2000

# Products with Hessians on the way along a curved loss, where each direction takes one or two.
FEW_PRODUCTS = 25
# The ratio of the sides of X, the shorter to the longer, up to which the penalty changes little of what conjugate gradients take.
OBLONG = 0.2
# Iterations of these that are foreseen at the most.
FORESEEN = 100
# Iterations in a metric of single precision; Hessians that are made on the way along a curved loss; inner iterations for each of these where
# the blocks on its diagonal precondition them.
ROUNDED, NEWTON, INNER = 3, 4, 4
# Coefficient vectors that an iteration reads and writes.
VECTORS = 30
# Iterations in the metric of a sketch.
SKETCHED = 30


@dataclass(frozen=True)
class Stage:
    """A way of descending, until the end or until the next is bought.

    Attributes
    ----------
    way : str
        A name in `stages.WAYS`, which says by which form of the problem, metric and rule.
    cost : float
        What setting it up takes, and all that follows, in the unit of `costs`; 0 of a way that needs no set-up.
    """

    way: str
    cost: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The stages in their order; every one but the first is bought where the one before proves slow.

    Attributes
    ----------
    stages : tuple of Stage
    product : float
        The cost of a product with X and back.
    iteration : float
        That of an iteration beside its products.
    read : float
        That of a read of X: a product may take two.

    Examples
    --------
    >>> print(Plan((Stage("products"), Stage("gram", 6e9)), 1e8, 3e5, 1e8))
    1. products
    2. gram, where that proves slow: worth 60 products with X
    """

    stages: tuple[Stage, ...]
    product: float
    iteration: float
    read: float

    def __str__(self) -> str:
        lines = []
        for k, stage in enumerate(self.stages):
            worth = f", where that proves slow: worth {stage.cost / self.product:.3g} products with X" if k else ""
            lines.append(f"{k + 1}. {stage.way}{worth}")
        return "\n".join(lines)


def plan_for(problem: Problem, preconditioner: str | None) -> Plan:
    """The plan of ``learning_rate="auto"``.

    Pure: from shapes, the loss, the penalty and what was asked; where X is not much longer than wide, from the columns' moments, too, which
    the first stage needs anyway. Nothing is fitted, and nothing changed.

    What is to come finds its room here. A path over alpha is one `Prepared` and as many plans, each begun where the last one ended. An L1
    penalty is a first stage with its proximal step, and stages of the same metrics on the columns that are not zero. A Huber loss of
    several targets is a loss whose outputs are not coupled: a plan as it is for one target, with a step for each.

    Parameters
    ----------
    problem : Problem
    preconditioner : {"auto", "full", "diagonal", "nystrom"} or None
        A name other than "auto" buys that metric at once.
    """
    squared = isinstance(problem.loss, HalfSquaredError)
    product, iteration = iteration_cost(problem)
    rent = Stage("products" if squared else "newton_cg")
    if preconditioner not in ("auto", "full"):
        stages = [Stage("fixed")]
    elif isinstance(problem.rounds, SmoothingRounds) and fits_in_bands(problem):
        stages = [Stage("quantiles")]
    elif must_be_rows(problem, squared):
        stages = [Stage("rows")]
    elif problem.start.size <= JOINT and (not squared or problem.design.n_samples <= FEW_SAMPLES):
        # at once, whatever else would cost: a weight of 2 and a row twice take the same path
        stages = [Stage("gram" if squared else "newton")]
    else:
        offers = squared_offers(problem) if squared else curved_offers(problem)
        least = least_iterations(problem)
        least *= product + iteration
        if not squared:
            least += FEW_PRODUCTS * product + NEWTON * iteration
        at_once = offers[-1:] if preconditioner == "full" else [offer for offer in offers if offer.cost < least]
        stages = [min(at_once, key=lambda stage: stage.cost)] if at_once else [rent, *offers]
    return Plan(tuple(stages), product, iteration, product / 2 if stages[0] == rent and suits(problem) else product)


def iteration_cost(problem: Problem, many: float = 1.0) -> tuple[float, float]:
    """The cost of a product with X and back, and of an iteration beside it, as of so many times the samples."""
    outputs = problem.outputs
    samples = 0.0 if isinstance(problem.loss, HalfSquaredError) else SAMPLE * problem.design.n_samples * outputs
    vectors = VECTORS * min(problem.start.size, problem.design.n_samples * outputs)
    return many * problem.design.product_cost(outputs) + CALL, many * samples + ITERATION + vectors


def least_iterations(problem: Problem) -> float:
    """Iterations that conjugate gradients take at the least: of columns that are independent.

    The squared singular values of an m × k matrix of independent entries of variance v, m ≥ k, lie between v (√m ± √k)² (Marchenko and
    Pastur, 1967), to which the penalty adds; k iterations leave 2 ((√κ − 1)/(√κ + 1))ᵏ of an error where κ is the ratio of these two.

    References
    ----------
    V. Marchenko and L. Pastur, "Distribution of eigenvalues for some sets of random matrices", Mathematics of the USSR-Sbornik 1, 1967,
    doi:10.1070/SM1967v001n04ABEH001994.
    """
    n, p = float(problem.design.n_samples), float(problem.design.n_features)
    penalty = 0.0
    if n < p or p > OBLONG * n:
        spread = problem.moments.matrix
        alike = problem.alike if n < p else p
        each = problem.loss.curvature * float(spread.sum()) / max(alike, 1.0)
        penalty = problem.alpha * n / each if each else math.inf
        n, p = (n, alike) if n < p else (n, p)
    least, largest = ((math.sqrt(n) + sign * math.sqrt(p)) ** 2 + penalty for sign in (-1, 1))
    if least <= 0:
        return FORESEEN
    root = math.sqrt(largest / least) if math.isfinite(penalty) else 1.0
    shrink = (root - 1) / (root + 1)
    digits = math.log(2 / max(problem.tol, problem.eps))
    return min(max(digits / -math.log(shrink), 1.0), FORESEEN) if shrink > 0 else 1.0


def must_be_rows(problem: Problem, squared: bool) -> bool:
    """Whether the span of the rows is the only way: without a penalty it has the smallest of many solutions, or shows that there is none."""
    design = problem.design
    wide = design.n_samples < design.n_features and not problem.alpha
    return wide and design.n_samples <= MATRIX and math.isfinite(design.row_products_cost)


def fits_in_bands(problem: Problem) -> bool:
    """Whether the predictions of quantiles are at home, and the Gram matrices of their bands can be held."""
    design = problem.design
    n, p = design.n_samples, design.n_features
    penalised = problem.rounds is not None and problem.rounds.penalty is not None
    order = p if n >= p or penalised or design.where == "workers" else n
    return design.where != "device" and order <= MATRIX


def squared_offers(problem: Problem) -> list[Stage]:
    """What may be bought for a quadratic, the cheaper first: a matrix of columns or of rows, which is the solution; or a sketch of one."""
    design = problem.design
    n, p = design.n_samples, design.n_features
    product, iteration = iteration_cost(problem)
    offers = []
    if n < p and n <= MATRIX and problem.alpha and math.isfinite(design.row_products_cost):
        offers = [Stage("dual", design.row_products_cost + factorisation(n) + CALL + 2 * product)]
    elif p <= MATRIX:
        rounded = design.low_gram_cost + factorisation(p) / 2 + CALL + ROUNDED * (product + iteration)
        gram = design.gram_cost + factorisation(p) + ITERATION
        offers = [Stage("rounded", rounded)] if rounded < gram else []
        offers.append(Stage("gram", gram))
    return offers or [sketch(problem)]


def curved_offers(problem: Problem) -> list[Stage]:
    """What may be bought for a loss whose Hessian changes: Hessians of the columns, or in the span of the rows; or a sketch."""
    design = problem.design
    n, p, outputs = design.n_samples, design.n_features, problem.outputs
    offers = []
    if p <= MATRIX:
        rows = min(n, sample_rows(problem))
        offers.append(
            Stage("newton", NEWTON * hessian_cost(problem, rows) + after(problem, design.product_cost(outputs)))
        )
    if n < p and n <= MATRIX and math.isfinite(design.row_products_cost):
        each = symmetric_product(n, n)
        span = design.row_products_cost + factorisation(n) + NEWTON * blocks(problem, n, each + SAMPLE * n)
        offers.append(Stage("rows", span + after(problem, dense_product(n, n, outputs))))
    return [min(offers, key=lambda stage: stage.cost)] if offers else [sketch(problem)]


def sketch(problem: Problem) -> Stage:
    """The price of a sketch, where neither rows nor columns make a matrix that can be held."""
    product, iteration = iteration_cost(problem)
    vectors = problem.design.product_cost(SKETCH) + 10 * SKETCH**2 * problem.start.size
    return Stage("sketch", vectors + SKETCHED * (product + iteration))


def needs_inner(problem: Problem) -> bool:
    """Whether the whole Hessian over coupled outputs is too large to factorise."""
    return problem.loss.coupled and problem.start.size > JOINT


def sample_rows(problem: Problem) -> int:
    """Rows of a sample that is as good for a metric as all rows."""
    a_column = INNER_SAMPLE_ROWS if needs_inner(problem) else SAMPLE_ROWS
    return max(a_column * problem.design.n_features, LEAST_SAMPLE)


def after(problem: Problem, product: float) -> float:
    """What the iterations in metrics of Hessians cost, beside these."""
    iteration = iteration_cost(problem)[1]
    return NEWTON * ((INNER if needs_inner(problem) else 1) * product + iteration)


def hessian_cost(problem: Problem, rows: float) -> float:
    """The cost of a Hessian of so many rows, and of its factor."""
    design = problem.design
    # and each row's share
    return blocks(problem, design.n_features, (design.gram_cost / design.n_samples + SAMPLE) * rows)


def blocks(problem: Problem, order: int, product: float) -> float:
    """The cost of a Hessian, of one symmetric product an output, or an pair of outputs, and of its factors."""
    k = problem.outputs
    if k == 1 or needs_inner(problem):
        return k * (product + factorisation(order) + CALL)
    return k * (k + 1) / 2 * (product + CALL) + factorisation(k * order)
