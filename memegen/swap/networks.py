"""The networks of a swap: one encoder, which reads what any face does, and a decoder for each of two people.

The encoder learns from both people, so it has to write the same expression in the same way for both. What one of them
does is then drawn by the other's decoder. The design is known from the deepfakes of 2017; what makes it learn in
minutes is ours: faces aligned by landmarks, decoders that add to their person's mean face, and a code whose first
numbers are measured expressions.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Self, cast

import torch
from torch import Tensor, nn

CODE = 64  # numbers of the bottleneck; the first are the CUES
HALVINGS = 4  # of the side, from the picture to the bottleneck
CHANGE = 0.3  # how far decoders go from the mean face at first, over the range of colours


class Down(nn.Sequential):
    """Halve a map's sides: (N, inputs, H, W) to (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 5, stride=2, padding=2), nn.LeakyReLU(0.1))


class Up(nn.Sequential):
    """Double a map's sides (Shi et al. 2016): (N, inputs, H, W) to (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(2))


class Encoder(nn.Module):
    """From faces to their codes, and from codes to the maps that both decoders start from.

    Args:
        side: Of the pictures, pixels; a multiple of 16.
        width: Channels of the first map.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self._base = side >> HALVINGS
        channels = [3, *(width << level for level in range(HALVINGS))]
        self.convs = nn.Sequential(*(Down(*pair) for pair in pairwise(channels)))
        self.squeeze = nn.Linear(channels[-1] * self._base**2, CODE)
        self.spread = nn.Linear(CODE, channels[-1] * self._base**2)
        self.grow = Up(channels[-1], channels[-2])

    def forward(self, faces: Tensor) -> Tensor:
        """Encode (N, 3, side, side) in [0, 1]: (N, CODE)."""
        return self.squeeze(self.convs(faces).flatten(1))

    def unfold(self, codes: Tensor) -> Tensor:
        """Turn codes (N, CODE) into maps (N, 4 width, side / 8, side / 8)."""
        return self.grow(self.spread(codes).view(len(codes), -1, self._base, self._base))


class Decoder(nn.Module):
    """From the encoder's maps to one person's faces, (N, 4, side, side): RGB and where the face is, all about [0, 1].

    Args:
        side: Of the pictures.
        width: Channels of the last map.
    """

    mean: Tensor

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        channels = [4 * width, 2 * width, width, width]
        self.convs = nn.Sequential(*(Up(*pair) for pair in pairwise(channels)), nn.Conv2d(width, 4, 3, padding=1))
        self.register_buffer("mean", torch.zeros(1, 4, side, side))

    def forward(self, maps: Tensor) -> Tensor:
        """Decode."""
        return self.mean + CHANGE * self.convs(maps)


class Autoencoders(nn.Module):
    """The encoder with both decoders.

    Args:
        side: Of the pictures, pixels; a multiple of 16.
        width: Channels of the largest maps.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.side, self.width = side, width
        self.encoder = Encoder(side, width)
        self.decoders = nn.ModuleList(Decoder(side, width) for _ in range(2))

    @classmethod
    def shaped_like(cls, state: Mapping[str, Tensor]) -> Self:
        """Return the networks whose state this is, with its weights.

        Raises:
            KeyError: A name is missing.
            RuntimeError: Names or shapes do not fit.
        """
        networks = cls(state["decoders.0.mean"].shape[-1], len(state["encoder.convs.0.0.weight"]))
        networks.load_state_dict(state)
        return networks

    def begin_with(self, means: Sequence[Tensor]) -> None:
        """Let each decoder add to its person's mean face and mask, (1, 4, side, side) in [0, 1]."""
        for decoder, mean in zip(self.decoders, means, strict=True):
            cast(Decoder, decoder).mean.copy_(mean)

    def draw(self, codes: Tensor, who: int) -> Tensor:
        """Draw codes (N, CODE) as the person 0 or 1: (N, 4, side, side), the face and its mask."""
        return self.decoders[who](self.encoder.unfold(codes))
