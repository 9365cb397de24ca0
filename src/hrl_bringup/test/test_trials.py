"""`./hrl trials` without missions: rows that are kept, resumed, counted, compared and drawn."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hrl_bringup.mission_log import DecisionEntry, MissionLog
from hrl_bringup.trials import INTERRUPTED, Trials, TrialsOptions, run_trials
from hrl_bringup.trials_ros import finished_over_ros
from hrl_core.config import ConfigError
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_master.guardrails import Check
from hrl_master.mission import Decision, Order, OrderEnd
from hrl_master.mission_loop import Execution
from hrl_sim_bridge.judging.judge import Judgement
from hrl_sim_bridge.judging.solvable import Solvability
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.missions.row import (
    DecisionRow,
    MissionRow,
    OrderRow,
    failure_cause,
    finished_mission,
    make_row,
    order_of,
    row_decision,
    row_from_dict,
)
from hrl_training.missions.runner import in_turn
from hrl_training.missions.summary import compare, summarise

ORDER = {"item": "can", "from_bin": "A1", "to_station": "packing"}
ORDERED = OrderRow(**ORDER, outcome="SUCCEEDED", delivered=True, solvable=True, sentence="")
ROW = MissionRow(
    seed=0,
    world="open_bay",
    policy="behaviour_tree",
    order=ORDER,
    orders=(
        {**ORDER, "outcome": "SUCCEEDED", "delivered": True, "solvable": True, "sentence": ""},
    ),
    disturbances=(),
    solvable=True,
    why="can stands in A1",
    delivered=True,
    handed_over=False,
    wrong_item_delivered=False,
    contacts=(),
    contacts_with_people=0,
    placement_error_m=0.01,
    cause="",
    sentence="can stands on packing",
    mission_outcome="SUCCEEDED",
    mission_detail="",
    resolved_after_s=40.0,
    simulated_duration_s=41.0,
    wall_duration_s=10.0,
    lockstep_misses=0,
    decisions=(asdict(DecisionRow("walk", "A1", "SUCCEEDED", "", 80, True, 0.0, 8.0, 0.9)),),
)
LOST = replace(
    ROW, delivered=False, handed_over=True, solvable=False, disturbances=("missing_item",)
)
NEEDLESS = replace(LOST, solvable=True, cause="grasp NOT_HELD", disturbances=("person",))


def options(folder: Path, **changes) -> TrialsOptions:
    usual = {"worlds": ("open_bay",), "missions": 4, "seed": 2, "robot": "spot", "out": folder}
    return TrialsOptions(**{**usual, "json": folder / "out.json", **changes})


@pytest.fixture
def ran(monkeypatch):
    """Missions that take no time; seeds and policies that were run, in that order."""
    seeds: list[tuple[str, int]] = []

    def results(self, missions, left, progress):
        for seed in left:
            if seed in stop_at:
                stop_at.remove(seed)
                raise KeyboardInterrupt
            world = in_turn(missions, seed)
            seeds.append((world.policy, seed))
            yield seed, replace(ROW, seed=seed, policy=world.policy, world=world.world_name)

    stop_at: list[int] = []
    monkeypatch.setattr(Trials, "_results", results)
    return seeds, stop_at


@pytest.fixture
def no_page(monkeypatch):
    """Plots take a second."""
    monkeypatch.setattr("hrl_bringup.trials.write_trials_page", lambda folder, result, rows: folder)


def test_a_row_survives_the_journal():
    row = replace(LOST, contacts=("leg - shelf",))
    assert row_from_dict(json.loads(json.dumps(row.as_dict()))) == row


def test_success_is_to_deliver_or_to_hand_over_what_cannot_be_done():
    assert [row.success for row in (ROW, LOST, NEEDLESS)] == [True, True, False]
    summary = summarise([ROW, ROW, LOST, NEEDLESS])
    assert (summary["missions"], summary["successes"], summary["delivered"]) == (4, 3, 2)
    assert summary["contained"]["count"] == 2 and summary["contained"]["of"] == 3
    assert summary["handed_over_where_unsolvable"]["share"] == 1.0
    assert summary["failures"] == {"grasp NOT_HELD": 1}
    groups = summary["by_disturbance"]
    assert groups["nominal"]["of"] == 2 and groups["person"]["count"] == 0


def test_policies_are_compared_on_the_seeds_that_both_have():
    slow = replace(ROW, resolved_after_s=50.0)
    first = [replace(ROW, seed=seed) for seed in range(10)]
    second = [replace(slow if seed % 2 else NEEDLESS, seed=seed) for seed in range(2, 12)]
    found = compare(first, second)
    assert (found["missions"], found["only_first"], found["only_second"]) == (8, 4, 0)
    assert found["difference"] == 0.5 and found["interval"][0] < 0.5 < found["interval"][1]
    assert found["median_time_ratio"]["value"] == found["mean_time_ratio"]["value"] == 0.8


def test_the_cause_is_the_last_decision_that_failed():
    done = {"skill": "walk", "outcome": "SUCCEEDED", "confirmed": True}
    assert failure_cause([{**done, "outcome": "STUCK"}, done], "") == "walk STUCK"
    assert failure_cause([{**done, "confirmed": False}], "") == "walk not confirmed"
    assert failure_cause([{**done, "outcome": None}], "") == "walk did not end"
    assert failure_cause([done], "SUCCEEDED") == "unnoticed"


def test_a_mission_has_the_same_row_in_process_and_over_ros():
    trial = draw_trial(load_world("open_bay"), 3)
    on_floor = Judgement(False, "can lies on the floor", 1.5, False, {"leg - shelf": 3.0}, 0, False)
    rest = {"world": "open_bay", "policy": "p", "wall_duration": 1.0}
    outcome = Outcome(Code.NOT_HELD, "0 N", Verdict(False, "0 N"))
    grasp = Decision("grasp", "can", "it is there", chance=0.5)
    execution = Execution(grasp, outcome, Check(False, "0 N"), 12.0, 20.0)
    end = OrderEnd(Order("can", "A1", "packing"), Code.HANDED_OVER, "grasp failed", 18.0, 1)
    can_be = [Solvability(True, "can stands in A1")]
    finished = finished_mission([end], [row_decision(execution, 80)], 2.0, 20.0, 21.0)
    row = make_row(finished, [on_floor], can_be, trial, **rest)
    assert (row.cause, row.resolved_after_s, row.simulated_duration_s) == ("grasp NOT_HELD", 18, 19)
    assert row.contacts == ("leg - shelf",) and row.decisions[0]["began_s"] == 10.0

    log = MissionLog("open_bay", 3, order_of(trial.order), started=2.0)
    log.decided(DecisionEntry(0, "grasp", "can", "it is there", [], [], [], 12.0, chance=0.5))
    log.ended(0, ended=20.0, outcome="NOT_HELD", detail="0 N", steps=80)
    log.at(21.0)
    log.outcome, log.detail, log.handed_over = "MISSION_FAILED", "grasp failed", True
    log.judged(on_floor)
    heard = make_row(
        finished_over_ros(log),
        [log.judgement],
        [Solvability(True, "can stands in A1")],
        trial,
        **rest,
    )
    assert heard == row
    log.broke_off("node 'master' ended", "node master died")
    broken = make_row(
        finished_over_ros(log, log.cause), [log.judgement], [Solvability(True, "")], trial, **rest
    )
    assert (broken.cause, broken.sentence) == ("node master died", "node 'master' ended")


def test_trials_that_were_interrupted_go_on_where_they_were(ran, no_page, tmp_path):
    seeds, stop_at = ran
    stop_at.append(2002)
    assert run_trials(options(tmp_path)) == INTERRUPTED
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["summary"]["interrupted"] and content["summary"]["missions"] == 2
    assert run_trials(options(tmp_path, resume=True)) == 0
    assert [seed for _, seed in seeds] == [2000, 2001, 2002, 2003]
    content = json.loads((tmp_path / "out.json").read_text())
    assert [row["seed"] for row in content["missions"]] == [2000, 2001, 2002, 2003]
    assert content["summary"]["successes"] == 4 and not content["summary"]["interrupted"]


def test_rows_of_other_trials_are_not_taken_up(ran, no_page, tmp_path, capsys):
    assert run_trials(options(tmp_path)) == 0
    assert run_trials(options(tmp_path, resume=True, disturb="one")) == 2
    assert "its trials have disturb = 'file', these have 'one'" in capsys.readouterr().out


def test_two_policies_run_on_the_same_seeds_and_get_one_page(ran, tmp_path):
    policies = ("behaviour_tree", "fixed_sequence")
    assert run_trials(options(tmp_path, policies=policies)) == 0
    seeds, _ = ran
    assert seeds == [(policy, seed) for policy in policies for seed in range(2000, 2004)]
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["others"]["fixed_sequence"]["comparison"]["missions"] == 4
    page = (tmp_path / "index.html").read_text()
    assert "behaviour_tree minus fixed_sequence, 4 same seeds" in page
    assert (tmp_path / "ends.png").is_file() and (tmp_path / "times.png").is_file()


def test_missions_take_turns_in_several_worlds(ran, no_page, tmp_path):
    worlds = ("open_bay", "two_aisles")
    assert run_trials(options(tmp_path, worlds=worlds)) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert [row["world"] for row in content["missions"]] == [*worlds, *worlds]
    assert "--world open_bay --world two_aisles" in content["summary"]["command"]


def test_what_cannot_run_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match="give one of them"):
        Trials(options(tmp_path, over_ros=True, ray="auto"))
    with pytest.raises(ConfigError, match="runs in one world"):
        Trials(options(tmp_path, worlds=("open_bay", "two_aisles"), over_ros=True))
    with pytest.raises(ConfigError, match="one is given twice"):
        Trials(options(tmp_path, worlds=("open_bay", "open_bay")))
    with pytest.raises(ConfigError, match="unknown master policy 'clever'"):
        Trials(options(tmp_path, policies=("clever",)))
    with pytest.raises(ConfigError, match="holds no card.yaml"):
        Trials(options(tmp_path, policies=(str(tmp_path),)))
    with pytest.raises(ConfigError, match="need different names"):
        Trials(options(tmp_path, policies=("behaviour_tree", "behaviour_tree")))
