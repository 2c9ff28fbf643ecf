"""How faces and keypoints move: curves over time, marks in pictures, paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.topology import Landmarks
from memegen.fomm.keypoints import Keypoints
from memegen.media.ffmpeg import reading, run
from memegen.media.video import Video
from memegen.mesh.motion import fit_pose, openings, shape_of
from memegen.preview.pages import new_figure, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from memegen.fomm.model import FommInternals

RATE, STEP = 8000, 80  # samples of sound a second that are read, and how many of them become one point of the plot
WAYS = {"yaw": "yaw (right)", "pitch": "pitch (down)", "roll": "roll (clockwise)"}
TICKS = (-1, -0.5, 0, 0.5, 1)
LINES = ("#0072b2", "#d55e00", "#009e73")  # colour-blind people can tell them apart, too (Okabe and Ito 2008)


def motion_curves(landmarks: Sequence[Landmarks]) -> dict[str, Floats]:
    """Measure a tracked face.

    Args:
        landmarks: N arrays (468, 3), pixels, as `track_face` gives them.

    Returns:
        (N,) each: "mouth" and "eyes", their openings over the distance of the outer eye corners; "yaw" (to the
        picture's right), "pitch" (down) and "roll" (clockwise) of the head in degrees.
    """
    poses = [fit_pose(face) for face in landmarks]
    # Measured with the head turned to the front, so that a nod does not look like a closing mouth.
    gaps = np.array([openings(shape_of(face, pose)) for face, pose in zip(landmarks, poses, strict=True)])
    # x points right, y down, z into the picture. The third column is where the head's own z axis points: yaw and pitch
    # turn it, roll does not. The first column is the line between the eyes: its slope in the picture is the roll.
    r = np.array([pose.rotation for pose in poses])
    yaw, pitch = np.arctan2(-r[:, 0, 2], r[:, 2, 2]), np.arcsin(np.clip(-r[:, 1, 2], -1, 1))
    turns = {"yaw": yaw, "pitch": pitch, "roll": np.arctan2(r[:, 1, 0], r[:, 0, 0])}
    # Both eyes as one curve: people rarely wink while they sing.
    return {"mouth": gaps[:, 0], "eyes": gaps[:, 1:].mean(1)} | {k: np.degrees(v) for k, v in turns.items()}


def plot_motion(landmarks: Sequence[Landmarks], driving: Video) -> Figure:
    """Plot how a singer's mouth, eyes and head move, over the sound they move to.

    Args:
        landmarks: N arrays (468, 3), pixels, of the clip's frames.
        driving: The clip.
    """
    figure = new_figure(4.4)
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
    face.set_ylabel("opening")
    head.set_ylabel("degrees")
    sound.set(ylabel="sound", yticks=[], xlabel="time in the clip, seconds", xlim=(seconds[0], seconds[-1]))
    return figure


def draw_keypoints(
    inside: FommInternals, source: Image, driving: Sequence[Image], *, frames: Sequence[int] = (0,)
) -> Figure:
    """Mark keypoints in pictures: each as its number, and as what its jacobian makes of a small circle.

    Of two radii, the coloured one is the image of (1, 0), the white one of (0, 1). Only changes of the jacobians mean
    something, so the circle is chosen to suit each picture.

    Args:
        inside: As `explain_fomm` gives it for these pictures.
        source: uint8 RGB (H, W, 3), the photo's crop.
        driving: uint8 RGB (H, W, 3), the driver's crops.
        frames: The numbers of the driving frames to draw beside the source.
    """
    labels = ["source", *(f"driving {frame}" for frame in frames)]
    figure = side_by_side(source, *(driving[frame] for frame in frames), labels=labels)
    _mark(figure.axes[0], inside.source.value[0], inside.source.jacobian[0])
    for axes, frame in zip(figure.axes[1:], frames, strict=True):
        _mark(axes, inside.driving.value[frame], inside.driving.jacobian[frame])
    return figure


def plot_keypoints(source: Keypoints[Floats], driving: Keypoints[Floats], moved: Keypoints[Floats]) -> Figure:
    """Plot the paths of a few keypoints: the driver's own and those that the photo's subject is given.

    Args:
        source: Of the photo, N = 1.
        driving: Of N driving frames.
        moved: What the photo's subject is shown with, N frames.
    """
    figure = new_figure(3.4)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, path, title in ((left, driving, "driver"), (right, moved, "photo, moved")):
        for number, line in enumerate(path.value.swapaxes(0, 1)):
            axes.plot(*line.T, color=f"C{number}", linewidth=2)
            axes.annotate(str(number), line[-1], (4, 4), textcoords="offset points")
        crosses = axes.plot(*source.value[0].T, "k+", markersize=9)
        axes.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal", xlabel="x", xticks=TICKS, yticks=TICKS)
        axes.set_title(title, fontsize="medium")
        axes.grid(alpha=0.3)
    left.set_ylabel("y")
    figure.legend(crosses, ["the photo's own"], loc="outside lower center", frameon=False)
    return figure


def _mark(axes: Axes, value: Floats, jacobian: Floats) -> None:
    """Draw keypoints, value (K, 2) in [-1, 1] and jacobian (K, 2, 2), over the picture in `axes`."""
    axes.autoscale(False)  # keypoints may lie outside; the picture keeps its place
    height, width = axes.images[0].get_size()
    half = np.array([width - 1, height - 1]) / 2  # what 1 is in pixels
    # A determinant says how much areas grow, its root how much lengths do: the typical ellipse gets a radius of 0.11.
    size = np.sqrt(np.median(np.abs(np.linalg.det(jacobian))))
    angles = np.linspace(0, 2 * np.pi, 49)
    circle = 0.11 / max(size, 1e-6) * np.stack([np.cos(angles), np.sin(angles)])
    for number, (point, local) in enumerate(zip(value, jacobian, strict=True)):
        ring, middle = (point[:, None] + local @ circle + 1).T * half, (point + 1) * half
        colour, (x, y) = f"C{number}", middle
        axes.plot(*ring.T, color=colour)
        axes.plot(*np.stack([middle, ring[0]]).T, color=colour)
        axes.plot(*np.stack([middle, ring[12]]).T, color="white")  # a quarter of the 48 steps further on
        tag = {"facecolor": colour, "linewidth": 0, "pad": 1}
        axes.text(x, y, str(number), color="white", size="small", ha="center", va="center", bbox=tag, clip_on=True)


def _loudness(driving: Video) -> Floats:
    """Read the clip's sound: the highest of each STEP samples, 0 to 1; none where it is silent."""
    if not driving.has_audio:
        return np.zeros(0, np.float32)
    span = ["-ss", f"{driving.start:.6f}", "-t", f"{driving.duration:.6f}"]
    done = run(*span, *reading(driving.path), "-map", "0:a:0", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-")
    steps = len(done.stdout) // (4 * STEP)
    return np.asarray(np.abs(np.frombuffer(done.stdout, np.float32, steps * STEP)).reshape(steps, STEP).max(1))
