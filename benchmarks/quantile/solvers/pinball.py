"""pinball-qr: quantreg's Fortran."""

import pinball as _installed  # noqa: F401  where it is missing the solver is left out
from benchmark_utils import Fit, Quantile

from benchmarks.rivals import pinball


class Solver(Quantile):
    """Interior points, those on a part of the data, and the simplex; without a penalty."""

    name = "pinball-qr"
    parameters = {"method": ["fn", "pfn", "br"]}
    requirements = ["pip::pinball-qr"]
    sampling_strategy = "tolerance"

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, tol):
        # it wants the quantile further than this from 0 and 1
        return Fit(*pinball(self.X, self.y, self.quantile, min(tol, 1e-2), self.method))
