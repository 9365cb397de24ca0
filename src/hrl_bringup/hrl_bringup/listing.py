"""`./hrl world`: what is in a world, in words and as a drawing; new worlds."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from hrl_core.config import ConfigError
from hrl_core.paths import file_to_write
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.picture import PICTURES, describe, draw_world
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.habit_draws import habits_of
from hrl_sim_bridge.trials.trial import Disturb, Trial
from hrl_sim_bridge.worlds.habits import HabitSet
from hrl_sim_bridge.worlds.layout_families import Hall
from hrl_sim_bridge.worlds.layouts import AS_FILE, layout_name, parse_layout, write_layout
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World

LAYOUTS = Path("out/layouts")
_console = Console(highlight=False)


def show_world(name: str, seed: int, disturb: Disturb, out: Path | None) -> None:
    """What stands in a world and what a seed makes of it; raises ConfigError."""
    if out is not None and out.suffix not in PICTURES:
        raise ConfigError(f"--out {out}: allowed endings are {[*PICTURES]}")
    world = load_world(name)
    trial = draw_trial(world, seed, disturb)
    _show_site(world)
    if (habits := habits_of(world.trial, seed)) is not None:
        _show_habits(habits)
    _show_trial(world, trial)
    if out is not None:
        file_to_write(out)
        draw_world(world, trial, out)
        _console.print(f"drawn in {out}", markup=False)


def generate_world(
    family: str, seed: int, file: Path, hall: Hall | None = None, habits: int | None = None
) -> None:
    """Write the layout of a family and a seed; raises ConfigError, also where a file is."""
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{file}: a world file ends in .yaml")
    if file.exists():
        raise ConfigError(f"{file}: there is a file already; move it or give another name")
    file_to_write(file)
    write_layout(family, seed, file, hall, habits)
    _console.print(f"{file}: look at it by ./hrl world show {file} --out layout.png", markup=False)


def hall_of(size: str | None, shelves: int | None, items: int | None) -> Hall | None:
    """What the options of `./hrl world generate` ask of a hall; raises ConfigError."""
    if size is None and (shelves is not None or items is not None):
        raise ConfigError("--shelves and --items go with --size WxH; without it all is drawn")
    return None if size is None else Hall.parse(size, shelves, items)


def world_file(name: str) -> str:
    """A world as nodes can load it: a layout as `load_world` knows it is written to a file first.

    Raises ConfigError.
    """
    if ":" not in name:
        return name
    family, seed, hall, habits = parse_layout(name)
    path = LAYOUTS / f"{layout_name(family, seed, hall, habits).translate(AS_FILE)}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_layout(family, seed, path, hall, habits)
    return str(path)


def _show_site(world: World) -> None:
    site = world.site
    _console.print(f"{site.name}: {site.size[0]} x {site.size[1]} m", markup=False)
    places = Table(box=None, header_style="bold")
    for column in ("place", "x, y", "facing", "board", "bins"):
        places.add_column(column)
    for place in site.furniture:
        bins = ", ".join(getattr(place, "bins", {}))
        x, y, yaw = place.pose
        places.add_row(
            place.name,
            f"{x:.2f}, {y:.2f} m",
            f"{np.degrees(yaw):.0f} deg",
            f"{place.board_height:.2f} m",
            bins or "station",
        )
    _console.print(places)
    _console.print(
        f"{len(site.waypoints)} waypoints, {len(site.landmarks)} landmarks, "
        f"items: {', '.join(site.items)}"
    )


def _show_habits(habits: HabitSet) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("item", "home", "misplaced", "mostly into", "missing"):
        table.add_column(column)
    for item, habit in habits.items.items():
        wrong = f"{habit.wrong_bin}: {habit.share_in_wrong_bin:.0%}" if habit.wrong_bin else ""
        shares = f"{habit.misplaced:.0%}", wrong, f"{habit.missing:.0%}"
        table.add_row(item, habit.home, *shares)
    _console.print("habits:")
    _console.print(table)
    for waypoint, share in habits.blocked.items():
        _console.print(f"  the way at {waypoint} is closed in {share:.0%} of the trials")


def _show_trial(world: World, trial: Trial) -> None:
    x, y, yaw = trial.start
    order = trial.order
    _console.print(f"trial of seed {trial.seed}:")
    _console.print(f"  order: {order.item} from {order.from_bin} to {order.to_station}")
    _console.print(f"  start: x {x:.2f} m, y {y:.2f} m, yaw {np.degrees(yaw):.0f} deg")
    for item in trial.stock:
        _console.print(
            f"  {item.name} {f'in {item.bin}' if item.bin else 'nowhere'}: {item.mass:.2f} kg"
        )
    _console.print(
        f"  {len(trial.obstacles)} obstacles, {len(trial.people)} people, "
        f"floor friction {trial.floor_friction:.2f}"
    )
    for sentence in describe(trial.faults):
        _console.print(f"  disturbance: {sentence}", markup=False)
    verdict = solvable(world, trial)
    _console.print(f"  {'can' if verdict.ok else 'cannot'} be solved: {verdict.why}", markup=False)
