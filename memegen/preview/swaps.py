"""Figures about a face swap: its networks as a graph, a code as bars, and a face that gets sharper step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.cropping import crop_face
from memegen.face.detection import detect_faces, pick_face
from memegen.media.subjects import still_of
from memegen.media.video import Video, open_video
from memegen.preview.pages import new_figure, page
from memegen.preview.plots import LINES
from memegen.swap.cues import CUES
from memegen.swap.faces import FaceSet
from memegen.swap.lesson import Snapshot, detail, error_maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOXES = {  # middle and words of each part of the graph
    "A": (0.09, 0.75, "pictures\nof A"),
    "B": (0.09, 0.25, "pictures\nof B"),
    "encoder": (0.34, 0.5, "one encoder\nfor both"),
    "code": (0.57, 0.5, "code:\n64 numbers"),
    "decoder A": (0.85, 0.75, "decoder A\npaints only A"),
    "decoder B": (0.85, 0.25, "decoder B\npaints only B"),
}
TRAINED = (
    ("A", "encoder", LINES[0]), ("B", "encoder", LINES[1]), ("encoder", "code", "black"),
    ("code", "decoder A", LINES[0]), ("code", "decoder B", LINES[1]),
)  # fmt: skip
SWAP = "#b42318"
WAY = (  # of the swap, as two cubic curves
    (0.16, 0.17), (0.38, 0.34), (0.55, 0.22), (0.64, 0.34), (0.72, 0.44), (0.74, 0.52), (0.77, 0.60),
)  # fmt: skip
PANELS = 6  # pictures of the way, at most, beside the true face and the map of errors


def draw_autoencoders() -> Figure:
    """Draw how a swap is built: two people, one encoder, one code, two decoders; dashed is the way of the swap."""
    figure = new_figure(2.9)
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    for start, end, colour in TRAINED:
        _arrow(axes, BOXES[start][:2], BOXES[end][:2], color=colour, linewidth=2)
    _draw_swap(axes)
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "#444444"}
    for x, y, words in BOXES.values():
        axes.text(x, y, words, ha="center", va="center", fontsize="medium", bbox=box)
    axes.text(0.42, 0.1, "the swap: what B does,\npainted by decoder A", color=SWAP, ha="center", va="center")
    return figure


def plot_code(code: Floats) -> Figure:
    """Plot a code (CODE,) as bars: those with names, and below them the free ones, which the networks chose."""
    figure = new_figure(4.2)
    named, free = figure.subplots(2, height_ratios=[3, 2])
    named.barh(CUES, code[: len(CUES)], color=LINES[0])
    named.invert_yaxis()
    named.axvline(0, color="black", linewidth=1)
    places = np.arange(len(CUES), len(code))
    free.bar(places, code[len(CUES) :], color=LINES[1])
    free.axhline(0, color="black", linewidth=1)
    free.set(xlabel="place in the code: numbers without a name", xlim=(len(CUES) - 1, len(code)))
    return figure


def draw_moments(moments: Sequence[Snapshot], truth: FaceSet) -> Figure:
    """Lay out how a face came out during a training, with how much detail it has, the true face and the last errors.

    Args:
        moments: As `SwapForm.learned` gives them.
        truth: The face itself, alone in its set.
    """
    places = np.linspace(0, len(moments) - 1, min(PANELS, len(moments))).round().astype(int)
    chosen = [moments[place] for place in places]
    labels = [f"step {one.step}: {max(detail(one.picture, truth)[0], 0):.0%}" for one in chosen]
    last = chosen[-1].picture
    wrong = error_maps(last, truth)[0]
    # Painted here, as a scale below the map would push the pictures apart.
    shades = cv2.applyColorMap(np.asarray(255 * wrong / max(wrong.max(), 1e-6), np.uint8), cv2.COLORMAP_INFERNO)
    pictures = [*(one.picture[0] for one in chosen), truth.inner(len(wrong))[0], shades[..., ::-1]]
    return page(pictures, [*labels, "the true face", f"errors to {wrong.max():.0%}"], columns=4)


def close_up(before: Video, after: Video) -> tuple[Image, Image]:
    """Cut the same square, around the face in the middle of a clip, out of the clip before and after a swap.

    Returns:
        uint8 RGB (256, 256, 3) each.

    Raises:
        NoFaceError: There is no face in the middle.
    """
    halves = (open_video(clip.path, start=clip.start + clip.duration / 2) for clip in (before, after))
    pictures = [*map(still_of, halves)]
    box = pick_face(detect_faces(pictures[0]), name=f"the middle of {before.path.name}")
    first, second = (crop_face(picture, box, margin=0.3) for picture in pictures)
    return first, second


def _draw_swap(axes: Axes) -> None:
    """Draw the way from B's pictures to A's decoder as one dashed curve."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    curve = Path(WAY, [Path.MOVETO, *[Path.CURVE4] * 6])
    look: dict[str, Any] = {"color": SWAP, "linewidth": 2.5, "linestyle": (0, (3, 2)), "fill": False}
    axes.add_patch(FancyArrowPatch(path=curve, arrowstyle="-", **look))
    _arrow(axes, WAY[-1], (0.79, 0.665), color=SWAP, linewidth=2.5, shrinkA=0, shrinkB=0)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **look: Any) -> None:
    style = {"arrowstyle": "-|>", "shrinkA": 34, "shrinkB": 36, "mutation_scale": 16, **look}
    axes.annotate("", end, start, arrowprops=style)
