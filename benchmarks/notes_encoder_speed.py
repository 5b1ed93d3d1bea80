"""Words per CPU-second of the preset `accurate` beside its bare encoder, on the same texts.

Run: python -m benchmarks.notes_encoder_speed --texts FOLDER [--notes N] [--json FILE]

The bare encoder is the `transformers` model in float32, without heads, features, decoding or rules,
one thread, windows sorted by length; of its window and batch sizes the fastest counts. `accurate`
does everything: rules, tagging, decoding, merging, assertion. Every figure is the best of three
passes, since others use the machine too.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from extraction.notes import load_pipeline
from extraction.notes.encoder.base import load_base

SIZES = ((64, 16), (128, 8), (256, 8), (512, 4))
PASSES = 3


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--texts", type=Path, required=True, help="folder of .txt notes")
    asked.add_argument("--notes", type=int, default=20)
    asked.add_argument("--json", type=Path)
    told = asked.parse_args()
    paths = sorted(told.texts.glob("*.txt"))[: told.notes]
    out = compare([path.read_text("utf-8") for path in paths])
    for name, value in out.items():
        print(f"{name}: {value:,}")
    if told.json:
        told.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def compare(texts: Sequence[str]) -> dict[str, float]:
    """Words per CPU-second of both, and how many times the bare encoder's `accurate` does."""
    torch.set_num_threads(1)
    words = sum(len(text.split()) for text in texts)
    base = load_base()
    base.model.eval()
    out = {
        f"bare encoder, windows of {size}": speed(
            lambda s=size, n=batch: bare(base, texts, s, n), words
        )
        for size, batch in SIZES
    }
    nlp = load_pipeline("accurate")
    out["accurate"] = speed(lambda: list(nlp.pipe(texts)), words)
    out["times"] = round(out["accurate"] / max(v for k, v in out.items() if k != "accurate"), 2)
    return out


def speed(read: Callable[[], Any], words: int) -> float:
    read()  # weights and caches
    best = float("inf")
    for _ in range(PASSES):
        began = time.process_time()
        read()
        best = min(best, time.process_time() - began)
    return round(words / best)


def bare(base: Any, texts: Sequence[str], size: int, batch: int) -> None:
    """Run the encoder over texts cut into windows."""
    opens, closes = base.tokenizer.cls_token_id, base.tokenizer.sep_token_id
    cut = []
    for text in texts:
        ids = base.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        step = size - 2
        cut += [[opens, *ids[i : i + step], closes] for i in range(0, len(ids), step)]
    cut.sort(key=len)
    with torch.inference_mode():
        for first in range(0, len(cut), batch):
            some = [torch.tensor(ids) for ids in cut[first : first + batch]]
            pieces = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
            base.model(input_ids=pieces, attention_mask=(pieces != 0).long())


if __name__ == "__main__":
    main()
