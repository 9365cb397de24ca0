"""`./hrl explain mission.json`: why each decision was made, from the scenes in its recording.

A recording alone will do, too: it tells of all missions in it. With --tree: the behaviour tree
with what was active at one decision, as text; without a file the tree alone.
"""

# pyright: basic
import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from rich.console import Console

from hrl_bringup.recorded import read_recording, whole
from hrl_bringup.replay import difference
from hrl_bringup.reports.tree_picture import draw_tree
from hrl_bringup.ros.recorded_messages import message_of, read_from
from hrl_bringup.ros.recorded_run import RecordedMission, code_name, read_run
from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_core.paths import file_to_write
from hrl_master.behaviour_tree import build
from hrl_master.guided import Step, step_of
from hrl_master.orders import Decision
from hrl_master.replay import (
    decide_again,
    decider_of,
    explain,
    part_of_tree,
    tree_at,
    tree_text,
)
from hrl_master.ros.scene_convert import setting_from_msg, situation_from_msg
from hrl_master.tree.leaves import Blackboard
from hrl_training.trials.rows_file import checked, read_json

RECORDING = "recording.mcap"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1: a recorded scene does not give the decision that was made."""
    parser = argparse.ArgumentParser(prog="./hrl explain", description=__doc__)
    parser.add_argument(
        "mission", type=Path, nargs="?", help="mission.json, a recording, or the folder with them"
    )
    parser.add_argument("--decision", type=integer(), metavar="N", help="only this one, from 0")
    parser.add_argument("--world", default="", help="world file, where it has moved since")
    parser.add_argument(
        "--tree",
        action="store_true",
        help="the behaviour tree with what was active at a decision, the last one by default; "
        "without a mission the tree alone",
    )
    parser.add_argument(
        "--picture", type=file_to_write, metavar="FILE", help="draw that tree: .png, .svg or .pdf"
    )
    options = parser.parse_args(arguments)
    with_tree = options.tree or options.picture is not None
    if options.mission is None:
        if not with_tree:
            parser.error("no mission is given; without one there is only --tree")
        root = build(Blackboard())
        _say(*tree_text(root))
        if options.picture is not None:
            draw_tree(root, "The behaviour tree", [], options.picture)
        return 0
    missions = read_told(options.mission)
    if with_tree or options.decision is not None:
        missions = missions[-1:]
    return max(_tell(told, options, with_tree) for told in missions)


@dataclass(frozen=True)
class Told:
    """A mission that is explained."""

    title: str
    file: Path
    recording: Path
    made: dict[int, dict[str, Any]]  # entries, as in mission.json
    scenes: dict[int, Any]  # messages
    damage: str  # of the recording, a sentence


def read_told(path: Path) -> list[Told]:
    """The mission of a mission.json, or all missions of a recording; raises ConfigError."""
    if path.is_dir():
        path /= RECORDING if not (path / "mission.json").is_file() else "mission.json"
    if path.suffix == Path(RECORDING).suffix:
        return read_recorded(path)
    mission, recording = read_mission(path), path.parent / RECORDING
    scenes, damage = read_scenes(recording)
    made = {entry["index"]: entry for entry in mission["decisions"]}
    return [Told(_title(mission), path, recording, made, scenes, damage)]


def read_recorded(recording: Path) -> list[Told]:
    """What a recording has of missions; raises ConfigError where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        path, damage = whole(recording, Path(folder))
        missions = read_run(path).missions
    if not missions:
        raise ConfigError(f"{recording}: no mission is in it")
    return [
        Told(f"mission {each.id}", recording, recording, _entries(each), each.scenes, damage)
        for each in missions
    ]


def _entries(mission: RecordedMission) -> dict[int, dict[str, Any]]:
    """Its decisions as in mission.json."""
    entries = {}
    for index, made in mission.made.items():
        entry = {name: getattr(made, name) for name in made.get_fields_and_field_types()}
        if (finished := mission.finished.get(index)) is not None:
            end = finished.last_result
            entry |= {"outcome": code_name(end.code), "detail": end.detail}
        entries[index] = entry
    return entries


def _tell(told: Told, options: argparse.Namespace, with_tree: bool) -> int:
    """Explain a mission; the exit status."""
    made, scenes = told.made, told.scenes
    chosen = sorted(made.keys() | scenes.keys())
    if options.decision is not None:
        if options.decision not in chosen:
            raise ConfigError(f"{told.file} has no decision {options.decision}; it has {chosen}")
        chosen = [options.decision]
    _say(told.title, *([told.damage] if told.damage else []))
    if with_tree:
        chosen = chosen[-1:]
        if not set(chosen) & scenes.keys():
            raise ConfigError(
                f"{told.recording} has no scene of decision {chosen} to put into the "
                f"tree; it has those of {sorted(scenes)}"
            )
    wrong = 0
    for index in chosen:
        with read_from(f"{told.file} with {told.recording}: decision {index}"):
            if with_tree:
                lines, same = _of_tree(
                    index, made.get(index), scenes[index], options.world, options.picture
                )
            else:
                lines, same = _of_decision(index, made.get(index), scenes.get(index), options.world)
        wrong += not same
        _say("", *lines)
    return 1 if wrong else 0


