"""Driver files are read, or refused with place, value and what is allowed."""

import pytest

from hrl_core.config import ConfigError, config_dir
from hrl_driver.profile import load_driver

DRIVERS = sorted(path.stem for path in (config_dir() / "drivers").glob("*.yaml"))
WRONG = [
    ("lives: 0.125", "lives: 0", r"lives = 0: allowed are numbers above 0 and up to 60 s"),
    ("lives: 0.125}", "lives: 0.125, rate: 5}", r"a command that lives 0.125 s needs more than 8"),
    ("type: Twist,", "type: Twist2,", r"commands.base.type = 'Twist2'.*'Twist' or 'TwistStamped'"),
    ("field: gripper_angle", "fields: gripper_angle", r"commands.gripper.fields = 'gripper_angle'"),
    ("    service: spot_msgs/srv/SetGripperAngle\n", "", "type service needs `service`"),
    ("scale: -0.017453292519943295", "scale: 0", "scale = 0.0: allowed is anything but 0"),
    ("topic: velodyne/points", "topic: velodyne points", "sensors.scans.0.topic"),
    ("twist_in: odom", "twist_in: map", "'stated', 'base' or 'odom'"),
    ("imu: null", "imu: none", "sensors.imu = 'none'"),
    ("joint_states, quality: latched", "joint_states, quality: fast", "'best_effort', 'reliable'"),
    ("depth_encoding: 16UC1", "depth_encoding: 8UC1", "sensors.cameras.camera.depth_encoding"),
    ("start: [claim", "start: [claim it", "power.start.0 = 'claim it'"),
]


@pytest.mark.parametrize("name", DRIVERS)
def test_every_driver_file_that_is_shipped_is_read(name):
    driver = load_driver(name)
    assert driver.name == name and len({*driver.sensor_topics()}) == len(driver.sensor_topics())


@pytest.mark.parametrize(("right", "wrong", "sentence"), WRONG)
def test_a_mistake_is_refused_with_its_place_and_what_is_allowed(tmp_path, right, wrong, sentence):
    text = (config_dir() / "drivers" / "spot_ros2.yaml").read_text()
    assert right in text
    file = tmp_path / "spot.yaml"
    file.write_text(text.replace(right, wrong, 1))
    with pytest.raises(ConfigError, match=sentence) as refused:
        load_driver(file)
    assert f"{file}:" in str(refused.value)


def test_an_unknown_driver_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match=r"unknown driver 'spott'; known: \['plant', 'spot_ros2'"):
        load_driver("spott")


def test_names_are_resolved_in_the_namespace_but_not_absolute_ones():
    spot = load_driver("spot_ros2")
    assert spot.resolved("odometry") == "spot/odometry" and spot.resolved("/tf") == "/tf"
    assert spot.services()["spot/set_gripper_angle"] == "spot_msgs/srv/SetGripperAngle"
    assert spot.services()["spot/claim"] == "std_srvs/srv/Trigger"
    assert spot.command_topics() == ("spot/cmd_vel", "spot/arm_joint_commands")
