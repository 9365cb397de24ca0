"""Files that people write: YAML checked by pydantic; errors give the file, the key, the value."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

SHOWN = 60  # characters of a value in a sentence about it


class ConfigError(ValueError):
    """What a person wrote is wrong; the message says where and what is allowed."""


class Config(BaseModel):
    """Base of all configuration models: frozen; an unknown key or `true` as a number is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, value: Any, info) -> Any:
        if _only_numbers(cls, info.field_name) and _has_boolean(value):
            raise ValueError("true and false are not numbers")
        return value


@cache
def _only_numbers(model: type[BaseModel], name: str) -> bool:
    """Whether a field takes numbers, alone or in lists and maps, and no booleans or models."""
    leaves, open_ = set(), [model.model_fields[name].annotation]
    while open_:
        annotation = open_.pop()
        arguments = get_args(annotation)
        open_ += arguments
        if not arguments:
            leaves.add(annotation)
    numbers = bool(leaves & {int, float})
    models = any(isinstance(leaf, type) and issubclass(leaf, BaseModel) for leaf in leaves)
    return numbers and bool not in leaves and not models


def _has_boolean(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_boolean(part) for part in value)
    return isinstance(value, bool)


Model = TypeVar("Model", bound=BaseModel)


class Problem(NamedTuple):
    """Something wrong with values whose types and ranges are right."""

    location: tuple[str | int, ...]  # keys and indices that lead to it
    value: Any
    why: str  # and what is allowed


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


def load_yaml(
    path: str | os.PathLike,
    model: type[Model],
    section: tuple[str, ...] = (),
    check: Callable[[Model], Iterable[Problem]] | None = None,
    among_others: bool = False,
) -> Model:
    """Read a YAML file (or the section of it that keys lead to) into a pydantic model.

    `check` finds what is wrong beyond types and ranges. `among_others`: keys that the model does
    not know are another reader's. Raises ConfigError with every wrong key: file, line, key, value,
    and what is allowed.
    """
    path = Path(path)
    root, data = _read(path)
    for key in section:
        if not isinstance(data, dict) or key not in data:
            raise ConfigError(f"{path}: section {' / '.join(section)!r} is missing")
        data = data[key]
    if among_others and isinstance(data, dict):
        data = {key: value for key, value in data.items() if key in model.model_fields}
    try:
        result = model.model_validate(data)
    except ValidationError as error:
        found = [
            Problem(item["loc"], item["input"], item["msg"].removeprefix("Value error, "))
            for item in error.errors()
        ]
        raise ConfigError(_describe(path, root, section, found)) from error
    if check is not None and (found := [*check(result)]):
        raise ConfigError(_describe(path, root, section, found))
    return result


class _Loader(yaml.SafeLoader):
    """YAML without what people write by mistake: keys given twice, and dates."""

    # A date stays the text that it is, so that the model says what it wants instead.
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read(path: Path) -> tuple[yaml.Node | None, Any]:
    """The nodes of a YAML file, for their lines, and its content; raises ConfigError."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        try:
            root = loader.get_single_node()
            _refuse_doubles(path, root)
            return root, None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        why = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{place}: not YAML: {shorten(ascii(why)[1:-1])}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not YAML: {shorten(str(error))}") from error
    except (ValueError, TypeError, KeyError) as error:  # such as `!!int x` or a bare `0x_`
        why = shorten(ascii(str(error))[1:-1])
        raise ConfigError(f"{path}: a value is not of the type that it claims: {why}") from error


def _refuse_doubles(path: Path, node: yaml.Node | None) -> None:
    """Raise ConfigError where a key is given twice; YAML would take the last one silently."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if key.value in lines and key.value != "<<":
                    raise ConfigError(
                        f"{path}:{line}: the key {shown(key.value)} is given twice, "
                        f"first in line {lines[key.value]}; allowed is once"
                    )
                lines[key.value] = line
            _refuse_doubles(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _refuse_doubles(path, part)


def _describe(path: Path, root: yaml.Node | None, prefix: tuple, problems: list[Problem]) -> str:
    """One line for each problem: file, line, key, value, and what is allowed."""
    lines = []
    for problem in problems:
        location, value = (*prefix, *problem.location), problem.value
        line, key = _line_of(root, location), ".".join(str(part) for part in location)
        place = f"{path}:{line}: {ascii(key)[1:-1][:SHOWN] or 'file'}"
        lines.append(f"{place} = {shown(value)}: {shorten(problem.why)}")
    return "\n".join(lines)


def shown(value: Any) -> str:
    """A value as a sentence about it has it: short, and all of it can be printed."""
    text = ascii(value)
    if len(text) < SHOWN:
        return text
    return "..." if isinstance(value, (dict, list, tuple)) else f"{text[:SHOWN]}..."


def shorten(text: str) -> str:
    """Words of another library on one line, so that they fit into a sentence of ours."""
    text = " ".join(text.split())
    return text if len(text) <= 4 * SHOWN else f"{text[: 4 * SHOWN]}..."


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
