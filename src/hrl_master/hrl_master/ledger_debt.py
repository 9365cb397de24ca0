"""What the ledger is owed: it could not take it when it happened, and gets it later."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerFault


class Owing:
    """Writes to a ledger in their order; without one (None) nothing is owed."""

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._owed: list[Callable[[Ledger], None]] = []  # what the ledger does not have yet

    @property
    def owes(self) -> bool:
        """Whether the ledger does not have all that happened."""
        return bool(self._owed)

    def settle(self) -> None:
        """Give the ledger what it does not have yet; raises LedgerFault where it cannot take it."""
        while self._owed and self._ledger is not None:
            write = self._owed.pop(0)
            try:
                write(self._ledger)
            except LedgerFault:
                self._owed.insert(0, write)
                raise

    def owe(self, write: Callable[[Ledger], None]) -> None:
        """Have something taken down after what is owed already."""
        if self._ledger is not None:
            self._owed.append(write)

    def _settle_if_possible(self) -> None:
        with contextlib.suppress(LedgerFault):  # it is owed
            self.settle()
