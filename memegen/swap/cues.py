"""What a face does, in a few numbers that mean the same for everybody; the networks learn to carry these over."""

from __future__ import annotations

import numpy as np

from memegen.base.arrays import Floats
from memegen.face.performance import study

CUES = ("turn", "nod", "mouth open", "mouth wide", "right eye open", "left eye open", "look aside", "look down")
"""Their names, in order."""
UNITS = np.array([0.1, 0.1, 0.02, 0.04, 0.3, 0.3, 0.3, 0.3])  # clear differences, so that all count alike
AS_FAR = (  # what is said where one person never goes as far as the other
    "the head turned", "the head raised or lowered", "the mouth open", "the mouth wide",
    "the eyes shut", "the eyes shut", "a look aside", "a look up or down",
)  # fmt: skip
SHORT = 1.5  # by how many UNITS
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


def missing(faces: Floats, body: Floats) -> list[str]:
    """Name what the body does and the faces never show, so that it can't be learned.

    Args:
        faces: (N, 8), from `measure`.
        body: (M, 8) likewise.
    """
    low, high = np.percentile(body, [2, 98], axis=0)  # a misread frame is no movement
    short = np.maximum(faces.min(0) - low, high - faces.max(0)) > SHORT
    return [*dict.fromkeys(words for words, one in zip(AS_FAR, short, strict=True) if one)]
