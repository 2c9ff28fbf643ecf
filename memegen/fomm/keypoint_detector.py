"""The network that finds an object's keypoints and the local affine map around each (Sec. 3.1 of the paper)."""

from typing import Self

import torch
from torch import Tensor, nn

from memegen.fomm.keypoints import Keypoints
from memegen.fomm.layers import (
    AntiAliasDownsample,
    Hourglass,
    State,
    Widths,
    block_widths,
    coordinate_grid,
    joined_heads,
)

TEMPERATURE = 0.1  # of the softmax over a heatmap; the same in all published configurations


class KeypointDetector(nn.Module):
    """Keypoints of images, learned without labels.

    Args:
        channels: of the image.
        down: widths of the hourglass's encoder, finest first.
        up: widths of its decoder, coarsest first.
        keypoints: K, how many to find.
        jacobian_maps: K, or 1 where all keypoints read their jacobian from the same maps.
        blur: side of the Gaussian before downsampling.
    """

    def __init__(
        self,
        *,
        channels: int,
        down: Widths,
        up: Widths,
        keypoints: int,
        jacobian_maps: int,
        blur: int,
    ) -> None:
        super().__init__()
        self.predictor = Hourglass(channels, down=down, up=up)
        self.kp = nn.Conv2d(self.predictor.outputs, keypoints, 7)
        self.jacobian = nn.Conv2d(self.predictor.outputs, 4 * jacobian_maps, 7)
        self.down = AntiAliasDownsample(channels, kernel=blur)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The network whose state dict this is, its architecture read off names and shapes, weights loaded.

        Raises:
            KeyError: a name that every keypoint detector has is missing.
            RuntimeError: other names or shapes do not fit.
        """
        with torch.device("meta"):  # no numbers before the real ones
            network = cls(
                channels=state["down.weight"].shape[0],
                down=block_widths(state, "predictor.encoder.down_blocks"),
                up=block_widths(state, "predictor.decoder.up_blocks"),
                keypoints=state["kp.weight"].shape[0],
                jacobian_maps=state["jacobian.weight"].shape[0] // 4,
                blur=state["down.weight"].shape[-1],
            )
        network.load_state_dict(state, strict=True, assign=True)
        return network.float().eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Keypoints[Tensor]:
        """Find keypoints.

        Each keypoint is the mean position under its heatmap, a softmax over all pixels; its jacobian is the mean of the
        jacobian maps under the same heatmap.

        Args:
            image: (N, C, H, W) float32 RGB in [0, 1].

        Returns:
            `Keypoints` of N frames.
        """
        logits, jacobians = joined_heads(self.predictor(self.down(image)), self.kp, self.jacobian, padded=False)
        n, k, h, w = logits.shape
        heatmap = (logits.flatten(2) / TEMPERATURE).softmax(dim=2)
        value = heatmap @ coordinate_grid(h, w, like=heatmap).flatten(0, 1)
        maps = jacobians.reshape(n, -1, 4, h * w).expand(n, k, 4, h * w)
        jacobian = (maps @ heatmap[..., None]).reshape(n, k, 2, 2)
        return Keypoints(value, jacobian)
