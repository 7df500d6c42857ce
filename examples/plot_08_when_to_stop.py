"""
When to stop
============

When the gradient is close to zero, in units of its own: ``tol``² estimates the relative gap
between the loss and its minimum. Or at ``max_iter``, with a warning. Or where rounding errors
leave nothing to gain. All these runs are the same descent; only their ends differ, and
``stop_reason_`` names them.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_gd import GDLogisticRegression
from sklearn_gd.plots.style import BLUE, RED, ink, plain

X, y = load_breast_cancer(return_X_y=True)
X = scale(X)

ends = {
    "max_iter=40": {"max_iter": 40},
    "tol=1e-2": {"tol": 1e-2},
    "tol=1e-4": {"tol": 1e-4},
    "tol=1e-6": {"tol": 1e-6},
    "tol=0": {"tol": 0},
}
runs = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # the run that ends at max_iter says so
    for name, end in ends.items():
        model = GDLogisticRegression(
            learning_rate="lipschitz", momentum="nesterov", **{"max_iter": 5000, **end}
        )
        runs[name] = model.fit(X, y)

# %%

longest = runs["tol=0"]
norm = np.array(longest.history_["gradient_norm"])
gap = np.array(longest.loss_curve_) / min(longest.loss_curve_) - 1

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
ax.loglog(norm, color=BLUE, linewidth=2)
ax.loglog(np.where(gap > 1e-15, gap, np.nan), color=RED, linewidth=2, linestyle=(0, (5, 1.5)))
for name, run in runs.items():
    k, value = run.n_iter_, run.history_["gradient_norm"][-1]
    ax.plot(k, value, "o", color="black", markersize=7, zorder=3)
    place = (
        {"xytext": (-9, -7), "ha": "right", "va": "top"}
        if name == "max_iter=40"
        else {"xytext": (9, 0), "va": "bottom"}
    )
    ax.annotate(
        f"{name}\n{run.stop_reason_!r}", (k, value), textcoords="offset points", **place
    )
ax.annotate(
    "gradient norm",
    (2.5, norm[3]),
    xytext=(0, -24),
    textcoords="offset points",
    color=ink(BLUE),
    size=12,
)
at = np.searchsorted(-gap, -1e-9)
ax.annotate(
    "relative gap of the loss",
    (at, 1e-9),
    xytext=(-8, -4),
    textcoords="offset points",
    ha="right",
    color=ink(RED),
    size=12,
)
ax.set(xlabel="iteration", xlim=(1, 8000), ylim=(1e-15, 10))
plain(ax)
plt.show()
