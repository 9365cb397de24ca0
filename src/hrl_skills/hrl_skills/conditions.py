"""What a robot can know of its chances before a skill begins: named, finite numbers.

The `conditions` of every skill are made of these parts; units are in the names. What is not known
stands at the far end of its range: not seen for UNSEEN, known to UNKNOWN, FREE room, LONE items.
"""

import numpy as np

from hrl_core.faces import base_from_face
from hrl_core.geometry import (
    compose,
    inverse,
    invert,
    planar_from_transform,
    transform_from,
    transform_from_planar,
    wrap_angle,
)
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import Item, Site
from hrl_skills.shield import Shield

LOCALISED = 0.03  # m, sd of a robot's place on the map that is good enough to manipulate by it
UNSEEN = 20.0  # s; so old counts as never seen
UNKNOWN = 0.3  # m or rad; a standard deviation is not larger than this
FREE = 2.0  # m; more room than this makes no difference
LONE = 0.5  # m; nor does anything that stands further away


def sensing(sensed: Sensed) -> dict[str, float]:
    """How well the robot senses now: its place, and the noise and the gaps of its scan."""
    sd = np.full(3, UNKNOWN)
    if sensed.localisation is not None:
        sd = np.minimum(np.sqrt(np.diag(sensed.localisation.covariance)), UNKNOWN)
    noise, gaps = UNKNOWN, 1.0
    if sensed.scan is not None:
        ranges = sensed.scan.ranges
        gaps = float(np.isnan(ranges).mean())
        # Second differences vanish on straight walls, and the median leaves out the corners.
        hits = np.where(np.isfinite(ranges), ranges, np.nan)  # infinite where nothing is
        bend = np.roll(hits, 1) - 2 * hits + np.roll(hits, -1)
        bend = np.abs(bend[np.isfinite(bend)])
        noise = float(1.4826 * np.median(bend) / np.sqrt(6)) if len(bend) else 0.0
    return {
        "localisation_sd_m": float(sd[:2].max()),
        "localisation_sd_rad": float(sd[2]),
        "scan_noise_m": min(noise, UNKNOWN),
        "scan_gaps": gaps,
    }


def sight(part: str, sensed: Sensed, name: str) -> dict[str, float]:
    """How old and how good the sight of a bin, station or item is."""
    detection = sensed.detections.get(name)
    if detection is None:
        return {f"{part}_seen": 0.0, f"{part}_age_s": UNSEEN, f"{part}_sd_m": UNKNOWN}
    sd = float(np.sqrt(np.diag(detection.covariance)[:3].max()))
    age = float(np.clip(sensed.stamp - detection.stamp, 0.0, UNSEEN))
    return {f"{part}_seen": 1.0, f"{part}_age_s": age, f"{part}_sd_m": min(sd, UNKNOWN)}


def clearance(shield: Shield, sensed: Sensed, base_from_pose: np.ndarray | None = None) -> float:
    """Room [m] around the footprint in the scan, here or at a planar pose (3,) in base_link."""
    if sensed.scan is None:
        return 0.0
    points = shield.points_in_base(sensed.scan)
    points = points[shield.clearance(points) > -shield.config.inside]
    if base_from_pose is not None:
        c, s = np.cos(base_from_pose[2]), np.sin(base_from_pose[2])
        points = (points - base_from_pose[:2]) @ np.array([[c, -s], [s, c]])
    return float(np.clip(shield.clearance(points).min(initial=FREE), -FREE, FREE))


def face_in_base(site: Site, sensed: Sensed, name: str) -> np.ndarray:
    """base_from_face (4, 4) of a bin or station: as it was seen, else by the map, else ahead."""
    face = base_from_face(site, sensed, name)
    return transform_from_planar(np.array([site.standoff, 0.0, np.pi])) if face is None else face


def standing(site: Site, base_from_face: np.ndarray) -> dict[str, float]:
    """How far the robot stands off the standoff pose of a face."""
    face = planar_from_transform(base_from_face)
    off = compose(face, np.array([site.standoff, 0.0, np.pi]))
    return {
        "forward_m": float(face[0]),
        "sideways_m": float(abs(off[1])),
        "turn_rad": float(abs(off[2])),
    }


def kind_of_item(item: Item) -> dict[str, float]:
    """What the catalogue says of an item."""
    return {
        "item_half_width_m": 0.5 * max(item.size[:2]),
        "item_height_m": item.size[2],
        "item_mass_kg": item.mass,
        "item_round": float(item.shape == "cylinder"),
    }


def neighbours(
    site: Site, sensed: Sensed, name: str, base_from_point: np.ndarray
) -> dict[str, float]:
    """Other items around a point (3,) in base_link: how many, and the free gap to the nearest.

    The gap is between the nearest item's side and that of the item `name` if it stood there.
    """
    assert sensed.odometry is not None, "no skill starts without odometry"
    base_from_odom = inverse(sensed.odometry.odom_from_base)
    gaps = []
    for other, detection in sensed.detections.items():
        if detection.kind != "item" or other == name or other not in site.items:
            continue
        away = (base_from_odom @ detection.odom_from_object)[:3, 3] - base_from_point
        if abs(away[2]) < 0.2:  # m; on the same board
            widths = max(site.items[other].size[:2]) + max(site.items[name].size[:2])
            gaps.append(float(np.hypot(*away[:2])) - 0.5 * widths)
    near = [gap for gap in gaps if gap < LONE]
    return {
        "neighbours": float(len(near)),
        "neighbour_gap_m": float(np.clip(min(near, default=LONE), -0.1, LONE)),
    }


def item_in_base(site: Site, sensed: Sensed, name: str, bin_name: str) -> np.ndarray:
    """base_from_item (4, 4) as it was seen; else upright in the middle of its bin."""
    assert sensed.odometry is not None, "no skill starts without odometry"
    detection = sensed.detections.get(name)
    if detection is not None:
        return inverse(sensed.odometry.odom_from_base) @ detection.odom_from_object
    return face_in_base(site, sensed, bin_name) @ transform_from((-0.11, 0.0, 0.0))


def label_turn(base_from_item: np.ndarray) -> float:
    """Angle [rad] between an item's labelled front and the direction towards the robot."""
    return float(abs(wrap_angle(planar_from_transform(base_from_item)[2] - np.pi)))


def grip(robot: Robot, sensed: Sensed) -> dict[str, float]:
    """Opening and effort of the gripper: what it holds and how firmly."""
    if sensed.joints is None:
        return {"gripper_opening_rad": 0.0, "gripper_effort_nm": 0.0}
    k, arm = robot.gripper_index, robot.arm
    closing = float(np.sign(arm.gripper_closed - arm.gripper_open))
    return {
        "gripper_opening_rad": closing * (arm.gripper_closed - float(sensed.joints.position[k])),
        "gripper_effort_nm": closing * float(sensed.joints.effort[k]),
    }


def pose_in_base(sensed: Sensed, map_from_pose: np.ndarray) -> np.ndarray:
    """Planar pose (3,) in map -> in base_link; without a localisation odom counts as map."""
    assert sensed.odometry is not None, "no skill starts without odometry"
    map_from_base = planar_from_transform(sensed.odometry.odom_from_base)
    if sensed.localisation is not None:
        map_from_base = compose(sensed.localisation.map_from_odom, map_from_base)
    return compose(invert(map_from_base), map_from_pose)


def localised(sensed: Sensed) -> bool:
    """Whether the robot knows where it is on the map well enough to put something down."""
    known = sensed.localisation
    return known is not None and bool(np.sqrt(np.diag(known.covariance)[:2]).max() < LOCALISED)
