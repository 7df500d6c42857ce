"""
The learning rate
=================

Too small, and the run creeps. Right, and it converges. Above 1/L every step overshoots, and the
run still converges, oscillating; beyond 2/L every bounce is bigger than the last. L is the
largest eigenvalue of the loss's Hessian, and for a quadratic these limits are exact.

No coefficient is ever NaN: a run that diverges keeps its best iterate, and warns.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sklearn_gd import GDLinearRegression, LearningRateDisplay

X, y = load_diabetes(return_X_y=True)
X = scale(X)
L = np.linalg.eigvalsh(X.T @ X / len(y))[-1]
print(f"1/L = {1 / L:.3f}, 2/L = {2 / L:.3f}")

display = LearningRateDisplay.from_estimator(
    GDLinearRegression(tol=1e-2), X, y, learning_rates=[0.005, 0.22, 0.47, 0.52]
)
plt.show()
