"""Where X lives: the linear map from coefficients to raw predictions, one file per kind of storage.

A design offers `forward`, `adjoint`, the fused `sweep`, and the second moments that preconditioners are made of;
it never sees a loss. To add a kind of storage, write one file with these methods and add one line to `DESIGNS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import is_elsewhere
from ..protocols import Design
from .array_api import ArrayDesign
from .dense import DenseDesign
from .sparse import SparseDesign

__all__ = ["DESIGNS", "design_for"]

# Typed loosely: the designs of devices and of Dask have no products of rows, and say so by their price.
#: (recognises, design): the first that recognises X takes it; rows in files and on workers add theirs, see `files` and `workers`
DESIGNS: list[tuple[Callable[[Any], bool], Callable[[Any, bool], Any]]] = [
    (lambda X: isinstance(X, np.ndarray), DenseDesign),
    (sp.issparse, SparseDesign),
    (is_elsewhere, ArrayDesign),
]


def design_for(X: Any, fit_intercept: bool) -> Design:
    """The design for the storage of X, as validation returned it."""
    for recognises, design in DESIGNS:
        if recognises(X):
            return design(X, fit_intercept)
    raise TypeError(f"no design for {type(X).__name__}")
