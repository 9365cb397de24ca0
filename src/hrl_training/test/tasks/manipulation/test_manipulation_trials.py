import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError
from hrl_core.geometry import inverse
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_sim_bridge.plant.warehouse import PANEL
from hrl_sim_bridge.trials.trial import Order, Trial
from hrl_sim_bridge.worlds.world import StartRange, TrialRanges, World
from hrl_skills.skill import PlaceGoal, failed
from hrl_training.tasks.manipulation import trials as manipulation_trials
from hrl_training.tasks.manipulation.draws import ITEM, STATION, draw_grasp, draw_place
from hrl_training.tasks.manipulation.trials import ManipulationTrials, label_of
from hrl_training.tasks.ranges import GraspTasks, PlaceTasks
from hrl_training.tasks.registry import load_tasks
from hrl_training.trials.plant_ranges import LONGEST, PlantRanges, draw_plant
from hrl_training.trials.ranges import Draw
from hrl_training.trials.row import Options

SEEDS = range(60)
DONE = Outcome(Code.SUCCEEDED, "", Verdict(True, "", {}))
STANDS = {"upright": 1.0, "below": 0.0, "force": 0.0, "neighbour_shift": 0.0}


def grasp_tasks(**bin_ranges) -> GraspTasks:
    tasks = load_tasks("grasp")
    assert isinstance(tasks, GraspTasks)
    return tasks.model_copy(update={"bin": tasks.bin.model_copy(update=bin_ranges)})


def place_tasks(**ranges) -> PlaceTasks:
    tasks = load_tasks("place")
    assert isinstance(tasks, PlaceTasks)
    return tasks.model_copy(update=ranges)


def free_gap(task, other: str, within: str) -> float:
    """Free distance [m] of an item from the wanted one, along or across the face `within`."""
    face_from_map = inverse(task.site.face(within))
    halves, centres = [], []
    for name in (ITEM, other):
        pose = face_from_map @ task.trial.item(name).map_from_item
        size = 0.5 * np.array(task.site.items[name].size)
        halves.append((np.abs(pose[:3, :3]) @ size)[:2])
        centres.append(pose[:2, 3])
    return float((np.abs(centres[0] - centres[1]) - halves[0] - halves[1]).max())


def test_a_seed_draws_the_same_task_and_another_seed_another():
    for draw_task in (
        lambda seed: draw_grasp(grasp_tasks(), Draw(seed), seed),
        lambda seed: draw_place(place_tasks(), Draw(seed), seed),
    ):
        first, again, other = (draw_task(seed) for seed in (3, 3, 4))
        assert repr(first) == repr(again)
        assert repr(first) != repr(other)


def test_items_stand_on_their_board_and_neighbours_keep_their_distance():
    tasks, crowd = grasp_tasks(cluttered=1.0, walls=0.0, neighbours=(3, 3)), 0
    for seed in SEEDS:
        draw = Draw(seed)
        task = draw_grasp(tasks, draw, seed)
        assert draw.factors["bin.neighbours"] == len(task.others)
        crowd += len(task.others)
        shelf = task.site.shelves[0]
        assert 0.2 <= shelf.board_height <= 1.0
        for placed in task.trial.stock:
            bottom = placed.map_from_item[2, 3] - 0.5 * task.site.items[placed.name].size[2]
            assert 0 < bottom - shelf.board_height < 0.002
        for name in task.others:
            # A turned cylinder's box is wider than it is by up to 1.3 times.
            assert (
                free_gap(task, name, task.trial.order.from_bin) > tasks.bin.neighbour_gap[0] - 0.03
            )
            assert 0.1 <= task.site.items[name].mass <= 1.5
    assert crowd > 2 * len(SEEDS)


