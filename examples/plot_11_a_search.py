"""
A search over rates and iterations
==================================

When to stop, and with which rate? Cross-validation tells, and on squared error it needs no fit for
each answer: the iterate after k steps is known from the eigenvectors of the training part's
Hessian. A search over all pairs of rates and numbers of iterations reads the data about once.

Rate times iterations says how far a descent has come: in the picture scores are equal along
diagonals, and best along one of them. Above it the descent fits the noise of the training part, so
that to stop early is a penalty. Beyond 2/L every step makes the error larger.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler, scale

from sklearn_gd import GDLinearRegression, GDSearchCV, ValidationDisplay

X, y = load_diabetes(return_X_y=True)
# squares and products: enough columns for 442 people to fit noise with
X = PolynomialFeatures(2, include_bias=False).fit_transform(X)
# no tolerance: a run ends at max_iter; or it diverges, and then has no score
descent = GDLinearRegression(tol=0, on_divergence="raise")
grid = {
    "gdlinearregression__learning_rate": 2.0 ** np.arange(-10, 0.5, 0.5),
    "gdlinearregression__max_iter": 2 ** np.arange(15),
}
search = GDSearchCV(
    make_pipeline(StandardScaler(), descent), grid, scoring="neg_root_mean_squared_error"
)
with warnings.catch_warnings():
    for told in (ConvergenceWarning, FitFailedWarning, UserWarning):  # early ends, and failures
        warnings.simplefilter("ignore", told)
    search.fit(X, y)
print(
    f"the least error: {-search.best_score_:.2f}, of {len(search.cv_results_['params'])} pairs"
)

# %%
# L is the largest eigenvalue of the Hessian, whose columns are standardised: of their correlations.

L = np.linalg.eigvalsh(scale(X).T @ scale(X) / len(y))[-1]
ValidationDisplay.from_estimator(search, marks={"1/L": 1 / L, "2/L": 2 / L})
plt.show()
