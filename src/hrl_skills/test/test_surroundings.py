from dataclasses import replace

import numpy as np
import pytest

from hrl_core.geometry import inverse, transform_from_planar
from hrl_core.robot import load_robot
from hrl_core.sensed import Detection, Odometry, Sensed
from hrl_core.site import load_site
from hrl_skills.arm import hand_rotation
from hrl_skills.manipulation import (
    FAR,
    ItemEstimate,
    Surroundings,
    finger_opening,
    jaw_clearance,
    room_beside,
)
from hrl_skills.surroundings import surroundings

SITE = load_site("small_warehouse")
BIN = next(iter(SITE.bins))
ITEM, OTHER = list(SITE.items)[:2]
GRIPPER = load_robot().arm.gripper
# A hand that looks down and closes along y: the jaw on the left, the finger on the right.
DOWN = hand_rotation(np.zeros(1), np.full(1, 1.4), np.full(1, np.pi / 2))


def item(half_width: float) -> ItemEstimate:
    size = np.array([[half_width, half_width, 0.05]])
    return ItemEstimate(np.array([[0.85, 0.0, 0.1]]), np.eye(3)[None], size, np.zeros(1, bool))


def box_at(x: float, y: float) -> Surroundings:
    return Surroundings(np.array([[[x, y]]]), np.zeros((1, 1)), np.full((1, 1, 2), 0.03))


@pytest.mark.parametrize(("y", "side"), [(0.13, 0), (-0.13, 1)])
def test_room_is_measured_from_side_to_side_on_the_jaws_or_the_fingers_side(y, side):
    room = room_beside(GRIPPER, item(0.04), DOWN, box_at(0.85, y))[0]
    assert room[side] == pytest.approx(0.13 - 0.03 - 0.04, abs=0.001)
    assert room[1 - side] == FAR


def test_what_stands_behind_an_item_takes_no_room_beside_it():
    np.testing.assert_array_equal(
        room_beside(GRIPPER, item(0.04), DOWN, box_at(1.0, 0.1))[0], [FAR, FAR]
    )


def test_a_hand_with_less_room_opens_less_and_keeps_its_jaw_nearer():
    wide, narrow = np.full((1, 2), FAR), np.full((1, 2), GRIPPER.jaw_thickness + 0.02)
    width = np.array([0.03])
    assert finger_opening(GRIPPER, width, wide) < finger_opening(GRIPPER, width, narrow) < -0.3
    assert jaw_clearance(GRIPPER, narrow) < jaw_clearance(GRIPPER, wide)


def sensed() -> Sensed:
    """In front of a bin, which is seen, and so is an item 15 cm beside its middle."""
    face = transform_from_planar(np.array([0.75, 0.0, np.pi]))
    other = transform_from_planar(np.array([0.85, 0.15, np.pi]))
    detections = {
        name: Detection(1.0, kind, name, 0, pose, np.eye(6) * 1e-5, 1.0)
        for name, kind, pose in ((BIN, "bin", face), (OTHER, "item", other))
    }
    return Sensed(1.0, odometry=Odometry(1.0, np.eye(4), np.zeros(3)), detections=detections)


def test_seen_neighbours_and_the_walls_of_the_bins_shelf_are_around_an_item():
    around = surroundings(SITE, sensed(), ITEM, np.array([0.85, 0.0, 0.0]), BIN)
    shelf = SITE.shelf_of(BIN)
    np.testing.assert_allclose(around.position[0, 0], [0.85, 0.15])
    walls = around.position[0, 1:, 1]
    assert len(walls) == 2 + len(shelf.dividers)
    assert walls.max() - walls.min() == pytest.approx(shelf.width - 0.02)
    # The bin is seen straight ahead: its shelf's middle is as far aside as the map has it.
    aside = (inverse(SITE.face(BIN)) @ transform_from_planar(np.array(shelf.pose)))[1, 3]
    assert 0.5 * (walls.max() + walls.min()) == pytest.approx(-aside)


def test_the_item_itself_and_what_was_seen_long_ago_are_not_around_it():
    now = sensed()
    old = replace(now, stamp=100.0)
    assert surroundings(SITE, now, OTHER, np.array([0.85, 0.15, 0.0])).position.shape == (1, 0, 2)
    assert surroundings(SITE, old, ITEM, np.array([0.85, 0.0, 0.0])).position.shape == (1, 0, 2)
