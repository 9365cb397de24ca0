from dataclasses import replace

import pytest

from hrl_core.robot import load_robot
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_training.tasks.manipulation.draws import ITEM, draw_grasp
from hrl_training.tasks.ranges import GraspTasks
from hrl_training.tasks.registry import load_tasks
from hrl_training.trials.ranges import Draw
from hrl_training.trials.rig import STILL, Rig


@pytest.fixture
def make_rig():
    """Make benches with an item in a low, open bin; they are closed when the test ends."""
    made = []

    def make(faults: tuple[Fault, ...] = (), **options) -> Rig:
        tasks = load_tasks("grasp")
        assert isinstance(tasks, GraspTasks)
        low = tasks.bin.model_copy(update={"board_height": (0.4, 0.4), "cluttered": 0.0})
        task = draw_grasp(tasks.model_copy(update={"bin": low}), Draw(1), 1)
        trial = replace(task.trial, faults=faults)
        made.append(Rig(task.world, trial, load_robot(), **options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


def test_true_eyes_lose_sight_of_a_covered_marker_and_keep_its_last_place(make_rig):
    covered = Fault(FaultKind.MARKER_OCCLUDED, ITEM, 0.35, 0.5)
    rig = make_rig((covered,), vision=False)
    place = rig.plant.trial.order.from_bin
    ages = {}
    for _ in range(12):
        sensed = rig.tick(STILL)
        ages[round(sensed.stamp, 1)] = sensed.stamp - sensed.detections[ITEM].stamp
        assert sensed.detections[place].stamp == sensed.stamp
    assert ages[0.3] == 0.0
    assert ages[0.7] == pytest.approx(0.4)
    assert ages[1.0] == 0.0


@pytest.mark.slow
def test_pictures_come_as_late_as_they_are_told_to_with_the_time_they_were_taken(make_rig):
    for latency in (0.0, 0.2):
        rig = make_rig(latency=latency)
        place = rig.plant.trial.order.from_bin
        ages = []
        for _ in range(12):
            sensed = rig.tick(STILL)
            if place in sensed.detections:
                ages.append(sensed.stamp - sensed.detections[place].stamp)
        # A picture every second tick: half of the ticks have none of their own.
        assert min(ages) == pytest.approx(latency)
        assert max(ages) == pytest.approx(latency + 0.1)


@pytest.mark.slow
def test_a_covered_marker_is_not_seen_by_the_cameras(make_rig):
    rig = make_rig((Fault(FaultKind.MARKER_OCCLUDED, ITEM),))
    rig.hold(STILL, 6)
    assert rig.plant.trial.order.from_bin in rig.sensed.detections
    assert ITEM not in rig.sensed.detections
