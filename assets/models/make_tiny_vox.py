"""Make tiny_vox.safetensors: a First Order Motion Model for classrooms, tiny but really trained.

It has the architecture of the published checkpoints (ten keypoints with jacobians, masks, occlusion map, 256x256) with
a fiftieth of their numbers. It was trained on the first nine seconds of the bundled singer, and on the bundled portrait
moved by the mesh engine as he moves then, with four gains of expression and motion. His last three seconds were held
out. What differs from the paper, for want of time:

- The pictures are compared as pictures (L1, slopes, strength of fine detail), not through a VGG network.
- The keypoints were shown ten landmarks of the face to settle on, where the paper lets them find their own.
- The warped source alone is compared too; the occlusion map is drawn down where that is wrong, and each mask is drawn
  up at its own keypoint.
- The generator first learns to copy, and its batch norms rest from then on: batches are small.

Head, lips and chin follow the driver, a dark mouth with teeth opens, and the occlusion map closes there. The strength
of fine detail is nearly right, its place is not: wrinkles and hair are made up, with a trace of the features' grid. No
keypoint sits on an eyelid, so it never blinks. It knows two faces; others come out badly. The stages took 40 minutes
together, on one core of an AMD EPYC that other programs used as well. They ran in sittings, and the script was improved
between them: `copying` was cut short; wide mouths were drawn more often only from the fifth stage on, which compared
fine detail at full size and so drew a grid of pixels. Another run gives its like, not the same file.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memegen.animator import load_animator
from memegen.base.arrays import Image
from memegen.base.downloads import asset
from memegen.face.cropping import FaceBox, crop_face, points_box
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.tracking import crop_video, track_face
from memegen.fomm.checkpoint import slim_copy
from memegen.fomm.dense_motion import DenseMotion, Motion
from memegen.fomm.generator import Generator
from memegen.fomm.keypoint_detector import KeypointDetector
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.layers import Hourglass, coordinate_grid
from memegen.media.images import read_image
from memegen.media.video import open_video

SIDE = 256
ROOM = 320  # side of the kept crops, from which pictures of SIDE are cut with a jitter
MARGIN = 0.3125  # of the kept crops; the middle SIDE pixels are what the engine would cut
HELD_OUT = 9.0  # seconds of the singer that are trained on
MEMES = ((1.0, 1.0), (2.0, 1.0), (1.5, 2.5), (2.0, 2.0))  # gains of expression and motion: wide mouths, many poses
# Landmarks the keypoints are drawn to: eyes, nose, corners of the mouth, both lips at their inner edge, chin, ears.
HINTS = [33, 263, 1, 61, 291, 13, 14, 152, 234, 454]
LIPS, DETAILS = [5, 6], [0, 1, 3, 4, 5, 6]  # of the hints: what opens the mouth; where small things matter
DRIVEN = 3  # driving pictures for each source
TILE = 64  # side of the patches that are only copied
PATCH = 128  # side of the rendered patches; the generator is convolutional and learns the same from a part


class Stage(NamedTuple):
    """A part of the training: what is learnt, in how many steps, how fast at most, and how much fine detail counts."""

    learns: str
    steps: int
    rate: float
    inertia: float = 0.5  # Adam's first beta
    detail: float = 10


STAGES = (
    Stage("keypoints", 350, 2e-3),
    Stage("motion", 450, 2e-3),
    Stage("copying", 500, 8e-4, 0.9),
    Stage("generator", 480, 6e-4, 0.9),
    Stage("generator", 500, 6e-4, 0.9, detail=50),
    Stage("generator", 300, 5e-4, 0.9, detail=50),
)


class Face(NamedTuple):
    """Crops (N, ROOM, ROOM, 3) uint8 RGB of one face, the first with a shut mouth; its hints (N, 10, 2) in them."""

    crops: Image
    hints: np.ndarray


class Batch(NamedTuple):
    """Pictures (N, 3, SIDE, SIDE) in [0, 1], a source and DRIVEN driving pictures for each face, and their hints.

    The hints are in [-1, 1]. There is one source for every driving picture: N is that of `driving`.
    """

    source: Tensor
    driving: Tensor
    source_hints: Tensor
    driving_hints: Tensor


def cut_face(clips: Iterable[list[Image]], box: FaceBox | None = None) -> Face:
    """Follow the face through clips of one camera and keep every frame around it."""
    crops, points = [], []
    for frames in clips:
        track = track_face(frames)
        box = box or crop_video(track).square(MARGIN)
        crops += [crop_face(frame, box, margin=0, side=ROOM) for frame in frames]
        points += [(mesh[HINTS, :2] - [box.left, box.top]) * ROOM / box.width for mesh in track.landmarks]
    return Face(np.stack(crops), np.stack(points))


def read_faces() -> list[Face]:
    """Cut the singer, and the portrait as the singer moves it through the mesh engine."""
    singer = open_video(asset("templates/daisy-bell.mp4"), duration=HELD_OUT)
    portrait = read_image(asset("portrait.jpg"))
    box = points_box(face_mesh(portrait, pick_face(detect_faces(portrait)))).square(MARGIN)
    memes = (load_animator("mesh", expression=e, motion=m).animate(portrait, singer) for e, m in MEMES)
    return [cut_face([list(singer.frames())]), cut_face([[portrait] * 5, *map(list, memes)], box)]


def jitter(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw a matrix (2, 3) from a kept crop to a picture: a slight turn, growth and shift."""
    turn, growth = rng.normal(0, 4 * strength), np.exp(rng.normal(0, 0.06 * strength))
    matrix = cv2.getRotationMatrix2D((ROOM / 2, ROOM / 2), turn, growth)
    matrix[:, 2] += (SIDE - ROOM) / 2 + rng.normal(0, 8 * strength, 2)
    return np.asarray(matrix)


