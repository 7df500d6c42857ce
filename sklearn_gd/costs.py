"""What operations cost beside each other: the few ratios of a machine that plans are made by.

Two uses: a design prices its products (`product_cost`, `gram_cost`, ...); `plan` prices stages, and chooses among them.

The unit is one number of a dense X in a product with a vector and back, X being read from memory: about 0.35 ns on two cores. Costs are
counted from shapes and numbers of stored values and never timed, so the same data take the same path on every machine. The
ratios are rounded from several machines, and a wrong one costs time, never an answer:
``python -m benchmarks.cost_model`` measures them anew.
"""

from __future__ import annotations

import math

__all__ = [
    "CALL",
    "DRAWN",
    "ENTRY",
    "FACTORED",
    "ITERATION",
    "MULTIPLY_ADD",
    "OUTPUT",
    "PAIR",
    "PICKED",
    "PLACED",
    "SAMPLE",
    "SINGLE",
    "STORED",
    "DenseCosts",
    "dense_product",
    "factorisation",
    "symmetric_product",
]

#: A multiply-add of a large symmetric product in double precision, of which only one triangle is counted.
MULTIPLY_ADD = 1 / 16
#: The same in single precision, relative to that.
SINGLE = 1 / 2
#: A multiply-add of Cholesky's factorisation.
FACTORED = 1 / 8
#: An entry of a matrix that is put about its centre, scaled and factorised, besides: of large matrices, whose copies are new memory each, and of
#: smaller ones the less the nearer they are to a cache.
ENTRY, LARGE_ORDER = 100, 2000
#: A number that is copied, centred and weighted for a symmetric product.
PLACED = 2
#: A multiply-add of a product for several outputs.
OUTPUT = 1 / 5
#: A stored value of sparse rows, with its index, in a product and back.
STORED = 5
#: A pair of stored values of a sparse row in a symmetric product.
PAIR = 8
#: A sample among which rows are drawn, and a row that is drawn: 12 and 100 of sums, searches and copies at places that nobody foresees.
DRAWN, PICKED = 12, 100
#: A sample's share of an iteration: the loss and its derivatives along a line, some three times.
SAMPLE = 60
#: What the interpreter takes for an operation on X, 0.02 ms, and for the rest of an iteration, 0.05 ms, whatever their sizes.
CALL, ITERATION = 5e4, 1.5e5


def dense_product(n_samples: int, n_features: int, outputs: int = 1) -> float:
    """A product with a vector an output, and back."""
    return n_samples * n_features * max(1.0, OUTPUT * outputs)


def symmetric_product(n_samples: float, size: int) -> float:
    """Inner products of `size` vectors of as many numbers as there are samples."""
    return n_samples * size * (0.5 * size * MULTIPLY_ADD + PLACED)


def factorisation(order: int) -> float:
    """Cholesky's, of a matrix of some order, and what is done to its entries before."""
    return FACTORED * order**3 / 6 + ENTRY * order**2 * min(1.0, order / LARGE_ORDER)


class DenseCosts:
    """What products with a design cost where every number is stored, and rows are not multiplied with each other."""

    n_samples: int
    n_features: int
    #: Pairs of the rows' stored values, where symmetric products of columns are made of these.
    pairs: float | None = None

    def product_cost(self, outputs: int = 1) -> float:
        """A product with a vector an output, and back."""
        return dense_product(self.n_samples, self.n_features, outputs)

    @property
    def gram_cost(self) -> float:
        """All second moments of the columns."""
        return symmetric_product(self.n_samples, self.n_features)

    #: The same in single precision; infinite where that is not offered.
    low_gram_cost = math.inf
    #: Inner products of the rows.
    row_products_cost = math.inf
