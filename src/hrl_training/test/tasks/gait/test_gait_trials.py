import json

import numpy as np
import pytest

from hrl_training.cli import evaluate
from hrl_training.tasks.gait.experiments import GaitExperiments
from hrl_training.tasks.gait.trials import (
    EPISODE,
    HOLD,
    Episode,
    GaitTrials,
    draw_episode,
    tracking,
)
from hrl_training.tasks.ranges import GaitTasks
from hrl_training.tasks.registry import load_tasks
from hrl_training.trials.ranges import Draw
from hrl_training.trials.row import Options


def test_an_episode_stays_in_the_ranges_and_its_factors_tell_the_largest():
    tasks = load_tasks("gait")
    assert isinstance(tasks, GaitTasks)
    for seed in range(20):
        draw = Draw(seed)
        episode = draw_episode(draw, tasks)
        assert 0 <= episode.payload <= 2 and 0.4 <= episode.friction <= 1.2
        assert (np.abs(episode.commands) <= [0.9, 0.35, 0.9]).all()
        sizes = [np.linalg.norm(kick) for kick in episode.kicks.values()]
        assert max(sizes) <= 0.5 and len(sizes) >= 2
        assert draw.factors["plant.push"] == pytest.approx(max(sizes), abs=1e-4)
        assert set(tasks.difficulty) <= set(draw.factors)


def test_a_task_file_without_pushes_has_none():
    tasks = GaitTasks.model_validate({"plant": {"push_every": (0.0, 0.0)}})
    assert draw_episode(Draw(0), tasks).kicks == {}


def test_errors_leave_out_the_first_second_of_a_command_and_count_kicks_apart():
    commands = np.zeros((7, 3))
    commands[1] = (0.5, 0, 0)
    kicks = {2 * HOLD + 60: np.array([0.3, 0.0])}
    episode = Episode(0.0, 0.8, commands, ("stow",) * 7, kicks)
    velocities = np.repeat(commands, HOLD, axis=0)[:EPISODE]
    velocities[HOLD : HOLD + 50] = 0.0  # takes up the command within a second
    velocities[2 * HOLD + 60 : 2 * HOLD + 100, 1] = 0.3  # goes where it was kicked
    velocities[3 * HOLD + 50 : 3 * HOLD + 75, 2] = 0.2  # and once turns by itself
    found = tracking(episode, velocities)
    assert found["vx_square"] == found["vy_square"] == 0
    windows = 6 * 4 + 2 - 3  # the last command holds for 2 s; a kick takes three
    assert found["windows"] == windows
    assert found["wz_square"] == pytest.approx(0.2**2 / windows)
    assert found["speed_after_kick_square"] > 0


@pytest.mark.slow
def test_the_command_runs_the_gait_and_repeats_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stand = GaitExperiments.cases(0, 2)[-1:]
    monkeypatch.setattr(GaitExperiments, "cases", lambda seed, trials: stand)
    common = ["gait", "--trials", "2", "--seed", "3", "--workers", "1", "--out", str(tmp_path)]
    assert evaluate.main([*common, "--json", str(tmp_path / "a.json")]) == 0
    content = json.loads((tmp_path / "a.json").read_text())
    rows, summary = content["rows"], content["summary"]
    assert [row["seed"] for row in rows] == [3, 4]
    assert all(row["success"] and row["duration"] == 20.0 for row in rows)
    assert summary["measures"]["speed"]["rms"] < 0.1  # m/s
    drift = "largest drift in 20 s at rest while the arm moves, m"
    assert summary["experiments"][drift]["value"] < 0.02
    trials = GaitTrials(load_tasks("gait"), Options())  # pyright: ignore[reportArgumentType]
    assert json.loads(json.dumps(trials.run(4).as_dict()))["measures"] == pytest.approx(
        rows[1]["measures"], rel=1e-6
    )


@pytest.mark.slow
def test_the_script_of_the_gait_is_the_trot_without_corrections():
    tasks = load_tasks("gait")
    assert isinstance(tasks, GaitTasks)
    row = GaitTrials(tasks, Options(policy="script")).run(7)
    assert not row.success and row.label == "fell" and row.detail.startswith("command [")
    experiments = GaitExperiments(tasks, Options(policy="script"))
    case = GaitExperiments.cases(0, 10)[0]
    figures = GaitExperiments.summarise([(case, experiments.run(case))])
    assert set(figures) == {
        f"speed forward when 0.1 m/s is asked, {word}, m/s" for word in ("mean", "least", "most")
    }
