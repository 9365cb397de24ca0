"""The fast world: geometry, outcomes, missions, and learning in it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hrl_core.config import ConfigError
from hrl_core.floor.rays import edge_ranges, in_sight
from hrl_core.floor.rectangles import Rectangle, outline
from hrl_core.known import known
from hrl_core.outcomes import Code
from hrl_master.features import ACTION_NAMES, CONTEXT_NAMES, Encoded
from hrl_master.learned import Network, load_policy, write_policy
from hrl_master.orders import Decision
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.cli.sim_gap import as_text, sim_gap_of
from hrl_training.fast import disturbances
from hrl_training.fast.flat import FlatMissions
from hrl_training.fast.floor import Floor
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.fast.rollouts import TRUTH, WEIGHTS, Job, Place, Rollouts, Step
from hrl_training.fast.skill_outcomes import FEATURES, QUANTILES, fit, load_outcomes
from hrl_training.fast.world import FastWorld
from hrl_training.master.adapt import AdaptOptions, Curve, adapt
from hrl_training.master.ppo import (
    Batch,
    CandidateNet,
    MasterPPO,
    MasterPPOConfig,
    advantages,
)
from hrl_training.master.train import MasterRun, Schedule, Trainer, drawing
from hrl_training.rl.run import train
from hrl_training.trials.row import Row

WORLD = "two_aisles"


@pytest.fixture(scope="module")
def site():
    return FastSite(load_world(WORLD), WORLD)


def square(x: float, y: float, side: float, name: str = "box") -> Rectangle:
    return Rectangle(name, np.array([x, y, 0.0]), np.array([side, side]))


def walk_to(site: FastSite, face: str) -> Decision:
    pose = site.world.site.pose_in_front(face, site.world.site.staging)
    return Decision("walk", face, "", face=face, pose=pose)


def test_rays_end_at_the_nearest_edge_and_at_the_limit():
    edges = outline([square(3.0, 0.0, 1.0), square(5.0, 0.0, 1.0)])
    found = edge_ranges(np.zeros(2), np.array([0.0, np.pi / 2]), edges, 12.0)
    np.testing.assert_allclose(found, [2.5, 12.0])


def test_a_box_hides_what_lies_behind_it_and_nothing_before_it():
    edges = outline([square(3.0, 0.0, 1.0)])
    seen = in_sight(np.zeros((2, 2)), np.array([[5.0, 0.0], [2.0, 0.0]]), edges)
    assert seen.tolist() == [False, True]


def test_a_way_leads_round_a_barrier_and_there_is_none_through_a_closed_floor(site):
    floor, goal = Floor(site.world.site), np.array([9.7, 2.4])
    start = np.array([1.4, 1.5])
    direct = floor.way(start, goal, ())
    box = square(6.2, 2.6, 1.0)
    around = floor.way(start, goal, [box])
    assert direct is not None and around is not None
    assert around.length > direct.length
    assert floor.meets(direct, [box]) is not None and floor.meets(around, [box]) is None
    wall = Rectangle("wall", np.array([6.0, 4.5, 0.0]), np.array([0.3, 9.0]))
    assert floor.way(start, goal, [wall]) is None


def test_durations_are_fitted_to_the_rows_and_failures_are_counted(tmp_path):
    rng = np.random.default_rng(0)
    files = []
    for skill, names in FEATURES.items():
        rows = []
        for k in range(60):
            conditions = {name: float(rng.uniform(0, 2)) for name in names}
            code = "STEP_LIMIT" if k < 6 else "SUCCEEDED"
            duration = 30.0 if k < 6 else 5.0 + 2.0 * sum(conditions.values())
            label = "ok" if code == "SUCCEEDED" else "timed out"
            success = code == "SUCCEEDED"
            row = Row(k, success, label, code, "", success, success, duration)
            rows.append(replace(row, conditions=conditions).as_dict())
        files.append(tmp_path / f"{skill}.json")
        files[-1].write_text(json.dumps({"summary": {"skill": skill}, "rows": rows}))
    model = fit(files, [])
    walk = model.skills["walk"]
    assert walk.weights == pytest.approx([2.0] * len(FEATURES["walk"]) + [5.0], abs=1e-3)
    assert (walk.trials, walk.successes) == (60, 54)
    assert walk.failures["STEP_LIMIT"].count == 6
    assert np.ptp(walk.spread) < 1e-3 and len(walk.spread) == len(QUANTILES)
    with pytest.raises(ConfigError, match=r"no rows of \['approach'"):
        fit([tmp_path / "walk.json"], [])


def test_the_same_luck_makes_the_same_mission_and_other_luck_another(site):
    trial, tree = draw_trial(site.world, 5, "one"), site.policy("behaviour_tree")
    rows = [run_mission(site, trial, tree, rng=np.random.default_rng(s)) for s in (1, 1, 2)]
    first, again, other = (replace(row, wall_duration_s=0.0) for row in rows)
    assert first == again
    assert first.resolved_after_s != other.resolved_after_s


def test_the_behaviour_tree_delivers_nominal_orders(site):
    tree = site.policy("behaviour_tree")
    rows = [run_mission(site, draw_trial(site.world, seed, "none"), tree) for seed in range(12)]
    assert sum(row.delivered for row in rows) >= 10
    assert not any(row.wrong_item_delivered for row in rows)


def test_an_item_that_is_missing_is_not_found_and_the_order_not_solvable(site):
    trial = draw_trial(site.world, 3, "none")
    trial = replace(trial, faults=(Fault(FaultKind.MISSING_ITEM, trial.order.item),))
    fast, order = FastWorld(site.world, trial, load_outcomes(), floor=site.floor), trial.order
    fast.run(walk_to(site, order.from_bin))
    fast.run(Decision("approach", order.from_bin, "", face=order.from_bin))
    outcome, seconds = fast.run(Decision("grasp", order.item, "", face=order.from_bin))
    assert outcome.code is Code.ITEM_NOT_FOUND and seconds > 2
    assert not fast.judge().solvable and not fast.scene().holding
    assert order.item not in fast.scene().seen


def test_nothing_starts_without_a_scan_and_the_scene_shows_why(site):
    trial = draw_trial(site.world, 3, "none")
    trial = replace(trial, faults=(Fault(FaultKind.LIDAR_OUTAGE, "", 2.0, 10.0),))
    fast = FastWorld(site.world, trial, load_outcomes(), floor=site.floor)
    outcome, seconds = fast.run(walk_to(site, trial.order.from_bin))
    assert outcome.code is Code.SENSOR_LOST and seconds < 3
    fast.run(Decision("wait", "3 s", "", parameters={"duration_s": 3.0}))
    assert np.isnan(fast.scene().sectors).all() and fast.scene().scan_age > 1
    assert fast.run(walk_to(site, trial.order.from_bin))[0].code is Code.NOT_READY
    fast.run(Decision("wait", "3 s", "", parameters={"duration_s": 9.0}))
    assert np.isfinite(fast.scene().sectors).all()


def test_a_barrier_across_the_only_way_stops_a_walk_until_it_is_gone(site, monkeypatch):
    wall = Rectangle("wall", np.array([6.0, 4.5, 0.0]), np.array([0.3, 9.0]))
    monkeypatch.setattr(disturbances, "barrier_at", lambda *_: wall)
    trial = draw_trial(site.world, 3, "none")
    trial = replace(trial, faults=(Fault(FaultKind.BLOCKED_AISLE, "south", 0.0, 40.0),))
    fast = FastWorld(site.world, trial, load_outcomes(), floor=site.floor)
    outcome, seconds = fast.run(walk_to(site, "packing"))
    assert outcome.code is Code.WALK_BLOCKED and seconds > 15
    assert known(fast.scene().map_from_base)[0] < 6
    fast.run(Decision("wait", "", "", parameters={"duration_s": 40.0}))
    fast.run(walk_to(site, "packing"))
    assert known(fast.scene().map_from_base)[0] > 6


def test_advantages_discount_by_the_time_that_decisions_take():
    blank = (np.zeros(1), np.zeros((1, 1)), np.ones(1, bool), 0, 0.0, np.zeros(1))
    steps = [Step(*blank, -0.1, 10.0), Step(*blank, 1.0, 3.0)]
    found = advantages(steps, np.array([0.5, 0.2]), discount=0.9, gae_lambda=0.5)
    last = 1.0 - 0.2
    first = -0.1 + 0.9**10 * 0.2 - 0.5 + 0.9**10 * 0.5 * last
    np.testing.assert_allclose(found, [first, last])


def test_the_network_that_is_trained_is_the_one_that_runs():
    torch.manual_seed(0)
    net, rng = CandidateNet(len(CONTEXT_NAMES), len(ACTION_NAMES), TRUTH), np.random.default_rng(0)
    context = rng.standard_normal(len(CONTEXT_NAMES)).astype(np.float32)
    actions = rng.standard_normal((7, len(ACTION_NAMES))).astype(np.float32)
    mask = np.array([True, False, True, True, False, True, True])
    with torch.no_grad():
        # Padding with candidates that are not allowed must not change anything.
        padded = np.concatenate([actions, np.ones((3, len(ACTION_NAMES)), np.float32)])
        open_ = np.concatenate([mask, np.zeros(3, bool)])
        logits, _ = net(
            torch.from_numpy(context)[None],
            torch.from_numpy(padded)[None],
            torch.from_numpy(open_)[None],
            torch.zeros(1, TRUTH),
        )
    network, encoded = Network(net.exported()), Encoded(context, actions, mask)
    np.testing.assert_allclose(
        network.probabilities(encoded), logits.softmax(1)[0, :7].numpy(), atol=1e-5
    )
    again = CandidateNet(len(CONTEXT_NAMES), len(ACTION_NAMES), TRUTH)
    again.adopt(net.exported())
    assert all((a == b).all() for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_what_brought_more_becomes_more_likely():
    ppo = MasterPPO(2, 3, 1, MasterPPOConfig(entropy_weight=0.0), seed=0)
    context, actions = torch.ones(64, 2), torch.eye(3)[None].repeat(64, 1, 1)
    mask, truth = torch.tensor([[True, True, False]]).repeat(64, 1), torch.zeros(64, 1)
    chosen = torch.arange(64) % 2
    gains = torch.where(chosen == 0, 1.0, -1.0)
    log_probability = torch.full((64,), float(np.log(0.5)))
    for _ in range(10):
        with torch.no_grad():
            spread = torch.distributions.Categorical(
                logits=ppo.net(context, actions, mask, truth)[0]
            )
            log_probability = spread.log_prob(chosen)
        ppo.update(
            Batch(context, actions, mask, truth, chosen, log_probability, gains, gains),
            progress=0.0,
        )
    chances = ppo.net(context, actions, mask, truth)[0].softmax(1)[0]
    assert chances[0] > 0.8 and chances[2] == 0


def test_rollouts_reward_the_end_and_the_time():
    rollouts = Rollouts([Place(WORLD)])
    (found,) = rollouts.collect([Job(0, 2, "none", 0)], "behaviour_tree")
    steps, row, value = found
    assert row.delivered
    assert value == pytest.approx(WEIGHTS["delivered"] + WEIGHTS["second"] * row.resolved_after_s)
    assert sum(step.reward for step in steps) == pytest.approx(value, abs=1e-3)
    assert sum(step.seconds for step in steps) == pytest.approx(row.resolved_after_s, abs=1e-2)


def test_the_gap_compares_ends_seed_by_seed_and_codes_by_skill(site):
    tree = site.policy("behaviour_tree")
    physics = [run_mission(site, draw_trial(site.world, seed, "none"), tree) for seed in (1, 2)]
    gap = sim_gap_of(physics, [*physics, replace(physics[0], delivered=False, handed_over=True)])
    assert gap["same_end"]["count"] == 2 and gap["same_end"]["of"] == 3
    assert gap["skills"]["walk"]["physics"]["codes"]["SUCCEEDED"]["median_s"] > 3
    about = {"command": "c", "policy": "p", "disturb": "none", "missions": 2}
    text = as_text({"about": {**about, "fast_runs": 1}, **gap})
    assert "| delivered |" in text and "| walk SUCCEEDED |" in text


def test_a_curve_has_come_near_where_it_stays():
    curve = Curve([0, 10, 20, 30], [0.1, 0.8, 0.2, 0.9])
    assert curve.until(0.85) == 30
    assert Curve([0, 10, 20], [0.1, 0.9, 0.9]).until(0.8) == 10
    assert curve.until(0.95) is None


def test_missions_without_skills_move_end_and_are_finite():
    env = FlatMissions(load_world("open_bay"), 2, seed=0)
    env.reset()
    step = None
    for _ in range(310):
        step = env.step(np.tile([1.0, 0.0, 0.3, -1.0], (2, 1)))
        assert np.isfinite(step.observation).all() and np.isfinite(step.reward).all()
    assert len(env.returns) >= 2 and max(env.returns) < 0


@pytest.mark.slow
def test_a_site_gets_its_own_policy_with_card_curves_and_picture(tmp_path):
    torch.manual_seed(0)
    net = CandidateNet(len(CONTEXT_NAMES), len(ACTION_NAMES), TRUTH)
    about = {"name": "n", "trained_on": "nothing", "seed": 0, "missions": 0, "figures": {}}
    write_policy(tmp_path / "begin", net.exported(), **about)
    options = AdaptOptions(
        world="open_bay",
        minutes=0.05,
        seeds=1,
        workers=1,
        missions=8,
        init=tmp_path / "begin",
        compare=True,
        out=tmp_path / "out",
    )
    result = adapt(options)
    card, weights = load_policy(tmp_path / "out")
    assert card.missions > 0 and set(weights) == set(net.exported())
    assert set(result["curves"]) == {"adapted", "from scratch", "without skills"}
    assert (tmp_path / "out" / "adaptation.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_where_it_was(tmp_path):
    rollouts = Rollouts([Place("open_bay")])
    schedule = Schedule(shown=6, shown_epochs=2, per_update=6, missions=12)
    trainer = Trainer(rollouts, drawing(1), schedule, seed=3)
    train(MasterRun(out=tmp_path), trainer, "master")
    again = Trainer(rollouts, drawing(1), replace(schedule, missions=18), seed=3)
    state = MasterRun(out=tmp_path, resume=True).load_checkpoint()
    assert state is not None
    again.load_state(state)
    assert again.missions == 12
    for name, array in trainer.weights().items():
        np.testing.assert_array_equal(array, again.weights()[name])
    train(MasterRun(out=tmp_path), again, "master")
    assert again.missions == 18


def test_a_conveyor_is_aligned_with_before_a_place_and_carries_the_item_away():
    world = load_world("conveyor_line")
    site = FastSite(world, "conveyor_line")
    trial = draw_trial(world, 0, "none")
    row = run_mission(site, trial, site.policy("behaviour_tree"))
    assert row.orders[0]["delivered"]
    assert [d["skill"] for d in row.decisions][-2:] == ["align", "place"]
    plant = FastWorld(world, trial, load_outcomes()).plant
    plant.put("jar", site.world.site.target_point("line"), "line")
    assert "jar" in plant.items()
    plant.stand(world.site.station("line").clear_after + 0.1)
    assert "jar" not in plant.items() and plant.put_down["jar"][1] == "line"


@pytest.mark.slow
def test_the_tree_finds_its_way_and_a_misplaced_item_in_a_large_hall():
    hall = FastSite(load_world("mixed@30x20:3"), "hall")
    tree, bins = hall.policy("behaviour_tree"), hall.world.site.bins
    for seed in range(4):
        trial = draw_trial(hall.world, seed, "none")
        assert run_mission(hall, trial, tree).delivered, seed
        free = [name for name in bins if name not in {placed.bin for placed in trial.stock}]
        moved = Fault(FaultKind.MISPLACED_ITEM, f"{trial.order.item}@{free[-1]}")
        row = run_mission(hall, replace(trial, faults=(moved,)), tree)
        assert row.delivered, (seed, row.mission_detail)
