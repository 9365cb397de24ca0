"""The harness: figures, halves, comparison, journal, processes, and the command itself."""

import json
import re
import sys
from functools import partial

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_training.cli import evaluate
from hrl_training.jobs.processes import TrialError, run_parallel
from hrl_training.trials.journal import Journal, to_json
from hrl_training.trials.row import Row, row_from_dict
from hrl_training.trials.summary import compare, hard_half, success_over_ranges, summarise

# A module of its own, since processes are started anew and import what they run.
FAKE = '''
import os
from hrl_training.trials.row import Row, row_from_dict


class FakeTrials:
    """Succeeds on even seeds; seed `bad` raises, `dead` ends the process."""

    def __init__(self, skill, tasks, options, bad=None, dead=None):
        self.bad, self.dead, self.script = bad, dead, options.policy == "script"

    def run(self, seed, watch=None):
        if seed == self.bad:
            raise ZeroDivisionError("of the trial")
        if seed == self.dead:
            os._exit(1)
        ok = seed % (4 if self.script else 2) == 0
        return Row(
            seed=seed, success=ok, label="ok" if ok else "fell", code="X", detail="",
            claimed=ok, achieved=ok, duration=float(seed % 7 + 1),
            factors={"plant.push": seed / 10, "plant.payload": 1.0, "plant.push_every": 3.0,
                     "plant.floor_friction": 1.0},
            measures={"threads": float(os.environ["OMP_NUM_THREADS"])},
        )
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The module with FakeTrials, which takes the place of the gait's trials."""
    (tmp_path / "fake_trials.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_trials", raising=False)
    import fake_trials  # pyright: ignore[reportMissingImports]

    return fake_trials


def row(seed: int, success: bool = True, **changes) -> Row:
    values = {
        "label": "ok" if success else "fell",
        "code": "X",
        "detail": "",
        "claimed": success,
        "achieved": success,
        "duration": 1.0,
    }
    return Row(seed=seed, success=success, **(values | changes))


def test_the_summary_counts_successes_labels_and_wrong_verdicts():
    rows = [
        row(0, duration=2.0, measures={"force": 70.0}),
        row(1, duration=4.0, measures={"force": 10.0}),
        row(2, False, claimed=True, label="false success"),
        row(3, False, achieved=True, label="false failure", measures={"force": float("nan")}),
    ]
    summary = summarise(rows, {})
    assert (summary["successes"], summary["trials"], summary["success_rate"]) == (2, 4, 0.5)
    assert summary["interval"] == pytest.approx((0.15, 0.85), abs=0.005)
    assert summary["false_success"]["count"] == summary["false_failure"]["count"] == 1
    assert summary["labels"] == {"ok": 2, "false success": 1, "false failure": 1}
    assert summary["duration_median"] == 3.0  # of those that succeeded
    assert summary["force_over_60_n"] == 1
    assert summary["measures"]["force"]["trials"] == 2  # it has none where it was not measured
    assert "hard" not in summary and "ece" not in summary


def test_mean_squares_become_a_root_weighted_by_the_windows_of_each_trial():
    rows = [
        row(0, measures={"vx_square": 0.01, "windows": 3}),
        row(1, measures={"vx_square": 0.05, "windows": 1}),
    ]
    assert summarise(rows, {})["measures"]["vx"]["rms"] == pytest.approx(np.sqrt(0.02))


def test_the_hard_half_is_above_the_median_of_the_mean_rank():
    factors = [{"push": p, "grip": g} for p, g in ((0, 9), (1, 8), (2, 2), (3, 1))]
    rows = [row(k, factors=each) for k, each in enumerate(factors)]
    assert hard_half(rows, {"push": 1, "grip": -1}).tolist() == [False, False, True, True]
    summary = summarise(rows, {"push": 1})
    assert summary["hard"]["trials"] == 2 and summary["hard"]["factors"] == {"push": 1}


def test_open_and_cluttered_trials_are_counted_apart():
    rows = [row(k, k != 3, factors={"clutter": float(k > 1)}) for k in range(6)]
    summary = summarise(rows, {})
    assert (summary["open"]["successes"], summary["open"]["trials"]) == (2, 2)
    assert (summary["cluttered"]["successes"], summary["cluttered"]["trials"]) == (3, 4)


def test_a_trial_without_the_factor_is_easy():
    rows = [row(0, factors={}), row(1, factors={"wall_gap": 0.2}), row(2, factors={})]
    assert hard_half(rows, {"wall_gap": -1}).tolist() == [False, True, False]


def test_a_difficulty_that_no_trial_draws_is_refused():
    with pytest.raises(ConfigError, match=r"difficulty\.mass: no trial draws it; drawn are \['p"):
        hard_half([row(0, factors={"push": 1.0})], {"mass": 1})
    with pytest.raises(ConfigError, match=r"difficulty\.shape: allowed are factors that are num"):
        hard_half([row(0, factors={"shape": "box"})], {"shape": 1})


def test_success_over_ranges_shows_where_it_breaks():
    rows = [
        row(k, k < 30, factors={"push": k / 60, "walls": float(k % 2), "shape": "box", "one": 1.0})
        for k in range(60)
    ]
    found = success_over_ranges(rows)
    assert sorted(found) == ["push", "walls"]  # the others do not vary
    assert [each["success_rate"] for each in found["push"]] == [1, 1, 1, 0, 0, 0]
    assert [each["trials"] for each in found["push"]] == [10] * 6
    assert [(each["low"], each["trials"]) for each in found["walls"]] == [(0, 30), (1, 30)]


def test_the_comparison_is_on_the_same_seeds_and_says_how_sure_it_is():
    learned = [row(k, factors={"push": k}, duration=2.0 + k % 3) for k in range(40)]
    script = [row(k, k < 25, factors={"push": k}, duration=4.0 + 2 * (k % 3)) for k in range(2, 40)]
    found = compare(learned, script, {"push": 1})
    assert found["all"]["trials"] == 38
    assert found["easy"]["difference"] == 0
    hard = found["hard"]
    assert hard["difference"] == pytest.approx(15 / 19) and hard["interval"][0] > 0.4
    assert hard["time_ratio"] == {"value": 0.5, "interval": (0.5, 0.5), "trials": 4}


def test_json_has_null_where_there_is_no_number():
    content = {"a": float("inf"), "b": np.float64(0.1), "c": (np.int64(2), np.array([1.5]))}
    assert json.loads(to_json(content)) == {"a": None, "b": 0.1, "c": [2, [1.5]]}


def test_a_journal_goes_on_after_a_line_that_was_cut_off(tmp_path):
    path, header = tmp_path / "rows.jsonl", {"skill": "gait"}
    journal = Journal(path, header, False, row_from_dict)
    rows = [row(k, touched=("shelf",), measures={"error": 0.1 + k}) for k in range(3)]
    for each in rows[:2]:
        journal.add(each)
    journal.close()
    path.write_text(path.read_text() + '{"seed": 2, "succ')
    journal = Journal(path, header, True, row_from_dict)
    assert list(journal.rows.values()) == rows[:2]
    journal.add(rows[2])
    journal.close()
    assert list(Journal(path, header, True, row_from_dict).rows.values()) == rows


def test_a_journal_of_other_trials_is_refused(tmp_path):
    Journal(tmp_path / "rows.jsonl", {"policy": "script"}, False, row_from_dict).close()
    with pytest.raises(ConfigError, match=r"policy = 'script', these have 'learned'; leave out"):
        Journal(tmp_path / "rows.jsonl", {"policy": "learned"}, True, row_from_dict)


def test_rows_are_the_same_whatever_the_number_of_processes(fake):
    make = partial(fake.FakeTrials, "gait", None, evaluate.Options())
    one = dict(run_parallel(make, range(5), 1))
    two = dict(run_parallel(make, range(5), 2))
    assert sorted(one) == list(range(5)) and one == two
    assert one[0].measures == {"threads": 1.0}


def test_a_trial_that_raises_stops_the_run_and_is_named(fake):
    make = partial(fake.FakeTrials, "gait", None, evaluate.Options(), bad=3)
    with pytest.raises(TrialError, match="seed 3 raised ZeroDivisionError: of the trial"):
        list(run_parallel(make, range(100), 1))


def test_a_process_that_dies_names_the_seed_that_it_ran(fake):
    make = partial(fake.FakeTrials, "gait", None, evaluate.Options(), dead=2)
    with pytest.raises(TrialError, match="a process died at seed 2"):
        list(run_parallel(make, range(100), 1))


@pytest.mark.slow
def test_the_command_writes_what_it_counts_and_resumes(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "make_trials", fake.FakeTrials)
    monkeypatch.setattr(evaluate.Evaluation, "_run_experiments", lambda *_: None)
    file, out = tmp_path / "result.json", tmp_path / "out"
    common = ["gait", "--policy", "both", "--seed", "4", "--workers", "1", "--out", str(out)]
    evaluate.main([*common, "--trials", "6"])
    assert evaluate.main([*common, "--trials", "8", "--json", str(file), "--resume"]) == 0
    content = json.loads(file.read_text())
    summary = content["summary"]
    assert [each["seed"] for each in content["rows"]] == list(range(4, 12))
    assert (summary["trials"], summary["successes"], summary["skill"]) == (8, 4, "gait")
    assert summary["command"] == "./hrl evaluate gait --trials 8 --seed 4 --policy both"
    assert re.fullmatch("[0-9a-f]{64}", summary["tasks"]["sha256"])
    assert sum(each["success"] for each in content["script_rows"]) == 2
    assert summary["comparison"]["all"]["difference"] == 0.25
    printed = capsys.readouterr().out
    assert "4/8 (50.0 %)" in printed and "seed 5: fell after 6.0 s" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gait", "--trials", "0"], "--trials: '0': allowed are whole numbers 1 to"),
        (["gait", "--seed", "-1"], "--seed: '-1': allowed are whole numbers 0 to"),
        (["fly"], "invalid choice: 'fly'"),
    ],
)
def test_wrong_options_are_refused(arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        evaluate.main(arguments)
    assert sentence in capsys.readouterr().err


def test_weights_without_a_card_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"--weights .*: holds no card\.yaml"):
        evaluate.main(["gait", "--weights", str(tmp_path)])
