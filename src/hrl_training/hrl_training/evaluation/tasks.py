"""Task files: what a skill meets, as ranges that a seed draws from. See config/tasks.

Lengths m, angles rad, masses kg, times s. Every range is [low, high], drawn uniformly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from hrl_core.config import Config, ConfigError, find_config, load_yaml
from hrl_training import foreign


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first of {list(pair)} must not be above the second")
    return pair


_NotNegative = Annotated[float, Field(ge=0)]
_Positive = Annotated[float, Field(gt=0)]
_Few = Annotated[int, Field(ge=0, le=20)]
_Mass = Annotated[float, Field(gt=0, le=2)]
_HalfWidth = Annotated[float, Field(ge=0.015, le=0.05)]
_ItemHeight = Annotated[float, Field(ge=0.04, le=0.3)]
_Board = Annotated[float, Field(ge=0.2, le=1)]
_Setback = Annotated[float, Field(ge=0.03, le=0.35)]
_Aside = Annotated[float, Field(ge=-0.15, le=0.15)]

Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Size = Annotated[tuple[_NotNegative, _NotNegative], AfterValidator(_ordered)]
Friction = Annotated[tuple[_Positive, _Positive], AfterValidator(_ordered)]
Shares = Annotated[tuple[Share, Share], AfterValidator(_ordered)]
Count = Annotated[tuple[_Few, _Few], AfterValidator(_ordered)]
Mass = Annotated[tuple[_Mass, _Mass], AfterValidator(_ordered)]
HalfWidth = Annotated[tuple[_HalfWidth, _HalfWidth], AfterValidator(_ordered)]
ItemHeight = Annotated[tuple[_ItemHeight, _ItemHeight], AfterValidator(_ordered)]
BoardHeight = Annotated[tuple[_Board, _Board], AfterValidator(_ordered)]
Setback = Annotated[tuple[_Setback, _Setback], AfterValidator(_ordered)]
Aside = Annotated[tuple[_Aside, _Aside], AfterValidator(_ordered)]


class PlantRanges(Config):
    """What robot and sensors are like in a trial."""

    floor_friction: Friction = (0.4, 1.2)
    payload: Size = (0.0, 0.0)  # kg in the gripper
    push_every: Size = (0.0, 0.0)  # s between kicks; 0: none
    push: Size = (0.0, 0.0)  # m/s, change of velocity by a kick
    scan_sd: Size = (0.005, 0.03)  # m
    scan_dropout: Shares = (0.0, 0.05)  # share of the beams
    camera_grey: Size = (1.0, 5.0)  # sd of 255
    camera_depth: Size = (0.002, 0.01)  # sd per metre
    latency: Size = (0.0, 0.1)  # s, age of pictures when they come
    odometry_scale: Size = (0.0, 0.03)  # sd of the error of distances
    odometry_yaw: Size = (0.0, 0.04)  # rad, sd after 1 m
    occlusion: Shares = (0.0, 0.3)  # share of the time in which the target's marker is hidden


class ItemRanges(Config):
    """Items to handle."""

    shapes: tuple[Literal["box", "cylinder"], ...] = Field(
        default=("box", "cylinder"), min_length=1
    )
    half_width: HalfWidth = (0.02, 0.04)  # m, of either side of a box; a cylinder's radius
    height: ItemHeight = (0.07, 0.13)  # m
    mass: Mass = (0.1, 1.5)  # kg
    friction: Friction = (0.6, 1.2)
    turn: Range = (-0.4, 0.4)  # rad, of the label from straight out


class BinRanges(Config):
    """Where the item stands: a board, walls beside the bin, other items."""

    board_height: BoardHeight = (0.2, 1.0)  # m
    cluttered: Share = 0.6  # of the trials; the others have neither walls nor neighbours
    walls: Share = 0.5  # of the cluttered ones have a wall on each side of the item
    wall_gap: Size = (0.10, 0.20)  # m, free between a wall and the item's side
    neighbours: Count = (0, 3)  # beside and behind the item, as many as there is room for
    neighbour_gap: Size = (0.05, 0.15)  # m, free between a neighbour and the item
    setback: Setback = (0.06, 0.16)  # m, item's centre behind the front edge
    aside: Aside = (-0.08, 0.08)  # m, item's centre from the middle of its bin, left positive


class StandRanges(Config):
    """How the robot stands when the skill begins: off the standoff pose by these."""

    position: Range = (-0.05, 0.05)  # m, in x and in y
    yaw: Range = (-0.08, 0.08)  # rad


class Tasks(Config):
    """What all task files share, besides the skill that each names."""

    plant: PlantRanges = PlantRanges()
    # Factors that make a trial hard: +1 the higher, -1 the lower. They define the hard half.
    difficulty: dict[str, Literal[-1, 1]] = {}


class GaitTasks(Tasks):
    """Commands, arm motion and disturbances for the gait."""

    skill: Literal["gait"] = "gait"
    plant: PlantRanges = PlantRanges(payload=(0.0, 2.0), push_every=(3.0, 6.0), push=(0.0, 0.5))
    forward: Range = (-0.4, 0.9)  # m/s
    sideways: Range = (-0.35, 0.35)  # m/s
    turn: Range = (-0.9, 0.9)  # rad/s
    small: Share = 0.2  # of the commands: 0.1 m/s in one direction
    standing: Share = 0.15  # of the commands


class WalkTasks(Tasks):
    """Sites, obstacles and people for walk."""

    skill: Literal["walk"] = "walk"
    distance: Size = (1.0, 15.0)  # m, from start to goal as the crow flies
    aisle_width: Size = (1.4, 3.0)  # m
    aisles: Count = (1, 3)
    obstacles: Count = (0, 4)
    obstacle_width: Size = (0.2, 0.6)  # m
    people: Count = (0, 2)
    person_speed: Size = (0.3, 1.0)  # m/s
    start_at_face: Share = 0.4  # of the trials begin where a grasp or place ended


class ApproachTasks(Tasks):
    """Starts, faces and what stands about for approach."""

    skill: Literal["approach"] = "approach"
    distance: Size = (0.5, 3.0)  # m, from the standoff pose
    bearing: Range = (-1.2, 1.2)  # rad, of the start seen from the face
    turn: Range = (-1.2, 1.2)  # rad, of the robot from facing it
    board_height: BoardHeight = (0.2, 1.0)  # m
    obstacles: Count = (0, 2)  # beside the way
    obstacle_width: Size = (0.2, 0.5)  # m
    people: Count = (0, 1)
    person_speed: Size = (0.3, 1.0)  # m/s


class GraspTasks(Tasks):
    """Items in bins for grasp."""

    skill: Literal["grasp"] = "grasp"
    item: ItemRanges = ItemRanges()
    bin: BinRanges = BinRanges()
    stand: StandRanges = StandRanges()


class PlaceTasks(Tasks):
    """Held items, stations and what stands on them for place."""

    skill: Literal["place"] = "place"
    item: ItemRanges = ItemRanges()
    stand: StandRanges = StandRanges()
    board_height: BoardHeight = (0.2, 1.0)  # m
    # m, the board that the item was taken from above the station's. The hand stays as steep as it
    # grasped: what was taken from far below cannot be put on a high board.
    taken_above: Range = (-0.05, 0.05)
    carried: Size = (0.0, 15.0)  # s, of walking between the grasp and the station
    offset: Aside = (-0.08, 0.08)  # m, of the target from the middle, in x and y
    neighbours: Count = (0, 3)
    neighbour_gap: Size = (0.06, 0.2)  # m, free between a neighbour and the target's item


TASKS: dict[str, type[Tasks]] = {
    "gait": GaitTasks,
    "walk": WalkTasks,
    "approach": ApproachTasks,
    "grasp": GraspTasks,
    "place": PlaceTasks,
}


def skills_with_tasks() -> list[str]:
    """Skills that can be evaluated: the gait and ours, and those of other packages."""
    return sorted({*TASKS, *foreign.names(foreign.TRIALS)})


def task_file(skill: str, name: str | Path | None = None) -> Path:
    """config/tasks/<skill>.yaml, or the file that is given; raises ConfigError."""
    if skill not in skills_with_tasks():
        raise ConfigError(f"unknown skill {skill!r}; known: {skills_with_tasks()}")
    if name is None and skill not in TASKS:
        return foreign.default_tasks(skill)
    return find_config("tasks", str(name or skill))


def load_tasks(skill: str, name: str | Path | None = None) -> Tasks:
    """The ranges of a task file; raises ConfigError with the place and what is allowed."""
    path = task_file(skill, name)
    model = TASKS.get(skill) or foreign.load(foreign.TRIALS, skill).tasks_model
    return load_yaml(path, model)


class Draw:
    """Draws from ranges and notes every number under its name: the factors of a trial."""

    def __init__(self, seed: int, stream: int = 0) -> None:
        self.rng = np.random.default_rng([seed, stream])
        self.factors: dict[str, float | str] = {}

    def uniform(self, name: str, limits: tuple[float, float]) -> float:
        value = float(self.rng.uniform(*limits))
        self.factors[name] = round(value, 5)
        return value

    def count(self, name: str, limits: tuple[int, int]) -> int:
        value = int(self.rng.integers(limits[0], limits[1] + 1))
        self.factors[name] = value
        return value

    def happens(self, name: str, share: float) -> bool:
        value = bool(self.rng.random() < share)
        self.factors[name] = float(value)
        return value

    def choice(self, name: str, values: tuple[str, ...]) -> str:
        value = str(values[self.rng.integers(len(values))])
        self.factors[name] = value
        return value
