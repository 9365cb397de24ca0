"""Rows of trials read back from JSON: each is whole, or refused with its place and the reason."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from hrl_core.config import ConfigError, shorten, shown

Kind = TypeVar("Kind")
# JSON has no NaN; see hrl_training.trials.journal.to_json.
Measured = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


def read_json(path: Path) -> tuple[dict[str, Any], bytes]:
    """The object in a JSON file, and the file as it is; raises ConfigError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return parse_json(content, str(path)), content


def parse_json(text: bytes | str, place: str) -> dict[str, Any]:
    """The object in a JSON text; raises ConfigError with the place that it is from."""
    try:
        content = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{place}: a {type(content).__name__}; allowed is an object of JSON")
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


def checked(adapter: TypeAdapter[Kind], content: Any, place: str, strict: bool = True) -> Kind:
    """`content` of JSON as what the adapter makes; raises ConfigError with place, key and value."""
    try:
        return adapter.validate_json(json.dumps(content), strict=strict)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"]) or "row"
        why = f"{shown(key)[1:-1]} = {shown(wrong['input'])}: {shorten(wrong['msg'])}"
        raise ConfigError(f"{place}: {why}") from error
