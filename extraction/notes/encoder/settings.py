"""What a training of the tagger may be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Passes = Annotated[int, Field(ge=1, le=100)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Part = Annotated[float, Field(ge=0, lt=1)]


class TrainingSettings(BaseModel):
    """Settings of one training phase; the defaults are those of a user's own corpus."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: _Passes = Field(default=8, description="Most passes over the documents.")
    patience: _Passes = Field(
        default=3, description="Epochs without a better held-out score before it stops."
    )
    frozen_layers: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Lowest layers kept as they are; they are computed once.",
    )
    rate: float = Field(default=6e-4, gt=0, le=0.1, description="Learning rate of the top layer.")
    layer_decay: float = Field(
        default=0.85,
        gt=0,
        le=1,
        description="Factor on the learning rate for every layer further down.",
    )
    head_rate: float = Field(default=3e-3, gt=0, le=0.1, description="Learning rate of the heads.")
    weight_decay: _Share = Field(default=0.01, description="Of AdamW.")
    warm_up: _Part = Field(
        default=0.1, description="Share of the steps over which the learning rate rises."
    )
    dropout: _Part = Field(default=0.1, description="Of hidden states and of the heads.")
    average: _Part = Field(
        default=0.995, description="Decay of the moving average of the weights, by step."
    )
    window: int = Field(default=126, ge=16, le=510, description="Most word pieces of a window.")
    overlap: int = Field(
        default=64,
        ge=0,
        le=256,
        description="Word pieces that windows share where a sentence is cut.",
    )
    agreement: _Share = Field(
        default=0.5,
        description="How far a word's places in a document draw near to each other at tagging.",
    )
    swap: _Share = Field(
        default=0.3,
        description="Share of marked words that become others of their label, anew every epoch.",
    )
    batch: int = Field(default=1024, ge=64, le=65536, description="Most word pieces of a batch.")
    held_out: float = Field(
        default=0.15, ge=0, lt=0.9, description="Share of documents the training does not see."
    )
    precision: Literal["32", "bf16"] = Field(
        default="32", description="bf16 is twice as fast on processors that have it, e.g. AMX."
    )
