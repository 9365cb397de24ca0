"""Graph, beliefs, candidates, features and the policies by hand, on scenes made by hand."""

import time
from dataclasses import replace

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.geometry import compose
from hrl_core.site import load_site
from hrl_master.beliefs import BLOCKED_FOR, Beliefs
from hrl_master.candidate import KINDS
from hrl_master.edges import EdgePoints
from hrl_master.features import ACTION_NAMES, CONTEXT_NAMES, encode
from hrl_master.graph import WalkGraph
from hrl_master.scene import SECTORS, Seen
from hrl_master.surfaces import FLOOR
from hrl_perception.sectors import sector_angles

SITE = load_site("small_warehouse")
GRAPH = WalkGraph(SITE)


def scan_of(base, boxes: list[tuple[float, float, float, float]]) -> np.ndarray:
    """Sectors (72,) m that the map and boxes (x0, y0, x1, y1) on it give at base_link (3,)."""
    lidar = compose(np.array(base, float), np.array([-0.25, 0.0, 0.0]))
    angles = lidar[2] + sector_angles(SECTORS)
    reach = np.arange(0.1, 12.0, 0.02)
    points = (
        lidar[:2] + reach[None, :, None] * np.stack([np.cos(angles), np.sin(angles)], -1)[:, None]
    )
    solid = GRAPH.room(points) < 0.0
    for x0, y0, x1, y1 in boxes:
        inside = (points >= (x0, y0)) & (points <= (x1, y1))
        solid |= inside.all(axis=-1)
    return np.where(solid.any(axis=1), reach[solid.argmax(axis=1)], 12.0)


# The graph


@pytest.mark.parametrize("name", ["small_warehouse", "two_aisles", "open_bay"])
def test_every_place_can_be_reached_and_ways_keep_clear_of_the_map(name):
    graph = WalkGraph(load_site(name))
    ways = graph.distances()
    assert np.isfinite(ways).all() and np.allclose(ways, ways.T)
    straight = np.linalg.norm(graph.points[:, None] - graph.points[None], axis=-1)
    assert (ways >= straight - 1e-6).all()
    for a, b in graph.edges:
        ends = graph.points[graph.index[a]], graph.points[graph.index[b]]
        line = ends[0] + np.linspace(0, 1, 50)[:, None] * (ends[1] - ends[0])
        assert graph.room(line).min() > 0.0, (a, b)


def test_a_blocked_way_makes_the_way_longer_or_leaves_none():
    blocked = frozenset({("dock", "south")})
    k, goal = GRAPH.index["dock"], GRAPH.index["shipping"]
    assert GRAPH.distances(blocked)[k, goal] > GRAPH.distances()[k, goal] + 1.0
    assert ("dock", "south") not in GRAPH.edges_on(GRAPH.path("dock", "shipping", blocked))
    around = frozenset(edge for edge in GRAPH.edges if "dock" in edge)
    assert GRAPH.path("dock", "shipping", around) == []
    assert np.isinf(GRAPH.distances(around)[k, goal])


def test_a_waypoint_named_like_a_bin_is_refused():
    broken = SITE.model_copy(update={"waypoints": {"A1": SITE.waypoints["dock"]}})
    with pytest.raises(ConfigError, match=r"waypoints \['A1'\] are named as bins"):
        WalkGraph(broken)


def test_a_place_belongs_to_the_nearest_node_that_no_shelf_parts_it_from():
    assert GRAPH.here(np.array([1.3, 1.7])) == "dock"
    # Behind the shelf C: C2's own staging is nearer, but on its other side.
    assert GRAPH.here(np.array([3.8, 2.7])) not in ("C1", "C2", "C3")


# What the scan says of the ways


def test_the_map_alone_blocks_nothing_and_shows_near_ways_to_be_free(story):
    s = story()
    s.change(sectors=scan_of((1.2, 1.6, 0.0), []))
    beliefs = s.decider.observe(s.scene).beliefs
    assert beliefs.edges[("dock", "south")].free and beliefs.edges[("dock", "west")].free
    assert not beliefs.blocked


def test_a_barrier_across_a_way_blocks_it_and_is_forgotten_after_a_while(story):
    s = story()
    s.change(sectors=scan_of((1.2, 1.6, 0.0), [(2.6, 0.3, 2.8, 2.9)]))
    situation = s.decider.observe(s.scene)
    assert ("dock", "south") in situation.beliefs.blocked
    south = next(c for c in s.decider.options.candidates(situation) if c.target == "packing")
    assert south.kind == "place"  # the gripper is empty, the station is of no interest yet
    s.change(sectors=np.full(SECTORS, np.nan), scan_age=0.2)
    later = replace(s.scene, stamp=s.scene.stamp + BLOCKED_FOR)
    assert not s.decider.observe(later).beliefs.blocked


