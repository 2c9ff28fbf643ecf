"""The network that renders: it moves the source's features and paints what the source cannot show."""

from collections import OrderedDict
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memegen.fomm.dense_motion import DenseMotion, Motion
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.layers import ConvBlock, DownBlock, Hourglass, ResBlock, State, UpBlock, Widths, block_widths


class EncodedSource(NamedTuple):
    """What a photo contributes to every frame, computed once; or what N sources contribute to a frame each.

    Attributes:
        features: (1 or N, C, H/4, W/4) the encoder's output.
        small: (1 or N, 3, H/4, W/4) the photo as the dense motion network sees it.
        keypoints: of the photo, N = 1, or of each source.
    """

    features: Tensor
    small: Tensor
    keypoints: Keypoints[Tensor]


class Generator(nn.Module):
    """Occlusion-aware generator (Sec. 3.2): encode the source, warp and mask its features (Eq. 8), decode.

    Args:
        dense_motion: the network that computes the motion of every pixel.
        channels: of the image.
        first: channels after the first convolution.
        down: widths of the blocks that follow it.
        up: widths of the decoder's blocks.
        bottleneck: number of residual blocks between them.

    `align_corners` of `from_state` sets what -1 and 1 mean to `grid_sample`: the centres of the outermost pixels (True)
    or their outer edges (False). The published checkpoints were trained with True, the only convention of torch 1.0,
    and only with it does the identity motion leave the source in place. torch 1.3 changed the default to False, with
    which the original code shrinks the source by one pixel in 64 in every warp and adds a dark rim.
    """

    def __init__(
        self, dense_motion: DenseMotion, *, channels: int, first: int, down: Widths, up: Widths, bottleneck: int
    ) -> None:
        super().__init__()
        self.dense_motion_network = dense_motion
        self.first = ConvBlock(channels, first, kernel=7)
        self.down_blocks = nn.ModuleList(map(DownBlock, (first, *down), down))
        self.up_blocks = nn.ModuleList(map(UpBlock, (down[-1], *up), up))
        self.bottleneck = nn.Sequential(OrderedDict((f"r{index}", ResBlock(down[-1])) for index in range(bottleneck)))
        self.final: nn.Module = nn.Conv2d(up[-1], channels, 7, padding=3)

    @classmethod
    def from_state(cls, state: State, *, align_corners: bool = True) -> Self:
        """Return the network whose state dict this is, its architecture read off names and shapes, weights loaded.

        Raises:
            KeyError: a name that every generator has is missing.
            RuntimeError: other names or shapes do not fit.
        """
        with torch.device("meta"):  # shapes alone: no memory and no time for weights that are replaced below
            motion = DenseMotion(
                Hourglass.shaped_like(state, "dense_motion_network.hourglass"),
                keypoints=state["dense_motion_network.mask.weight"].shape[0] - 1,
                blur=state["dense_motion_network.down.weight"].shape[-1],
                align_corners=align_corners,
            )
            network = cls(
                motion,
                channels=state["final.weight"].shape[0],
                first=state["first.conv.weight"].shape[0],
                down=block_widths(state, "down_blocks"),
                up=block_widths(state, "up_blocks"),
                bottleneck=sum(name.endswith(".conv1.weight") for name in state),
            )
        network.load_state_dict(state, strict=True, assign=True)
        return network.float().eval().requires_grad_(False)

    @property
    def step(self) -> int:
        """What an image's height and width must be multiples of."""
        return self.dense_motion_network.down.step * self.dense_motion_network.hourglass.step

    def set_decoder_dtype(self, dtype: torch.dtype) -> None:
        """Let everything after the warp compute in `dtype`; the source's features and the motion stay in float32."""
        for part in (self.bottleneck, self.up_blocks, self.final):
            part.to(dtype)

    def encode(self, image: Tensor, keypoints: Keypoints[Tensor]) -> EncodedSource:
        """Compute everything about the source that does not depend on the driver.

        Args:
            image: (1 or N, C, H, W) float32 RGB in [0, 1], H and W multiples of `step`.
            keypoints: of that image.
        """
        features = self.first(image)
        for block in self.down_blocks:
            features = block(features)
        return EncodedSource(features, self.dense_motion_network.down(image), keypoints)

    def warp(self, features: Tensor, motion: Motion) -> Tensor:
        """Move the source's features for N frames and fade the occluded ones (Eq. 8), in float32."""
        size = features.shape[2:]
        field, occlusion = motion.deformation, motion.occlusion_map
        # The motion was computed for 1/4 of the image's size; checkpoints with other blocks have features of another.
        if field.shape[1:3] != size:
            field = F.interpolate(field.movedim(-1, 1), size=size, mode="bilinear").movedim(1, -1)
            occlusion = F.interpolate(occlusion, size=size, mode="bilinear")
        # Eq. 8: the features move, then fade where the source shows nothing of use and the decoder must invent.
        batch = features.expand(len(field), -1, -1, -1)
        return F.grid_sample(batch, field, align_corners=self.dense_motion_network.align_corners) * occlusion

    def render(self, features: Tensor) -> Tensor:
        """Decode (N, C, H/4, W/4) features as `warp` returns them to (N, 3, H, W) float32 RGB in [0, 1]."""
        dtype = next(self.final.parameters()).dtype
        out = self.bottleneck(features.to(dtype, memory_format=torch.channels_last))
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out).float())
