"""The network that finds an object's keypoints and the local affine map around each (Sec. 3.1 of the paper)."""

from typing import Self

import torch
from torch import Tensor, nn

from memegen.fomm.keypoints import Keypoints
from memegen.fomm.layers import AntiAliasDownsample, Hourglass, State, coordinate_grid, joined_heads

TEMPERATURE = 0.1  # of the softmax over a heatmap; the same in all published configurations


class KeypointDetector(nn.Module):
    """Keypoints of images, learned without labels.

    Args:
        predictor: computes features of the image at a fraction of its resolution.
        keypoints: K, how many to find.
        jacobian_maps: K, or 1 where all keypoints read their jacobian from the same maps.
        blur: side of the Gaussian before downsampling.
    """

    def __init__(self, predictor: Hourglass, *, keypoints: int, jacobian_maps: int, blur: int) -> None:
        super().__init__()
        self.predictor = predictor
        self.kp = nn.Conv2d(predictor.outputs, keypoints, 7)
        self.jacobian = nn.Conv2d(predictor.outputs, 4 * jacobian_maps, 7)
        self.down = AntiAliasDownsample(predictor.inputs, kernel=blur)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the network whose state dict this is, its architecture read off names and shapes, weights loaded.

        Raises:
            KeyError: a name that every keypoint detector has is missing.
            RuntimeError: other names or shapes do not fit.
        """
        with torch.device("meta"):  # shapes alone: no memory and no time for weights that are replaced below
            network = cls(
                Hourglass.shaped_like(state, "predictor"),
                keypoints=state["kp.weight"].shape[0],
                jacobian_maps=state["jacobian.weight"].shape[0] // 4,
                blur=state["down.weight"].shape[-1],
            )
        network.load_state_dict(state, strict=True, assign=True)
        return network.float().eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Keypoints[Tensor]:
        """Find keypoints.

        Args:
            image: (N, C, H, W) float32 RGB in [0, 1].

        Returns:
            `Keypoints` of N frames.
        """
        logits, jacobians = joined_heads(self.predictor(self.down(image)), self.kp, self.jacobian)
        n, k, h, w = logits.shape
        # A softmax over all pixels makes each keypoint's logits a heatmap; the keypoint is the mean position under it.
        heatmap = (logits.flatten(2) / TEMPERATURE).softmax(dim=2)
        value = heatmap @ coordinate_grid(h, w, like=heatmap).flatten(0, 1)
        # Its jacobian is the mean of four maps, one for each entry of the matrix, under the same heatmap.
        maps = jacobians.reshape(n, -1, 4, h * w).expand(n, k, 4, h * w)
        jacobian = (maps @ heatmap[..., None]).reshape(n, k, 2, 2)
        return Keypoints(value, jacobian)