def test_walls_stand_beside_the_item_as_near_as_the_file_says():
    tasks, walls = grasp_tasks(cluttered=1.0, walls=1.0, wall_gap=(0.1, 0.12)), 0
    for seed in SEEDS:
        task = draw_grasp(tasks, Draw(seed), seed)
        shelf = task.site.shelves[0]
        item = task.trial.item(ITEM)
        along = item.map_from_item[0, 3] - shelf.pose[0]  # its y is the x of map
        for y in shelf.dividers:
            walls += 1
            half = 0.5 * min(task.site.items[ITEM].size[:2])
            assert abs(y - along) - 0.5 * PANEL >= half + 0.1 - 1e-6
            assert abs(y - along) - 0.5 * PANEL <= 0.06 + 0.12
    assert walls > 1.8 * len(SEEDS)


def test_open_bins_are_as_frequent_as_the_file_says():
    tasks = grasp_tasks(cluttered=0.5, walls=1.0)
    clutter = []
    for seed in range(200):
        draw = Draw(seed)
        task = draw_grasp(tasks, draw, seed)
        clutter.append(draw.factors["clutter"])
        assert bool(draw.factors["clutter"]) == bool(task.others or task.site.shelves[0].dividers)
    assert 0.38 < np.mean(clutter) < 0.62


def test_the_target_of_a_place_is_free():
    tasks = place_tasks(neighbours=(3, 3))
    for seed in SEEDS:
        task = draw_place(tasks, Draw(seed), seed)
        assert isinstance(task.goal, PlaceGoal)
        station, face = task.site.station(STATION), task.site.face(STATION)
        target = task.site.target_point(STATION) + face[:3, :2] @ task.goal.offset
        for name in task.others:
            pose = task.trial.item(name).map_from_item
            size = task.site.items[name].size
            away = np.linalg.norm((pose[:3, 3] - target)[:2])
            assert away > 0.06 + 0.5 * min(size[:2]) + 0.5 * min(task.site.items[ITEM].size[:2])
            assert 0 < pose[2, 3] - 0.5 * size[2] - station.board_height < 0.002


def world_and_trial():
    ranges = TrialRanges(start=StartRange(waypoint=""))
    site = draw_grasp(grasp_tasks(), Draw(0), 0).site
    start = np.zeros(3)
    order = Order("", "", "")
    trial = Trial(0, start, start, (), (), (), 1.0, order, ())
    return World.model_construct(site=site, trial=ranges, faults=()), trial


def test_markers_are_hidden_for_the_share_of_the_time_that_was_drawn():
    world, trial = world_and_trial()
    hidden, times = [], np.arange(0.0, LONGEST, 0.1)
    for seed in range(20):
        drawn = draw_plant(Draw(seed), PlantRanges(occlusion=(0.3, 0.3)), seed)
        faults = drawn.onto(world, trial, (ITEM,))[1].faults
        assert all(0 < fault.duration <= 2.0 and fault.target == ITEM for fault in faults)
        hidden += [any(fault.active(time) for fault in faults) for time in times]
    assert np.mean(hidden) == pytest.approx(0.3, abs=0.04)
    drawn = draw_plant(Draw(0), PlantRanges(occlusion=(0.0, 0.0)), 0)
    assert not drawn.onto(world, trial, (ITEM,))[1].faults


def test_pushes_come_as_often_and_as_hard_as_drawn():
    world, trial = world_and_trial()
    ranges = PlantRanges(push_every=(2.0, 2.0), push=(0.3, 0.3), payload=(1.0, 2.0))
    draw = Draw(5)
    pushed = draw_plant(draw, ranges, 5).onto(world, trial)[1]
    times = [push.time for push in pushed.pushes]
    np.testing.assert_allclose(np.diff(times), 2.0)
    np.testing.assert_allclose([np.linalg.norm(p.velocity) for p in pushed.pushes], 0.3)
    assert pushed.payload == pytest.approx(draw.factors["plant.payload"], abs=1e-4)
    assert 1.0 <= pushed.payload <= 2.0


