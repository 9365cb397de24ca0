"""Task files: what each skill meets, as ranges that a seed draws from. See config/tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hrl_core.config import Config
from hrl_training.trials.plant_ranges import PlantRanges
from hrl_training.trials.ranges import (
    Aside,
    BoardHeight,
    Count,
    Friction,
    HalfWidth,
    ItemHeight,
    Mass,
    Range,
    Setback,
    Share,
    Size,
)


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


class FaceTasks(Tasks):
    """Starts, faces and what stands about for skills that go up to a face."""

    distance: Size = (0.5, 3.0)  # m, from the standoff pose
    bearing: Range = (-1.2, 1.2)  # rad, of the start seen from the face
    turn: Range = (-1.2, 1.2)  # rad, of the robot from facing it
    board_height: BoardHeight = (0.2, 1.0)  # m
    obstacles: Count = (0, 2)  # beside the way
    obstacle_width: Size = (0.2, 0.5)  # m
    people: Count = (0, 1)
    person_speed: Size = (0.3, 1.0)  # m/s


class ApproachTasks(FaceTasks):
    """The same for approach."""

    skill: Literal["approach"] = "approach"


class AlignTasks(FaceTasks):
    """The same for align, which begins where a walk or an approach has ended."""

    skill: Literal["align"] = "align"
    distance: Size = (0.05, 1.0)  # m
    bearing: Range = (-0.5, 0.5)  # rad
    turn: Range = (-0.4, 0.4)  # rad
    board_height: BoardHeight = (0.3, 0.8)  # m
    obstacles: Count = (0, 1)


class LeaveTasks(Tasks):
    """Faces of a world to leave, for skills that do that."""

    world: str = "conveyor_line"
    distance: Range = (0.3, 0.9)  # m
    stand: StandRanges = StandRanges()


class BackOutTasks(LeaveTasks):
    """The same for back_out."""

    skill: Literal["back_out"] = "back_out"


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
