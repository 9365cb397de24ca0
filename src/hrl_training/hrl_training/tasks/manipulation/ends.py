"""How episodes of grasp and place end."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ended:
    """How the episodes (n,) that ended in this tick went."""

    success: np.ndarray
    failure: np.ndarray
    timeout: np.ndarray

    @property
    def any(self) -> np.ndarray:
        return self.success | self.failure | self.timeout


def counts_of(ended: Ended, rows: np.ndarray | None = None) -> dict[str, int]:
    """How many episodes ended how; `rows` (n,): those that count."""
    mask = True if rows is None else rows
    return {
        name: int((getattr(ended, name) & mask).sum()) for name in ("success", "failure", "timeout")
    }
