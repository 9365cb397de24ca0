"""Rows on disk as they come, so that a kill loses nothing and `--resume` goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from hrl_core.config import ConfigError
from hrl_training.evaluation.trial import Row


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
        row_from_dict: Callable[[dict[str, Any]], AnyRow],
    ) -> None:
        """Begin anew, or resume; raises ConfigError where what is there is of other trials."""
        self.rows: dict[int, AnyRow] = {}
        if resume:
            self.rows = {row.seed: row for row in map(row_from_dict, _read(path, header))}
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


def _read(path: Path, header: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    # What follows the last end of line was cut off by a kill.
    contents = [json.loads(line) for line in lines[:-1]]
    if not contents:
        return []
    for name, value in json.loads(to_json(header)).items():
        if contents[0].get(name) != value:
            raise ConfigError(
                f"{path}: its trials have {name} = {contents[0].get(name)!r}, these have "
                f"{value!r}; leave out --resume to begin anew"
            )
    return contents[1:]


def row_from_dict(content: dict[str, Any]) -> Row:
    """The inverse of Row.as_dict through JSON."""
    return Row(**{**content, "touched": tuple(content["touched"])})


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
