"""Files that people write: YAML checked by pydantic; errors give the file, the key, the value."""

import os
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """What a person wrote is wrong; the message says where and what is allowed."""


class Config(BaseModel):
    """Base of all configuration models: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def config_dir() -> Path:
    """Folder with robots/ and worlds/: $HRL_CONFIG, the repository's, or the installed one."""
    if "HRL_CONFIG" in os.environ:
        return Path(os.environ["HRL_CONFIG"])
    for parent in Path(__file__).resolve().parents:
        if (parent / "config" / "robots").is_dir():
            return parent / "config"
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        installed = Path(prefix) / "share" / "hrl_bringup" / "config"
        if installed.is_dir():
            return installed
    raise ConfigError("no config/ folder found: set HRL_CONFIG to the folder that holds robots/")


def find_config(kind: str, name: str) -> Path:
    """Path of `name` (a file, or the bare name of config/<kind>/<name>.yaml)."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise ConfigError(f"{path}: no such file")
    path = config_dir() / kind / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError(f"unknown {kind[:-1]} {name!r}; known: {known}, or give a .yaml file")
    return path


def load_yaml(path: str | os.PathLike, model: type[Model], section: str | None = None) -> Model:
    """Read a YAML file (or one top-level section of it) into a pydantic model.

    Raises ConfigError with every wrong key: file, line, key, value, and what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    prefix: tuple = ()
    if section is not None:
        if not isinstance(data, dict) or section not in data:
            raise ConfigError(f"{path}: section {section!r} is missing")
        data, prefix = data[section], (section,)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        root = yaml.compose(text)
        lines = [_describe(path, root, prefix, item) for item in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _describe(path: Path, root, prefix: tuple, error) -> str:
    location = (*prefix, *error["loc"])
    line, key = _line_of(root, location), ".".join(str(part) for part in location)
    value = error["input"]
    shown = repr(value) if not isinstance(value, (dict, list)) or len(repr(value)) < 60 else "..."
    return f"{path}:{line}: {key or 'file'} = {shown}: {error['msg']}"


def _line_of(node, location: tuple) -> int:
    """Line of the deepest YAML node on the way to a pydantic error location."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
