"""A baseline net whose forwards run in PyTorch on a device: for drawing on a GPU.

The forward is that of training (`Heads`), so it is written once. Its sums are in another order than
those of `network`: a token whose cumulative probability lies within rounding of its uniform may
differ from the CPU's, so bytes drawn on different kinds of device are not the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from generation.twin_model.net_settings import Shape
from generation.twin_model.network import TILE, Floats32, Network
from generation.twin_model.training import accelerator
from generation.twin_model.training_module import Heads, MlpHeads
from generation.twin_model.transformer_training import TransformerHeads

_ROWS_AT_ONCE = 128 * TILE


@dataclass(frozen=True)
class DeviceNetwork(Network):
    """A net with its weights on a device.

    Attributes
    ----------
    inner
        The same net in numpy.
    heads, held
        Its forward, and its weights there.
    """

    inner: Network
    heads: Heads
    held: dict[str, torch.Tensor]

    @classmethod
    def of(cls, network: Network, device: torch.device) -> Self:
        """Move a net's weights to a device."""
        hidden, blocks = network.size
        heads: Heads = MlpHeads(0.0)
        if network.architecture == "transformer":
            heads = TransformerHeads(network.columns, Shape(hidden, blocks, 0.0))
        held = {
            name: torch.from_numpy(np.ascontiguousarray(value)).to(device)
            for name, value in network.weights.items()
            if name != "copula"
        }
        return cls(
            network.weights, network.columns, network.copula, network,
            heads.eval().to(device), held,
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width, and blocks."""
        return self.inner.size

    def coefficients(self, tiles: Floats32, column: int) -> Floats32:
        """Each member's coefficients of one column's basis, (members, tiles, 64, heads)."""
        rows = tiles.reshape(-1, tiles.shape[-1])
        parts = [
            self._coefficients(rows[first : first + _ROWS_AT_ONCE], column)
            for first in range(0, max(len(rows), 1), _ROWS_AT_ONCE)
        ]
        found = np.concatenate(parts, axis=1)
        return found.reshape(len(found), len(tiles), TILE, -1)

    @torch.inference_mode()
    def _coefficients(self, rows: Floats32, column: int) -> Floats32:
        weights = self.held
        inputs = torch.from_numpy(np.ascontiguousarray(rows)).to(weights["skip"].device)
        found = self.heads(inputs.expand(self.members, -1, -1), weights, None)
        return np.asarray(found[..., self.columns.head_slices[column]].cpu().numpy())


class DeviceTransformer(DeviceNetwork):
    """The transformer on a device."""

    architecture: ClassVar[str] = "transformer"


def on_gpu(network: Network) -> Network:
    """Move a net to the GPU; InputError if PyTorch sees none."""
    accelerator("gpu", 0)
    return on_device(network, torch.device("cuda"))


def on_device(network: Network, device: torch.device) -> Network:
    """A net with its forwards on a device of PyTorch."""
    kind = DeviceTransformer if network.architecture == "transformer" else DeviceNetwork
    return kind.of(network, device)