@pytest.mark.parametrize(
    ("outcome", "fallen", "achieved", "kept", "others", "measures", "label"),
    [
        (DONE, False, True, True, 1.0, {}, "ok"),
        (DONE, True, True, True, 1.0, {}, "fell"),
        (DONE, False, False, False, 1.0, {}, "false success"),
        (failed(Code.DROPPED, ""), False, True, True, 1.0, {}, "false failure"),
        (failed(Code.DROPPED, ""), False, False, False, 1.0, {}, "dropped"),
        (failed(Code.NOT_HELD, ""), False, False, False, 1.0, {}, "not grasped"),
        (failed(Code.NOT_HELD, ""), False, False, False, 1.0, {"upright": 0.1}, "tipped"),
        (failed(Code.ITEM_NOT_FOUND, ""), False, False, False, 1.0, {}, "not found"),
        (failed(Code.ITEM_NOT_FOUND, ""), False, False, False, 1.0, {"below": 0.4}, "dropped"),
        (failed(Code.STEP_LIMIT, ""), False, False, False, 1.0, {}, "timed out"),
        (DONE, False, True, False, 1.0, {}, "dropped"),
        (DONE, False, True, True, 0.5, {}, "tipped"),
        (DONE, False, True, True, 1.0, {"neighbour_shift": 0.04}, "collided"),
        (DONE, False, True, True, 1.0, {"force": 61.0}, "collided"),
    ],
)
def test_a_trial_gets_the_label_of_what_went_wrong(
    outcome, fallen, achieved, kept, others, measures, label
):
    assert label_of(outcome, fallen, achieved, kept, others, STANDS | measures) == label


@pytest.mark.slow
def test_a_trial_gives_the_same_row_again_and_when_it_is_watched():
    tasks = grasp_tasks(board_height=(0.4, 0.5))
    trials = ManipulationTrials(tasks, Options(vision=False))
    first, pictures = trials.run(2), []
    watched = trials.run(2, lambda plant: pictures.append(plant.time))
    assert first == watched
    assert len(pictures) * 0.1 > first.duration


@pytest.mark.slow
def test_a_place_begins_with_the_item_in_the_hand_and_ends_with_it_on_the_station():
    tasks = place_tasks(board_height=(0.4, 0.5))
    row = ManipulationTrials(tasks, Options()).run(2)
    assert row.conditions, "it was refused: nothing was held"
    assert row.claimed and row.achieved and row.success, (row.label, row.detail)
    assert row.measures["error"] < 0.05 and row.measures["upright"] > 0.94


@pytest.mark.slow
def test_an_item_that_is_never_grasped_fails_the_trial_of_its_place(monkeypatch):
    tasks = place_tasks(board_height=(0.4, 0.5))
    trials = ManipulationTrials(tasks, Options(vision=False))
    monkeypatch.setattr(trials, "_grasp_policy", lambda observation: np.zeros((1, 6)))
    monkeypatch.setattr(manipulation_trials, "GRASPS", 2)
    row = trials.run(2)
    assert (row.success, row.label, row.code) == (False, "refused", "NOTHING_HELD")
    assert row.factors["grasps"] == 2
    drawn = Draw(2, manipulation_trials.TASK_STREAM)
    draw_place(tasks, drawn, 2)
    assert drawn.factors.items() <= row.factors.items()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": {"mass": [0.1, 5.0]}}, r"item.mass.1 = 5.0: .*less than or equal to 2"),
        ({"item": {"half_width": [0.04, 0.02]}}, "the first of .* must not be above the second"),
        ({"bin": {"board_height": [0.1, 0.5]}}, "bin.board_height.0 = 0.1: .*0.2"),
        ({"plant": {"occlusion": [0.0, 1.5]}}, "plant.occlusion.1 = 1.5: .*equal to 1"),
        ({"plant": {"floor_friction": [0.0, 1.0]}}, "plant.floor_friction.0 = 0.0: .*than 0"),
        ({"bin": {"wals": 0.5}}, "bin.wals = 0.5: Extra inputs"),
    ],
)
def test_a_task_file_that_cannot_be_drawn_from_is_refused(tmp_path, change, message):
    path = tmp_path / "tasks.yaml"
    path.write_text(yaml.safe_dump({"skill": "grasp", **change}))
    with pytest.raises(ConfigError, match=message):
        load_tasks("grasp", path)
