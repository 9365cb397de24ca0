"""No message may be taken for what it is not: every conversion refuses with field and value."""

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.robot import load_robot

pytestmark = pytest.mark.ros


def scan(**fields):
    from sensor_msgs.msg import LaserScan

    message = LaserScan(
        angle_min=-3.1,
        angle_increment=0.0175,
        range_max=12.0,
        ranges=[2.0] * 355,
    )
    message.header.frame_id = "lidar_link"
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"angle_increment": 0.0}, "angle_increment = 0.0: needs to be other than 0"),
        ({"angle_increment": float("nan")}, "angle_increment = nan: allowed are"),
        ({"angle_min": float("nan")}, "angle_min = nan"),
        ({"range_max": 0.0}, "range_max = 0.0: allowed are 1 to 1e.03 m"),
        ({"range_min": 100.0}, "range_min = 100.0: allowed are 0 to 1 m"),
        ({"ranges": [1.0] * 10}, "10 beams .*allowed are 20 to 360"),
        ({"ranges": [1.0] * 1000}, "1000 beams .*allowed are 20 to 360"),
    ],
)
def test_a_scan_without_usable_geometry_is_refused(fields, message):
    from hrl_core.ros.sensor_convert import scan_from_msg

    with pytest.raises(ConfigError, match=message):
        scan_from_msg(scan(**fields))


def test_a_scan_of_another_frame_is_refused():
    from hrl_core.ros.sensor_convert import scan_from_msg

    other = scan()
    other.header.frame_id = "laser"
    with pytest.raises(ConfigError, match="header.frame_id = 'laser': allowed is 'lidar_link'"):
        scan_from_msg(other)


def test_a_lidar_that_turns_clockwise_sees_the_same_points():
    from hrl_core.ros.sensor_convert import scan_from_msg

    ranges = np.linspace(1.0, 5.0, 355)
    one = scan_from_msg(scan(ranges=ranges.tolist()))
    last = -3.1 + 0.0175 * 354
    turned = scan(angle_min=last, angle_increment=-0.0175, ranges=ranges[::-1].tolist())
    np.testing.assert_allclose(scan_from_msg(turned).points(), one.points(), atol=1e-4)


def picture(**fields):
    from sensor_msgs.msg import Image

    message = Image(height=4, width=6, encoding="rgb8", step=18, data=bytes(range(72)))
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"height": 0}, "height x width = 0 x 6"),
        ({"step": 0}, "step = 0: 6 pixels need 18 bytes"),
        ({"data": b""}, "data has 0 bytes: needs 72"),
        ({"data": bytes(71)}, "data has 71 bytes: needs 72"),
        ({"encoding": "bayer_rggb8"}, "encoding = 'bayer_rggb8': allowed are"),
        ({"width": 2**31}, "height x width = 4 x 2147483648: allowed are 1 to 10000"),
    ],
)
def test_a_picture_that_is_none_is_refused(fields, message):
    from hrl_core.ros.sensor_convert import rgb_from_msg

    with pytest.raises(ConfigError, match=message):
        rgb_from_msg(picture(**fields))


def test_padded_grey_and_four_channel_pictures_are_taken():
    from hrl_core.ros.sensor_convert import rgb_from_msg

    grey = rgb_from_msg(picture(encoding="mono8", step=12, data=bytes(range(48))))
    assert grey.shape == (4, 6, 3)
    assert (grey[1] == np.arange(12, 18)[:, None]).all()
    four = rgb_from_msg(picture(encoding="bgra8", step=24, data=bytes(range(96))))
    assert four[0, 0].tolist() == [2, 1, 0]


def joints(names, values):
    from sensor_msgs.msg import JointState

    return JointState(name=names, position=values)


def test_joints_of_several_publishers_are_merged_and_broken_ones_refused():
    from hrl_core.ros.sensor_convert import joints_from_msgs

    robot = load_robot("spot")
    names = list(robot.joints)
    legs, arm = joints(names[:12], [1.0] * 12), joints(names[12:], [2.0] * (len(names) - 12))
    merged = joints_from_msgs([arm, legs], robot)
    assert merged.position.tolist() == [1.0] * 12 + [2.0] * (len(names) - 12)
    with pytest.raises(ConfigError, match="joint_states lacks"):
        joints_from_msgs([arm], robot)
    with pytest.raises(ConfigError, match="position has 3 numbers: name has 12"):
        joints_from_msgs([joints(names[:12], [1.0] * 3), arm], robot)
    with pytest.raises(ConfigError, match=rf"position of \['{names[0]}'\] is no finite number"):
        joints_from_msgs([joints(names[:12], [float("nan")] + [1.0] * 11), arm], robot)


