"""Pictures that show what the stages see and do: for notebooks and the form, each a small pure function."""

from memegen.preview.curves import motion_curves, plot_keypoints, plot_motion
from memegen.preview.fields import (
    draw_features,
    draw_flow_arrows,
    draw_masks,
    draw_sparse_motions,
    flow_to_rgb,
    flow_wheel,
    heat_map,
    movement,
    warp,
)
from memegen.preview.pages import Shown, contact_sheet, crop_frames, sample_frames, show, side_by_side, strips
from memegen.preview.points import draw_faces, draw_keypoints, draw_landmarks

__all__ = [
    "Shown",
    "contact_sheet",
    "crop_frames",
    "draw_faces",
    "draw_features",
    "draw_flow_arrows",
    "draw_keypoints",
    "draw_landmarks",
    "draw_masks",
    "draw_sparse_motions",
    "flow_to_rgb",
    "flow_wheel",
    "heat_map",
    "motion_curves",
    "movement",
    "plot_keypoints",
    "plot_motion",
    "sample_frames",
    "show",
    "side_by_side",
    "strips",
    "warp",
]
