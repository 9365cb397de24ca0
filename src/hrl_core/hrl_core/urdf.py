"""The robot file as a URDF: links and joints as skills know them, drawn with plain shapes."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as xml

import numpy as np

from hrl_core import topics
from hrl_core.geometry import rpy_from_rotation
from hrl_core.robot import Robot

THICKNESS = 0.05  # m, of limbs as they are drawn
AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}


def urdf_of(robot: Robot) -> str:
    """XML of a URDF whose root is base_link and whose joints have the robot file's names.

    Shapes are for the eye alone: no masses, no collisions. The finger's hinge, which no skill
    needs to know, is drawn at the middle of the jaws.
    """
    root = xml.Element("robot", name=robot.name)
    front = max(robot.base.footprint_x)
    _link(root, topics.BASE, box=(2 * front, robot.base.footprint_radius, 0.17))
    _legs(root, robot)
    _arm(root, robot)
    _fixed(root, topics.BASE, topics.LIDAR, robot.lidar.mount.parent_from_sensor())
    for name, camera in robot.cameras.items():
        frame = topics.image(name).frame
        _fixed(root, camera.mount.parent, frame, camera.parent_from_optical())
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True)


def _legs(root: xml.Element, robot: Robot) -> None:
    g, legs = robot.legs.geometry, robot.legs
    for k in range(0, len(legs.joints), 3):
        x = g.hip_x if k < 6 else -g.hip_x  # front ones first, left before right
        side = 1 if k % 6 == 0 else -1
        offsets = ((x, side * g.hip_y, 0), (0, side * g.hip_to_thigh, 0))
        offsets += ((g.knee_forward, 0, -g.thigh),)
        shapes = (0.0, -g.thigh, -g.shank)
        parent = topics.BASE
        for i, axis in enumerate("xyy"):
            name = legs.joints[k + i]
            limits = (legs.lower[i], legs.upper[i], legs.effort_limit[i])
            parent = _joint(root, name, parent, f"{name}_link", offsets[i], axis, limits, shapes[i])


def _arm(root: xml.Element, robot: Robot) -> None:
    arm = robot.arm
    still = (0.0, 0.0, 0.0)
    offsets = (arm.shoulder, still, (arm.upper_arm, 0, 0), (arm.forearm[0], 0, arm.forearm[1]))
    offsets += (still, still)
    lengths = (0.0, arm.upper_arm, arm.forearm[0], 0.0, 0.0, arm.tool[0])
    parent = topics.BASE
    for i, axis in enumerate("zyyxyx"):
        name = arm.joints[i]
        link = arm.hand_link if i == len(arm.joints) - 1 else f"{name}_link"
        limits = (arm.lower[i], arm.upper[i], 0.0)
        parent = _joint(root, name, parent, link, offsets[i], axis, limits, lengths[i], along="x")
    hinge = (arm.tool[0] / 2, 0.0, 0.0)
    bounds = sorted((arm.gripper_open, arm.gripper_closed))
    limits = (bounds[0], bounds[1], arm.gripper_effort_limit)
    name, length = arm.gripper_joint, arm.tool[0] / 2
    _joint(root, name, parent, f"{name}_link", hinge, "y", limits, length, along="x")


def _joint(
    root: xml.Element,
    name: str,
    parent: str,
    child: str,
    offset: Sequence[float],
    axis: str,
    limits: tuple[float, float, float],
    length: float,
    along: str = "z",
) -> str:
    """Add a turning joint [rad, rad, N m] and its link, drawn `length` m along an axis."""
    joint = xml.SubElement(root, "joint", name=name, type="revolute")
    _placed(joint, offset)
    xml.SubElement(joint, "parent", link=parent)
    xml.SubElement(joint, "child", link=child)
    xml.SubElement(joint, "axis", xyz=_numbers(AXES[axis]))
    low, high, effort = (f"{value:.6g}" for value in limits)
    xml.SubElement(joint, "limit", lower=low, upper=high, effort=effort, velocity="10")
    size = [THICKNESS] * 3
    size["xyz".index(along)] = max(abs(length), THICKNESS)
    middle = [0.5 * length if each == along else 0.0 for each in "xyz"]
    _link(root, child, box=size, at=middle)
    return child


def _fixed(root: xml.Element, parent: str, child: str, transform: np.ndarray) -> None:
    joint = xml.SubElement(root, "joint", name=f"{child}_mount", type="fixed")
    _placed(joint, transform[:3, 3], rpy_from_rotation(transform[:3, :3]))
    xml.SubElement(joint, "parent", link=parent)
    xml.SubElement(joint, "child", link=child)
    xml.SubElement(root, "link", name=child)


def _link(
    root: xml.Element, name: str, box: Sequence[float], at: Sequence[float] = (0.0, 0.0, 0.0)
) -> None:
    visual = xml.SubElement(xml.SubElement(root, "link", name=name), "visual")
    _placed(visual, at)
    xml.SubElement(xml.SubElement(visual, "geometry"), "box", size=_numbers(box))


def _placed(element: xml.Element, xyz, rpy=(0.0, 0.0, 0.0)) -> None:
    xml.SubElement(element, "origin", xyz=_numbers(xyz), rpy=_numbers(rpy))


def _numbers(values) -> str:
    return " ".join(f"{float(value):.6g}" for value in values)
