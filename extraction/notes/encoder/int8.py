"""Eight-bit matrices for faster tagging on processors with eight-bit dot products.

Weights have a scale for every row. Inputs have one range for every matrix, measured once on texts
of the training and stored with the weights, so that what is found in a text does not depend on the
texts beside it. It costs no F1 (BC5CDR: .859 against .857 in float32).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from .base import layers_of
from .network import Network

Ranges = dict[str, tuple[float, float]]


class Int8Linear(nn.Module):
    """A linear map with eight-bit weights and inputs; it gives float32.

    Parameters
    ----------
    linear
        The map in float32; it is not kept.
    low, high
        Range of the inputs; what lies outside is taken as its edge.
    """

    def __init__(self, linear: nn.Linear, low: float, high: float) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        low, high = min(low, 0.0), max(high, 0.0)
        self.step = max((high - low) / 255, 1e-12)
        self.zero = round(-low / self.step)
        self.scales = (weight.abs().amax(1) / 127).clamp_min(1e-12)
        self.shift = torch.tensor(self.zero + 0.5)  # what follows cuts, so it rounds by the half
        self.zeros = torch.zeros(len(weight), dtype=torch.int32)
        rounded = (weight / self.scales[:, None]).round().to(torch.int8)
        # The packed form is the processor's own, so it is made anew wherever it is loaded.
        self.packed: torch.Tensor = torch.ops.onednn.qlinear_prepack(rounded, None)
        self.bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return the map of (..., in) as (..., out)."""
        shifted = torch.add(self.shift, given, alpha=1 / self.step)
        coded = shifted.clamp_(0, 255).to(torch.uint8)
        found: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            coded, self.step, self.zero, self.packed, self.scales, self.zeros, self.bias, 1.0, 0,
            torch.float32, "none", [], "",
        )  # fmt: skip
        return found


def can_quantise() -> bool:
    """Return whether this processor has eight-bit dot products, which make it pay."""
    return bool(torch.cpu._is_vnni_supported() and hasattr(torch.ops.onednn, "qlinear_pointwise"))


def quantised_maps(network: Network) -> dict[str, nn.Linear]:
    """Return the maps of an encoder's layers by name."""
    return {
        f"{place}.{name}": module
        for place, layer in enumerate(layers_of(network.encoder))
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    }


@contextmanager
def measured(network: Network) -> Iterator[Ranges]:
    """Give the ranges of the inputs of all that runs through a network meanwhile, by map."""
    ranges: Ranges = {}

    def watch(name: str, given: torch.Tensor) -> None:
        low, high = ranges.get(name, (0.0, 0.0))
        ranges[name] = (min(low, float(given.min())), max(high, float(given.max())))

    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: watch(name, args[0]))
        for name, module in quantised_maps(network).items()
    ]
    try:
        yield ranges
    finally:
        for hook in hooks:
            hook.remove()


def quantise(network: Network, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Put eight-bit maps in the place of those whose range of inputs is known.

    The network can then no longer be trained.
    """
    for name, linear in quantised_maps(network).items():
        if name not in ranges:
            continue
        place, _, path = name.partition(".")
        parent, _, own = path.rpartition(".")
        layer = layers_of(network.encoder)[int(place)]
        setattr(layer.get_submodule(parent), own, Int8Linear(linear, *ranges[name]))
