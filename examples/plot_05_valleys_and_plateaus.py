"""
Several minima, and a plateau
=============================

Descent goes downhill from where it starts, so the start decides which valley is found. Several
starts, run together, find the lower one, and all are kept. On a plateau the gradient is nearly
zero, and so are the steps of a constant rate; a rule that adapts its rate to what it sees
crosses it.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import gradient_descent
from sklearn_gd.plots.style import BLUE, GREEN, RED, ink, plain


def valleys(p):
    x = p[0]
    return 0.25 * (x**2 - 4) ** 2 + 0.8 * x


starts = np.array([[-3.1], [-0.9], [0.55], [1.1], [3.1]])
found = gradient_descent(valleys, starts, n_starts=len(starts), learning_rate=0.02)
print("lowest:", found.x, "of", sorted({round(float(run.x[0]), 2) for run in found.starts}))

# %%
# Far from its minimum at 0 this function is almost flat.


def plateau(p):
    return 1 - np.exp(-(p[0] ** 2) / 2)


crawling = gradient_descent(plateau, [4.0], learning_rate=1.0, max_iter=100)
adaptive = gradient_descent(plateau, [4.0], learning_rate="adgd", max_iter=100)
for name, run in (("constant", crawling), ("adgd", adaptive)):
    print(f"{name}: x = {run.x[0]:.6f} after {run.nit} iterations")

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
x = np.linspace(-3.3, 3.3, 400)
left.plot(x, [valleys([v]) for v in x], color="#999999", linewidth=1.5)
for run in found.starts:
    colour = BLUE if run.fun < found.fun + 1e-6 else RED
    left.plot(run.path[:, 0], run.history["loss"], ".-", color=colour, linewidth=1.5)
    left.plot(run.path[0, 0], run.history["loss"][0], "o", mfc="white", mec=colour, ms=8, mew=2)
ends = sorted({(round(float(run.x[0]), 3), round(float(run.fun), 3)) for run in found.starts})
for (place, value), name, colour in zip(
    ends, ("the lower valley", "the other"), (BLUE, RED), strict=True
):
    left.annotate(
        name,
        (place, value),
        xytext=(0, -18),
        textcoords="offset points",
        ha="center",
        color=ink(colour),
    )
left.set(title="five starts, two valleys", xlabel="x", ylim=(-3.2, 9))

for run, name, colour, k in (
    (crawling, "constant rate", RED, 60),
    (adaptive, "adgd", GREEN, 12),
):
    right.plot(run.history["loss"], color=colour, linewidth=2)
    at = (k, run.history["loss"][k])
    right.annotate(
        name,
        at,
        xytext=(6, -6),
        textcoords="offset points",
        va="top",
        color=ink(colour),
        size=12,
    )
right.set(title="on a plateau", xlabel="iteration", ylabel="f(x)", ylim=(-0.05, 1.1))
for ax in (left, right):
    plain(ax)
plt.show()
