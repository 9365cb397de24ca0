"""Ends of missions that were told while the ledger could not take them: kept until it can.

What a client was told is true for ever. So before it is told an end that the ledger does not have,
that end goes into a file of its own beside the ledger. A master that is started again before the
ledger has it finds it there, and does not go on with a mission whose client believes it ended.
"""

import contextlib
import glob
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from hrl_core.outcomes import Code
from hrl_master.orders import OrderEnd

UNREAD = "its client was told this when neither the ledger nor a sentence could be written"


class Told:
    """Files <ledger>.told.<hash of the mission's id>.<codes of its orders>, with the sentences.

    The codes are in the name because a full disk takes a name where it takes no content.
    """

    def __init__(self, ledger: Path):
        self._ledger = ledger

    def keep(self, mission: str, ends: Sequence[OrderEnd]) -> None:
        """Keep the ends of all orders of a mission; raises OSError."""
        codes = "-".join(str(int(end.code)) for end in ends)
        path = self._ledger.with_name(f"{self._prefix(mission)}{codes}")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            with contextlib.suppress(OSError):
                os.write(file, json.dumps([end.detail for end in ends]).encode())
            os.fsync(file)
        finally:
            os.close(file)

    def ends(self, mission: str) -> list[tuple[Code, str]]:
        """Code and sentence of each of a mission's orders; empty: nobody was told anything."""
        for file in self._files(mission):
            codes = [Code(int(code)) for code in file.suffix[1:].split("-")]
            try:
                details = [str(detail) for detail in json.loads(file.read_bytes())]
            except (OSError, ValueError, TypeError):
                details = []
            return list(zip(codes, details + [UNREAD] * len(codes), strict=False))
        return []

    def forget(self, mission: str) -> None:
        """The ledger has the end."""
        for file in self._files(mission):
            file.unlink(missing_ok=True)

    def _files(self, mission: str) -> list[Path]:
        return list(self._ledger.parent.glob(f"{glob.escape(self._prefix(mission))}*"))

    def _prefix(self, mission: str) -> str:
        return f"{self._ledger.name}.told.{hashlib.sha256(mission.encode()).hexdigest()[:32]}."
