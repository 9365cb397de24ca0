"""`./hrl skills` and `./hrl world show`: what is there, in words."""

import numpy as np
from rich.console import Console
from rich.table import Table

from hrl_core.config import ConfigError, find_config
from hrl_sim_bridge.world import World, load_world
from hrl_skills.library import policy_folder, skill_names
from hrl_skills.policy import Card, load_card

_console = Console(highlight=False)


def show_skills() -> None:
    """A line per policy: the skills, and the gait that they walk with."""
    table = Table(box=None, header_style="bold")
    for column in ("skill", "version", "bound", "rate", "observation", "action", "first figure"):
        table.add_column(column)
    for name in ("gait", *skill_names()):
        path = policy_folder(name) / "card.yaml"
        if not path.is_file():
            table.add_row(name, "no policy")
            continue
        card = load_card(path)
        table.add_row(
            name,
            card.version,
            f"{card.max_steps} steps",
            f"{card.rate_hz:g} Hz",
            f"{sum(part.size for part in card.observation)} values",
            f"{len(card.action)} values",
            _figure(card, 0),
        )
    _console.print(table)
    _console.print("One of them in full: ./hrl skills NAME")


def show_skill(name: str) -> None:
    """The card of one policy."""
    known = ["gait", *skill_names()]
    if name not in known:
        raise ConfigError(f"unknown skill {name!r}; known: {known}")
    card = load_card(policy_folder(name) / "card.yaml")
    _console.print(f"{name} {card.version}, at most {card.max_steps} steps at {card.rate_hz:g} Hz")
    observation = Table(title="observation", box=None, title_justify="left")
    for part in card.observation:
        observation.add_row(part.name, str(part.size), part.unit)
    action = Table(title="action", box=None, title_justify="left")
    for part in card.action:
        action.add_row(part.name, f"{part.low:g} to {part.high:g}", part.unit)
    figures = Table(title="measured", box=None, title_justify="left")
    for k, figure in enumerate(card.figures):
        figures.add_row(_figure(card, k), f"n = {figure.trials}", figure.command)
    for table in (observation, action, figures):
        _console.print(table)
    for limit in card.limits:
        _console.print(f"limit: {limit}", markup=False)
    _console.print(f"trained by: {card.training.command}", markup=False)


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


def _figure(card: Card, index: int) -> str:
    if not card.figures:
        return "none"
    figure = card.figures[index]
    text = f"{figure.metric} {figure.value:.3g}"
    if figure.interval is not None:
        text += f" ({figure.interval[0]:.3g} to {figure.interval[1]:.3g})"
    return text
