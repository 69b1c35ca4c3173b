"""What is shown for each token of a vocabulary, so that none is invisible.

In: a tokenizer. Out: a string for each id.
"""

from __future__ import annotations

from microgpt.data.tokenizer.contract import Tokenizer
from microgpt.wording import END, glyph


def symbols(tokenizer: Tokenizer) -> list[str]:
    r"""Return what is shown for each token id.

    >>> from microgpt.data.tokenizer import Bytes, Characters
    >>> symbols(Characters.of(["a b"]))
    ['␣', 'a', 'b', '⏎']
    >>> symbols(Bytes())[97], symbols(Bytes())[195]
    ('a', '\\xc3')
    """

    def shown(i: int, piece: bytes) -> str:
        if i == tokenizer.bos:
            return END
        try:
            return tokenizer.symbols.get(i) or glyph(piece.decode())
        except UnicodeDecodeError:
            return "".join(f"\\x{byte:02x}" for byte in piece)

    return [shown(i, piece) for i, piece in enumerate(tokenizer.pieces)]
