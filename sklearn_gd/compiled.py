"""The compiled kernels, or None where they could not be built: then NumPy does the same in more passes.

Three uses: the fused sweep of `designs.dense`, the trials of a search on the binomial loss in `losses`, and symmetric products for
a metric in `designs.products`.

Why a small extension, measured on two threads beside one two-threaded ``X @ w`` of the same array (float64; p = 20, 100, 2,000,
10,346 with 2·10⁷ to 4·10⁷ numbers): loss and gradient took 1.4, 1.1, 1.2 and 1.1 of it for squared error and 1.4, 1.2, 1.2 and
1.1 for the binomial; blocks in NumPy 1.1 to 1.9 and 1.3 to 4. A trial of the plane search takes 3 ns a sample beside 11. numba
does as well, but compiles for seconds at the first fit, and is three times the size of NumPy.

The symmetric products are of bfloat16 numbers, in the processor's matrix unit where `has_tiles`. 20,000 ×
2,000 took 0.08 s on two threads, beside 0.27 in float32 BLAS and 0.57 in float64; 12,000 × 6,000 0.38 s beside 3.8; 50,000 × 500
0.03 beside 0.14. No BLAS that NumPy and SciPy ship has that product.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

kernels: Any = None
# without a compiler where it was installed, or run from the source tree, there are none
with contextlib.suppress(ImportError):
    kernels = importlib.import_module("sklearn_gd._kernels")

__all__ = ["BINOMIAL", "PLAIN", "SQUARED", "has_tiles", "kernels", "takes"]

# what a sweep makes of predictions; as in _kernels.c
PLAIN, SQUARED, BINOMIAL = 0, 1, 2


def takes(dtype: Any, arrays: Iterable[Any]) -> bool:
    """Whether the kernels can read these arrays, None apart: contiguous, and of the one precision of theirs that X has."""
    return dtype in (np.float64, np.float32) and all(
        array is None or (isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous)
        for array in arrays
    )


@functools.cache
def _tiles() -> bool:
    return kernels is not None and bool(kernels.has_tiles())


def has_tiles() -> bool:
    """Whether symmetric products of bfloat16 numbers can be had; the first call asks the system for them."""
    return kernels is not None and _tiles()
