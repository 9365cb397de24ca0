"""The file that a soak writes as it goes, a line for everything, so that a kill loses nothing."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hrl_bringup.soak.accounts import MissionAccount
from hrl_bringup.soak.processes import Sample
from hrl_training.trials.journal import to_json


class Records:
    """Everything of one soak, in memory and in a file of JSON lines."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._began = time.monotonic()
        self.missions: list[MissionAccount] = []
        self.samples: list[Sample] = []
        self.events: list[dict[str, Any]] = []
        self._write("soak", about)

    @property
    def seconds(self) -> float:
        """Wall time since the soak began."""
        return time.monotonic() - self._began

    def mission(self, account: MissionAccount) -> None:
        self.missions.append(account)
        self._write("mission", account.as_dict())

    def sample(self, samples: list[Sample]) -> None:
        self.samples += samples
        for each in samples:
            self._write("sample", asdict(each))

    def event(self, kind: str, target: str = "", **more: Any) -> None:
        """Something that went wrong or was mended."""
        self.events.append({"at": round(self.seconds, 1), "kind": kind, "target": target, **more})
        self._write("event", self.events[-1])

    def close(self) -> None:
        self._file.close()

    def _write(self, what: str, content: dict[str, Any]) -> None:
        self._file.write(to_json({"what": what, **content}) + "\n")
        self._file.flush()
