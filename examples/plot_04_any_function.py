"""
Any differentiable function
===========================

``gradient_descent`` runs the same loop on a function of your own. On the bowl z = x² + y² the
learning rate is the same at every step, and yet the steps get shorter: the length of a step is
η·‖∇f‖, and the gradient fades towards the minimum.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import DescentPathDisplay, gradient_descent
from sklearn_gd.plots.style import BLUE, RED, ink, plain


def bowl(p):
    return p[0] ** 2 + p[1] ** 2


def bowl_gradient(p):
    return np.array([2 * p[0], 2 * p[1]])


rate = 0.12
run = gradient_descent(bowl, [2.6, 1.6], jac=bowl_gradient, learning_rate=rate, tol=1e-3)
print(run.message)

# %%
# f = 3x² + 4y − sin z falls without end along y. The run says so, with that word; without a
# gradient function SciPy's finite differences stand in for it.


def slope(p):
    x, y, z = p
    return 3 * x**2 + 4 * y - np.sin(z)


unbounded = gradient_descent(slope, [1.0, 1.0, 1.0])
print(unbounded.stop_reason, unbounded.x, unbounded.fun)

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
DescentPathDisplay.from_result(bowl, run.path, optimum=[0, 0], names=["x", "y"], ax=left)
left.set(title="z = x² + y²", aspect="equal")

shown = range(1, 16)
right.plot(shown, np.full(len(shown), rate), "-", color=RED, linewidth=2)
right.annotate(
    "learning rate η",
    (15, rate),
    xytext=(0, 6),
    textcoords="offset points",
    ha="right",
    color=ink(RED),
)
right.bar(shown, [run.history["step_length"][k] for k in shown], color=BLUE, width=0.7)
right.annotate(
    "length of the step, η·‖∇f‖",
    (4, run.history["step_length"][3]),
    color=ink(BLUE),
    xytext=(4, 4),
    textcoords="offset points",
)
right.set(xlabel="iteration", xlim=(0.3, 15.7))
plain(right)
plt.show()
