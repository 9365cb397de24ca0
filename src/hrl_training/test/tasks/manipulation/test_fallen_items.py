"""Items on every side, in the cameras' pictures: only one that stands may be called upright."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hrl_core.control import Command
from hrl_core.geometry import inverse, transform_from
from hrl_core.site import MARKER_DROP, Item, Site
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import PlacedItem
from hrl_sim_bridge.worlds.layouts import CATALOGUE
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills.posture import Posture, posture, sight_of
from hrl_training.missions.in_process import Rig

STATION = "packing"
SPACING, RIGHTMOST = 0.13, 0.05  # m; further to the right the folded arm hides what stands there
BATCH = 4  # items at a time
LOOKS = 14  # ticks, seven pictures of each camera
QUARTERS = np.array([0.0, 0.5, 1.0, 1.5]) * np.pi
# Which axis of the item points up when it has come to rest: its own z, -z, x, -x, y, -y.
UPS = {
    "standing": (0.0, 0.0),
    "on its head": (np.pi, 0.0),
    "on its back": (0.0, -0.5 * np.pi),
    "on its label": (0.0, 0.5 * np.pi),
    "on its right": (0.5 * np.pi, 0.0),
    "on its left": (-0.5 * np.pi, 0.0),
}


def turned(roll: float, pitch: float, yaw: float) -> np.ndarray:
    (a, b, c), (d, e, f) = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, a, -d], [0, d, a]])
    about_y = np.array([[b, 0, e], [0, 1, 0], [-e, 0, b]])
    return np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]]) @ about_y @ about_x


@cache
def catalogue_world():
    world = load_world("small_warehouse")
    site = Site.model_validate({**world.site.model_dump(), "items": CATALOGUE})
    return world.model_copy(update={"site": site})


def lay(item: Item, name: str, y: float, rotation: np.ndarray) -> PlacedItem:
    """An item on the station, y [m] beside the middle, turned (3, 3) in the station's frame."""
    site, half = catalogue_world().site, 0.5 * np.array(item.size)
    down = np.abs(rotation[2])
    bottom = down @ half
    if item.shape == "cylinder":
        bottom = down[2] * half[2] + np.hypot(down[0], down[1]) * half[0]
    place = transform_from((-site.target_setback, y, MARKER_DROP + bottom + 0.0005), rotation)
    return PlacedItem(name, STATION, site.face(STATION) @ place, item.mass, 0.8)


def postures(up: str, yaw: float) -> dict[str, Posture]:
    """How each item of the catalogue seems to stand, from where place looks; none: not seen."""
    names = [*CATALOGUE]
    batches = [names[k : k + BATCH] for k in range(0, len(names), BATCH)]
    return {name: how for batch in batches for name, how in postures_of(batch, up, yaw).items()}


def postures_of(names: list[str], up: str, yaw: float) -> dict[str, Posture]:
    world = catalogue_world()
    site, (roll, pitch) = world.site, UPS[up]
    stock = tuple(
        lay(site.items[name], name, RIGHTMOST - k * SPACING, turned(roll, pitch, yaw))
        for k, name in enumerate(names)
    )
    start = site.pose_in_front(STATION, site.standoff)
    trial = replace(
        draw_trial(world, 0, "none"),
        stock=stock, start=start, start_estimate=start, obstacles=(), people=(),
    )  # fmt: skip
    rig = Rig(world, trial)
    try:
        for _ in range(LOOKS):
            rig.tick(Command())
        found, face = {}, rig.sensed.detections[STATION].odom_from_object
        for name in names:
            item = site.items[name]
            seen = rig.sensed.detections.get(name)
            if seen is not None:
                pose = inverse(face) @ seen.odom_from_object
                height = float(pose[2, 3]) - MARKER_DROP - 0.5 * item.size[2]
                rotation = seen.odom_from_object[:3, :3]
                found[name] = posture(item, sight_of(rotation, seen.covariance, height))
        truth = rig.plant.truth().items
        stands = {name for name, pose in truth.items() if pose[2, 2] > 0.94}
        assert stands == (set(truth) if up == "standing" else set())
        return found
    finally:
        rig.close()


def test_items_that_stand_are_called_upright_but_about_cubes_ask_for_a_look_from_above():
    found = postures("standing", 0.0)
    cubes = dict.fromkeys(("box_cube", "jar"), Posture.UNCLEAR)  # as wide as they are high
    assert found == dict.fromkeys(CATALOGUE, Posture.UPRIGHT) | cubes


@pytest.mark.slow
@pytest.mark.parametrize("up", [up for up in UPS if up != "standing"])
def test_no_item_on_any_other_side_is_called_upright(up):
    seen = set()
    for yaw in QUARTERS:
        found = postures(up, yaw)
        assert Posture.UPRIGHT not in found.values(), f"turned by {yaw:.1f} rad"
        seen |= set(found)
    if up == "on its back":  # its label is in view, in one turn at least
        assert seen == set(CATALOGUE)