def _say(*lines: str) -> None:
    Console(highlight=False).print("\n".join(lines), markup=False, soft_wrap=True)


class Entry(BaseModel):
    """A decision of mission.json, as far as it is explained here."""

    index: int
    skill: str
    target: str
    reason: str
    candidates: list[str]
    probabilities: list[float]
    allowed: list[bool]
    why_not: list[str] = []
    face: str = ""
    chosen_by: str = ""
    outcome: str | None = None
    detail: str = ""


class MissionFile(BaseModel):
    """What of mission.json is explained here; the report has the rest."""

    world: str = ""
    seed: int | None = None
    order: dict[str, str] = {}
    sentence: str | None = None
    decisions: list[Entry]


def read_mission(file: Path) -> dict[str, Any]:
    """What a demo or a trial has written; raises ConfigError where it is something else."""
    content, _ = read_json(file)
    try:
        checked(TypeAdapter(MissionFile), content, str(file))
    except ConfigError as error:
        raise ConfigError(f"{error}; give the mission.json of `./hrl demo`") from error
    return content


def read_scenes(recording: Path) -> tuple[dict[int, Any], str]:
    """Scene messages by decision, and a sentence on damage; raises ConfigError.

    None where there is no recording.
    """
    if not recording.is_file():
        return {}, ""
    with tempfile.TemporaryDirectory() as folder:
        path, damage = whole(recording, Path(folder))
        messages = [
            message_of(recorded, topics.SCENE, recording)
            for recorded in read_recording(path, [f"/{topics.SCENE.name}"])
        ]
    return {message.index: message for message in messages}, damage


def _title(mission: dict[str, Any]) -> str:
    order = mission.get("order", {})
    what = " ".join(str(order.get(key, "?")) for key in ("item", "from_bin", "to_station"))
    return f"{mission.get('world')} seed {mission.get('seed')}: {what}: {mission.get('sentence')}"


def _of_decision(
    index: int, entry: dict[str, Any] | None, message: Any, world: str
) -> tuple[list[str], bool]:
    """Lines on a decision, and whether a replay of its scene gives it again."""
    if message is None:
        assert entry is not None, "it is in one of the two"
        lines = [f"{index}: {entry['skill']} {entry['target']}", f"because: {entry['reason']}"]
        rows = zip(
            entry["candidates"], entry["probabilities"], entry.get("why_not", ()), strict=False
        )
        for label, probability, why_not in sorted(rows, key=lambda row: -row[1]):
            share = f"  {100 * probability:5.1f} %" if not why_not else "      no "
            lines.append(f"{share}  {label}" + (f": {why_not}" if why_not else ""))
        return [*lines, *_ended(entry), "no recorded scene: nothing to replay"], True
    decider, situation = decider_of(setting_from_msg(message), world), situation_from_msg(message)
    again = decide_again(decider, situation, _step(entry))
    lines = [f"{index}: {again.skill} {again.target}", *explain(decider, situation, again)]
    end, same = _compared(entry, again)
    return [*lines, *end], same


def _of_tree(
    index: int, entry: dict[str, Any] | None, message: Any, world: str, picture: Path | None
) -> tuple[list[str], bool]:
    """Lines with the tree at a decision, drawn too where `picture` is a file; and as above."""
    setting, situation = setting_from_msg(message), situation_from_msg(message)
    decider = decider_of(setting, world)
    again = decide_again(decider, situation, _step(entry))
    root, of_tree = tree_at(decider, situation)
    title = f"{index}: {again.skill} {again.target}"
    why = [f"because: {again.reason}", *part_of_tree(again, of_tree, setting.policy)]
    end, same = _compared(entry, again)
    if picture is not None:
        draw_tree(root, title, why, picture)
    return [title, *why, *tree_text(root), *end], same


def _step(entry: dict[str, Any] | None) -> Step | None:
    """What a client chose at a decision."""
    if entry is None:
        return None
    return step_of(entry["skill"], entry["target"], entry["reason"], entry.get("chosen_by", ""))


def _compared(entry: dict[str, Any] | None, again: Decision) -> tuple[list[str], bool]:
    """How a decision ended, and whether the replay gave it again."""
    if entry is None:
        return ["ends the order"], True
    lines = _ended(entry)
    if other := difference(entry, again):
        return [*lines, f"the replay of the recorded scene DIFFERS: {other}"], False
    return [*lines, "the replay of the recorded scene gives the same decision"], True


def _ended(entry: dict[str, Any]) -> list[str]:
    if not entry.get("outcome"):
        return ["its end was not heard of"]
    return [f"ended: {entry['outcome']}: {entry['detail']}"]
