"""Messages <-> sensed data of the sensors: scan, joints, odometry, IMU, camera frames."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry as OdometryMsg
from sensor_msgs.msg import CameraInfo, Image, JointState, LaserScan
from sensor_msgs.msg import Imu as ImuMsg
from std_msgs.msg import Header

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.ros.convert import (
    check_frame,
    pose_msg,
    rotation_from_msg,
    seconds,
    stamp_msg,
    transform_from_pose,
)
from hrl_core.sensed import CameraFrame, Imu, Joints, Odometry, Scan

BEAM_STEP = 0.11  # rad between beams at most: at 1 m a leg fits between two
BEAMS = 20  # fewer see no shelf for what it is
# Channels of a picture by encoding, and which of them are red, green and blue.
COLOURS = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "8UC3": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
    "8UC1": (1, (0, 0, 0)),
}
LONGEST_SIDE = 10_000  # pixels of a picture
DEPTHS = {"32FC1": np.float32, "16UC1": np.uint16}


@dataclass(frozen=True)
class Sensor:
    """A sensor on the network: its field of Sensed, its topic, and the way there and back."""

    field: str
    topic: topics.Topic
    to_msg: Callable[[Any], Any]
    from_msg: Callable[[Any], Any]  # raises ConfigError for a message that cannot be used


def sensors_of(robot: Robot) -> tuple[Sensor, ...]:
    """All sensors but the cameras, in the order in which the plant sends them."""
    joints = partial(joints_msg, robot=robot), partial(joints_from_msg, robot=robot)
    return (
        Sensor("imu", topics.IMU, imu_msg, imu_from_msg),
        Sensor("joints", topics.JOINT_STATES, *joints),
        Sensor("odometry", topics.ODOMETRY, odometry_msg, odometry_from_msg),
        Sensor("scan", topics.SCAN, scan_msg, scan_from_msg),
    )


def scan_msg(scan: Scan) -> LaserScan:
    message = LaserScan(
        angle_min=scan.angle_min,
        angle_max=scan.angle_min + scan.angle_increment * (len(scan.ranges) - 1),
        angle_increment=scan.angle_increment,
        range_max=scan.range_max,
        ranges=_floats(scan.ranges, "f"),
    )
    message.header.frame_id = topics.LIDAR
    message.header.stamp = stamp_msg(scan.stamp)
    return message


def scan_from_msg(message: LaserScan) -> Scan:
    """REP 117: inf is nothing within range, nan no measurement, -inf too close to measure.

    A LiDAR that turns clockwise, or hangs upside down and says so, comes out counter-clockwise.
    Raises ConfigError for another frame than the LiDAR's and for a geometry that cannot be used.
    """
    check_frame(message, "header.frame_id", topics.LIDAR)
    _check_geometry(message)
    ranges = np.array(message.ranges, dtype=float)
    ranges[ranges == -np.inf] = message.range_min
    ranges[ranges < message.range_min] = np.nan
    ranges[ranges > message.range_max] = np.inf
    increment, first = message.angle_increment, message.angle_min
    if increment < 0:
        first, increment, ranges = first + increment * (len(ranges) - 1), -increment, ranges[::-1]
    if abs(increment * len(ranges) - 2 * np.pi) < 1e-4:
        increment = 2 * np.pi / len(ranges)
    return Scan(
        stamp=seconds(message.header.stamp),
        ranges=ranges,
        angle_min=_meant(first),
        angle_increment=increment,
        range_max=_meant(message.range_max),
    )


def _check_geometry(message: LaserScan) -> None:
    """Raise ConfigError with the field, its value and what is allowed."""
    beams = len(message.ranges)
    for name, low, high, unit in (
        ("angle_min", -2 * np.pi - 0.1, 2 * np.pi + 0.1, "rad"),
        ("angle_increment", -BEAM_STEP, BEAM_STEP, "rad"),
        ("range_min", 0.0, 1.0, "m"),
        ("range_max", 1.0, 1000.0, "m"),
    ):
        value = getattr(message, name)
        if not low <= value <= high:  # also where it is NaN
            raise ConfigError(f"{name} = {value}: allowed are {low:.3g} to {high:.3g} {unit}")
    step = abs(message.angle_increment)
    if step < 1e-5:
        raise ConfigError(f"angle_increment = {message.angle_increment}: needs to be other than 0")
    if beams < BEAMS or step * (beams - 1) > 2 * np.pi + 1e-2:
        most = int(2 * np.pi / step) + 1
        raise ConfigError(
            f"ranges has {beams} beams with angle_increment = {message.angle_increment:.5f} rad: "
            f"allowed are {BEAMS} to {most}"
        )


def _meant(value: float) -> float:
    """The number behind one that a message carries as float32: pi / 180 or 12.3, for example.

    A beam on the border of two sectors would otherwise fall into the other one.
    """
    for unit in (np.pi / 180, 1e-3):
        near = round(value / unit) * unit
        if abs(value - near) <= 1e-7 * abs(value):
            return near
    return value


def joints_msg(joints: Joints, robot: Robot) -> JointState:
    message = JointState(
        name=list(robot.joints),
        position=_floats(joints.position),
        velocity=_floats(joints.velocity),
        effort=_floats(joints.effort),
    )
    message.header.stamp = stamp_msg(joints.stamp)
    return message


def joints_from_msg(message: JointState, robot: Robot) -> Joints:
    """Joints in the robot file's order, whatever order the driver has; raises ConfigError."""
    return joints_from_msgs([message], robot)


