"""A fault in the program, as a sentence for people who have only the outcome before them."""

import traceback
from pathlib import Path


def fault_sentence(what: str, error: Exception) -> str:
    """`what` failed, by which fault, and where: the innermost line of the program's own code.

    `what`: what was being done, such as "walk, tick".
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "hrl_" in frame.filename] or frames
    place = f" at {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
    said = str(error) or "no more is known"
    return f"a fault in the program: {what} failed{place} by {type(error).__name__} ({said})"
