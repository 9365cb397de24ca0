"""What the policies choose: the tree's recoveries, the fixed sequence, the learned network."""

from dataclasses import replace

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_core.site import load_site
from hrl_master.beliefs import LOOK_HOLDS, EdgeBelief
from hrl_master.candidate import WALK_UP
from hrl_master.features import ACTION_NAMES, CONTEXT_NAMES, Encoded, encode
from hrl_master.learned import LearnedPolicy, Network, load_policy, write_policy
from hrl_master.orders import Order
from hrl_master.scene import Seen

SITE = load_site("small_warehouse")


def standing(face: str, age: float = 0.1) -> Seen:
    """An item in the middle of a bin."""
    frame = SITE.face(face).copy()
    frame[:3, 3] += frame[:3, :3] @ np.array([-0.1, 0.0, 0.15])
    return Seen("item", frame, age, 0.9)


def lying(x: float, y: float) -> Seen:
    frame = np.eye(4)
    frame[:3, 3] = [x, y, 0.04]
    return Seen("item", frame, 0.1, 0.9)


def steps(decisions) -> list[tuple[str, str]]:
    return [(d.skill, d.target) for d in decisions]


# The behaviour tree


def test_an_item_seen_in_another_bin_is_taken_from_there(story):
    s = story()
    s.change(seen={"can": standing("B1")})
    decisions = s.until("grasp")
    assert steps(decisions) == [("walk", "B1 standoff"), ("grasp", "can")]
    assert decisions[-1].face == "B1" and "was seen at B1" in decisions[0].reason


def test_a_missing_item_is_looked_for_in_every_bin_and_then_handed_over(story):
    s = story()
    marker = Seen("landmark", np.eye(4), 0.0, 1.0)  # the cameras are alive
    s.change(seen={"A2": Seen("bin", SITE.face("A2"), 0.1, 1.0), "x": marker})
    done = []
    while (decision := s.ask()).skill != "hand_over":
        face = decision.face
        done.append(decision)
        code = Code.ITEM_NOT_FOUND if decision.skill == "grasp" else Code.SUCCEEDED
        s.go(code, seen={face: Seen("bin", SITE.face(face), 0.1, 1.0), "x": marker})
        assert s.decider.beliefs.stamp < 80.0
    # The cameras look everywhere first; the hand may see what hides from them.
    assert [d.skill for d in done].count("grasp") == 1
    assert (done[-1].skill, done[-1].face) == ("grasp", "A2")
    assert s.ask().skill == "hand_over" and "in no bin" in s.ask().reason
    assert set(s.decider.beliefs.inspections) >= set(SITE.bins)


def test_a_search_looks_from_where_two_bins_come_into_view(story):
    s = story()
    s.until("grasp")
    s.go(Code.ITEM_NOT_FOUND)
    looks = set(s.decider.beliefs.inspections)
    decision = s.ask()
    views = next(
        c for c in s.decider.options.candidates(s.decider.observe(s.scene))
        if (c.kind, c.target) == ("walk", decision.target)
    ).views  # fmt: skip
    assert decision.skill == "walk" and decision.face in set(SITE.bins) - looks
    assert views == 2


def test_after_a_walk_right_up_that_did_not_come_near_enough_it_approaches(story):
    s = story()
    pose = SITE.pose_in_front("A2", SITE.standoff + 0.1)
    assert s.go(map_from_base=pose).target == "A2 standoff"
    assert steps(s.until("grasp")) == [("approach", "A2"), ("grasp", "can")]


def test_after_a_walk_right_up_that_failed_it_walks_to_where_an_approach_begins(story):
    s = story()
    s.go(Code.STEP_LIMIT)
    assert steps([s.ask()]) == [("walk", "A2")]


def test_a_bin_that_was_seen_empty_is_not_gone_to_for_the_next_order_until_the_look_is_old(story):
    s = story()
    s.until("grasp")
    s.go(Code.ITEM_NOT_FOUND, seen={"A2": Seen("bin", SITE.face("A2"), 0.1, 1.0)})
    s.change(seen={})
    jar = Order("jar", "A2", "shipping")
    s.decider.begin(jar)
    assert s.ask().face not in ("", "A2")
    look = s.decider.beliefs.inspections["A2"]
    assert look.how == "camera"  # the hand looked for something else
    old = {"A2": replace(look, stamp=s.decider.beliefs.stamp - LOOK_HOLDS)}
    s.decider.beliefs = replace(s.decider.beliefs, inspections=old)
    s.decider.begin(jar)
    assert s.until("grasp")[-1].face == "A2"


def test_nothing_is_known_any_more_of_the_bin_where_something_got_lost(story):
    s = story()
    s.until("grasp")
    s.go(Code.DROPPED, seen={"A2": Seen("bin", SITE.face("A2"), 0.1, 1.0)})
    assert s.decider.beliefs.lost is not None and "A2" in s.decider.beliefs.inspections
    s.decider.begin(Order("jar", "A2", "shipping"))
    assert "A2" not in s.decider.beliefs.inspections


