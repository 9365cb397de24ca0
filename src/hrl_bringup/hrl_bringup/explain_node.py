"""`./hrl explain mission.json`: why each decision was made, from the scenes in its recording."""

# pyright: basic
import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message
from rich.console import Console

from hrl_bringup.recording import read_recording
from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.qos import interface
from hrl_master.mission import Decision
from hrl_master.replay import decider_of, explain, same_decision
from hrl_master.scene_convert import setting_from_msg, situation_from_msg

RECORDING = "recording.mcap"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1: a recorded scene does not give the decision that was made."""
    parser = argparse.ArgumentParser(prog="./hrl explain", description=__doc__)
    parser.add_argument("mission", type=Path, help="mission.json, or the folder that it is in")
    parser.add_argument("--decision", type=int, metavar="N", help="only this one, from 0")
    parser.add_argument("--world", default="", help="world file, where it has moved since")
    options = parser.parse_args(arguments)
    file = options.mission / "mission.json" if options.mission.is_dir() else options.mission
    mission = read_mission(file)
    scenes = read_scenes(file.parent / RECORDING)
    made = {entry["index"]: entry for entry in mission["decisions"]}
    chosen = sorted(made.keys() | scenes.keys())
    if options.decision is not None:
        if options.decision not in chosen:
            raise ConfigError(f"{file} has no decision {options.decision}; it has {chosen}")
        chosen = [options.decision]
    console, wrong = Console(highlight=False), 0
    console.print(_title(mission), markup=False, soft_wrap=True)
    for index in chosen:
        lines, same = _of_decision(index, made.get(index), scenes.get(index), options.world)
        wrong += not same
        console.print("\n".join(["", *lines]), markup=False, soft_wrap=True)
    return 1 if wrong else 0


def read_mission(file: Path) -> dict[str, Any]:
    """What a demo or a trial has written; raises ConfigError where it is something else."""
    try:
        mission = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}") from error
    if not isinstance(mission, dict) or "decisions" not in mission:
        raise ConfigError(f"{file}: no `decisions`; give the mission.json of `./hrl demo`")
    return mission


def read_scenes(recording: Path) -> dict[int, Any]:
    """Scene messages by decision; none where there is no recording."""
    if not recording.is_file():
        return {}
    kind = interface(topics.SCENE.type)
    messages = [
        deserialize_message(recorded.cdr, kind)
        for recorded in read_recording(recording, [f"/{topics.SCENE.name}"])
    ]
    return {message.index: message for message in messages}


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
    again = decider.decide(situation)
    lines = [f"{index}: {again.skill} {again.target}", *explain(decider, situation)]
    if entry is None:
        return [*lines, "ends the order"], True
    lines += _ended(entry)
    if difference := _difference(entry, again):
        return [*lines, f"the replay of the recorded scene DIFFERS: {difference}"], False
    return [*lines, "the replay of the recorded scene gives the same decision"], True


def _ended(entry: dict[str, Any]) -> list[str]:
    if not entry.get("outcome"):
        return ["its end was not heard of"]
    return [f"ended: {entry['outcome']}: {entry['detail']}"]


def _difference(entry: dict[str, Any], again: Decision) -> str:
    """What a decision of mission.json and a replayed one do not share; empty: nothing."""
    made = Decision(
        entry["skill"],
        entry["target"],
        entry["reason"],
        face=entry.get("face", again.face),
        pose=again.pose,  # the file does not hold these
        purpose=again.purpose,
        why_not=tuple(entry.get("why_not", again.why_not)),
        candidates=tuple(entry["candidates"]),
        probabilities=tuple(entry["probabilities"]),
        allowed=tuple(entry["allowed"]),
    )
    if same_decision(made, again):
        return ""
    return (
        f"made was {made.skill} {made.target} ({made.reason}), the replay gives "
        f"{again.skill} {again.target} ({again.reason})"
    )
