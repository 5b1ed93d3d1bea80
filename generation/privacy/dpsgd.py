"""DP-SGD by opacus for one small network over all flat columns, hazards included.

One loss a patient: the negative log-likelihood of every column given those before it, with all
their masks inside, so that clipping bounds a whole patient. Batches are Poisson samples (Abadi
et al., 2016, "Deep learning with differential privacy"). The network adds to noisy marginals: a
smooth tilt of a column's tokens, and for an endpoint a factor on the discrete-time hazard of
each cause and of censoring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from generation.cart_columns import EndpointCodec, FlatColumns
from generation.mixture.structure import tilt_basis
from generation.tokenizer import FloatArray, IntArray

if TYPE_CHECKING:
    import torch

HIDDEN = 8
MOST_NORM = 8.0
LEARNING_RATE = 0.02
_LAST_HAZARD = 30.0


@dataclass(frozen=True)
class Head:
    """One column's part of the network.

    Attributes
    ----------
    share
        Noisy share of each token, shape (tokens,).
    basis
        Functions of the tokens, shape (tokens, outputs): tilts, or for an endpoint the status of
        each token.
    order
        Tokens of an endpoint by day; empty for other columns.
    """

    share: FloatArray
    basis: FloatArray
    order: IntArray

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for this column."""
        return int(self.basis.shape[1])

    @property
    def hazard(self) -> FloatArray:
        """Baseline hazard on the log-survival scale, in the order of days."""
        share = self.share[self.order]
        left = share[::-1].cumsum()[::-1]
        rate = -np.log1p(-np.clip(share / left, 0.0, 1.0 - 1e-12))
        rate[-1] = _LAST_HAZARD
        return np.asarray(rate)

    def probabilities(self, outputs: FloatArray) -> FloatArray:
        """Token probabilities for the network's outputs, shape (n, tokens)."""
        effect = np.clip(outputs @ self.basis.T, -8.0, 8.0)
        if not len(self.order):
            raw = self.share * np.exp(effect)
            return np.asarray(raw / raw.sum(axis=1, keepdims=True))
        rate = self.hazard * np.exp(effect[:, self.order])
        before = np.cumsum(rate, axis=1) - rate
        found = np.empty_like(rate)
        found[:, self.order] = -np.expm1(-rate) * np.exp(-before)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def log_likelihood(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Log-probability of each patient's token of an endpoint (0 where unknown)."""
        import torch

        effect = (outputs @ torch.as_tensor(self.basis.T, dtype=outputs.dtype)).clamp(-8.0, 8.0)
        row = codes.clamp(min=0)[:, None]
        place = torch.as_tensor(np.argsort(self.order))[row]
        rate = torch.as_tensor(self.hazard, dtype=outputs.dtype) * torch.exp(
            effect[:, torch.as_tensor(self.order)]
        )
        before = torch.cumsum(rate, dim=1) - rate
        law = torch.log(-torch.expm1(-rate) + 1e-12) - before
        return torch.where(codes >= 0, law.gather(1, place)[:, 0], 0.0)


def heads_of(columns: FlatColumns, share: dict[str, FloatArray]) -> dict[str, Head]:
    """Heads of every column that is not drawn by design."""
    heads = {}
    for name in columns.order:
        codec = columns.codecs[name]
        if name in columns.by_design:
            continue
        if isinstance(codec, EndpointCodec):
            tokens = np.arange(codec.tokens)
            status = codec.status(tokens)
            basis = (status[:, None] == np.arange(len(codec.days))).astype(np.float64)
            start = np.concatenate([day.edges[1:] for day in codec.days])
            order = np.lexsort((-status, start))
        else:
            basis = tilt_basis(codec, share[name])
            order = np.zeros(0, dtype=np.int64)
        heads[name] = Head(share[name], basis, np.asarray(order, dtype=np.int64))
    return heads


@dataclass(frozen=True)
class Weights:
    """The network: a linear part and one hidden layer, from scaled inputs to all outputs.

    Shapes: first (inputs, hidden), bias (hidden,), second (hidden, outputs), skip (inputs,
    outputs), centre and spread (inputs,).
    """

    first: FloatArray
    bias: FloatArray
    second: FloatArray
    skip: FloatArray
    centre: FloatArray
    spread: FloatArray

    def outputs(self, inputs: FloatArray, columns: slice) -> FloatArray:
        """Outputs of one column from the inputs before it, shape (n, outputs of the column)."""
        known = inputs.shape[1]
        scaled = scale(inputs, self.centre[:known], self.spread[:known])
        hidden = np.tanh(scaled @ self.first[:known] + self.bias)
        return np.asarray(scaled @ self.skip[:known, columns] + hidden @ self.second[:, columns])


def scale(inputs: FloatArray, centre: FloatArray, spread: FloatArray) -> FloatArray:
    """Inputs in public or noisy units, held within 3."""
    return np.asarray(np.clip((inputs - centre) / spread, -3.0, 3.0))


def train_private(
    inputs: FloatArray,
    before: FloatArray,
    codes: list[IntArray],
    heads: list[Head],
    noise_multiplier: float,
    sample_rate: float,
    steps: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Train by DP-SGD.

    Parameters
    ----------
    inputs
        Scaled inputs, shape (n, inputs).
    before
        Which inputs each column may see, 0 or 1, shape (columns, inputs).
    codes
        Tokens of each column, -1 unknown.
    heads
        The columns' heads.
    noise_multiplier, sample_rate, steps
        Of DP-SGD; what they spend is the caller's to count.
    rng
        Source of the batches, the start and the noise's seed.

    Returns
    -------
    first, bias, second, skip
        As in :class:`Weights`.
    """
    import torch
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the problem is so small that threads cost more than they give
    start = torch.Generator().manual_seed(int(rng.integers(2**62)))
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    net = _network(inputs.shape[1], sum(head.outputs for head in heads), start)
    wrapped: Any = GradSampleModule(net, loss_reduction="sum")
    optimiser: Any = DPOptimizer(
        torch.optim.Adam(wrapped.parameters(), lr=LEARNING_RATE),
        noise_multiplier=noise_multiplier,
        max_grad_norm=MOST_NORM,
        expected_batch_size=max(1, round(sample_rate * len(inputs))),
        loss_reduction="sum",
        generator=noise,
    )
    data = torch.as_tensor(inputs, dtype=torch.float32)
    masks = torch.as_tensor(before, dtype=torch.float32)
    objective = _Objective(heads, codes)
    for _ in range(steps):
        batch = torch.as_tensor(np.flatnonzero(rng.random(len(inputs)) < sample_rate))
        optimiser.zero_grad()
        if len(batch):
            seen = (data[batch][:, None, :] * masks).requires_grad_()  # opacus' hooks ask for it
            outputs = wrapped(seen)
            torch.autograd.backward(objective.loss(outputs, batch))
        else:
            for weight in wrapped.parameters():
                weight.grad_sample = torch.zeros((0, *weight.shape))
        optimiser.step()
    torch.set_num_threads(threads)
    state = {name: value.detach().double().numpy() for name, value in net.state_dict().items()}
    return state["first.weight"].T, state["first.bias"], state["second.weight"].T, state[
        "skip.weight"
    ].T


def _network(inputs: int, outputs: int, start: torch.Generator) -> torch.nn.Module:
    """The network at its start: the noisy marginals."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(inputs, HIDDEN)
            self.second = torch.nn.Linear(HIDDEN, outputs, bias=False)
            self.skip = torch.nn.Linear(inputs, outputs, bias=False)
            with torch.no_grad():
                self.first.weight.normal_(0.0, inputs**-0.5, generator=start)
                self.first.bias.zero_()
                self.second.weight.zero_()
                self.skip.weight.zero_()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.tanh(self.first(x))
            return torch.add(self.skip(x), self.second(hidden))

    return Network()


class _Objective:
    """Summed negative log-likelihood of a batch, all columns of plain tokens at once."""

    def __init__(self, heads: list[Head], codes: list[IntArray]) -> None:
        import torch

        ends = np.cumsum([head.outputs for head in heads])
        self.mine = np.zeros((len(heads), int(ends[-1])))
        self.basis = np.zeros((len(heads), int(ends[-1]), max(len(h.share) for h in heads)))
        self.base = np.full((len(heads), self.basis.shape[2]), -1e9)
        for k, (head, end) in enumerate(zip(heads, ends, strict=True)):
            span = slice(end - head.outputs, end)
            self.mine[k, span] = 1.0
            if not len(head.order):
                self.basis[k, span, : len(head.share)] = head.basis.T
                self.base[k, : len(head.share)] = np.log(head.share)
        self.plain = np.flatnonzero([not len(head.order) for head in heads])
        self.hazards = [
            (head, slice(end - head.outputs, end), torch.as_tensor(own))
            for head, end, own in zip(heads, ends, codes, strict=True) if len(head.order)
        ]
        self.codes = torch.as_tensor(np.stack(codes, axis=1)[:, self.plain])
        self.tensors = tuple(
            torch.as_tensor(a, dtype=torch.float32)
            for a in (self.mine, self.basis[self.plain], self.base[self.plain])
        )

    def loss(self, outputs: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        """Loss of outputs (batch, columns, all outputs) for these patients."""
        import torch

        mine, basis, base = self.tensors
        own = (outputs * mine).sum(dim=1)
        total = outputs.new_zeros(())
        if len(self.plain):
            effect = torch.einsum("bo,kot->bkt", own, basis).clamp(-8.0, 8.0)
            codes = self.codes[batch]
            law = torch.log_softmax(base + effect, dim=2)
            picked = law.gather(2, codes.clamp(min=0)[:, :, None])[:, :, 0]
            total = total - torch.where(codes >= 0, picked, 0.0).sum()
        for head, span, targets in self.hazards:
            total = total - head.log_likelihood(own[:, span], targets[batch]).sum()
        return total