def test_a_goal_beyond_one_walk_comes_nearer_with_every_walk(story):
    graph = story().decider.options.graph
    away = graph.distances()[graph.index["dock"]]
    far = max(SITE.bins, key=lambda name: away[graph.index[name]])
    s = story(Order("can", far, "packing"), direct_walk=3.5)
    left = [float(away[graph.index[far]])]
    while not (decision := s.ask()).face:
        assert "too far to walk at once" in decision.reason
        left.append(float(graph.distances()[graph.index[decision.target], graph.index[far]]))
        assert len(left) < 10
        s.go()
    assert decision.face == far
    assert len(left) > 2 and left == sorted(left, reverse=True)


def test_every_likely_bin_can_be_chosen_and_some_to_search_in(story):
    s, bins = story(), SITE.bins
    likely = bins[:-3]
    situation = replace(s.decider.observe(s.scene), stock=likely)
    walks = [c for c in s.decider.options.candidates(situation) if c.face]
    assert {c.face for c in walks if c.kind == "walk"} > {*likely}
    assert {c.face for c in walks if c.kind == WALK_UP} == {*likely}


def test_an_item_on_the_floor_is_handed_over_at_once(story):
    s = story()
    s.change(seen={"can": lying(4.0, 2.0)})
    decision = s.ask()
    assert decision.skill == "hand_over" and "lies on the floor" in decision.reason


def test_an_item_lost_while_it_was_placed_is_not_looked_for_in_its_old_bin(story):
    s = story()
    s.until("place")
    s.go(Code.LOST_WHILE_PLACING, holding=False)
    done = []
    while (decision := s.ask()).skill != "hand_over":
        done.append(s.go())
        assert len(done) < 12
    assert done and not {d.target for d in done} & {"A2", "can"}
    assert "got lost at packing" in decision.reason


def test_an_item_that_comes_into_sight_where_it_was_put_down_is_delivered(story):
    s = story()
    s.until("place")
    s.go(Code.LOST_WHILE_PLACING, holding=False)
    assert steps([s.go(), s.go()]) == [("walk", "packing"), ("wait", "3 s")]
    frame = SITE.face("packing").copy()
    frame[:3, 3] = SITE.target_point("packing") + [0.01, 0.0, 0.05]
    askew = frame @ np.diag([1.0, -1.0, -1.0, 1.0])
    aside = frame.copy()
    aside[0, 3] += 0.05
    for wrong in (askew, aside):
        s.change(seen={"can": Seen("item", wrong, 0.1, 0.9)})
        assert s.ask().skill == "hand_over"
    s.change(seen={"can": Seen("item", frame, 0.1, 0.9)})
    assert s.ask().skill == "finish"


def test_an_item_lost_on_the_way_that_lies_in_a_bin_is_fetched_again(story):
    s = story()
    s.until("grasp")
    s.go()
    s.go(holding=False, seen={"can": standing("A1")})
    assert s.decider.beliefs.lost is not None
    assert s.until("grasp")[-1].face == "A1"


def test_after_a_blocked_walk_it_goes_round_along_the_graph(story):
    s = story()
    s.change(holding=True)
    assert steps([s.go(Code.WALK_BLOCKED)]) == [("walk", "packing standoff")]
    shut = {e: EdgeBelief(False, s.scene.stamp, "scan") for e in s.decider.options.graph.edges
            if "south" in e}  # fmt: skip
    s.decider.beliefs = replace(s.decider.beliefs, edges=shut)
    decision = s.go()
    assert (
        decision.target in ("west", "aisle_west", "aisle_middle")
        and "round what blocks" in decision.reason
    )
    for _ in range(6):
        decision = s.go()
        assert decision.skill in ("walk", "approach") and "south" not in decision.target
        if decision.skill == "approach":
            break
    assert decision.target == "packing"


def test_without_scans_it_waits_and_goes_on_when_they_come_back(story):
    s = story()
    s.change(scan_age=2.0)
    assert s.go(scan_age=4.0).skill == "wait"
    assert s.go(scan_age=0.05).skill == "wait"
    assert steps([s.ask()]) == [("walk", "A2 standoff")]


def test_after_a_failed_grasp_it_stands_anew_and_three_failures_are_enough(story):
    s = story(helpers={"leave_face": "back_out"})
    s.until("grasp")
    s.go(Code.NOT_HELD)
    assert steps(s.until("grasp")) == [("back_out", "A2"), ("approach", "A2"), ("grasp", "can")]
    s.go(Code.NOT_HELD)
    s.until("grasp")
    s.go(Code.NOT_HELD)
    assert s.decider.beliefs.failures("grasp", face="A2") == 3
    assert s.ask().target != "can" or s.ask().skill == "hand_over"


# The fixed sequence


def test_the_fixed_sequence_does_six_steps_and_no_more(story):
    s = story(policy="fixed_sequence")
    done = [s.go() for _ in range(5)]
    assert [d.skill for d in done] == ["walk", "approach", "grasp", "walk", "approach"]
    s.go(holding=False)
    assert s.ask().skill == "finish"


