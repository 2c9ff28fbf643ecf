"""Pictures of what the stages see and do, for notebooks and the form.

What returns a matplotlib `Figure` raises UnavailableError where matplotlib is not installed.
"""

from memegen.mesh.explain import explain_frame as explain_mesh
from memegen.preview.curves import draw_keypoints, motion_curves, plot_keypoints, plot_motion
from memegen.preview.fields import (
    draw_deformation,
    draw_features,
    draw_masks,
    draw_sparse_motions,
    flow_to_rgb,
    flow_wheel,
    movement,
    warp,
)
from memegen.preview.lessons import explain_fomm, lesson_model, portrait
from memegen.preview.pages import Shown, contact_sheet, crop_frames, sample_frames, show, side_by_side, strips
from memegen.preview.points import draw_faces, draw_landmarks

__all__ = [
    "Shown",
    "contact_sheet",
    "crop_frames",
    "draw_deformation",
    "draw_faces",
    "draw_features",
    "draw_keypoints",
    "draw_landmarks",
    "draw_masks",
    "draw_sparse_motions",
    "explain_fomm",
    "explain_mesh",
    "flow_to_rgb",
    "flow_wheel",
    "lesson_model",
    "motion_curves",
    "movement",
    "plot_keypoints",
    "plot_motion",
    "portrait",
    "sample_frames",
    "show",
    "side_by_side",
    "strips",
    "warp",
]
