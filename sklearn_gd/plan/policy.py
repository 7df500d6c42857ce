"""When to pay for a better way of going on: rent before you buy.

Two uses: `plan`, which asks whether something is so cheap that it is bought at once; and the run, which asks after every iteration.

To iterate in the metric at hand is to rent: every iteration costs the same again. To set up a better one, say a Gram matrix, is to buy: its
price is paid once, and little follows. Who rents until the rent that was paid equals the price, and then buys, never pays more
than twice what the better of the two would have cost, however long the way turns out to be (Karlin et al., 1988). The pace so far
says more: where at this pace the end is further away than the price, it is bought once a tenth of that was spent; where it is nearer,
never. The bound stays twice where the pace is what it was, and is three times where it is not.

References
----------
A. Karlin, M. Manasse, L. Rudolph and D. Sleator, "Competitive snoopy caching", Algorithmica 3, 1988, doi:10.1007/BF01762111 (the
rental problem and its factor of two).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["OBSERVED", "buys", "rest"]

# Iterations whose gradients tell a pace: those of conjugate gradients rise and fall for the first few.
OBSERVED = 4
# By how much a pace tells the future: of ten times as much work as it was seen for.
FORESEEN = 10


def buys(spent: float, rest: float | None, price: float) -> bool:
    """Whether to buy.

    Parameters
    ----------
    spent : float
        The rent that was paid so far.
    rest : float or None
        What is still to be paid until the end, at the pace so far; None where no pace is known.
    price : float
        Of what can be bought, what follows it included.
    """
    if rest is None:
        return spent >= price
    return (rest > price and spent >= price / FORESEEN) or spent >= 2 * price


def rest(work: Sequence[float], norms: Sequence[float], left: float) -> float | None:
    """The work from here to the end at the pace of the latter half of the work so far; None where the norms do not fall.

    Parameters
    ----------
    work : sequence of float
        Done so far, at each iteration.
    norms : sequence of float
        Of the gradient there.
    left : float
        By what factor the last one is still to fall.
    """
    if len(norms) <= OBSERVED:
        return None
    half = 0.5 * (work[0] + work[-1])
    since = min(next(k for k, done in enumerate(work) if done >= half), len(work) - 1 - OBSERVED)
    fallen = norms[since] / norms[-1] if norms[-1] > 0 else math.inf
    return math.log(left) / math.log(fallen) * (work[-1] - work[since]) if fallen > 1 else None
