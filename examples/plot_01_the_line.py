"""
The line y = m·x + b
====================

Each point of the surface is a line: its height is the mean squared error of that line, and
descent looks for the lowest point. With a small learning rate it creeps, with one that is too
large it bounces out. In between it ends at the closed form, m = Σ(x − x̄)(y − ȳ) / Σ(x − x̄)²
and b = ȳ − m·x̄.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import DescentPathDisplay, GDLinearRegression

rng = np.random.default_rng(1)
x = rng.uniform(-1, 3, size=40)
y = 2.5 * x - 1 + rng.normal(scale=0.5, size=40)

m = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
b = y.mean() - m * x.mean()
fitted = GDLinearRegression(learning_rate=0.3).fit(x[:, None], y)
print(f"closed form:      m = {m:.4f}, b = {b:.4f}")
print(f"gradient descent: m = {fitted.coef_[0]:.4f}, b = {fitted.intercept_:.4f}")

# %%
# The same start on the same surface, with three rates.

start = {"init": (np.array([-0.5]), 2.5), "max_iter": 25}
models = [GDLinearRegression(learning_rate=rate, **start) for rate in (0.005, 0.3, 0.87)]
display = DescentPathDisplay.from_estimator(models, x[:, None], y)
display.ax_.set(xlabel="slope m", ylabel="intercept b")
plt.show()
