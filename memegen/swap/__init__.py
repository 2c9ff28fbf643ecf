"""A face swap that a class trains itself in a lesson: one encoder for two people, and a decoder for each.

    clip = memegen.swap("anna.mp4", "ben.mp4", minutes=5)     # Ben's clip with Anna's face

The same thing spelled out:

    from memegen.swap import extract_faces, swap_faces, train_swap
    faces, body = extract_faces("anna.mp4"), extract_faces("ben.mp4")
    for state in train_swap(faces, body, minutes=5):          # a generator: stop it at any time
        print(state.losses)
    frames = swap_faces(state.swapper, memegen.open_video("ben.mp4"))
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memegen.media.video import Video
    from memegen.swap.conversion import swap_faces
    from memegen.swap.cues import CUES
    from memegen.swap.faces import FaceSet, extract_faces
    from memegen.swap.swapper import Swapper, load_swapper
    from memegen.swap.training import TrainingState, train_swap

_HOMES = {  # public name: module, imported at first use
    **dict.fromkeys(["FaceSet", "extract_faces"], "faces"),
    "CUES": "cues",
    "swap_faces": "conversion",
    **dict.fromkeys(["Swapper", "load_swapper"], "swapper"),
    **dict.fromkeys(["TrainingState", "train_swap"], "training"),
}
_WITH_TORCH = {"conversion", "swapper", "training"}

__all__ = [
    "CUES",
    "FaceSet",
    "Swapper",
    "TrainingState",
    "extract_faces",
    "load_swapper",
    "swap_faces",
    "train_swap",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'memegen.swap' has no attribute {name!r}")
    if _HOMES[name] in _WITH_TORCH:
        from memegen.base.devices import check_torch

        check_torch("Face swaps", "swap")
    return getattr(import_module(f"memegen.swap.{_HOMES[name]}"), name)


class _Room(ModuleType):
    """This module, which can also be called: `memegen.swap(...)` is `memegen.swap.making.swap`."""

    def __call__(self, *sources: Any, **options: Any) -> "Video":
        from memegen.swap.making import swap

        return swap(*sources, **options)


sys.modules[__name__].__class__ = _Room
