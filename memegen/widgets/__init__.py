"""The form of the first notebook, from core ipywidgets: what it does is done by the rest of the package."""

from memegen.widgets.form import MemeForm

__all__ = ["MemeForm"]
