"""The forms of the notebooks, from core ipywidgets: what they do is done by the rest of the package."""

from memegen.widgets.form import MemeForm
from memegen.widgets.swap import SwapForm

__all__ = ["MemeForm", "SwapForm"]
