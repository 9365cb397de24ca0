"""Text that comes from outside, made harmless: short, on one line, nothing that is not seen."""

import unicodedata

LONGEST = 300  # characters


def clean(text: str, longest: int = LONGEST) -> str:
    """Text without control, format and private characters, on one line, at most so long.

    That takes out escape sequences, marks that turn the direction of writing, and letters that
    nobody sees but a language model reads.
    """
    kept = []
    for sign in unicodedata.normalize("NFKC", text[: 4 * longest]):
        kind = unicodedata.category(sign)
        if kind[0] == "Z" or sign in "\t\n\r\v\f":
            kept.append(" ")
        elif kind[0] != "C":
            kept.append(sign)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
