"""Free places on a station, and the watch over what was delivered."""

from dataclasses import replace

import numpy as np

from hrl_core.geometry import transform_from
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import MARKER_DROP, Item, Site, load_site
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.delivered import DeliveredWatch
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import Guardrails
from hrl_master.orders import Order
from hrl_master.places import ROOM, free_offset
from hrl_master.reasons import Reason
from hrl_master.scene import GripperConfig, Scene, Seen, build_scene

SITE, ORDER = load_site("small_warehouse"), Order("can", "A2", "packing")
FACE = SITE.face("packing")
BEFORE = SITE.pose_in_front("packing", SITE.standoff)
BLANK = build_scene(Sensed(0.0), SITE, load_robot(), GripperConfig())


def free_scene(stamp: float, pose: np.ndarray = BEFORE, seen=None) -> Scene:
    """A robot that knows where it is, and what it sees."""
    return replace(BLANK, stamp=stamp, map_from_base=pose, position_std=0.02, seen=seen or {})


def stands(item: str, y: float, sunk: float = 0.0, rotation: np.ndarray | None = None) -> Seen:
    """An item on packing, y [m] beside the middle of the station's frame."""
    height = MARKER_DROP + 0.5 * SITE.items[item].size[2] - sunk
    place = transform_from((-SITE.target_setback, y, height), rotation)
    return Seen("item", FACE @ place, 0.1, 0.9)


def at(**items: float) -> dict[str, np.ndarray]:
    return {name: stands(name, y).map_from_object[:3, 3] for name, y in items.items()}


def test_the_first_item_goes_to_the_middle_and_the_others_beside_it_with_room_for_the_jaws():
    placed: dict[str, float] = {}
    for name in SITE.items:
        offset = free_offset(SITE, "packing", FACE, name, at(**placed))
        assert offset is not None and offset[0] == 0.0
        placed[name] = float(offset[1])
    assert placed["box_small"] == 0.0
    places = sorted(placed.values())
    widths = [SITE.items[name].size[0] for name in sorted(placed, key=lambda n: placed[n])]
    for k in range(len(places) - 1):
        gap = places[k + 1] - places[k] - 0.5 * (widths[k] + widths[k + 1])
        assert gap >= ROOM - 1e-9
    half = 0.5 * SITE.station("packing").width
    assert max(np.abs(places)) + 0.036 < half


def test_an_item_that_lies_covers_more():
    up, fallen = at(box_tall=0.0), at(box_tall=0.0)
    fallen["box_tall"] = stands("box_tall", 0.0, sunk=0.03).map_from_object[:3, 3]
    beside = [free_offset(SITE, "packing", FACE, "can", others) for others in (up, fallen)]
    assert beside[0] is not None and beside[1] is not None
    assert abs(beside[1][1]) > abs(beside[0][1])


def test_a_station_that_is_full_is_said_whatever_policy_decides():
    seen = {
        name: stands(name, y)
        for name, y in (("jar", 0.0), ("box_tall", -0.2), ("box_wide", 0.2), ("box_small", 0.36))
    }
    decider = make_decider(SITE, MasterConfig(), Guardrails(SITE, GuardrailConfig()))
    decider.begin(ORDER)
    free = decider.hopeless(decider.observe(free_scene(50.0, BEFORE, seen=seen)))
    assert free is None  # on the left there is room yet
    narrow = Site.model_validate(
        {**SITE.model_dump(), "stations": [{**s.model_dump(), "width": 0.5} for s in SITE.stations]}
    )
    guards = Guardrails(narrow, GuardrailConfig())
    decider = make_decider(narrow, MasterConfig(), guards, robot=load_robot())
    decider.begin(ORDER)
    full = decider.hopeless(decider.observe(free_scene(50.0, BEFORE, seen=seen)))
    assert full is not None and full.reason is Reason.STATION_FULL
    assert full.sentence.startswith("packing is full: no place is free for can beside box_")


def test_an_item_beyond_the_limits_of_the_grasp_is_refused_with_its_size():
    cube = Item(shape="box", size=(0.15, 0.15, 0.15), mass=0.9, marker=103)
    arm = load_robot().arm
    assert "size x is 0.15 m, allowed are 0.04 to 0.08" in arm.refusal("sku", cube)
    assert all(arm.refusal(name, item) == "" for name, item in SITE.items.items())
    site = Site.model_validate({**SITE.model_dump(), "items": {"can": cube.model_dump()}})
    guards = Guardrails(site, GuardrailConfig())
    decider = make_decider(site, MasterConfig(), guards, robot=load_robot())
    decider.begin(ORDER)
    refusal = decider.hopeless(decider.observe(free_scene(1.0)))
    assert refusal is not None and refusal.reason is Reason.ITEM_UNFIT


def watch_over(y: float = 0.0) -> DeliveredWatch:
    watch = DeliveredWatch(WalkGraph(SITE).surfaces)
    watch.add(0, "can", "packing", free_scene(10.0, BEFORE, seen={"can": stands("can", y)}))
    return watch


def later(**seen: Seen):
    return free_scene(30.0, BEFORE, seen=seen)


def test_an_item_that_still_stands_is_no_error():
    watch = watch_over()
    assert watch.faults(later(can=stands("can", 0.01)), "packing") == {}


def test_an_item_that_tilts_sinks_moves_or_lies_on_the_floor_is_told_once():
    lying = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    floor = stands("can", 0.0)
    floor.map_from_object[2, 3] = 0.05
    for seen, told in (
        (stands("can", 0.0, rotation=lying), "tilted"),
        (stands("can", 0.0, sunk=0.016), "off its height"),
        (stands("can", 0.15), "m from its place"),
        (floor, "on the floor"),
    ):
        watch = watch_over()
        (fault,) = watch.faults(later(can=seen)).values()
        assert told in fault and fault.startswith("can was delivered to packing, but")
        assert watch.faults(later(can=seen)) == {}


def test_an_item_that_is_not_seen_before_its_station_is_an_error_unless_the_arm_hides_it():
    assert "not seen" in watch_over().faults(later(), "packing")[0]
    stale = replace(stands("can", 0.0), age=15.0)
    assert "not seen" in watch_over().faults(later(can=stale), "packing")[0]
    assert watch_over(0.3).faults(later(), "packing") == {}  # on the arm's side
    assert watch_over().faults(later(), "shipping") == {}


def test_an_item_that_stands_above_the_picture_is_not_missed():
    high = stands("can", 0.0, sunk=-0.3)
    watch = DeliveredWatch(WalkGraph(SITE).surfaces)
    watch.add(0, "can", "packing", free_scene(10.0, BEFORE, seen={"can": high}))
    assert watch.faults(later(can=replace(high, age=15.0)), "packing") == {}
