"""`./hrl bench stopping`: how far and how long the robot goes on once it has to stop, in the plant.

From each velocity and way: after a command of zero, after cmd_vel fell silent (its sender was
killed), after the emergency stop, each the worst of several phases of the stride. And how near a
wall may appear ahead without being touched, where the shield alone stops the robot.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hrl_core.config import ConfigError
from hrl_core.known import known
from hrl_core.number_options import integer
from hrl_core.pages.page import PLOT_STYLE
from hrl_core.paths import file_to_write
from hrl_core.robot import Robot, load_robot
from hrl_sim_bridge.stopping import Event, StoppingRig

STRIDE = 5  # ticks of a trot's cycle: more phases than these say nothing new
FURTHEST, RESOLUTION = 1.25, 0.05  # m, of the gaps that are tried
UNITS = ("m", "m", "rad")


@dataclass(frozen=True)
class Row:
    """The worst of one velocity; of turns in rad and rad/s."""

    way: str
    axis: int  # of a twist
    commanded: float  # m/s
    measured: float  # m/s, the largest when an event came
    seconds: dict[str, float]  # by event, until it stayed at rest
    distance: dict[str, float]  # m, by event
    gap: float | None  # m; None: nothing is ahead of a turn
    fell: bool


def velocities(robot: Robot) -> Iterator[tuple[str, int, float]]:
    """Way, axis of a twist and velocity, from slow to what the robot file allows."""
    low, high = robot.base.velocity_min, robot.base.velocity_max
    for name, axis, most in (
        ("forwards", 0, high[0]),
        ("backwards", 0, low[0]),
        ("sideways", 1, high[1]),
        ("turning", 2, high[2]),
    ):
        for slower in (0.1, 0.3, 0.5, 0.7):
            if slower < abs(most) - 0.1:
                yield name, axis, float(np.copysign(slower, most))
        yield name, axis, most


def measure(rig: StoppingRig, way: str, axis: int, velocity: float, phases: int) -> Row:
    """All runs of one velocity."""
    twist = np.zeros(3)
    twist[axis] = velocity
    stops = {e: [rig.stop(twist, e, phase) for phase in range(phases)] for e in Event}
    every = [stop for each in stops.values() for stop in each]
    return Row(
        way,
        axis,
        velocity,
        max(stop.speed for stop in every),
        {e.value: max(stop.seconds for stop in each) for e, each in stops.items()},
        {e.value: max(stop.distance for stop in each) for e, each in stops.items()},
        None if axis == 2 else max(_gap(rig, twist, phase) for phase in range(phases)),
        any(stop.fell for stop in every),
    )


def _gap(rig: StoppingRig, twist: np.ndarray, phase: int) -> float:
    """Least gap [m], to RESOLUTION, at which a wall that appears is not touched."""
    touched, free = 0, round(FURTHEST / RESOLUTION)
    while free - touched > 1:
        middle = (touched + free) // 2
        if rig.meet(twist, RESOLUTION * middle, phase) > 0:
            free = middle
        else:
            touched = middle
    return round(RESOLUTION * free, 2)


def table(rows: list[Row]) -> Table:
    """One row per velocity."""
    made = Table(box=None, header_style="bold")
    for column in ("way", "velocity", "measured", *(e.value for e in Event), "wall appears"):
        made.add_column(column, justify="left" if column == "way" else "right")
    for row in rows:
        unit = UNITS[row.axis]
        made.add_row(
            row.way,
            f"{row.commanded:.2f} {unit}/s",
            f"{row.measured:.2f}",
            *(f"{row.distance[e.value]:.2f} {unit}, {row.seconds[e.value]:.1f} s" for e in Event),
            ("" if row.gap is None else f"{row.gap:.2f} m") + (" fell" if row.fell else ""),
        )
    return made


def draw(rows: list[Row], file: Path) -> None:
    """Distance to rest over velocity, one panel per way."""
    ways = list(dict.fromkeys(row.way for row in rows))
    with matplotlib.rc_context(fname=PLOT_STYLE):
        figure = Figure(figsize=(2.7 * len(ways), 2.4), layout="constrained")
        for axes, way in zip(figure.subplots(1, len(ways), squeeze=False)[0], ways, strict=True):
            of_way = [row for row in rows if row.way == way]
            unit, speeds = UNITS[of_way[0].axis], [abs(row.commanded) for row in of_way]
            for event in Event:
                distances = [row.distance[event.value] for row in of_way]
                axes.plot(speeds, distances, "o-", label=event.value)
            gaps = [row.gap for row in of_way if row.gap is not None]
            if gaps:
                axes.plot(speeds, gaps, "s--", label="least gap to what appears")
            axes.set(title=way, xlabel=f"{unit}/s", ylabel=f"{unit} to rest", ylim=(0, None))
        figure.axes[0].legend(fontsize="x-small")
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="./hrl bench stopping",
        description=known(__doc__),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--robot", default="spot", help="robot name or file")
    parser.add_argument(
        "--phases", type=integer(1), default=STRIDE, help="of the stride; default: all"
    )
    parser.add_argument(
        "--plot", type=file_to_write, metavar="PNG", help="draw the distances there"
    )
    parser.add_argument(
        "--json", type=file_to_write, metavar="FILE", help="write the figures there as well"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.phases <= STRIDE:
        raise ConfigError(f"--phases {options.phases}: allowed are 1 to {STRIDE}")
    robot = load_robot(options.robot)
    rig, console = StoppingRig(robot), Console(highlight=False, width=120)
    try:
        rows = [
            measure(rig, *each, options.phases)
            for each in track(
                list(velocities(robot)), "runs", console=Console(stderr=True), transient=True
            )
        ]
    finally:
        rig.close()
    console.print(table(rows))
    console.print(
        f"The worst of {options.phases} phases of the stride: how far the body is away at most "
        "from where the event came, and until it stays at rest. Wall appears: the least gap to "
        f"the footprint, in steps of {RESOLUTION} m, at which it was never touched."
    )
    if options.plot:
        draw(rows, options.plot)
    if options.json:
        content = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
