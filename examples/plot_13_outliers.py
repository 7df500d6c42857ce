"""
The same line, three losses: outliers
=====================================

Squared error makes a sample that is ten times as far off count a hundred times as much, and a few of them turn the
line. Huber's loss is squared error near the line and absolute error far from it: there a sample pulls with the same force,
however far it is. Where "near" ends is found with the line. Absolute error alone, the loss of the median, pulls so everywhere.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import GDHuberRegression, GDLinearRegression, GDQuantileRegression
from sklearn_gd.plots.style import COLOURS, DASHES, name_curves, plain

rng = np.random.default_rng(0)
x = rng.uniform(0, 10, size=80)
y = 2 * x + 3 + rng.normal(size=80)
y[(x > 5) & (rng.random(80) < 0.3)] -= 25  # a sensor that fails at times

models = {
    "squared error": GDLinearRegression(),
    "Huber's loss": GDHuberRegression(),
    "absolute error": GDQuantileRegression(),
}
for name, model in models.items():
    model.fit(x[:, None], y)
    print(f"{name}: y = {model.coef_[0]:.2f} x + {model.intercept_:.2f}")

# %%
# The samples that the fit takes for outliers are ``outliers_``, and ``scale_`` is the scale of the errors of the others.

huber = models["Huber's loss"]
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
plain(ax)
ax.set(xlabel="x", ylabel="y", xlim=(0, 12.5))
for chosen, marker in ((~huber.outliers_, "o"), (huber.outliers_, "x")):
    ax.scatter(x[chosen], y[chosen], color="0.5", marker=marker, s=20)
ends = np.array([0.0, 10.0])
drawn, names = [np.column_stack([x, y])], []
for (name, model), colour, dashes in zip(models.items(), COLOURS, DASHES, strict=False):
    line = model.predict(ends[:, None])
    ax.plot(ends, line, color=colour, linestyle=dashes, linewidth=2)
    drawn.append(np.column_stack([ends, line]))
    names.append((ends[1], line[1], name, colour))
name_curves(ax, names, drawn)
plt.show()
