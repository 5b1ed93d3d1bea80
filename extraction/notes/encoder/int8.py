"""Eight-bit matrices for faster tagging on processors with eight-bit dot products.

Weights have a scale for every row, activations one for every batch. The second matrix of each
feed-forward part stays in float32: its inputs have outliers, and rounding them costs 3.5 points of
F1 while all others cost none.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from .base import layers_of
from .network import Network


class Int8Linear(nn.Module):
    """A linear map with eight-bit weights; inputs are rounded as they come.

    Parameters
    ----------
    linear
        The map in float32; it is not kept.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scales = (weight.abs().amax(1) / 127).clamp_min(1e-12).double()
        zeros = torch.zeros(len(weight), dtype=torch.long)
        with warnings.catch_warnings():
            # PyTorch will move these types to torchao; `can_quantise` asks whether they are there.
            warnings.filterwarnings("ignore", message="torch.quantize_per_tensor")
            rounded = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        bias = None if linear.bias is None else linear.bias.detach().float()
        # The packed form is the processor's own, so it is made anew wherever it is loaded.
        self.packed: Any = torch.ops.quantized.linear_prepack(rounded, bias)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return the map of (..., in) as (..., out)."""
        found: torch.Tensor = torch.ops.quantized.linear_dynamic(given, self.packed)
        return found


def can_quantise() -> bool:
    """Return whether this processor has eight-bit dot products, which make it pay."""
    return bool(
        hasattr(torch, "quantize_per_channel")
        and torch.cpu._is_vnni_supported()
        and "onednn" in torch.backends.quantized.supported_engines
    )


def quantise(network: Network) -> None:
    """Put eight-bit maps in the place of all matrices but the second of each feed-forward part.

    The network can then no longer be trained.
    """
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    try:
        for layer in layers_of(network.encoder):
            _replace(layer)
    finally:
        torch.backends.quantized.engine = before


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and child.in_features <= child.out_features:
            setattr(module, name, Int8Linear(child))
        else:
            _replace(child)
