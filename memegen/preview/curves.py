"""How a face moves, as curves over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memegen.base.arrays import Floats
from memegen.base.errors import UnavailableError
from memegen.face.topology import Landmarks
from memegen.fomm.keypoints import Keypoints
from memegen.media.ffmpeg import reading, run
from memegen.media.video import Video
from memegen.mesh.motion import fit_pose, openings, shape_of
from memegen.preview.drawing import colour_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE, STEP = 8000, 80  # samples a second of the sound that is drawn, and how many make one point
WAYS = {"yaw": "yaw (right)", "pitch": "pitch (down)", "roll": "roll (clockwise)"}
TICKS = (-1, -0.5, 0, 0.5, 1)
LINES = ("#0072b2", "#d55e00", "#009e73")  # told apart by the colour-blind too (Okabe and Ito 2008)


def motion_curves(landmarks: Sequence[Landmarks]) -> dict[str, Floats]:
    """Measure a tracked face.

    Args:
        landmarks: N arrays (468, 3), pixels, as `track_face` gives them.

    Returns:
        (N,) each: "mouth" and "eyes", their openings over the distance of the outer eye corners; "yaw" (to the
        picture's right), "pitch" (down) and "roll" (clockwise) of the head in degrees.
    """
    poses = [fit_pose(face) for face in landmarks]
    gaps = np.array([openings(shape_of(face, pose)) for face, pose in zip(landmarks, poses, strict=True)])
    r = np.array([pose.rotation for pose in poses])
    yaw, pitch = np.arctan2(-r[:, 0, 2], r[:, 2, 2]), np.arcsin(np.clip(-r[:, 1, 2], -1, 1))
    turns = {"yaw": yaw, "pitch": pitch, "roll": np.arctan2(r[:, 1, 0], r[:, 0, 0])}
    return {"mouth": gaps[:, 0], "eyes": gaps[:, 1:].mean(1)} | {k: np.degrees(v) for k, v in turns.items()}


def plot_motion(landmarks: Sequence[Landmarks], driving: Video) -> Figure:
    """Plot how a singer's mouth, eyes and head move, over the sound they move to.

    Args:
        landmarks: N arrays (468, 3), pixels, of the clip's frames.
        driving: The clip.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    figure = _figure(9, 6)
    face, head, sound = figure.subplots(3, sharex=True, height_ratios=[3, 3, 2])
    curves = motion_curves(landmarks)
    seconds = driving.start + np.arange(len(landmarks)) / float(driving.fps)
    for axes, names in ((face, ("mouth", "eyes")), (head, ("yaw", "pitch", "roll"))):
        for name, colour in zip(names, LINES, strict=False):
            axes.plot(seconds, curves[name], color=colour, label=WAYS.get(name, name), linewidth=2)
        axes.legend(loc="upper right", ncols=3, frameon=False)
        axes.margins(y=0.25)
        axes.grid(alpha=0.3)
    loud = _loudness(driving)
    sound.fill_between(driving.start + np.arange(len(loud)) * STEP / RATE, -loud, loud, color="#666666", linewidth=0)
    face.set_ylabel("opening / eye distance")
    head.set_ylabel("degrees")
    sound.set(ylabel="sound", yticks=[], xlabel="time in the clip, seconds", xlim=(seconds[0], seconds[-1]))
    return figure


def plot_keypoints(source: Keypoints[Floats], driving: Keypoints[Floats], moved: Keypoints[Floats]) -> Figure:
    """Plot the paths of a few keypoints: the driver's own and those that the photo's subject is given.

    Args:
        source: Of the photo, N = 1.
        driving: Of N driving frames.
        moved: What the photo's subject is shown with, N frames.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    figure = _figure(9, 5)
    count = driving.value.shape[1]
    for axes, path, title in zip(
        figure.subplots(1, 2, sharex=True, sharey=True), (driving, moved), ("driver", "photo, moved"), strict=True
    ):
        for number in range(count):
            colour = [part / 255 for part in colour_of(number, count)]
            axes.plot(*path.value[:, number].T, color=colour, linewidth=2)
            axes.annotate(str(number), path.value[-1, number], fontsize=10)
        axes.plot(*source.value[0].T, "k+", markersize=9, label="the photo's own")
        axes.set(title=title, xlim=(-1, 1), ylim=(1, -1), aspect="equal", xlabel="x", xticks=TICKS, yticks=TICKS)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("y")
    figure.axes[1].legend(loc="lower right", fontsize=9)
    return figure


def _figure(width: float, height: float) -> Figure:
    """Make a figure that belongs to no window, sizes in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnavailableError("Plots need matplotlib: pip install 'memegen[notebook]'.") from error
    return Figure(figsize=(width, height), layout="constrained")


def _loudness(driving: Video) -> Floats:
    """Read the clip's sound: the highest of each STEP samples, 0 to 1; none where it is silent."""
    if not driving.has_audio:
        return np.zeros(0, np.float32)
    span = ["-ss", f"{driving.start:.6f}", "-t", f"{driving.duration:.6f}"]
    done = run(*span, *reading(driving.path), "-map", "0:a:0", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-")
    steps = len(done.stdout) // (4 * STEP)
    return np.asarray(np.abs(np.frombuffer(done.stdout, np.float32, steps * STEP)).reshape(steps, STEP).max(1))
