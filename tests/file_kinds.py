"""Every kind of file that the project reads: a sound one, and what a command does with it."""

import io
import os
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.random import Generator

import hrl_bringup.reports.ledger as report
import hrl_bringup.site_memory.command as site_memory
from hrl_bringup.reports.ledger_facts import Rates
from hrl_bringup.security.tokens import Tokens
from hrl_bringup.site_memory.files import read_searches
from hrl_core.config import config_dir, load_yaml
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.policy.card import hash_of
from hrl_core.policy.weights import read_weights
from hrl_core.robot import load_robot
from hrl_core.site import load_site
from hrl_core.urdf import urdf_of
from hrl_master.approvals import Answer, Request
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.learned import FOLDER as MASTER_POLICY
from hrl_master.ledger import Ledger
from hrl_master.ledger_damage import read_from
from hrl_master.memory.searches import Search
from hrl_master.memory.shown import Shown
from hrl_master.orders import Attempt, Decision, Order
from hrl_master.reasons import Check
from hrl_master.recovery import restore
from hrl_perception.perception import Perception
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.picture import describe
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills.library import load_policy_of, make_skill, policy_folder
from hrl_skills.robot_shield import RobotShield
from hrl_skills.success_model import load_success_model
from hrl_training.cli.sim_gap import sim_gap_of
from hrl_training.fast.skill_outcomes import FEATURES, SHIPPED, fit, load_outcomes
from hrl_training.missions.row import DecisionRow, MissionRow, OrderRow, mission_rows
from hrl_training.missions.row import row_from_dict as mission_from_dict
from hrl_training.missions.runner import master_part
from hrl_training.missions.summary import summarise as summarise_missions
from hrl_training.tasks.gait.trials import draw_episode
from hrl_training.tasks.manipulation.draws import draw_grasp, draw_place
from hrl_training.tasks.navigation.draws import draw_approach, draw_walk
from hrl_training.tasks.registry import load_tasks
from hrl_training.trials.calibrate import calibrate
from hrl_training.trials.journal import Journal, to_json
from hrl_training.trials.ranges import Draw
from hrl_training.trials.row import Row, row_from_dict
from hrl_training.trials.rows_file import read_json
from hrl_training.trials.summary import summarise
from tests.key_kinds import (
    approver,
    authority,
    tokens,
    use_authority,
    use_private_key,
    use_public_key,
)
from tests.mutants import mutated_bytes, mutated_ledger, mutated_text

Mutate = Callable[[bytes, Generator, Path], bytes]
ROBOT = "spot"


@dataclass(frozen=True)
class Kind:
    """A kind of file. `use` does what a command does with it, and raises what that raises."""

    name: str  # of the file
    sound: Callable[[Path], bytes]  # its content; the folder is one to work in
    use: Callable[[Path], object]
    mutate: Mutate
    share: int = 2  # of the mutants


def text(content: bytes, rng: Generator, folder: Path) -> bytes:
    return mutated_text(content, rng)


def binary(content: bytes, rng: Generator, folder: Path) -> bytes:
    return mutated_bytes(content, rng)


def given(*place: str) -> Callable[[Path], bytes]:
    """A file of config/."""
    return lambda folder: config_dir().joinpath(*place).read_bytes()


# Worlds, sites and robots


def use_world(path: Path) -> None:
    world = load_world(path)
    trial = draw_trial(world, 0)
    solvable(world, trial)
    describe(trial.faults)
    Plant(world, trial, load_robot(ROBOT)).close()


def site_only(folder: Path) -> bytes:
    """What docs tell the user of a robot to write: the site without trials."""
    lines = config_dir().joinpath("worlds", "two_aisles.yaml").read_text().split("\n")
    begin = lines.index("site:")
    end = next(k for k, line in enumerate(lines) if k > begin and line[:1].isalpha())
    return "\n".join(lines[begin:end]).encode()


def use_site(path: Path) -> None:
    robot = load_robot(ROBOT)
    site = load_site(path, robot.base.turning_circle)
    Perception(site, robot)
    decider = make_decider(site, MasterConfig(), Guardrails(site, GuardrailConfig()))
    decider.begin(Order(next(iter(site.items)), site.bins[0], site.stations[0].name))
    make_skill("walk", site, robot)


