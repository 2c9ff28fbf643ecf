"""The network that turns sparse keypoints into motion for every pixel, and tells what the source cannot show."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memegen.fomm.keypoints import Keypoints
from memegen.fomm.layers import AntiAliasDownsample, Hourglass, coordinate_grid, joined_heads

SPREAD = 0.02  # twice the variance of the bumps of Eq. 6; the same in all published configurations


class Motion(NamedTuple):
    """How the source moves to show a driving frame.

    Attributes:
        deformation: (N, H, W, 2) x, y in [-1, 1], where in the source each driving pixel is taken from (backward).
        occlusion_map: (N, 1, H, W) in [0, 1]; 0 where the source shows nothing of use and the generator must invent.
        masks: (N, K + 1, H, W) shares of the background (first) and of each keypoint in the motion, adding up to 1.
    """

    deformation: Tensor
    occlusion_map: Tensor
    masks: Tensor


class DenseMotion(nn.Module):
    """Dense motion of the source towards each driving frame, at a fraction of the image's resolution (Sec. 3.2).

    Args:
        hourglass: gets a heatmap and a moved image for the background and for each keypoint.
        keypoints: K.
        blur: side of the Gaussian before downsampling.
        align_corners: the convention of `grid_sample`, see `Generator`.
    """

    def __init__(self, hourglass: Hourglass, *, keypoints: int, blur: int, align_corners: bool) -> None:
        super().__init__()
        self.hourglass = hourglass
        self.mask = nn.Conv2d(hourglass.outputs, keypoints + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(hourglass.outputs, 1, 7, padding=3)
        self.down = AntiAliasDownsample(hourglass.inputs // (keypoints + 1) - 1, kernel=blur)
        self.align_corners = align_corners

    def forward(self, small: Tensor, source: Keypoints[Tensor], driving: Keypoints[Tensor]) -> Motion:
        """Combine the keypoints' motions (Eq. 7).

        Args:
            small: (1 or N, C, H, W) source image as `self.down` makes it: one for all frames, or each frame's own.
            source: keypoints of the source or the sources.
            driving: keypoints of N frames to show.

        Returns:
            `Motion` of N frames at the height and width of `small`.
        """
        height, width = small.shape[2:]
        motions = sparse_motion(source, driving, height=height, width=width)
        n, k, h, w, _ = motions.shape
        # The source as each motion alone would change it, sampled at once from one tall grid of all motions.
        grid = motions.reshape(n, k * h, w, 2)
        moved = F.grid_sample(small.expand(n, -1, -1, -1), grid, align_corners=self.align_corners)
        # The network sees, for each motion, its heatmap and then the colours of its picture.
        seen = torch.stack([_heatmaps(source, driving, like=small), *moved.reshape(n, -1, k, h, w).unbind(1)], dim=2)
        logits, occlusion = joined_heads(self.hourglass(seen.flatten(1, 2)), self.mask, self.occlusion)
        # Eq. 7: each pixel's motion is the mean of all sparse motions, weighted by masks that add up to one.
        masks = logits.softmax(dim=1)
        deformation = (masks[..., None] * motions).sum(dim=1)
        return Motion(deformation, occlusion.sigmoid(), masks)


def sparse_motion(source: Keypoints[Tensor], driving: Keypoints[Tensor], *, height: int, width: int) -> Tensor:
    """Compute every pixel's motion as each keypoint alone defines it (Eq. 4), after that of a still background.

    Returns:
        (N, K + 1, H, W, 2) x, y in [-1, 1], where in the source each driving pixel is taken from.
    """
    n = driving.value.shape[0]
    grid = coordinate_grid(height, width, like=driving.value)
    # Eq. 4: a pixel's offset from the driving keypoint, mapped by J, is its offset from the source's keypoint.
    offset = grid - driving.value[:, :, None, None]
    # Eq. 5: J leads from the driving frame to the reference pose and on to the source. `inv_ex` does not wait for GPUs.
    jacobian = source.jacobian @ torch.linalg.inv_ex(driving.jacobian).inverse
    moved = torch.einsum("nkij,nkhwj->nkhwi", jacobian, offset) + source.value[:, :, None, None]
    return torch.cat([grid.expand(n, 1, -1, -1, -1), moved], dim=1)


def _heatmaps(source: Keypoints[Tensor], driving: Keypoints[Tensor], *, like: Tensor) -> Tensor:
    """Draw where keypoints arrive minus where they leave (Eq. 6), after zeros for the background; (N, K + 1, H, W)."""
    arrives, leaves = (_gaussian(k.value, like) for k in (driving, source))
    return F.pad(arrives - leaves, (0, 0, 0, 0, 1, 0))


def _gaussian(points: Tensor, image: Tensor) -> Tensor:
    """Draw bumps of height 1 around (N, K, 2) points, of the image's height and width; (N, K, H, W)."""
    # A round bump is the product of one along x and one along y: H + W exponentials instead of H times W.
    across, down = (
        torch.exp((torch.linspace(-1, 1, size, device=points.device) - points[..., axis, None]) ** 2 / -SPREAD)
        for axis, size in enumerate((image.shape[3], image.shape[2]))
    )
    return down[..., :, None] * across[..., None, :]
