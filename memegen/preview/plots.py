"""How faces and keypoints move, and what the networks compute on the way to a frame, as figures.

Images are uint8 RGB (H, W, 3); masks, motions and features have the shapes of `FommInternals`, for a single frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.pose import fit_pose, openings, shape_of
from memegen.face.topology import Landmarks
from memegen.media.ffmpeg import reading, run
from memegen.media.video import Video
from memegen.preview.fields import flow_to_rgb, flow_wheel, movement, warp
from memegen.preview.pages import SPAN, new_figure, page, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from memegen.fomm.model import FommInternals

RATE, STEP = 8000, 80  # samples of sound a second that are read, and how many of them become one point of the plot
LABELS = {"yaw": "yaw (right)", "pitch": "pitch (down)", "roll": "roll (clockwise)"}
LINES = ("#0072b2", "#d55e00", "#009e73")  # colour-blind people can tell them apart (Okabe and Ito 2008)
TICKS = (-1, -0.5, 0, 0.5, 1)
ARROWS = 20  # along the longer side of a picture


def motion_curves(landmarks: Sequence[Landmarks]) -> dict[str, Floats]:
    """Measure a tracked face.

    Args:
        landmarks: N arrays (478, 3), pixels, as `track_face` gives them.

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
    """Plot how a singer's eyes, head and mouth move, with the sound right below the mouth.

    Args:
        landmarks: N arrays (478, 3), pixels, of the clip's frames.
        driving: The clip.
    """
    figure = new_figure(5.6)
    eyes, head, mouth, sound = figure.subplots(4, sharex=True, height_ratios=[2, 3, 3, 2])
    curves = motion_curves(landmarks)
    seconds = driving.start + np.arange(len(landmarks)) / float(driving.fps)
    # The eyes have an axis of their own: a blink is tiny beside what a mouth does.
    for axes, names in ((eyes, ("eyes",)), (head, ("yaw", "pitch", "roll")), (mouth, ("mouth",))):
        for name, colour in zip(names, LINES, strict=False):
            axes.plot(seconds, curves[name], color=colour, label=LABELS.get(name, name), linewidth=2)
        axes.grid(alpha=0.3)
    head.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=3, frameon=False)
    for axes in (eyes, mouth):
        axes.set_ylim(0, 1.15 * max(axes.lines[0].get_ydata()))  # from 0, which is shut
    samples = np.abs(_samples(driving))
    loud = samples[: len(samples) // STEP * STEP].reshape(-1, STEP).max(1)  # the highest of each STEP samples
    sound.fill_between(driving.start + np.arange(len(loud)) * STEP / RATE, -loud, loud, color="#666666", linewidth=0)
    for axes, label in ((eyes, "eyes open"), (head, "head, degrees"), (mouth, "mouth open"), (sound, "sound")):
        axes.set_ylabel(label)
    figure.align_ylabels()
    sound.set(yticks=[], xlabel="time in the clip, seconds", xlim=(seconds[0], seconds[-1]))
    return figure


def agreement(landmarks: Sequence[Landmarks], driving: Video) -> float:
    """Measure how well a singer's mouth follows the loudness of the sound, frame by frame.

    Args:
        landmarks: N arrays (478, 3), pixels, of the clip's frames.
        driving: The clip.

    Returns:
        Pearson's correlation of the mouth's opening with the loudness: 1 if both always rise and fall together, 0 if
        they have nothing to do with each other; 0 for a silent clip.
    """
    ends = np.round(np.arange(len(landmarks) + 1) * RATE / float(driving.fps)).astype(int)
    samples = np.append(_samples(driving), np.zeros(ends[-1]))[: ends[-1]]
    # The loudness of a frame is the root mean square of the sound while it is seen.
    power = np.add.reduceat(samples.astype(np.float64) ** 2, ends[:-1]) / np.diff(ends)
    if not power.any():
        return 0.0
    return float(np.corrcoef(motion_curves(landmarks)["mouth"], np.sqrt(power))[0, 1])


def change_map(frames: Video | Iterable[Image]) -> Floats:
    """Measure how much each pixel of a clip changes in time: what is dark stands still.

    Args:
        frames: A clip, or uint8 RGB frames (H, W, 3).

    Returns:
        (H, W): the mean difference between the brightness of a frame and the next, in grey levels; of it the square
        root, so that a camera's faint noise shows beside a moving head.
    """
    total, count, before = np.zeros(()), 0, None
    for frame in frames.frames() if isinstance(frames, Video) else frames:
        grey = frame.mean(2)
        if before is not None:
            total, count = total + np.abs(grey - before), count + 1
        before = grey
    return np.asarray(np.sqrt(total / max(count, 1)))


def draw_keypoints(
    inside: FommInternals, source: Image, driving: Sequence[Image], *, frames: Sequence[int] = (0,)
) -> Figure:
    """Mark keypoints in pictures: each as its number, and as what its jacobian makes of a small circle.

    Of two radii, the coloured one is the image of (1, 0), the white one of (0, 1).

    Args:
        inside: As `FommModel.explain` returns it for these crops.
        source: The photo's crop.
        driving: The driver's crops.
        frames: The numbers of the driving frames to draw beside the source.
    """
    labels = ["source", *(f"driving {frame}" for frame in frames)]
    figure = side_by_side(source, *(driving[frame] for frame in frames), labels=labels)
    found = [(inside.source, 0), *((inside.driving, frame) for frame in frames)]
    for axes, (keypoints, frame) in zip(figure.axes, found, strict=True):
        _mark(axes, keypoints.value[frame], keypoints.jacobian[frame])
    return figure


def plot_keypoints(inside: FommInternals) -> Figure:
    """Plot the paths of the keypoints: the driver's own, and those that the photo's subject is given."""
    figure = new_figure(3.4)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, path, title in ((left, inside.driving, "driver"), (right, inside.moved, "photo, moved")):
        for number, line in enumerate(path.value.swapaxes(0, 1)):
            axes.plot(*line.T, color=f"C{number}", linewidth=2)
            axes.annotate(str(number), line[-1], (4, 4), textcoords="offset points")
        crosses = axes.plot(*inside.source.value[0].T, "k+", markersize=9)
        axes.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal", xlabel="x", xticks=TICKS, yticks=TICKS)
        axes.set_title(title, fontsize="medium")
        axes.grid(alpha=0.3)
    left.set_ylabel("y")
    figure.legend(crosses, ["the photo's own"], loc="outside lower center", frameon=False)
    return figure


def draw_deformation(image: Image, deformation: Floats) -> Figure:
    """Draw how an image is moved, as in `warp`: as arrows, as colours with their legend, and what it makes of it."""
    dark, flow = np.asarray(image * 0.6, np.uint8), movement(deformation)
    pictures = dark, flow_to_rgb(flow), flow_wheel(), warp(image, deformation)
    figure = page(pictures, ["arrows", "colours", "legend of the colours", "moved"], columns=2)
    # An arrow's tip is where the content is now.
    step = max(1, round(max(flow.shape) / ARROWS))
    x, y = np.meshgrid(*(np.linspace(-1, 1, size)[step // 2 :: step] for size in flow.shape[1::-1]))
    u, v = np.moveaxis(flow[step // 2 :: step, step // 2 :: step], -1, 0)
    look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "pivot": "tip", "width": 0.006}
    figure.axes[0].quiver(x, y, u, v, color="#ffd60a", **look)
    return figure


def draw_masks(image: Image, masks: Floats) -> Figure:
    """Lay masks (K + 1, h, w), the background's first, over the frame that is made: bright is where a motion counts."""
    grey = np.repeat(image.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    figure = page([grey] * len(masks), _names(len(masks)), columns=4)
    for axes, mask in zip(figure.axes, masks, strict=False):
        shown = axes.imshow(mask, cmap="inferno", vmin=0, vmax=1, extent=SPAN, aspect=axes.get_aspect())
        shown.set_alpha(0.75 * mask)  # the picture shows through, alone where the mask is 0
    return figure


def draw_sparse_motions(image: Image, motions: Floats) -> Figure:
    """Lay out what the source becomes by each sparse motion (K + 1, h, w, 2) alone, the background's first."""
    return page([warp(image, motion) for motion in motions], _names(len(motions)), columns=4)


def draw_features(features: Floats, moved: Floats, *, count: int = 4) -> Figure:
    """Lay out channels of a network's features, those that vary most first, and below each the same channel moved.

    Args:
        features: (C, h, w). They decide on the channels and on their shades of grey.
        moved: (C, h, w), the same after warping and fading.
        count: How many channels at most.
    """
    order = np.argsort(-features.std((1, 2)))[:count]
    # Without the darkest and brightest 1 %, so that a single wild value does not make the rest grey.
    low, high = np.percentile(features[order], [1, 99], axis=(1, 2))[..., None, None]
    grey = [np.clip((maps[order] - low) / np.maximum(high - low, 1e-9), 0, 1) for maps in (features, moved)]
    labels = [f"channel {channel}" for channel in order] + [f"{channel}, moved" for channel in order]
    return page([np.dstack([shade] * 3) for shade in np.concatenate(grey)], labels, columns=len(order))


def _mark(axes: Axes, value: Floats, jacobian: Floats) -> None:
    """Draw keypoints, value (K, 2) in [-1, 1] and jacobian (K, 2, 2), over the picture in `axes`."""
    axes.autoscale(False)  # keypoints may lie outside; the picture keeps its place
    # Only changes of jacobians mean something, so the typical ellipse gets a radius of 0.11. A determinant says how
    # much areas grow, its root how much lengths do.
    size = np.sqrt(np.median(np.abs(np.linalg.det(jacobian))))
    angles = np.linspace(0, 2 * np.pi, 49)
    circle = 0.11 / max(size, 1e-6) * np.stack([np.cos(angles), np.sin(angles)])
    for number, (point, local) in enumerate(zip(value, jacobian, strict=True)):
        ring, colour = point + (local @ circle).T, f"C{number}"
        axes.plot(*ring.T, color=colour)
        axes.plot(*zip(point, ring[0], strict=True), color=colour)
        axes.plot(*zip(point, ring[12], strict=True), color="white")  # a quarter of the 48 steps further on
        tag = {"facecolor": colour, "linewidth": 0, "pad": 1}
        axes.annotate(str(number), point, color="white", size="small", ha="center", va="center", bbox=tag)


def _samples(driving: Video) -> Floats:
    """Read the clip's sound: RATE samples a second, -1 to 1; none where it is silent."""
    if not driving.has_audio:
        return np.zeros(0, np.float32)
    span = ["-ss", f"{driving.start:.6f}", "-t", f"{driving.duration:.6f}"]
    done = run(*span, *reading(driving.path), "-map", "0:a:0", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-")
    return np.frombuffer(done.stdout, np.float32)


def _names(count: int) -> list[str]:
    return ["background", *(f"keypoint {number}" for number in range(count - 1))]
