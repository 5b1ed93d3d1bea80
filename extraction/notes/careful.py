"""A spaCy tokenizer for any text: broken characters and endless words included."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry

_SURROGATES = re.compile("[\ud800-\udfff]")
_LONGEST = 200  # characters between blanks; spaCy peels signs off one by one, copying the rest
_PIECES = re.compile(r"\s{1,200}|\w{1,200}|[^\w\s]")
_KNOWN = 10_000  # pieces that spaCy's tokenizer remembers, too
TEXT = "trialtwin_text"  # of `doc.user_data`; spaCy would put `doc.text` together word by word


class CarefulTokenizer:
    """spaCy's own tokenizer, but linear in the text and able to read lone surrogates.

    Parameters
    ----------
    inner
        The tokenizer of the language, used for every text that has no endless word.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._known: set[str] = set()

    def __call__(self, text: str) -> Doc:
        """Return a document whose text has the same characters, lone surrogates as U+FFFD."""
        if not text.isascii():
            text = _SURROGATES.sub("\ufffd", text)
        pieces = set(text.split())
        if max(map(len, pieces), default=0) <= _LONGEST and not text.isspace():
            self.learn(pieces)
            doc: Doc = self.inner(text)
        else:
            words = _PIECES.findall(text)
            doc = Doc(self.inner.vocab, words=words, spaces=[False] * len(words))
        doc.user_data[TEXT] = text
        return doc

    def learn(self, pieces: Iterable[str]) -> None:
        """Show spaCy's tokenizer new pieces of text, one at a time, up to a fixed number.

        It remembers how it cut a piece, but of a text only the pieces before the first special
        case (`Dr.`), and inside a memory zone none.
        """
        room = _KNOWN - len(self._known)
        if room > 0 and not self.inner.vocab.in_memory_zone:
            for piece in islice(set(pieces) - self._known, room):
                self._known.add(piece)
                self.inner(piece)

    def to_bytes(self, **kwargs: Any) -> bytes:
        """Return the inner tokenizer's bytes."""
        data: bytes = self.inner.to_bytes(**kwargs)
        return data

    def from_bytes(self, data: bytes, **kwargs: Any) -> CarefulTokenizer:
        """Read the inner tokenizer."""
        self.inner.from_bytes(data, **kwargs)
        return self

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """Write the inner tokenizer."""
        self.inner.to_disk(path, **kwargs)

    def from_disk(self, path: str | Path, **kwargs: Any) -> CarefulTokenizer:
        """Read the inner tokenizer."""
        self.inner.from_disk(path, **kwargs)
        return self


@registry.tokenizers("trialtwin_tokenizer")  # type: ignore[untyped-decorator]
def create_tokenizer() -> Any:
    """Return what spaCy calls with the language to make its tokenizer."""

    def make(nlp: Language) -> CarefulTokenizer:
        inner = registry.tokenizers.get("spacy.Tokenizer.v1")()(nlp)
        return CarefulTokenizer(inner)

    return make