def joints_from_msgs(messages: Sequence[JointState], robot: Robot) -> Joints:
    """Joints of several publishers in the robot file's order; the first that has a joint counts.

    The stamp is the first message's. Raises ConfigError for missing joints and broken messages.
    """
    values: dict[str, tuple[float, float, float]] = {}
    for message in reversed(messages):
        names, count = list(message.name), len(message.name)
        parts = [message.position, message.velocity, message.effort]
        for field, part in zip(("position", "velocity", "effort"), parts, strict=True):
            if len(part) != count and (len(part) or field == "position"):
                raise ConfigError(f"{field} has {len(part)} numbers: name has {count}")
        # A driver may leave out velocity and effort.
        full = [part if len(part) else [0.0] * count for part in parts]
        values.update(zip(names, zip(*full, strict=True), strict=True))
    missing = [name for name in robot.joints if name not in values]
    if missing:
        raise ConfigError(f"joint_states lacks {missing}; it has {sorted(values)}")
    table = np.array([values[name] for name in robot.joints], float)
    bad = [name for name, row in zip(robot.joints, table, strict=True) if not np.isfinite(row[0])]
    if bad:
        raise ConfigError(f"position of {bad} is no finite number")
    position, velocity, effort = np.ascontiguousarray(table.T)
    return Joints(seconds(messages[0].header.stamp), position, velocity, effort)


def odometry_msg(odometry: Odometry) -> OdometryMsg:
    message = OdometryMsg(child_frame_id=topics.BASE)
    message.header.frame_id = topics.ODOM
    message.header.stamp = stamp_msg(odometry.stamp)
    message.pose.pose = pose_msg(odometry.odom_from_base)
    twist = message.twist.twist
    twist.linear.x, twist.linear.y, twist.angular.z = odometry.twist.tolist()
    return message


def odometry_from_msg(message: OdometryMsg) -> Odometry:
    """Raises ConfigError for NaN and for a frame that says nothing.

    The twist is in `child_frame_id`: base_link, or odom where a driver gives it there.
    """
    check_frame(message, "header.frame_id", topics.ODOM)
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    twist = np.array([linear.x, linear.y, angular.z])
    if not np.isfinite(twist).all():
        raise ConfigError(f"twist = {twist.tolist()}: needs finite numbers")
    odom_from_base = transform_from_pose(message.pose.pose)
    if message.child_frame_id.rpartition("/")[2] == topics.ODOM:
        velocity = odom_from_base[:3, :3].T @ np.array([linear.x, linear.y, linear.z])
        twist[:2] = velocity[:2]
    else:
        check_frame(message, "child_frame_id", topics.BASE)
    return Odometry(seconds(message.header.stamp), odom_from_base, twist)


def imu_msg(imu: Imu) -> ImuMsg:
    """Roll and pitch alone are measured: the yaw is 0 and marked as unknown."""
    up = imu.up / np.linalg.norm(imu.up)
    roll, pitch = np.arctan2(up[1], up[2]), np.arcsin(-up[0])
    cr, sr, cp, sp = np.cos(roll / 2), np.sin(roll / 2), np.cos(pitch / 2), np.sin(pitch / 2)
    message = ImuMsg(
        orientation=Quaternion(
            x=float(sr * cp), y=float(cr * sp), z=float(-sr * sp), w=float(cr * cp)
        )
    )
    message.header.frame_id = topics.BASE
    message.header.stamp = stamp_msg(imu.stamp)
    message.orientation_covariance[8] = np.pi**2
    message.linear_acceleration_covariance[0] = -1.0  # sensor_msgs/Imu: there is none
    rate = message.angular_velocity
    rate.x, rate.y, rate.z = imu.angular_velocity.tolist()
    return message


def imu_from_msg(message: ImuMsg) -> Imu:
    """Raises ConfigError for an IMU that measures no orientation, in another frame, or NaN."""
    check_frame(message, "header.frame_id", topics.BASE)
    if message.orientation_covariance[0] == -1:  # sensor_msgs/Imu
        raise ConfigError("orientation_covariance[0] = -1: it measures no orientation")
    rate = message.angular_velocity
    if not np.isfinite([rate.x, rate.y, rate.z]).all():
        raise ConfigError(f"angular_velocity = {[rate.x, rate.y, rate.z]}: needs finite numbers")
    world_from_base = rotation_from_msg(message.orientation)
    return Imu(
        stamp=seconds(message.header.stamp),
        angular_velocity=np.array([rate.x, rate.y, rate.z]),
        up=world_from_base[2],
    )


