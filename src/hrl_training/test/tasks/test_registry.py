"""The table of skills: every part can be imported, and fits the others."""

from importlib.metadata import EntryPoint
from typing import cast

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_training.rl.ppo import VectorEnv
from hrl_training.tasks.manipulation import train as manipulation
from hrl_training.tasks.registry import (
    OURS,
    SkillEntry,
    build,
    entry_of,
    load_tasks,
    registry,
    skills_with,
)

PARTS = [(entry, part) for entry in OURS for part in entry.parts()]


def point(group: str, name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, group)


@pytest.mark.parametrize(("entry", "part"), PARTS, ids=lambda x: getattr(x, "name", x))
def test_every_part_of_the_table_can_be_imported(entry, part):
    assert entry.load(part) is not None


def test_every_part_of_an_installed_package_can_be_imported():
    for entry in registry().values():
        assert all(entry.load(part) is not None for part in entry.parts())


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_environment_script_and_skill_have_the_same_observation_and_action(entry, monkeypatch):
    monkeypatch.setattr(manipulation, "BANK", 2)
    monkeypatch.setattr(manipulation, "ENVIRONMENTS", 4)
    skill, tasks = entry.load("skill"), load_tasks(entry.name)
    env = cast(VectorEnv, entry.load("environment")(4, 1, tasks))
    script = entry.load("script")(entry.name, load_robot())
    observation, critic = env.reset()
    assert observation.shape == (4, sum(field.size for field in skill.OBSERVATION))
    assert critic.shape == (4, env.critic_size)
    assert np.shape(script(observation[:1])) == (1, env.action_size)
    rng = np.random.default_rng(0)
    for _ in range(5):
        step = env.step(rng.uniform(-1, 1, (4, env.action_size)))
        assert step.observation.shape == observation.shape
        assert np.isfinite(step.observation).all() and np.isfinite(step.reward).all()
        assert all(np.isfinite(value) for value in step.terms.values())


def test_other_packages_join_the_table():
    points = [point("hrl.trials", "fly", "a.b:C"), point("hrl.training", "fly", "a.t:train")]
    table = build(OURS, [*points, points[0]])  # found by two paths
    assert table["fly"].parts() == {
        "ranges": "a.b:C.tasks_model",
        "trials": "a.b:C",
        "training": "a.t:train",
    }
    with pytest.raises(ConfigError, match="trials of 'fly': cannot import a.b:C"):
        table["fly"].load("trials")
    with pytest.raises(ConfigError, match=r"'fly' has no script; it has \['ranges', 'training'"):
        table["fly"].load("script")


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([("hrl.trials", "walk", "a:B")], "'walk' of a:B is a skill of this project"),
        ([("hrl.trials", "fly", "a:B"), ("hrl.trials", "fly", "c:D")], "'fly' is there twice"),
        ([("hrl.training", "fly", "no reference")], "training = 'no reference'; allowed is"),
    ],
)
def test_what_is_there_twice_or_cannot_be_is_refused_when_the_table_is_built(points, sentence):
    with pytest.raises(ConfigError, match=sentence):
        build(OURS, [point(*each) for each in points])
    with pytest.raises(ConfigError, match="'gait' is there twice"):
        build([OURS[0], SkillEntry(name="gait")], [])


def test_a_skill_without_a_part_is_refused_with_those_that_have_it():
    assert skills_with("experiments") == ["gait"]
    with pytest.raises(ConfigError, match=r"unknown skill 'walk'; known: \['gait'\]"):
        entry_of("walk", "experiments")
