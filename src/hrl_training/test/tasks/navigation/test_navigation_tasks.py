import numpy as np
import pytest

from hrl_core.floor.clearance import clearance, footprint_circles
from hrl_core.floor.paths import path_length, point_and_direction
from hrl_core.floor.rectangles import Rectangle
from hrl_core.robot import load_robot
from hrl_training.tasks.navigation.draws import PASSAGE, draw_approach, draw_walk, least_width
from hrl_training.tasks.navigation.paths import ClearanceMap
from hrl_training.tasks.registry import load_tasks, make_trials
from hrl_training.trials.ranges import Draw
from hrl_training.trials.row import Options

ROBOT = load_robot()
LEAST_WIDTH = least_width(ROBOT.base)
DRAWS = {"walk": draw_walk, "approach": draw_approach}


def drawn(skill: str, seed: int):
    draw = Draw(seed, 11)
    return DRAWS[skill](load_tasks(skill), draw, ROBOT), draw.factors  # type: ignore[arg-type]


@pytest.mark.parametrize("skill", DRAWS)
@pytest.mark.parametrize("seed", range(6))
def test_every_draw_leaves_room_for_the_footprint_and_a_way(skill, seed):
    task, factors = drawn(skill, seed)
    boxes = [Rectangle(f"{k}", box.pose, box.size[:2]) for k, box in enumerate(task.obstacles)]
    for pose in (task.start, task.map_from_goal):
        circles = footprint_circles(pose, np.array(ROBOT.base.footprint_x))
        assert clearance(task.site, boxes, circles).min() > ROBOT.base.footprint_radius
    floor = ClearanceMap.of(task.site, boxes)
    assert floor.path(task.start[:2], task.map_from_goal[:2], PASSAGE) is not None
    crow = np.hypot(*(task.start - task.map_from_goal)[:2])
    assert path_length(task.way) >= crow - 1e-9
    middle = np.array(
        [point_and_direction(task.way, share)[0] for share in np.linspace(0.3, 0.7, 9)]
    )
    assert floor.at(middle).min() > 0.5 * LEAST_WIDTH - 0.06  # a cell's diagonal less
    assert factors["obstacles"] == len(boxes) and factors["people"] == len(task.people)


@pytest.mark.parametrize("skill", DRAWS)
def test_the_same_seed_draws_the_same_task(skill):
    (task, factors), (again, factors_again) = drawn(skill, 3), drawn(skill, 3)
    assert factors == factors_again
    np.testing.assert_array_equal(task.start, again.start)
    np.testing.assert_array_equal(task.way, again.way)


def test_the_shortest_way_round_a_box_is_pulled_tight():
    task, _ = drawn("approach", 0)
    floor = ClearanceMap.of(task.site)
    width, depth = task.site.size
    a, b = np.array([0.8, 0.75 * depth]), np.array([width - 0.8, 0.75 * depth])
    straight = floor.path(a, b, LEAST_WIDTH)
    assert straight is not None and path_length(straight) == pytest.approx(width - 1.6, abs=1e-6)
    wall = Rectangle("wall", np.array([0.5 * width, depth, 0.0]), np.array([0.2, depth]))
    around = floor.with_boxes([wall]).path(a, b, LEAST_WIDTH)
    assert around is not None
    corner = np.array([0.5 * width, 0.5 * depth - 0.5 * LEAST_WIDTH])
    bound = np.linalg.norm(corner - a) + np.linalg.norm(b - corner)
    assert bound - 0.1 < path_length(around) < bound + 0.4


@pytest.mark.slow
@pytest.mark.parametrize("skill", DRAWS)
def test_a_trial_of_the_same_seed_gives_the_same_row(skill):
    trials = make_trials(skill, load_tasks(skill), Options(policy="script"))
    first, again = trials.run(2), trials.run(2)
    assert first == again
    assert first.measures["path_ratio"] >= 1.0
    assert first.claimed == (first.code == "SUCCEEDED")