def test_a_box_that_leaves_a_passage_blocks_nothing(story):
    s = story()
    s.change(sectors=scan_of((1.2, 1.6, 0.0), [(2.5, 1.6, 2.9, 2.0)]))
    assert not s.decider.observe(s.scene).beliefs.blocked


# Items


def test_items_are_known_by_the_bin_the_station_or_the_floor_that_they_are_at(story):
    s = story()
    for face in ("B2", "packing"):
        frame = SITE.face(face).copy()
        frame[:3, 3] += frame[:3, :3] @ np.array([-0.15, 0.05, 0.15])
        s.change(seen={"can": Seen("item", frame, 0.1, 0.9)})
        assert s.decider.observe(s.scene).sighted_at == face
    frame = np.eye(4)
    frame[:3, 3] = [4.0, 2.0, 0.05]
    s.change(seen={"can": Seen("item", frame, 0.1, 0.9)})
    assert s.decider.observe(s.scene).sighted_at == FLOOR
    s.change(seen={})  # the tracker has looked through its place
    assert s.decider.observe(s.scene).sighted_at == ""


def test_an_item_that_leaves_the_gripper_on_the_way_is_lost(story):
    s = story()
    s.until("grasp")
    s.go()
    assert s.decider.beliefs.held == "can" and s.decider.beliefs.lost is None
    s.go(holding=False)
    beliefs = s.decider.beliefs
    assert beliefs.held == "" and beliefs.lost is not None and beliefs.item_in_hand is None


# Candidates


def test_candidates_are_masked_with_the_reason(story):
    s = story()
    situation = s.decider.observe(s.scene)
    found = {(c.kind, c.target): c for c in s.decider.options.candidates(situation)}
    assert found["place", "packing"].why_not == "the gripper holds nothing to place"
    assert "limit 2.6 m" in found["approach", "A2"].why_not
    assert "no skill is there" in found["back_out", ""].why_not
    assert found["walk", "A2"].allowed and found["hand_over", "can"].allowed
    assert {kind for kind, _ in found} == set(KINDS) - {"finish"}
    s.change(scan_age=3.0)
    allowed = [
        c.kind for c in s.decider.options.candidates(s.decider.observe(s.scene)) if c.allowed
    ]
    assert allowed == ["wait", "hand_over"]


def test_after_the_delivery_there_is_nothing_but_to_finish(story):
    s = story()
    s.until("place")
    s.go(holding=False)
    situation = s.decider.observe(s.scene)
    assert [c.kind for c in s.decider.options.candidates(situation)] == ["finish"]


def test_features_have_the_declared_sizes_whatever_the_site_and_stay_in_range(story):
    s = story()
    for _ in range(8):
        situation = s.decider.observe(s.scene)
        candidates = s.decider.options.candidates(situation)
        encoded = encode(situation, candidates, 0)
        assert encoded.context.shape == (len(CONTEXT_NAMES),)
        assert encoded.actions.shape == (len(candidates), len(ACTION_NAMES))
        assert encoded.context.dtype == encoded.actions.dtype == np.float32
        for array in (encoded.context, encoded.actions):
            assert np.isfinite(array).all() and array.min() >= -1 and array.max() <= 3
        assert encoded.mask.any()
        advised = encoded.actions[:, ACTION_NAMES.index("advised")]
        assert advised[0] == 1.0 and not advised[1:].any()
        if candidates[0].kind == "finish":
            return
        s.go(**({"holding": False} if s.ask().skill == "place" else {}))
    pytest.fail("the order was not finished")


def test_a_decision_costs_little(story):
    s = story()
    s.change(sectors=scan_of((1.2, 1.6, 0.0), [(2.6, 0.3, 2.8, 2.9)]))
    costs = []
    for _ in range(20):
        begin = time.process_time()
        beliefs = Beliefs().observe(s.scene, EdgePoints(GRAPH))
        situation = replace(s.decider.observe(s.scene), beliefs=beliefs)
        encode(situation, s.decider.options.candidates(situation), 0)
        costs.append(time.process_time() - begin)
    assert np.median(costs) < 0.01  # s; 1 ms on an idle core of today
