"""Rows on disk as they come, so that a kill loses nothing and `--resume` goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from hrl_core.config import ConfigError
from hrl_training.trials.rows_file import parse_json


class Kept(Protocol):
    """A row of a trial, whatever was tried."""

    @property
    def seed(self) -> int: ...
    def as_dict(self) -> dict[str, Any]: ...


AnyRow = TypeVar("AnyRow", bound=Kept)


class Journal(Generic[AnyRow]):
    """A file of lines: first what is measured, then a row per trial in the order they ended."""

    def __init__(
        self,
        path: Path,
        header: dict[str, Any],
        resume: bool,
        row_from_dict: Callable[[dict[str, Any], str], AnyRow],
    ) -> None:
        """Begin anew, or resume; raises ConfigError where what is there is of other trials."""
        self.rows: dict[int, AnyRow] = {}
        if resume:
            for place, content in _read(path, header):
                row = row_from_dict(content, f"{place}, which --resume goes on from")
                self.rows[row.seed] = row
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._write(header)
        for row in self.rows.values():
            self._write(row.as_dict())

    def add(self, row: AnyRow) -> None:
        self.rows[row.seed] = row
        self._write(row.as_dict())

    def close(self) -> None:
        self._file.close()

    def _write(self, content: dict[str, Any]) -> None:
        self._file.write(to_json(content) + "\n")
        self._file.flush()


def _read(path: Path, header: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a file as JSON has them, each with its place; raises ConfigError."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    # What follows the last end of line was cut off by a kill.
    places = [f"{path}:{number}" for number in range(1, len(lines))]
    contents = [parse_json(line, place) for line, place in zip(lines, places, strict=False)]
    if not contents:
        return []
    for name, value in json.loads(to_json(header)).items():
        if contents[0].get(name) != value:
            raise ConfigError(
                f"{path}: its trials have {name} = {contents[0].get(name)!r}, these have "
                f"{value!r}; leave out --resume to begin anew"
            )
    return list(zip(places, contents, strict=True))[1:]


def to_json(content: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: numbers of numpy as numbers, NaN and infinity as null."""
    return json.dumps(_plain(content), indent=indent)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
