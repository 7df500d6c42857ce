"""What differs between the supported versions of scikit-learn, and names of its own with an underscore, at one place.

scikit-learn 1.9 brought callbacks. The documented entry of its mixin for an estimator's author,
``_init_callback_context``, and the two attributes that tell whether there is anybody to call, have an underscore in their
names; they are used here and nowhere else. On older versions there is nothing to call.

The attributes from which scikit-learn makes the link in an object's HTML representation have an underscore, too.
"""

from __future__ import annotations

from typing import Any

__all__ = ["DOCUMENTATION", "CallbackSupportMixin", "Documented", "callback_root", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef, unused-ignore]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(fit: Any) -> Any:
        return fit


def callback_root(estimator: Any, max_subtasks: int) -> Any:
    """The root context of a fit, or None where no callback is set: then a fit pays nothing."""
    if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
        return estimator._init_callback_context(max_subtasks=max_subtasks)
    return None


#: where the documentation is, on the web
DOCUMENTATION = "https://sklearn-gd.readthedocs.io/en/latest/"


class Documented:
    """Links the HTML representation to the page of the API reference, named as autosummary names it."""

    _doc_link_module = "sklearn_gd"
    _doc_link_template = DOCUMENTATION + "api/{estimator_module}.{estimator_name}.html"
