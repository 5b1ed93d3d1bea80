"""The loss of whole tag sequences: a linear-chain conditional random field (Lafferty et al. 2001).

Sequences that break the rules of the marks have no share in the sum over all, so that training and
decoding agree on what is possible.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor

_NEVER = -1e4
_BEGIN, _INSIDE, _END, _SINGLE = range(4)


def sequence_loss(transitions: Tensor, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
    """Return minus the log probability of the tags, summed over sequences.

    Parameters
    ----------
    transitions
        (labels + 2, labels + 1); see `decoding.best_tags`.
    scores
        (sequences, words, tags).
    tags
        (sequences, words); what lies beyond a sequence's length does not matter.
    lengths
        (sequences,).
    """
    given = _way(transitions, scores, tags, lengths)
    return (_all_ways(transitions, scores, lengths) - given).sum()


def _way(transitions: Tensor, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
    """Score of the given tags."""
    n, words, _ = scores.shape
    real = torch.arange(words)[None] < lengths[:, None]
    own = scores.gather(2, tags[:, :, None])[:, :, 0]
    state = torch.where(tags > 0, (tags - 1) // 4 + 1, 0)
    mark = torch.where(tags > 0, (tags - 1) % 4, _SINGLE)
    first = torch.full((n, 1), len(transitions) - 1)
    entered = transitions[torch.cat([first, state[:, :-1]], 1), state]
    opens = (mark == _BEGIN) | (mark == _SINGLE)
    return ((own + entered * opens) * real).sum(1)


def _all_ways(transitions: Tensor, scores: Tensor, lengths: Tensor) -> Tensor:
    """Log of the sum over all sequences that keep the rules (forward algorithm)."""
    n, words, tags = scores.shape
    labels = (tags - 1) // 4
    outside, marks = scores[:, :, 0], scores[:, :, 1:].reshape(n, words, labels, 4)
    weights = transitions.exp()
    never = scores.new_full((n, labels + 1), _NEVER)
    closed = torch.cat([never, scores.new_zeros((n, 1))], 1)
    opened = never[:, 1:]
    found = scores.new_zeros(n)
    for place in range(words):
        top = closed.amax(1, keepdim=True).detach()
        enter = ((closed - top).exp() @ weights).clamp_min(1e-30).log() + top
        now = marks[:, place]
        shut = torch.logaddexp(opened + now[:, :, _END], enter[:, 1:] + now[:, :, _SINGLE])
        opened = torch.logaddexp(opened + now[:, :, _INSIDE], enter[:, 1:] + now[:, :, _BEGIN])
        out = (enter[:, 0] + outside[:, place])[:, None]
        closed = torch.cat([out, shut, never[:, :1]], 1)
        found = torch.where(lengths == place + 1, closed.logsumexp(1), found)
    return found
