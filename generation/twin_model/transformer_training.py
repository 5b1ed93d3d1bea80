"""The column-token transformer in PyTorch: its forward for training, and its first weights."""

from __future__ import annotations

import torch
from torch.nn import functional

from generation.randomness import integer_seed
from generation.twin_model.columns import BaselineColumns
from generation.twin_model.net_settings import Shape
from generation.twin_model.training_module import Heads, dropped, uniform_weights
from generation.twin_model.transformer import HEADS, TokenLayout

_WIDER = 2


class TransformerHeads(Heads):
    """`TransformerNetwork.coefficients` for all columns at once, on any device."""

    inputs: torch.Tensor
    known: torch.Tensor
    outputs: torch.Tensor

    def __init__(self, columns: BaselineColumns, shape: Shape) -> None:
        super().__init__()
        layout = TokenLayout.of(columns)
        self.dropout, self.layers = shape.dropout, shape.blocks
        for name in ("inputs", "known", "outputs"):
            table = torch.from_numpy(getattr(layout, name))
            self.register_buffer(name, table, persistent=False)

    def forward(
        self, x: torch.Tensor, w: dict[str, torch.Tensor], noise: torch.Generator | None
    ) -> torch.Tensor:
        """Coefficients of all columns' bases, (members, n, heads); dropout where there is noise."""
        members, n, _ = x.shape
        hidden = self._tokens(x, w).reshape(members, -1, w["column"].shape[-1])
        for k in range(self.layers):
            inner = self._attended(_normed(hidden, w, 2 * k), w, k, n)
            hidden = hidden + dropped(inner, noise, self.dropout)
            inner = _dense(_normed(hidden, w, 2 * k + 1), w, "up", k)
            inner = _dense(functional.gelu(inner, approximate="tanh"), w, "down", k)
            hidden = hidden + dropped(inner, noise, self.dropout)
        last = _normed(hidden, w, 2 * self.layers).reshape(members, n, len(self.known), -1)
        found = torch.einsum("mncd,mcdh->mnch", last, w["head"]).reshape(members, n, -1)
        return found[..., self.outputs] + w["head_bias"] + torch.bmm(x, w["skip"])

    def _tokens(self, x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
        """Tokens of all columns, shape (members, n, C, width)."""
        blocks = functional.pad(x, (0, 1))[..., self.inputs]
        tokens = torch.einsum("mnci,mcid->mncd", blocks, w["enter"]) + w["column"].unsqueeze(1)
        unknown = 1 - x[..., self.known].unsqueeze(-1)
        return tokens + unknown * w["mask"][:, None, None]

    def _attended(
        self, seen: torch.Tensor, w: dict[str, torch.Tensor], k: int, n: int
    ) -> torch.Tensor:
        """What each token takes from the others of its patient."""
        members, _, width = seen.shape
        parts = _dense(seen, w, "attend", k).reshape(
            members * n, len(self.known), 3, HEADS, width // HEADS
        )
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        joined = functional.scaled_dot_product_attention(query, key, value)
        return _dense(joined.transpose(1, 2).reshape(members, -1, width), w, "join", k)


def first_transformer_weights(
    columns: BaselineColumns, members: int, shape: Shape, seed: int
) -> dict[str, torch.Tensor]:
    """Random first weights; the skip starts at zero, heads and branches are small."""
    init = torch.Generator().manual_seed(integer_seed(seed, "twin weights"))
    layout, width, layers = TokenLayout.of(columns), shape.hidden, shape.blocks
    count, widest = layout.inputs.shape
    heads, inner = len(layout.outputs), _WIDER * width
    small = float(2 * layers) ** -0.5
    return {
        "enter": uniform_weights((members, count, widest, width), 3 + columns.curves, init),
        "column": uniform_weights((members, count, width), 4, init),
        "mask": uniform_weights((members, width), 4, init),
        "norm": torch.ones(members, 1, 2 * layers + 1, width),
        "norm_bias": torch.zeros(members, 1, 2 * layers + 1, width),
        "attend": uniform_weights((members, layers, width, 3 * width), width, init),
        "attend_bias": torch.zeros(members, 1, layers, 3 * width),
        "join": small * uniform_weights((members, layers, width, width), width, init),
        "join_bias": torch.zeros(members, 1, layers, width),
        "up": uniform_weights((members, layers, width, inner), width, init),
        "up_bias": torch.zeros(members, 1, layers, inner),
        "down": small * uniform_weights((members, layers, inner, width), inner, init),
        "down_bias": torch.zeros(members, 1, layers, width),
        "head": 0.1 * uniform_weights((members, count, width, layout.most), width, init),
        "head_bias": torch.zeros(members, 1, heads),
        "skip": torch.zeros(members, columns.input_width, heads),
    }


def _normed(hidden: torch.Tensor, w: dict[str, torch.Tensor], k: int) -> torch.Tensor:
    inner = functional.layer_norm(hidden, (hidden.shape[-1],))
    return inner * w["norm"][:, :, k] + w["norm_bias"][:, :, k]


def _dense(
    inner: torch.Tensor, w: dict[str, torch.Tensor], name: str, k: int
) -> torch.Tensor:
    return torch.baddbmm(w[f"{name}_bias"][:, :, k], inner, w[name][:, k])
