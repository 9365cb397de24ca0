"""`./hrl world show`: what is in a world, in words."""

import numpy as np
from rich.console import Console
from rich.table import Table

from hrl_core.config import find_config
from hrl_sim_bridge.world import World, load_world

_console = Console(highlight=False)


def show_world(name: str, seed: int) -> None:
    """What stands in a world and what a seed makes of it; raises ConfigError."""
    world = load_world(name)
    site = world.site
    path = find_config("worlds", name)
    _console.print(f"{site.name}: {site.size[0]} x {site.size[1]} m, {path}", markup=False)
    places = Table(box=None, header_style="bold")
    for column in ("place", "x, y", "facing", "board", "bins"):
        places.add_column(column)
    for place in (*site.shelves, *site.stations):
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
    _show_trial(world, seed)


def _show_trial(world: World, seed: int) -> None:
    trial = world.sample(seed)
    x, y, yaw = trial.start
    order = trial.order
    _console.print(f"trial of seed {seed}:")
    _console.print(f"  order: {order.item} from {order.from_bin} to {order.to_station}")
    _console.print(f"  start: x {x:.2f} m, y {y:.2f} m, yaw {np.degrees(yaw):.0f} deg")
    for item in trial.stock:
        _console.print(f"  {item.name} in {item.bin}: {item.mass:.2f} kg")
    _console.print(
        f"  {len(trial.obstacles)} obstacles, {len(trial.people)} people, "
        f"floor friction {trial.floor_friction:.2f}"
    )
    for fault in trial.faults:
        _console.print(f"  fault: {fault}", markup=False)
