"""`./hrl replay RECORDING`: plays a recording into perception and master as they are now.

Skills do nothing in it: each ends as it ended when it was recorded. Exit status 1: a decision is
another one than it was.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from hrl_bringup.environment import Domain, ros_environment
from hrl_bringup.nodes import NODES, parameters_for
from hrl_bringup.recorded import whole
from hrl_bringup.replay import agreement, difference
from hrl_bringup.ros.player import NotPlayed, Player
from hrl_bringup.ros.recorded_messages import read_from
from hrl_bringup.ros.recorded_run import (
    RecordedMission,
    RecordedRun,
    code_name,
    decider_at,
    read_run,
)
from hrl_bringup.runner import NodeDied, Runner, signals_interrupt
from hrl_core.config import ConfigError
from hrl_core.number_options import real
from hrl_core.paths import folder_to_write
from hrl_core.ros.convert import seconds
from hrl_master.guided import step_of
from hrl_master.replay import decide_again

PLAYED = ("perception", "master")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl replay", description=__doc__)
    parser.add_argument("recording", type=Path, help="the .mcap file, or the folder that it is in")
    parser.add_argument(
        "--from", type=real(0), default=0.0, dest="begin", metavar="T", help="s of ROS time"
    )
    parser.add_argument(
        "--rate",
        type=real(0, 100),
        default=0.0,
        metavar="R",
        help="recorded over wall time; 0, the default: as fast as the nodes can (recordings of a "
        "robot: 1)",
    )
    parser.add_argument(
        "--nodes", default=",".join(PLAYED), help="perception, master, or both by a comma"
    )
    parser.add_argument("--world", default="", help="world file, where it has moved since")
    parser.add_argument("--robot", default="spot", help="robot in config/robots, or a .yaml file")
    parser.add_argument("--logs", type=folder_to_write, help="folder for the logs of the nodes")
    options = parser.parse_args(arguments)
    nodes = tuple(name for name in options.nodes.split(",") if name)
    if not nodes or set(nodes) - set(PLAYED):
        parser.error(f"--nodes = {options.nodes!r}: allowed are {', '.join(PLAYED)}")
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        path, damage = whole(options.recording, Path(folder))
        if damage:
            console.print(damage, markup=False, style="yellow")
        run = read_run(path)
        if not run.perceived.poses and not run.missions:
            raise ConfigError(f"{path}: neither perception nor the master said anything in it")
        try:
            with signals_interrupt():
                player = _play(options, path, run, nodes, Path(folder), console)
        except (NotPlayed, NodeDied) as error:
            console.print(str(error), markup=False, style="red")
            return 2
    for remark in dict.fromkeys(player.remarks):
        console.print(remark, markup=False, style="yellow")
    if "perception" in nodes:
        recorded = run.perceived.since(options.begin)
        console.print(agreement(recorded, player.perceived).sentence, markup=False)
    differs = False
    for mission in run.missions:
        if mission.begins < options.begin:
            continue
        with read_from(f"{path}: mission {mission.id}"):
            played = player if "master" in nodes else None
            differs |= show_mission(mission, played, options.world, console)
    return 1 if differs else 0


def _play(
    options: argparse.Namespace,
    path: Path,
    run: RecordedRun,
    nodes: tuple[str, ...],
    folder: Path,
    console: Console,
) -> Player:
    """Start the nodes, play, end them; what was heard is in the player. `folder`: for files."""
    logs = (options.logs or folder / "logs").resolve()
    world = options.world or run.site or "small_warehouse"
    first, last = max(options.begin, run.span[0]), run.span[1]
    lockstep = bool(run.ticks) and not options.rate
    values = {"world": world, "robot": options.robot, "use_sim_time": True, "lockstep": lockstep}
    master = {"ledger": str(folder / "ledger.sqlite"), "resume": False}
    master["evidence_pictures"] = False  # time would go on meanwhile
    bar = Progress(
        *Progress.get_default_columns()[:2],
        TextColumn("{task.fields[at]:.1f} s"),
        console=console,
        transient=True,
    )
    with Domain() as domain, Runner(domain.number, logs) as runner, bar:
        task = bar.add_task(f"playing {path.name}", total=max(last - first, 1e-3), at=first)
        for name in nodes:
            more = master if name == "master" else {}
            runner.start(NODES[name], {**parameters_for(name, values), **more})
        environment = ros_environment(domain.number, logs)
        with Player(path, run, nodes, environment, options.world, runner.check) as player:
            player.wait_for_nodes()
            player.play(
                options.begin,
                options.rate,
                lambda now: bar.update(task, completed=now - first, at=now),
            )
    return player


def show_mission(
    mission: RecordedMission, player: Player | None, world: str, console: Console
) -> bool:
    """Print a mission decision by decision; whether any is another one now."""
    table = Table(title=f"mission {mission.id}", title_justify="left")
    for column in ("", "at [s]", "recorded", "ended", "by its scene", "by what is seen now"):
        table.add_column(column, overflow="fold")
    differs = parted = False
    for index, scene in sorted(mission.scenes.items()):
        made = mission.made.get(index)
        if made is None:
            continue  # the end of an order, which is no decision for a skill
        what = f"{made.skill} {made.target}"
        decider, situation = decider_at(scene, world)
        entry = {name: getattr(made, name) for name in made.get_fields_and_field_types()}
        step = step_of(made.skill, made.target, made.reason, made.chosen_by)
        again = decide_again(decider, situation, step)
        by_scene = difference(entry, again) or "the same"
        now = "" if player is None else "not played"
        if player is not None and not parted:
            now, parted = _now(made, player.decided.get((mission.id, index)))
        differs = differs or parted or by_scene != "the same"
        finished = mission.finished.get(index)
        ended = "not heard of" if finished is None else code_name(finished.last_result.code)
        at = seconds(made.header.stamp)
        table.add_row(str(index), f"{at:.1f}", what, ended, by_scene, now)
    console.print(table, markup=False)
    return differs


def _now(made, again) -> tuple[str, bool]:
    """What the master decides now, in words; whether the mission goes another way from here."""
    if again is None:
        return "it did not come to this decision", True
    if (again.skill, again.target) != (made.skill, made.target):
        return f"{again.skill} {again.target}: {again.reason}", True
    return ("the same" if again.reason == made.reason else f"the same, as {again.reason}"), False
