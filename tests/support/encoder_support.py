"""A tiny encoder, so that the tagger is tested without the real one."""

from pathlib import Path

from extraction.notes.encoder.documents import Document, Span

WORDS = (
    *("took", "for", "severe", "she", "he", "had", "no", "mg", "daily", "5", "10", "20", ".", ","),
    *("aspirin", "warfarin", "metformin", "heparin", "headache", "fever", "gout", "rash"),
)
DRUGS = ("aspirin", "warfarin", "metformin", "heparin")
PROBLEMS = ("headache", "fever", "gout", "rash")


def tiny_encoder(folder: Path) -> Path:
    """Write a BERT with three small layers and a vocabulary of a few words; return its folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils import logging

    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(97 + i) for i in range(26)] + [f"##{chr(97 + i)}" for i in range(26)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BertModel(BertConfig(
            vocab_size=len(vocabulary), hidden_size=24, num_hidden_layers=3, num_attention_heads=2,
            intermediate_size=48, max_position_embeddings=128,
        ))  # fmt: skip
    model.save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    if shown:
        logging.enable_progress_bar()
    return folder


def invented_notes(n: int, start: int = 0) -> tuple[Document, ...]:
    """Return notes that say which drug was taken for which problem, both marked."""
    return tuple(_note(i) for i in range(start, start + n))


def _note(i: int) -> Document:
    drug, problem = DRUGS[i % 4], PROBLEMS[(i // 4) % 4]
    dose = ("5", "10", "20")[(i // 16) % 3]
    who = ("She", "He")[i % 2]
    text = f"{who} took {drug} {dose} mg daily for severe {problem} .\n{who} had no fever , {i} ."
    marks = [(drug, "Drug"), (f"{dose} mg", "Dose"), (problem, "Problem")]
    return Document(
        f"n{i}", text,
        tuple(Span(text.index(w), text.index(w) + len(w), label) for w, label in marks),
    )  # fmt: skip
