"""The URDF that is made of a robot file."""

from xml.etree import ElementTree as xml

from hrl_core.robot import load_robot
from hrl_core.urdf import urdf_of

ROBOT = load_robot("spot")


def test_it_is_one_tree_with_the_joints_of_the_robot_file():
    root = xml.fromstring(urdf_of(ROBOT))
    links = [link.attrib["name"] for link in root.iter("link")]
    children = [child.attrib["link"] for child in root.iter("child")]
    assert len(set(links)) == len(links)
    assert set(links) - set(children) == {"base_link"}
    assert {parent.attrib["link"] for parent in root.iter("parent")} <= set(links)
    turning = [j.attrib["name"] for j in root.iter("joint") if j.attrib["type"] == "revolute"]
    assert sorted(turning) == sorted(ROBOT.joints)
    assert {"lidar_link", "camera_optical_frame", "hand_camera_optical_frame"} <= set(links)