def odometry(child, yaw, vx, vy):
    from nav_msgs.msg import Odometry

    message = Odometry(child_frame_id=child)
    message.header.frame_id = "odom"
    message.pose.pose.orientation.z, message.pose.pose.orientation.w = (
        float(np.sin(yaw / 2)),
        float(np.cos(yaw / 2)),
    )
    message.twist.twist.linear.x, message.twist.twist.linear.y = vx, vy
    return message


def test_a_twist_in_odom_is_turned_into_the_body():
    from hrl_core.ros.sensor_convert import odometry_from_msg

    body = odometry_from_msg(odometry("base_link", np.pi, 0.5, 0.1)).twist
    np.testing.assert_allclose(body, [0.5, 0.1, 0.0])
    turned = odometry_from_msg(odometry("odom", np.pi, 0.5, 0.1)).twist
    np.testing.assert_allclose(turned, [-0.5, -0.1, 0.0], atol=1e-12)
    with pytest.raises(ConfigError, match="child_frame_id = 'wheel': allowed is 'base_link'"):
        odometry_from_msg(odometry("wheel", 0.0, 0.0, 0.0))


def test_an_imu_that_measures_no_orientation_is_refused():
    from sensor_msgs.msg import Imu

    from hrl_core.ros.sensor_convert import imu_from_msg

    message = Imu()
    message.header.frame_id = "base_link"
    message.orientation_covariance[0] = -1.0
    with pytest.raises(ConfigError, match="it measures no orientation"):
        imu_from_msg(message)


def transform(parent, child, stamp, x, w=1.0):
    from geometry_msgs.msg import TransformStamped

    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec, message.header.stamp.nanosec = int(stamp), round(stamp % 1 * 1e9)
    message.transform.translation.x, message.transform.rotation.w = x, w
    return message


def test_transforms_are_kept_by_time_in_order_and_broken_ones_left_out():
    from hrl_core.ros.transforms import LookupFailed, TransformBuffer
    from tf2_msgs.msg import TFMessage

    buffer = TransformBuffer()
    for k in range(3000):  # 1000 Hz
        buffer.add(TFMessage(transforms=[transform("/odom", "base_link", 0.001 * k, 0.001 * k)]))
    buffer.add(TFMessage(transforms=[transform("odom", "base_link", 0.0005, 0.0005)]))  # late
    assert buffer.lookup("odom", "/base_link", 0.25)[0, 3] == pytest.approx(0.25)
    assert buffer.lookup("odom", "base_link", 2.9985)[0, 3] == pytest.approx(2.9985, abs=2e-3)
    with pytest.raises(ConfigError, match="'wrist' -> 'hand': orientation"):
        buffer.add(
            TFMessage(
                transforms=[
                    transform("wrist", "hand", 1.0, 0.0, w=0.0),
                    transform("base_link", "wrist", 2.0, 1.0),
                ]
            )
        )
    assert buffer.lookup("base_link", "wrist", 2.0)[0, 3] == 1.0
    with pytest.raises(LookupFailed, match="from 2.000 to 2.000 s"):
        buffer.lookup("base_link", "wrist", 5.0)


def test_transforms_of_a_time_that_has_not_come_yet_are_forgotten():
    from hrl_core.ros.transforms import LookupFailed, TransformBuffer
    from tf2_msgs.msg import TFMessage

    buffer = TransformBuffer()
    for stamp in (0.1, 5.0):
        buffer.add(TFMessage(transforms=[transform("odom", "base_link", stamp, stamp)]))
    buffer.add(TFMessage(transforms=[transform("base_link", "hand", 5.0, 0.5)]))
    buffer.forget_after(0.1)
    assert buffer.newest("base_link") == 0.1 and buffer.newest("hand") == float("-inf")
    with pytest.raises(LookupFailed):
        buffer.lookup("odom", "hand", 0.1)


def test_a_static_frame_under_a_moving_link_waits_for_that_link():
    from hrl_core.ros.transforms import TransformBuffer
    from tf2_msgs.msg import TFMessage

    buffer = TransformBuffer()
    buffer.add(TFMessage(transforms=[transform("hand", "optical", 0.0, 0.1)]), static=True)
    buffer.add(TFMessage(transforms=[transform("base_link", "hand", 1.0, 0.5)]))
    assert not buffer.awaited("optical", "base_link", 1.0)
    assert buffer.awaited("optical", "base_link", 1.1)
