"""What one order has shown of a site: where its item stood, and where it was looked for in vain."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Search:
    """What the master itself found out about an item in one order."""

    item: str
    home: str  # the bin that the order named
    found: str  # the bin in which the item was seen or grasped; empty: it was not found
    empty: tuple[str, ...]  # bins in which it was not, in the order of the looks