def frame_msgs(
    frame: CameraFrame, colour: str = "rgb8", depth: str = "32FC1"
) -> tuple[Image, Image, CameraInfo]:
    """Camera frame -> colour, depth (32FC1 in m, 16UC1 in mm) and calibration.

    `colour`: an encoding of COLOURS with three channels.
    """
    header = Header(stamp=stamp_msg(frame.stamp), frame_id=topics.image(frame.name).frame)
    pixels = frame.rgb[..., list(COLOURS[colour][1])]
    metres = np.asarray(frame.depth, np.float32)
    if depth == "16UC1":
        metres = np.clip(np.round(1000.0 * metres), 0, 65535)
    height, width = frame.depth.shape
    k = frame.matrix
    info = CameraInfo(
        header=header, height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5
    )
    info.k = k.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.hstack([k, np.zeros((3, 1))]).ravel()
    return (
        image_msg(header, frame.rgb if colour == "rgb8" else pixels, colour),
        image_msg(header, metres.astype(DEPTHS[depth], copy=False), depth),
        info,
    )


def matrix_from_msg(info: CameraInfo, size: tuple[int, int]) -> np.ndarray:
    """Camera matrix (3, 3) for pictures of a size (width, height) pixels; raises ConfigError."""
    matrix = np.array(info.k).reshape(3, 3)
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise ConfigError(f"k = {matrix.tolist()}: needs focal lengths above 0")
    if (info.width, info.height) not in (size, (0, 0)):
        raise ConfigError(
            f"width x height = {info.width} x {info.height}: the picture has {size[0]} x {size[1]}"
        )
    return matrix


def image_msg(header: Header, pixels: np.ndarray, encoding: str) -> Image:
    """Pixels (h, w) or (h, w, channels) -> message."""
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    message = Image(
        header=header, height=height, width=width, encoding=encoding, is_bigendian=0,
        step=pixels.nbytes // height,
    )  # fmt: skip
    message.data = array("B", pixels.tobytes())  # an array of numpy would take 150 ms
    return message


def rgb_from_msg(image: Image) -> np.ndarray:
    """Pixels (h, w, 3) uint8 of a picture in colour or grey; raises ConfigError."""
    if image.encoding not in COLOURS:
        raise ConfigError(f"encoding = {image.encoding!r}: allowed are {sorted(COLOURS)}")
    channels, order = COLOURS[image.encoding]
    pixels = _pixels(image, channels).reshape(image.height, image.width, channels)
    return pixels if order == (0, 1, 2) and channels == 3 else pixels[:, :, order]


def depth_from_msg(image: Image) -> np.ndarray:
    """Depth (h, w) float32 m of a 32FC1 (m) or 16UC1 (mm) image; 0: none. Raises ConfigError."""
    if image.encoding not in DEPTHS:
        raise ConfigError(f"encoding = {image.encoding!r}: allowed are {sorted(DEPTHS)}")
    kind = np.dtype(DEPTHS[image.encoding])
    pixels = np.ascontiguousarray(_pixels(image, kind.itemsize)).view(kind)
    if image.encoding == "16UC1":
        return pixels.astype(np.float32) / 1000.0
    return np.where(np.isfinite(pixels), pixels, np.float32(0)) if _has_nan(pixels) else pixels


def rows_of(image: Image) -> np.ndarray:
    """Rows (h, step) uint8 of a picture, with their padding; raises ConfigError."""
    height, width, step = image.height, image.width, image.step
    if not (0 < height <= LONGEST_SIDE and 0 < width <= LONGEST_SIDE):
        raise ConfigError(
            f"height x width = {height} x {width}: allowed are 1 to {LONGEST_SIDE} pixels each"
        )
    if len(image.data) < height * step:
        raise ConfigError(f"data has {len(image.data)} bytes: needs {height * step}")
    return np.frombuffer(image.data, np.uint8, height * step).reshape(height, step)


def _pixels(image: Image, size: int) -> np.ndarray:
    """Rows (h, w * size) uint8 of a picture, without padding; raises ConfigError.

    `size`: bytes per pixel.
    """
    rows, needed = rows_of(image), image.width * size
    if image.step < needed:
        raise ConfigError(f"step = {image.step}: {image.width} pixels need {needed} bytes")
    return rows[:, :needed]


def _has_nan(pixels: np.ndarray) -> bool:
    return not np.isfinite(np.dot(pixels.ravel(), pixels.ravel()))  # one fast pass


def _floats(values: np.ndarray, kind: str = "d") -> array:
    """Array for a message field; from anything else the message checks every element."""
    return array(kind, np.asarray(values, kind).tobytes())