def use_robot(path: Path) -> None:
    robot = load_robot(path)
    site = load_site("small_warehouse", robot.base.turning_circle)
    urdf_of(robot)
    RobotShield(robot)
    Perception(site, robot)
    for skill in ("walk", "approach", "grasp", "place"):
        make_skill(skill, site, robot)


# Policies and models


def beside(source: Path, path: Path) -> Path:
    """The folder of a file with the others that lie beside it where it comes from."""
    for file in source.iterdir():
        if file.is_file() and file.name != path.name:
            shutil.copyfile(file, path.with_name(file.name))
    return path.parent


def use_policy(skill: str) -> Callable[[Path], None]:
    def use(path: Path) -> None:
        policy = load_policy_of(skill, ROBOT, beside(policy_folder(skill, ROBOT), path))
        policy(np.zeros((1, policy.observation_size), np.float32))

    return use


def use_tensors(path: Path) -> None:
    read_weights(path.parent, hash_of(path))


def use_weights(path: Path) -> None:
    beside(policy_folder("walk", ROBOT), path)
    load_policy_of("walk", ROBOT, path.parent)


def use_success_model(path: Path) -> None:
    model = load_success_model("grasp", ROBOT, beside(policy_folder("grasp", ROBOT), path))
    assert model is not None
    middle = {condition.name: condition.mean for condition in model.conditions}
    model.outside(middle)
    assert 0 <= model.probability(middle) <= 1


def use_master_policy(path: Path) -> None:
    site = load_site("small_warehouse")
    config = MasterConfig(policy="learned", policy_folder=str(beside(MASTER_POLICY, path)))
    make_decider(site, config, Guardrails(site, GuardrailConfig()))


def use_outcomes(path: Path) -> None:
    model, rng = load_outcomes(path), np.random.default_rng(0)
    for skill, names in FEATURES.items():
        assert model.draw_success(skill, dict.fromkeys(names, 1.0), rng) > 0
        code, _ = model.draw_failure(skill, rng)
        model.draw_ending(skill, code, rng)


# Parameters


def use_tasks(skill: str) -> Callable[[Path], None]:
    def use(path: Path) -> None:
        tasks: Any = load_tasks(skill, path)
        draw = Draw(0)
        if skill == "gait":
            draw_episode(draw, tasks)
        elif skill in ("grasp", "place"):
            (draw_grasp if skill == "grasp" else draw_place)(tasks, draw, 0)
        else:
            (draw_walk if skill == "walk" else draw_approach)(tasks, draw, load_robot(ROBOT))

    return use


def use_master_file(path: Path) -> None:
    site = load_site("small_warehouse")
    with patch.dict(os.environ, HRL_CONFIG=str(path.parent)):
        guardrails, config = master_part(GuardrailConfig), master_part(MasterConfig)
    make_decider(site, config, Guardrails(site, guardrails))


# Rows of trials

ORDER = {"item": "can", "from_bin": "A1", "to_station": "packing"}
MISSION = MissionRow(
    seed=0, world="open_bay", policy="behaviour_tree", order=ORDER,
    orders=(vars(OrderRow(**ORDER, outcome="SUCCEEDED", delivered=True, solvable=True,
                          sentence="")),),
    disturbances=("person",), solvable=True, why="", delivered=True, handed_over=False,
    wrong_item_delivered=False, contacts=(), contacts_with_people=0, placement_error_m=0.01,
    cause="", sentence="", mission_outcome="SUCCEEDED", mission_detail="", resolved_after_s=40.0,
    simulated_duration_s=41.0, wall_duration_s=10.0, lockstep_misses=0,
    decisions=(vars(DecisionRow("walk", "A1", "SUCCEEDED", "", 80, True, 0.0, 8.0, 0.9)),),
)  # fmt: skip
TRIAL = Row(
    seed=0, success=True, label="ok", code="SUCCEEDED", detail="", claimed=True, achieved=True,
    duration=9.5, factors={"item.mass": 0.2, "shape": "box"}, measures={"force": 12.0},
    conditions={"distance": 1.0, "bearing": 0.1}, chance=0.9,
)  # fmt: skip
HEADER = {"worlds": ["open_bay"], "seed": 0}


