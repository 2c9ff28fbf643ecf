"""Pictures of what each stage of the pipeline sees and does, for notebooks and the form.

Functions either draw into a copy of a picture, or return a matplotlib `Figure` that is not among pyplot's open figures:
`show` displays it, once, and its memory is freed. Without matplotlib they raise UnavailableError.
"""

from memegen.base.downloads import asset
from memegen.fomm.checkpoint import cached_or_tiny
from memegen.preview.fields import flow_to_rgb, flow_wheel, movement, warp
from memegen.preview.lessons import crop_frames, crop_pair, explain_mesh
from memegen.preview.pages import contact_sheet, sample_frames, show, side_by_side, strips
from memegen.preview.plots import (
    agreement,
    change_map,
    draw_deformation,
    draw_features,
    draw_keypoints,
    draw_masks,
    draw_sparse_motions,
    motion_curves,
    plot_keypoints,
    plot_motion,
)
from memegen.preview.points import draw_faces, draw_landmarks
from memegen.preview.swaps import close_up, draw_autoencoders, draw_moments, plot_code

PORTRAIT = asset("portrait.jpg")
"""Path of the portrait that comes with memegen: Grace Hopper, 1984."""

LESSON_CLIPS = tuple(asset(f"lesson/{name}.mp4") for name in "abc")
"""Paths of the three clips of notebook 05: which of them is real?"""

__all__ = [
    "LESSON_CLIPS", "PORTRAIT", "agreement", "cached_or_tiny", "change_map", "close_up", "contact_sheet", "crop_frames",
    "crop_pair", "draw_autoencoders", "draw_deformation", "draw_faces", "draw_features", "draw_keypoints",
    "draw_landmarks", "draw_masks", "draw_moments", "draw_sparse_motions", "explain_mesh", "flow_to_rgb", "flow_wheel",
    "motion_curves", "movement", "plot_code", "plot_keypoints", "plot_motion", "sample_frames", "show", "side_by_side",
    "strips", "warp",
]  # fmt: skip
