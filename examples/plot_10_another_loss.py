"""
Change the loss and the closed form is gone
===========================================

Squared error has a normal equation. The log losses have none: no formula gives their optimum,
and yet the same rules descend on them as if nothing had happened. None of the rules knows which
loss it is.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

from sklearn_gd import GDLinearRegression, GDLogisticRegression
from sklearn_gd.plots.style import COLOURS, DASHES, name_curves, plain

X, y = load_wine(return_X_y=True)
X = scale(X)
problems = {
    "squared error": (GDLinearRegression(alpha=0.05), X[:, 1:], X[:, 0]),
    "two classes": (GDLogisticRegression(C=0.1), X, y == 0),
    "three classes": (GDLogisticRegression(C=0.1), X, y),
}
rules = {
    "1/L": {"learning_rate": "lipschitz"},
    "adgd": {"learning_rate": "adgd"},
    "1/L, nesterov": {"learning_rate": "lipschitz", "momentum": "nesterov"},
    "auto, diagonal": {"preconditioner": "diagonal"},
    "auto": {},
}

gaps = {}
for problem, (model, X_train, y_train) in problems.items():
    losses = {}
    for rule, params in rules.items():
        run = clone(model).set_params(tol=1e-7, **params).fit(X_train, y_train)
        losses[rule] = np.array(run.loss_curve_)
    least = min(curve.min() for curve in losses.values())
    gaps[problem] = {rule: curve / least - 1 for rule, curve in losses.items()}

# %%
# Every curve ends where its gradient is zero to seven digits. On squared error "auto" takes the
# one step that is the normal equation; on the others it takes a few.

figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True, layout="constrained")
for ax, (problem, curves) in zip(axes, gaps.items(), strict=True):
    ax.set(
        title=problem,
        xlabel="iteration + 1",
        xlim=(0.9, 1200),
        ylim=(1e-14, 1e2),
        xscale="log",
        yscale="log",
    )
    plain(ax)
    drawn, ends = [], []
    for (rule, gap), colour, dashes in zip(curves.items(), COLOURS, DASHES, strict=False):
        k = np.arange(1, len(gap) + 1)
        gap = np.maximum(gap, 1e-13)
        ax.plot(k, gap, color=colour, linestyle=dashes, linewidth=2)
        drawn.append(np.column_stack([k, gap]))
        middle = np.searchsorted(-gap, -1e-6)
        ends.append((k[middle], gap[middle], rule, colour))
    name_curves(ax, ends, drawn)
axes[0].set_ylabel("relative gap to the least loss")
plt.show()