def lines_of(row: MissionRow | Row) -> Callable[[Path], bytes]:
    """The file that --resume goes on from."""
    rows = [HEADER, *(replace(row, seed=seed).as_dict() for seed in range(3))]
    return lambda folder: ("\n".join(map(to_json, rows)) + "\n").encode()


def use_mission_lines(path: Path) -> None:
    journal = Journal(path, HEADER, True, mission_from_dict)
    journal.close()
    summarise_missions(list(journal.rows.values()))


def use_trial_lines(path: Path) -> None:
    journal = Journal(path, HEADER, True, row_from_dict)
    journal.close()
    summarise(list(journal.rows.values()), {})


def rows_of(skill: str) -> bytes:
    """As `./hrl evaluate SKILL --json` writes it."""
    rng = np.random.default_rng(0)
    rows = [
        replace(
            TRIAL,
            seed=seed,
            success=bool(seed % 3),
            conditions={name: float(rng.normal()) for name in FEATURES[skill]},
        ).as_dict()
        for seed in range(60)
    ]
    summary = {"skill": skill, "label": "learned", "vision": True, "weights_sha256": "0" * 64}
    return to_json({"summary": summary, "rows": rows}, indent=1).encode()


def missions_file(folder: Path) -> bytes:
    """As `./hrl trials --json` writes it."""
    summary = {"command": "x", "policy": "behaviour_tree", "disturb": "one"}
    missions = [replace(MISSION, seed=seed).as_dict() for seed in range(3)]
    return to_json({"summary": summary, "missions": missions}, indent=1).encode()


def use_rows(path: Path) -> None:
    """Fit a success model to rows of a skill, and the fast world."""
    calibrate("grasp", [path])
    fit([path, *_others_rows(path.parent)], [])


def use_missions(path: Path) -> None:
    """Compare missions with the fast world, and fit that to them."""
    rows = mission_rows(read_json(path)[0], str(path))
    if rows:
        sim_gap_of(rows, rows)
    grasp = path.with_name("grasp.json")
    grasp.write_bytes(rows_of("grasp"))
    fit([grasp, *_others_rows(path.parent)], [path])


def _others_rows(folder: Path) -> list[Path]:
    paths = [folder / f"rows_of_{skill}.json" for skill in FEATURES if skill != "grasp"]
    for path in paths:
        path.write_bytes(rows_of(path.stem.removeprefix("rows_of_")))
    return paths


# Ledgers


def ledger(folder: Path) -> bytes:
    """Missions that ended, were handed over, were asked about, and one that was cut short."""
    path = folder / "sound.sqlite"
    with Ledger(path, durable=False) as written:
        for name, code in (("a", Code.SUCCEEDED), ("b", Code.HANDED_OVER), ("c", None)):
            written.begin_mission(name, [Order("can", "A1", "packing")], {"policy": "tree"})
            written.begin_order(name, 0, 100.0)
            decisions = [Decision("walk", "A1", "because", index=k) for k in range(3)]
            for decision in decisions:
                written.decide(name, 0, decision, 100.0 + decision.index)
            for decision in decisions[: 2 if code is None else 3]:
                outcome = Outcome(Code.SUCCEEDED, "how", Verdict(True, "sensed"))
                attempt = Attempt(decision, outcome, Check(True, "checked"))
                written.outcome(name, decision.index, attempt, 102.0)
            written.request(Request(f"q{name}", name, 1, "grasp can", "why", 3, 100.0, 220.0))
            written.answer(f"q{name}", Answer("approved", "Ada", "clear"), counted=True)
            shown = Shown(Search("can", "A1", "B1", ("A1",)), (("w1", "w2"),), (("w2", "w3"),))
            if code is not None:
                package = {"summary": "s"} if code is Code.HANDED_OVER else None
                written.end_order(
                    name, 0, int(code), "detail", 160.0, 3, package, shown=("hall", shown)
                )
                written.judge(name, 0, delivered=code is Code.SUCCEEDED, solvable=True)
    content = path.read_bytes()
    path.unlink()
    return content


