"""The compiled kernels, or None where they could not be built: then NumPy does the same in more passes.

They are compiled for several levels of instructions, of which the highest that the processor has is used: what is computed is the
same, up to the order of sums. ``SKLEARN_GD_LEVEL`` in the environment caps it.

Five uses: the fused sweeps of `designs.dense` and its moments, those of `designs.sparse`, a symmetric product of a few columns, the
trials and searches of logistic losses (`losses`, `workers`), and small systems that differ in what is on their diagonals (`searches`).

Why a small extension, measured on two threads beside one two-threaded ``X @ w`` of the same array (float64; p = 20, 100, 2,000,
10,346 with 2·10⁷ to 4·10⁷ numbers): loss and gradient took 1.4, 1.1, 1.2 and 1.1 of it for squared error and 1.4, 1.2, 1.2 and
1.1 for the binomial; blocks in NumPy 1.1 to 1.9 and 1.3 to 4. A trial of the plane search takes 3 ns a sample beside 11. numba
does as well, but compiles for seconds at the first fit, and is three times the size of NumPy.

With ten outputs a sweep makes its products itself, too: BLAS reached a quarter of a core's arithmetic with so few columns. Beside
blocks in NumPy, on one thread, a product with the multinomial Hessian took 0.14 ms, 0.5 before, at 1,797 × 64, and 13, 26 before, at
10,000 × 784.

A sparse sweep takes as long as SciPy's two products, 0.40 and 0.37 ms at 20,000 × 500 with 1 % stored, on one thread, but without the
views, the copies and the calls that these need for each chunk: a fit took two thirds. The moments of the columns, one read for all, took 0.23 ms beside
1.45 with `bincount`; with 5 % of 30,000 × 1,000 1.1 on two threads, beside 25.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import messages
from .protocols import Array

#: Levels of instructions, the highest first: AVX-512, AVX2 with fused multiplications, those that every processor has, and no kernels.
LEVELS = "x86-64-v4", "x86-64-v3", "baseline", "none"
#: The variable of the environment that caps the level.
VARIABLE = "SKLEARN_GD_LEVEL"


def _found() -> tuple[Any, Any, tuple[str, ...]]:
    """The module; the kernels at the highest level that this machine has and the environment allows, or None; and all that it has."""
    cap = os.environ.get(VARIABLE) or LEVELS[0]
    if cap not in LEVELS:
        raise ValueError(messages.no_such_level(VARIABLE, cap, LEVELS))
    # without a compiler where it was installed, or run from the source tree, there are none
    module: Any = None
    with contextlib.suppress(ImportError):
        module = importlib.import_module("sklearn_gd._kernels")
    if module is None:
        return None, None, LEVELS[-1:]
    here = *module.levels(), LEVELS[-1]
    best = next(level for level in here if LEVELS.index(level) >= LEVELS.index(cap))
    if best == LEVELS[-1]:
        return module, None, here
    module.use(best)
    return module, module, here


module, kernels, _here = _found()

# what a sweep makes of predictions; as in _kernels_levels.h
PLAIN, SQUARED, BINOMIAL, HUBER, POISSON, MULTINOMIAL, CURVED, GIVEN = range(8)
# What sweeps for several outputs know; of BINOMIAL these are models of their own, whose values are.
OUTPUT_KERNELS = PLAIN, BINOMIAL, MULTINOMIAL, CURVED, GIVEN
# The kernels' kinds of numbers: as dtypes, which are the arrays' own objects as a rule and compared in no time.
KINDS = np.dtype(np.float64), np.dtype(np.float32)
# The order of matrices up to which several factorisations at once, in lanes, take less time than LAPACK's one after the other: twenty of
# order 50 took 0.03 ms, and 0.15; of 100 0.23, and 0.43; of 200 as long. Inverses of order 31 1.6 µs each, and 11; of 100 37, and 120.
LANES_ORDER = 128
# Outputs of a sweep at the most: CELLS / 8 of _kernels_levels.h.
MOST_SWEPT = 256
# Outputs whose coefficients of a feature are side by side; as in _kernels_levels.h.
WIDTH = 8


def takes(dtype: Any, arrays: Iterable[Any]) -> bool:
    """Whether the kernels can read these arrays, None apart: contiguous, and of the one precision of theirs that X has."""
    return dtype in KINDS and all(
        array is None or (isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous)
        for array in arrays
    )


def coded(y: Any) -> bool:
    """Whether sweeps for several outputs can read the classes, None apart."""
    return y is None or (isinstance(y, np.ndarray) and y.dtype == np.int64 and bool(y.flags.c_contiguous))


def columns_of(coef: Array) -> Array:
    """Coefficients of several outputs as a sweep reads them: a few outputs for each feature, then the next ones."""
    p, k = coef.shape
    out = np.zeros((-(-k // WIDTH), p, WIDTH))
    for group, columns in enumerate(range(0, k, WIDTH)):
        part = coef[:, columns : columns + WIDTH]
        out[group, :, : part.shape[1]] = part
    return out


def level() -> str:
    """The level of instructions in use, one of `LEVELS`."""
    return LEVELS[-1] if kernels is None else str(kernels.level())


def levels() -> tuple[str, ...]:
    """Those that this machine can run, the highest first."""
    return _here


# Entries of a row of predictions at the most: CELLS / 2 of _kernels_levels.h.
MOST_OUTPUTS = 1024
# Predictions up to which a trial is made on one thread, as a search of a few of them is: 0.15 ms of 30,000, where two threads
# took 0.3.
AT_ONCE = 1 << 16


def trials(loss: Any, y: Any, weight: Any, dtype: Any) -> Trials | None:
    """The compiled trials of a loss at predictions of a dtype, where it has a row and the kernels can read the arrays."""
    if kernels is None or loss.kernel is None or not takes(dtype, (weight,) if loss.coupled else (y, weight)):
        return None
    return Trials(loss, y, weight, dtype) if np.ndim(y) == 1 and (not loss.coupled or coded(y)) else None


class Trials:
    """A loss in the plane of one or two predictors, one pass over the samples a trial.

    Parameters
    ----------
    loss : loss
        One that has a kernel.
    y : ndarray of shape (n_samples,)
        In the dtype of the predictions, or indices of classes.
    weight : ndarray of shape (n_samples,) or None
    dtype : dtype
        Of the predictions.
    """

    def __init__(self, loss: Any, y: Array, weight: Array | None, dtype: Any) -> None:
        self.kernel, self.numbers, self.y, self.weight = loss.kernel, loss.numbers, y, weight
        self.size = np.dtype(dtype).itemsize

    def takes(self, base: Array, predictors: Sequence[Array]) -> bool:
        """Whether predictions and predictors are such as the kernels read."""
        return len(predictors) <= 2 and base.size <= MOST_OUTPUTS * len(base)

    def at_once(self, base: Array) -> bool:
        """Whether a trial takes less time than waking threads up for it."""
        return base.size <= AT_ONCE

    def _arguments(
        self, s: slice, base: Array, a: Any, predictors: Sequence[Array], arrays: Sequence[Any]
    ) -> tuple[Any, ...]:
        first, second = (*predictors, None, None)[:2]
        parts: tuple[Any, ...] = (self.y, self.weight, base, first, second, *arrays)
        n = s.stop - s.start
        if n < len(self.y):
            parts = tuple([None if array is None else array[s] for array in parts])
        k = 1 if base.ndim == 1 else base.shape[1]
        return self.kernel, self.size, n, k, *(*a, 0.0, 0.0)[:2], *parts[:2], self.numbers, *parts[2:]

    def __call__(
        self, s: slice, base: Array, a: Any, predictors: Sequence[Array], arrays: Sequence[Any]
    ) -> tuple[float, Array, Array]:
        """Sum the losses of some samples, with gradient and Hessian along the predictors.

        Predictions, weighted slopes and second derivatives go to the arrays, which may be None from the second on.
        """
        m = len(predictors)
        value, g, h, gg, gh, hh = kernels.trial(*self._arguments(s, base, a, predictors, arrays))
        return value, np.array([g, h][:m]), np.array([[gg, gh], [gh, hh]])[:m, :m]

    def search(
        self, base: Array, a: Any, predictors: Sequence[Array], arrays: Sequence[Any], quadratic: Any, goal: Any
    ) -> tuple[float, ...]:
        """`newton_search` from a over all samples: where it ends, the value, what it was promised, the match.

        Parameters
        ----------
        quadratic : tuple of float
            What the losses' sum is multiplied by, and the value, slopes (2) and forms (3) of the quadratic that is added.
        goal : tuple of float
            As `Subspace.searched` has it.
        """
        return kernels.search(*self._arguments(slice(0, len(base)), base, a, predictors, arrays), *quadratic, *goal)
