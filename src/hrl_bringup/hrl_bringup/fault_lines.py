"""What nodes say of themselves in diagnostics, as lines for who watches: when a fault begins and
when it ends."""

from collections.abc import Mapping


class FaultLines:
    """Keeps which faults each node has."""

    def __init__(self) -> None:
        self._present: dict[str, dict[str, str]] = {}  # node -> fault -> sentence

    def take(self, node: str, faults: Mapping[str, str]) -> list[str]:
        """New lines, from what is wrong with a node now: a sentence by what it is about."""
        before = self._present.get(node, {})
        self._present[node] = dict(faults)
        begun = [f"{node}: {faults[name]}" for name in faults if name not in before]
        ended = [f"{node}: {name}: no more" for name in before if name not in faults]
        return ended + begun