def use_ledger(path: Path) -> None:
    """The report and the check of the chain."""
    with redirect_stdout(io.StringIO()):
        report.main([str(path), "--json", str(path.with_suffix(".json"))])
        report.main([str(path), "--verify"])


def use_memory(path: Path) -> None:
    """What it says of its sites."""
    with redirect_stdout(io.StringIO()):
        site_memory.main(["show", "--ledger", str(path)])


def site_file(_: Path) -> bytes:
    """An export of a site's memory."""
    return (
        b"site: small_warehouse\nsearches:\n"
        b"- {item: can, home: A1, found: B1, empty: [A1], at: 1000.5}\n"
        b"- {item: jar, home: A2, found: '', empty: [A2, A3], at: 1001.5}\n"
    )


def use_site_file(path: Path) -> None:
    read_searches(path, load_site("small_warehouse"))


def use_ledger_again(path: Path) -> None:
    """A master that takes up what another one has left behind."""
    with Ledger(path) as found, read_from(found):
        for mission in found.unfinished():
            restore(found, mission)


KINDS = (
    *(Kind(f"{name}.yaml", given("worlds", f"{name}.yaml"), use_world, text, 6)
      for name in ("small_warehouse", "two_aisles", "perimeter")),
    Kind("site.yaml", site_only, use_site, text, 12),
    Kind("spot.yaml", given("robots", "spot.yaml"), use_robot, text, 12),
    *(Kind("card.yaml", lambda _, s=skill: (policy_folder(s, ROBOT) / "card.yaml").read_bytes(),
           use_policy(skill), text, 2) for skill in ("gait", "walk", "grasp")),
    Kind("weights.pt", lambda _: (policy_folder("walk", ROBOT) / "weights.pt").read_bytes(),
         use_weights, binary, 1),
    Kind("weights.pt", lambda _: (policy_folder("walk", ROBOT) / "weights.pt").read_bytes(),
         use_tensors, binary, 4),
    Kind("success_model.yaml",
         lambda _: (policy_folder("grasp", ROBOT) / "success_model.yaml").read_bytes(),
         use_success_model, text, 4),
    Kind("card.yaml", lambda _: (MASTER_POLICY / "card.yaml").read_bytes(), use_master_policy,
         text, 2),
    Kind("outcomes.json", lambda _: SHIPPED.read_bytes(), use_outcomes, text, 4),
    *(Kind(f"{skill}.yaml", given("tasks", f"{skill}.yaml"), use_tasks(skill), text, 4)
      for skill in ("gait", "walk", "approach", "grasp", "place")),
    Kind("rates.yaml", given("rates.yaml"), lambda path: load_yaml(path, Rates), text, 2),
    Kind("master.yaml", given("master.yaml"), use_master_file, text, 5),
    Kind("behaviour_tree.jsonl", lines_of(MISSION), use_mission_lines, text, 6),
    Kind("learned.jsonl", lines_of(TRIAL), use_trial_lines, text, 6),
    Kind("grasp.json", lambda _: rows_of("grasp"), use_rows, text, 4),
    Kind("missions.json", missions_file, use_missions, text, 4),
    Kind("ledger.sqlite", ledger, use_ledger, mutated_ledger, 8),
    Kind("memory.sqlite", ledger, use_memory, mutated_ledger, 4),
    Kind("site_memory.yaml", site_file, use_site_file, text, 4),
    Kind("stock.csv", lambda _: b"item,bin\ncan,A2\njar,C3\n", use_site_file, text, 3),
    Kind("resumed.sqlite", ledger, use_ledger_again, mutated_ledger, 6),
    Kind("tokens.json", tokens, lambda path: Tokens(path).person("x"), text, 2),
    Kind("Ada.key.pem", approver(1), use_private_key, text, 2),
    Kind("Ada.pub.pem", approver(0), use_public_key, text, 2),
    Kind("ca.key.pem", authority("private/ca.key.pem"), use_authority("private/ca.key.pem"),
         text, 1),
    Kind("ca.cert.pem", authority("public/ca.cert.pem"), use_authority("public/ca.cert.pem"),
         text, 1),
)  # fmt: skip
