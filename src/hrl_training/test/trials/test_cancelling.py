"""A skill that is cancelled at any moment leaves a robot that stands and keeps what it holds."""

import numpy as np
import pytest

from hrl_core.outcomes import Code
from hrl_skills.runner import SkillRunner
from hrl_training.tasks.registry import load_tasks, make_trials
from hrl_training.trials import rig
from hrl_training.trials.row import Options

SEEDS = range(3100, 3104)
LONGEST = {"walk": 120, "approach": 55, "grasp": 75, "place": 95}  # ticks, about what one takes
REST = 25  # ticks after it, in which the robot brakes and the last step is done
FORCE = 60.0  # N


@pytest.mark.slow
@pytest.mark.parametrize("skill", LONGEST)
def test_a_skill_that_is_cancelled_at_any_moment_leaves_a_robot_at_rest(skill, monkeypatch):
    moments, ends = np.random.default_rng(31).integers(1, LONGEST[skill], len(SEEDS)), []
    run_to_its_end, tick_as_always = rig.Rig.run, SkillRunner.tick

    def tick(runner, sensed):
        if runner.skill.name == skill and runner.steps >= last:
            return runner.end(Code.CANCELED, "cancelled")
        return tick_as_always(runner, sensed)

    def run(its_rig, its_skill, goal, success_model=None):
        found = run_to_its_end(its_rig, its_skill, goal, success_model)
        if its_skill.name == skill:
            held = its_rig.plant.truth().held
            its_rig.hold(rig.STILL, REST)
            ends.append((found.outcome.code, held, its_rig.plant.truth()))
        return found

    monkeypatch.setattr(SkillRunner, "tick", tick)
    monkeypatch.setattr(rig.Rig, "run", run)
    trials = make_trials(skill, load_tasks(skill), Options())
    for seed, last in zip(SEEDS, moments, strict=True):
        trials.run(seed)
        code, held, truth = ends[-1]
        where = f"seed {seed}, cancelled after {last} ticks: {truth}"
        assert code in (Code.CANCELED, Code.SUCCEEDED), where
        assert not truth.fallen and np.hypot(*truth.twist[:2]) < 0.1, where
        assert held is None or truth.held == held, where
        assert max((t.force for t in truth.touches.values()), default=0.0) < FORCE, where
    assert Code.CANCELED in [code for code, *_ in ends]
