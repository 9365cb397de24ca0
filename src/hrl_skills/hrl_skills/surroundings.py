"""What stands beside an item or a target, as the robot knows it: seen neighbours, mapped walls."""

import numpy as np

from hrl_core.faces import odom_from_face
from hrl_core.geometry import inverse, planar_from_transform, transform_from_planar
from hrl_core.sensed import Sensed
from hrl_core.site import Site
from hrl_skills.manipulation import Surroundings

NEAR = 0.4  # m; what stands further away matters to no hand
SAME_BOARD = 0.2  # m, between the heights of centres
WALL = 0.02  # m, thickness
REMEMBERED = 30.0  # s; a neighbour that was seen since then stands where it was


def surroundings(
    site: Site, sensed: Sensed, item: str, base_from_point: np.ndarray, face: str | None = None
) -> Surroundings:
    """What is around a point (3,) m in base_link; `face`: the bin whose walls count as well."""
    assert sensed.odometry is not None  # the runner refuses to start without
    base_from_odom = inverse(sensed.odometry.odom_from_base)
    poses, halves = [], []
    for name, detection in sensed.detections.items():
        if name == item or name not in site.items:
            continue
        if sensed.stamp - detection.stamp > REMEMBERED:
            continue
        base_from_other = base_from_odom @ detection.odom_from_object
        away = base_from_other[:3, 3] - base_from_point
        if np.hypot(*away[:2]) < NEAR and abs(away[2]) < SAME_BOARD:
            poses.append(planar_from_transform(base_from_other))
            halves.append(0.5 * np.array(site.items[name].size[:2]))
    for pose, half in walls(site, sensed, face) if face is not None else ():
        poses.append(planar_from_transform(base_from_odom @ pose))
        halves.append(half)
    poses, halves = np.reshape(poses, (-1, 3)), np.reshape(halves, (-1, 2))
    return Surroundings(poses[None, :, :2], poses[None, :, 2], halves[None])


def walls(site: Site, sensed: Sensed, face: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sides and dividers of a bin's shelf: odom_from_wall (4, 4), half extents (2,) m of each."""
    pose = odom_from_face(site, sensed, face)
    if pose is None:
        return []
    shelf = site.shelf_of(face)
    odom_from_shelf = pose @ inverse(site.face(face)) @ transform_from_planar(np.array(shelf.pose))
    half = np.array([0.5 * shelf.depth, 0.5 * WALL])
    sides = 0.5 * (shelf.width - WALL)
    return [
        (odom_from_shelf @ transform_from_planar(np.array([-half[0], y, 0.0])), half)
        for y in (-sides, *shelf.dividers, sides)
    ]
