"""Cross-validated searches that share the work of their fits.

Two uses: `GDSearchCV`, scikit-learn's grid search where fits follow from each other; what the candidates share, and why not, in `sharing`.
"""

from .search import GDSearchCV

__all__ = ["GDSearchCV"]
