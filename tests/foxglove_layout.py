"""Which topics and fields a layout of Foxglove names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

# Keys of panels whose values are paths of messages, or topics.
_PATHS = ("value", "topicPath", "imageTopic", "calibrationTopic", "topicToRender")
_FIELD = re.compile(
    r"^[ \t]*([A-Za-z][\w/]*)(?:<=\d+)?(\[[^\]]*\])?[ \t]+(\w+)[ \t]*(?:#.*|[^=\s].*)?$", re.M
)


def paths_of(layout: Path) -> set[str]:
    """All of them: "/decisions.skill", and "/scan" where a whole topic is shown."""
    return set(_paths(json.loads(layout.read_text(encoding="utf-8"))["configById"]))


def topics_of(layout: Path) -> set[str]:
    return {path.partition(".")[0] for path in paths_of(layout)}


def panels_of(layout: Path) -> tuple[set[str], set[str]]:
    """Panels that are configured, and those that are placed."""
    content = json.loads(layout.read_text(encoding="utf-8"))
    return set(content["configById"]), set(_placed(content["layout"]))


def leads_to_a_field(path: str, type_name: str, schema: str) -> bool:
    """Whether the fields of a path exist in a schema (ros2msg) of this type."""
    parts = schema.split("=" * 80 + "\n")
    package, _, name = type_name.split("/")
    texts = {f"{package}/{name}": parts[0]}
    for part in parts[1:]:
        head, _, text = part.partition("\n")
        texts[head.removeprefix("MSG: ")] = text
    at = f"{package}/{name}"
    for step in path.split(".")[1:]:
        fields = {field: kind for kind, _, field in _FIELD.findall(texts.get(at, ""))}
        if step not in fields:
            return False
        kind = fields[step]
        here = at.partition("/")[0]
        at = kind if "/" in kind else f"{here}/{kind}"
        if kind == "Header":
            at = "std_msgs/Header"
    return True


def _paths(value) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _paths(each)
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        if key in _PATHS and isinstance(each, str):
            yield each
        elif key == "topics":
            yield from each
        else:
            yield from _paths(each)


def _placed(layout) -> Iterator[str]:
    if isinstance(layout, str):
        yield layout
        return
    yield from _placed(layout["first"])
    yield from _placed(layout["second"])