def test_the_fixed_sequence_gives_up_at_the_first_failure(story):
    s = story(policy="fixed_sequence")
    s.go()
    s.go(Code.APPROACH_BLOCKED)
    decision = s.ask()
    assert decision.skill == "hand_over" and "APPROACH_BLOCKED" in decision.reason


# The learned policy


def weights_of(seed: int) -> dict[str, np.ndarray]:
    rng, c, a = np.random.default_rng(seed), 12, 10
    sizes = {
        "context": [len(CONTEXT_NAMES), 16, c],
        "action": [len(ACTION_NAMES), 16, a],
        "score": [c + 3 * a, 16, 1],
    }
    weights = {}
    for part, widths in sizes.items():
        for k, (m, n) in enumerate(zip(widths, widths[1:], strict=False)):
            weights[f"{part}_w{k}"] = rng.normal(size=(m, n)).astype(np.float32) / np.sqrt(m)
            weights[f"{part}_b{k}"] = rng.normal(size=n).astype(np.float32) * 0.1
    return weights


@pytest.fixture
def folder(tmp_path):
    about = {"trained_on": "nothing", "seed": 0, "missions": 0, "figures": {"success": 0.5}}
    write_policy(tmp_path / "p", weights_of(0), name="p", **about)
    return tmp_path / "p"


def test_a_learned_policy_decides_among_what_is_allowed_and_says_how_sure_it_is(story, folder):
    s = story(policy="learned", policy_folder=str(folder))
    decision = s.ask()
    assert sum(decision.probabilities) == pytest.approx(1.0, abs=1e-6)
    rows = zip(decision.probabilities, decision.allowed, decision.why_not, strict=True)
    assert all(p == 0.0 and why for p, allowed, why in rows if not allowed)
    best = decision.candidates[int(np.argmax(decision.probabilities))]
    assert best.startswith(decision.skill) and decision.reason.startswith(best)
    assert steps([s.ask()]) == steps([decision])  # the same situation, the same decision
    policy = s.decider.policy
    assert isinstance(policy, LearnedPolicy)
    situation = s.decider.observe(s.scene)
    influences = policy.influences(situation, s.decider.options.candidates(situation))
    assert influences and abs(influences[0][2]) >= abs(influences[-1][2])


def test_the_network_is_what_its_formula_says():
    w, rng = weights_of(3), np.random.default_rng(1)
    x = rng.uniform(-1, 1, len(CONTEXT_NAMES)).astype(np.float32)
    actions = rng.uniform(-1, 1, (4, len(ACTION_NAMES))).astype(np.float32)
    mask = np.array([True, False, True, True])

    def run(part, v, last):
        v = np.tanh(v @ w[f"{part}_w0"] + w[f"{part}_b0"]) @ w[f"{part}_w1"] + w[f"{part}_b1"]
        return np.tanh(v) if last else v

    c, a = run("context", x, True), run("action", actions, True)
    pooled = np.concatenate([a[mask].mean(0), a[mask].max(0)])
    expected = [run("score", np.concatenate([c, row, pooled]), False)[0] for row in a]
    network, encoded = Network(w), Encoded(x, actions, mask)
    np.testing.assert_allclose(network.logits(encoded)[mask], np.array(expected)[mask], rtol=1e-5)
    assert network.probabilities(encoded)[1] == 0.0


def test_the_order_of_the_candidates_does_not_matter(story, folder):
    s = story()
    situation = s.decider.observe(s.scene)
    candidates = s.decider.options.candidates(situation)
    network = Network(load_policy(folder)[1])
    forward = network.probabilities(encode(situation, candidates, 1))
    backward = network.probabilities(encode(situation, candidates[::-1], len(candidates) - 2))
    np.testing.assert_allclose(forward, backward[::-1], rtol=1e-5)


def test_a_policy_that_does_not_fit_is_refused_with_the_reason(folder, story):
    with pytest.raises(ConfigError, match=r"no card.yaml; a policy's folder holds"):
        load_policy(folder / "none")
    card = folder / "card.yaml"
    text = card.read_text()
    card.write_text(text.replace("- holding\n", "- grasping\n"))
    with pytest.raises(ConfigError, match=r"what differs: \['grasping', 'holding'\]"):
        load_policy(folder)
    card.write_text(text.replace("seed: 0", "seed: maybe"))
    with pytest.raises(ConfigError, match="seed"):
        load_policy(folder)
    card.write_text(text)
    with (folder / "weights.pt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigError, match="the card beside it allows"):
        story(policy="learned", policy_folder=str(folder))


def test_layers_that_do_not_fit_are_refused():
    weights = weights_of(0)
    narrow = {"context_w1": np.zeros((16, 7)), "context_b1": np.zeros(7)}
    with pytest.raises(ConfigError, match="score_w0 takes 42 numbers, needs 37"):
        Network({**weights, **narrow})
    del weights["score_w0"]
    with pytest.raises(ConfigError, match="no layer score_w0"):
        Network(weights)
