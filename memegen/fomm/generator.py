"""The network that renders: it moves the source's features and paints what the source cannot show."""

from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memegen.fomm.dense_motion import DenseMotion, Motion
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.layers import ConvBlock, DownBlock, ResBlock, State, UpBlock, Widths, block_widths


class EncodedSource(NamedTuple):
    """What a photo contributes to every frame, computed once.

    Attributes:
        features: (1, C, H/4, W/4) the encoder's output.
        small: (1, 3, H/4, W/4) the photo as the dense motion network sees it.
        keypoints: of the photo, N = 1.
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
    or their outer edges (False). The default is True because the published checkpoints were trained that way: the
    original code pins torch 1.0, which had no other convention, and its coordinate grid puts -1 and 1 on pixel centres,
    so that the identity motion leaves the source in place only with True. torch 1.3 changed the default to False:
    the original code on a newer torch shrinks the source by one pixel in 64 in every warp and adds a dark rim. False
    reproduces that.
    """

    def __init__(
        self, dense_motion: DenseMotion, *, channels: int, first: int, down: Widths, up: Widths, bottleneck: int
    ) -> None:
        super().__init__()
        self.dense_motion_network = dense_motion
        self.first = ConvBlock(channels, first, kernel=7)
        self.down_blocks = nn.ModuleList(DownBlock(i, o) for i, o in zip((first, *down), down, strict=False))
        self.up_blocks = nn.ModuleList(UpBlock(i, o) for i, o in zip((down[-1], *up), up, strict=False))
        self.bottleneck = nn.Sequential()
        for index in range(bottleneck):
            self.bottleneck.add_module(f"r{index}", ResBlock(down[-1]))
        self.final: nn.Module = nn.Conv2d(up[-1], channels, 7, padding=3)

    @classmethod
    def from_state(cls, state: State, *, align_corners: bool = True) -> Self:
        """Return the network whose state dict this is, its architecture read off names and shapes, weights loaded.

        Raises:
            KeyError: a name that every generator has is missing.
            RuntimeError: other names or shapes do not fit.
        """
        with torch.device("meta"):  # shapes alone: no memory and no time for weights that are replaced below
            network = cls(
                DenseMotion.shaped_like(state, "dense_motion_network", align_corners=align_corners),
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
        motion = self.dense_motion_network
        return int(motion.down.step << len(motion.hourglass.encoder.down_blocks))  # each block halves the size

    def set_decoder_dtype(self, dtype: torch.dtype) -> None:
        """Let everything after the warp compute in `dtype`; the source's features and the motion stay in float32."""
        for part in (self.bottleneck, self.up_blocks, self.final):
            part.to(dtype)

    def encode(self, image: Tensor, keypoints: Keypoints[Tensor]) -> EncodedSource:
        """Compute everything about the source that does not depend on the driver.

        Args:
            image: (1, C, H, W) float32 RGB in [0, 1], H and W multiples of `step`.
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
        batch = features.expand(len(field), -1, -1, -1)
        return F.grid_sample(batch, field, align_corners=self.dense_motion_network.align_corners) * occlusion

    def render(self, features: Tensor) -> Tensor:
        """Decode (N, C, H/4, W/4) features as `warp` returns them to (N, 3, H, W) float32 RGB in [0, 1]."""
        out = features.to(next(self.final.parameters()).dtype, memory_format=torch.channels_last)
        out = self.bottleneck(out)
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out).float())
