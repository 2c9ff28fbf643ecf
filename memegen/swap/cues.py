"""What a face does, in a few numbers that mean the same for everybody; the networks learn to carry these over."""

from __future__ import annotations

import numpy as np

from memegen.base.arrays import Floats
from memegen.mesh.motion import study

CUES = ("turn", "nod", "mouth open", "mouth wide", "right eye open", "left eye open", "look aside", "look down")
"""Their names, in order."""
UNITS = np.array([0.1, 0.1, 0.02, 0.04, 0.3, 0.3, 0.3, 0.3])  # clear differences, so that all count alike
OPENINGS = [CUES.index("mouth open"), CUES.index("right eye open"), CUES.index("left eye open")]


def measure(landmarks: Floats) -> Floats:
    """Measure what a person does in each picture.

    Args:
        landmarks: (N, 478, 3) pixels, of one person.

    Returns:
        (N, 8) float32, in the order of CUES, in UNITS: radians for the turns; the mouth over the inter-ocular distance,
        its width from the person's mean one; eyes over their usual opening, 0 where they are open as usual; the gaze
        from its usual place, in eye widths.
    """
    shown = study([*landmarks])
    yaw, pitch, _, opening, width = shown.cues.T
    lids = shown.lids / np.maximum(np.percentile(shown.lids, 85, axis=0), 1e-6) - 1
    values = np.column_stack([yaw, pitch, opening, width - width.mean(), lids, shown.gaze])
    return np.asarray(values / UNITS, np.float32)