def draw_moments(face: Face, rng: np.random.Generator) -> tuple[list[Image], list[np.ndarray]]:
    """Draw a source and DRIVEN moments of one face, most from the same place, some as if the camera had moved."""
    # Wide mouths are rare, and the hardest to paint: they are drawn more often.
    gaps = np.linalg.norm(np.subtract(*face.hints[:, LIPS].swapaxes(0, 1)), axis=1)
    numbers = rng.choice(len(gaps), size=1 + DRIVEN, p=(gaps + gaps.mean()) / (2 * gaps.sum()))
    if rng.random() < 0.5:
        numbers[0] = 0
    first, camera = jitter(rng, 1.0), rng.random() < 0.15
    tint = np.exp(rng.normal(0, 0.05, 3)) * np.exp(rng.normal(0, 0.08))
    pictures: list[Image] = []
    hints: list[np.ndarray] = []
    for number in numbers:
        matrix = jitter(rng, 1.0) if camera and pictures else first
        picture = cv2.warpAffine(
            face.crops[number], matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        pictures.append(np.clip(picture * tint, 0, 255).astype(np.uint8))
        hints.append((face.hints[number] @ matrix[:, :2].T + matrix[:, 2]) / (SIDE - 1) * 2 - 1)
    return pictures, hints


def draw_batch(faces: list[Face], rng: np.random.Generator) -> Batch:
    """Draw a source and DRIVEN moments of every face."""
    drawn = [draw_moments(face, rng) for face in faces]
    pictures = torch.from_numpy(np.stack([p for p, _ in drawn])).movedim(-1, 2).float() / 255
    hints = torch.from_numpy(np.stack([h for _, h in drawn])).float()
    return Batch(pictures[:, 0], pictures[:, 1:].flatten(0, 1), hints[:, 0], hints[:, 1:].flatten(0, 1))


class ThinPlate:
    """Random smooth bends of the plane, one for each of N pictures, for the equivariance losses (Sec. 3.1)."""

    def __init__(self, count: int) -> None:
        self.matrix = torch.eye(2) + 0.05 * torch.randn(count, 2, 2)
        self.shift = 0.05 * torch.randn(count, 1, 2)
        self.bend = 0.005 * torch.randn(count, 25, 2)
        self.control = coordinate_grid(5, 5, like=self.bend).flatten(0, 1)

    def __call__(self, points: Tensor) -> Tensor:
        """Move points (N, M, 2)."""
        _, square, log = self._parts(points)
        return points @ self.matrix.mT + self.shift + (square * log) @ self.bend

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivatives (N, M, 2, 2) at points (N, M, 2)."""
        offset, _, log = self._parts(points)
        return self.matrix[:, None] + torch.einsum("nmk,nmkj,nki->nmij", 2 * (log + 1), offset, self.bend)

    def applied(self, image: Tensor) -> Tensor:
        """The pictures bent: each pixel shows what the picture has where the pixel is moved to."""
        coarse = coordinate_grid(32, 32, like=image).flatten(0, 1).expand(len(image), -1, -1)
        field = self(coarse).mT.reshape(-1, 2, 32, 32)
        field = F.interpolate(field, size=image.shape[2:], mode="bilinear", align_corners=True).movedim(1, -1)
        return F.grid_sample(image, field, padding_mode="reflection", align_corners=True)

    def _parts(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        offset = points[:, :, None] - self.control
        square = (offset**2).sum(-1)
        return offset, square, torch.log(square + 1e-6)


def untrained() -> tuple[KeypointDetector, Generator]:
    """The two networks, with jacobians that begin as identities."""
    down, up = (24, 48, 64, 96, 96), (96, 64, 48, 24, 16)
    detector = KeypointDetector(Hourglass(3, down=down, up=up), keypoints=10, jacobian_maps=10, blur=13)
    nn.init.zeros_(detector.jacobian.weight)
    detector.jacobian.bias.data.copy_(torch.eye(2).flatten().repeat(10))  # type: ignore[union-attr]
    # The dense motion network sees a heatmap and three colours for each of ten keypoints and the background.
    motion = DenseMotion(Hourglass(11 * 4, down=down, up=up), keypoints=10, blur=13, align_corners=True)
    generator = Generator(motion, channels=3, first=16, down=(32, 72), up=(48, 24), bottleneck=2)
    return detector.to(memory_format=torch.channels_last), generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def picture_loss(got: Tensor, want: Tensor, care: Tensor) -> Tensor:
    """L1 at four scales and of the gradients, weighted by `care` (N, 1, h, w)."""
    total = torch.zeros(())
    for _ in range(4 if got.shape[-1] >= 64 else 3):
        error = got - want
        slopes = error.diff(dim=2)[..., 1:].abs() + error.diff(dim=3)[:, :, 1:].abs()
        total = total + (care * error.abs()).mean() + (care[:, :, 1:, 1:] * slopes).mean()
        got, want, care = (F.avg_pool2d(x, 2) for x in (got, want, care))
    return total


def detail_loss(got: Tensor, want: Tensor) -> Tensor:
    """Compare how much fine detail there is around each place, wherever its lines lie: L1 alone rewards a blur."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    # At half the size: at full size a grid of single pixels would pass for detail.
    grey = (F.avg_pool2d(x.mean(1, keepdim=True), 2) for x in (got, want))
    powers = [F.avg_pool2d(F.conv2d(x, kernel) ** 2, 6, stride=2) for x in grey]
    there, wanted = ((power + 1e-5).sqrt() for power in powers)
    return (there - wanted).abs().mean()


def care_map(hints: Tensor, size: int) -> Tensor:
    """Weights (N, 1, size, size) of the loss: 1, and up to 6 near the eyes and the mouth, where the motion is."""
    grid = coordinate_grid(size, size, like=hints)
    square = ((grid - hints[:, DETAILS, None, None]) ** 2).sum(-1)
    return 1 + 5 * torch.exp(square / -0.02).amax(1, keepdim=True)


def keypoint_loss(detector: KeypointDetector, batch: Batch) -> tuple[Tensor, Keypoints[Tensor], Keypoints[Tensor]]:
    """Equivariance (of half the driving pictures) and hints; and the keypoints of both kinds of pictures."""
    pictures, half = torch.cat([batch.source, batch.driving]), len(batch.driving) // 2
    plate = ThinPlate(half)
    found = detector(torch.cat([pictures, plate.applied(pictures[-half:])]))
    sizes = [len(batch.source), len(batch.driving), half]
    source, driving, bent = (Keypoints(*part) for part in zip(*(x.split(sizes) for x in found), strict=True))
    value, jacobian = plate(bent.value), plate.jacobian(bent.value) @ bent.jacobian
    undone = torch.linalg.inv_ex(driving.jacobian[-half:]).inverse @ jacobian
    equivariance = 10 * (driving.value[-half:] - value).abs().mean() + 4 * (torch.eye(2) - undone).abs().mean()
    hints = (found.value[:-half] - torch.cat([batch.source_hints, batch.driving_hints])).abs().mean((0, 2))
    size = (found.jacobian.mean(0) - torch.eye(2)).abs().mean()  # else free: only ratios of jacobians matter
    return equivariance + 20 * (hints.mean() + hints[LIPS].mean()) + 0.3 * size, source, driving


def motion_loss(motion: Motion, small: Tensor, wanted: Tensor, driving: Keypoints[Tensor], care: Tensor) -> Tensor:
    """Reconstruction by warping alone; what the occlusion map and the masks should look like."""
    warped = F.grid_sample(small, motion.deformation, padding_mode="border", align_corners=True)
    # The map should close where the moved source is wrong: from an error of 2 % on, fully at 10 %.
    error = F.avg_pool2d((warped - wanted).detach().abs().mean(1, keepdim=True), 3, stride=1, padding=1)
    useful = ((0.1 - error) / 0.08).clamp(0, 1)
    occlusion = F.binary_cross_entropy(motion.occlusion_map.clamp(1e-4, 1 - 1e-4), useful)
    # A keypoint should rule at its own place, at least by half; nothing else keeps the softmax from using only a few.
    own = F.grid_sample(motion.masks[:, 1:], driving.value[:, :, None], align_corners=True)[..., 0]
    idle = F.relu(torch.log(0.5 / own.diagonal(dim1=1, dim2=2).clamp(1e-6))).mean()
    return 10 * picture_loss(warped, wanted, care) + occlusion + idle


def patches(maps: Tensor, corners: list[tuple[int, int]], side: int) -> Tensor:
    """Cut a square of `side` out of each of N maps."""
    return torch.stack([m[:, y : y + side, x : x + side] for m, (y, x) in zip(maps, corners, strict=True)])


def copying_loss(generator: Generator, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Reconstruction of small patches that are turned, sheared and shifted as features, and as pictures.

    It teaches the generator to keep every detail of the source through a warp. Steps are small and many.
    """
    pictures = torch.cat([batch.source, batch.driving])
    corners = [(y, x) for y, x in rng.integers(SIDE - TILE, size=(len(pictures), 2)).tolist()]
    given = patches(pictures, corners, TILE)
    turn = torch.eye(2) + 0.06 * torch.randn(len(given), 2, 2)
    shift = 3 * torch.randn(len(given), 2, 1)  # pixels
    # -1 and 1 are the centres of the outermost pixels, which for features lie further from the patch's edge.
    field, wanted_field = (
        F.affine_grid(torch.cat([turn, shift / half], 2), [len(given), 1, side, side], align_corners=True)
        for side, half in ((TILE // 4, TILE / 2 - 2), (TILE, TILE / 2 - 0.5))
    )
    wanted = F.grid_sample(given, wanted_field, mode="bicubic", align_corners=True)
    moved = F.grid_sample(encode(generator, given), field, align_corners=True)
    inner = np.s_[..., 12:-12, 12:-12]
    rendered, wanted = generator.render(moved)[inner], wanted[inner]
    return 10 * picture_loss(rendered, wanted, torch.ones_like(wanted[:, :1]))


def encode(generator: Generator, picture: Tensor) -> Tensor:
    """The generator's features of pictures."""
    features: Tensor = generator.first(picture.contiguous(memory_format=torch.channels_last))
    for block in generator.down_blocks:
        features = block(features)
    return features


def render_loss(
    generator: Generator, batch: Batch, motion: Motion, rng: np.random.Generator, *, detail: float
) -> Tensor:
    """Reconstruction of a patch of each driving picture by the generator, without the patch's outermost pixels."""
    features = encode(generator, batch.source)
    # Patches lie around a random keypoint: most of the ten are in the middle of the face.
    centres = batch.driving_hints[range(len(batch.driving)), rng.integers(10, size=len(batch.driving))].numpy()
    middle = (centres + rng.normal(0, 0.2, centres.shape) + 1) * 32 - PATCH // 8
    corners = [(y, x) for x, y in middle.clip(0, (SIDE - PATCH) // 4).astype(int).tolist()]
    warped = F.grid_sample(features.repeat_interleave(DRIVEN, 0), motion.deformation, align_corners=True)
    rendered = generator.render(patches(warped * motion.occlusion_map, corners, PATCH // 4))
    at = [(4 * y, 4 * x) for y, x in corners]
    care = F.interpolate(care_map(batch.driving_hints, 64), size=(SIDE, SIDE), mode="bilinear")
    wanted, care = (patches(x, at, PATCH) for x in (batch.driving, care))
    inner = np.s_[..., 8:-8, 8:-8]
    rendered, wanted, care = (x[inner] for x in (rendered, wanted, care))
    return 10 * picture_loss(rendered, wanted, care) + detail * detail_loss(rendered, wanted)


def batch_loss(
    detector: KeypointDetector, generator: Generator, batch: Batch, stage: Stage, rng: np.random.Generator
) -> Tensor:
    """The loss of a stage."""
    learns = stage.learns
    loss = torch.zeros(())
    if learns == "copying":
        return copying_loss(generator, batch, rng)
    if learns in ("keypoints", "motion"):
        loss, source, driving = keypoint_loss(detector, batch)
    else:
        with torch.no_grad():
            source, driving = (detector(picture) for picture in (batch.source, batch.driving))
    if learns == "keypoints":
        return loss
    network = generator.dense_motion_network
    with torch.no_grad():
        small, wanted = network.down(batch.source).repeat_interleave(DRIVEN, 0), network.down(batch.driving)
    motion: Motion = network(small, Keypoints(*(x.repeat_interleave(DRIVEN, 0) for x in source)), driving)
    loss = loss + motion_loss(motion, small, wanted, driving, care_map(batch.driving_hints, 64))
    return loss if learns == "motion" else loss + render_loss(generator, batch, motion, rng, detail=stage.detail)


def settle(generator: Generator, faces: list[Face], rng: np.random.Generator) -> None:
    """Let the batch norms measure their statistics, which then stay: in batches as small as these, they tremble."""
    generator.train()
    with torch.no_grad():
        for _ in range(40):
            copying_loss(generator, draw_batch(faces, rng), rng)
    generator.eval()


def train(detector: KeypointDetector, generator: Generator, faces: list[Face], *, out: Path) -> None:
    """Train stage by stage and write the file after each."""
    for number, stage in enumerate(STAGES):
        rng = np.random.default_rng(number)
        torch.manual_seed(number)
        detector.train(stage.learns in ("keypoints", "motion"))
        generator.train(stage.learns == "motion")
        if stage.learns == "copying":
            settle(generator, faces, rng)
        parameters = [*detector.parameters(), *generator.parameters()]
        optimiser = torch.optim.Adam(parameters, betas=(stage.inertia, 0.999))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, stage.rate, total_steps=stage.steps)
        start = time.monotonic()
        for step in range(stage.steps):
            shown = [faces[step % 2]] if stage.learns == "generator" else faces  # in turn where the batch norms rest
            loss = batch_loss(detector, generator, draw_batch(shown, rng), stage, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 10.0)
            optimiser.step()
            schedule.step()
            if step % 50 == 0:
                print(f"{stage}: step {step}, loss {loss.item():.3f}, {time.monotonic() - start:.0f} s", flush=True)
                slim_copy({"kp_detector": detector.state_dict(), "generator": generator.state_dict()}, out)
        slim_copy({"kp_detector": detector.state_dict(), "generator": generator.state_dict()}, out)


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(__file__).with_name("tiny_vox.safetensors")
    torch.manual_seed(0)
    train(*untrained(), read_faces(), out=out)
    print(f"Wrote {out}.")
