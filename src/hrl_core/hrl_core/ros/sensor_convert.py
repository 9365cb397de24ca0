"""Messages <-> sensed data of the sensors: scan, joints, odometry, IMU, camera frames."""

from array import array

import numpy as np
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry as OdometryMsg
from sensor_msgs.msg import CameraInfo, Image, JointState, LaserScan
from sensor_msgs.msg import Imu as ImuMsg

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.ros.convert import (
    pose_msg,
    rotation_from_msg,
    seconds,
    stamp_msg,
    transform_from_pose,
)
from hrl_core.sensed import CameraFrame, Imu, Joints, Odometry, Scan


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
    """REP 117: inf is nothing within range, nan no measurement, -inf too close to measure."""
    ranges = np.array(message.ranges, dtype=float)
    ranges[ranges == -np.inf] = message.range_min
    ranges[ranges < message.range_min] = np.nan
    ranges[ranges > message.range_max] = np.inf
    increment = message.angle_increment
    if abs(increment * len(ranges) - 2 * np.pi) < 1e-4:
        increment = 2 * np.pi / len(ranges)
    return Scan(
        stamp=seconds(message.header.stamp),
        ranges=ranges,
        angle_min=_meant(message.angle_min),
        angle_increment=increment,
        range_max=_meant(message.range_max),
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
    names = list(message.name)
    position = np.array(message.position)
    # A driver may leave out velocity and effort.
    velocity = np.array(message.velocity) if message.velocity else np.zeros(len(names))
    effort = np.array(message.effort) if message.effort else np.zeros(len(names))
    if names != list(robot.joints):
        index = {name: k for k, name in enumerate(names)}
        missing = [name for name in robot.joints if name not in index]
        if missing:
            raise ConfigError(f"joint_states lacks {missing}; it has {names}")
        order = [index[name] for name in robot.joints]
        position, velocity, effort = position[order], velocity[order], effort[order]
    return Joints(seconds(message.header.stamp), position, velocity, effort)


def odometry_msg(odometry: Odometry) -> OdometryMsg:
    message = OdometryMsg(child_frame_id=topics.BASE)
    message.header.frame_id = topics.ODOM
    message.header.stamp = stamp_msg(odometry.stamp)
    message.pose.pose = pose_msg(odometry.odom_from_base)
    twist = message.twist.twist
    twist.linear.x, twist.linear.y, twist.angular.z = odometry.twist.tolist()
    return message


def odometry_from_msg(message: OdometryMsg) -> Odometry:
    twist = message.twist.twist
    return Odometry(
        stamp=seconds(message.header.stamp),
        odom_from_base=transform_from_pose(message.pose.pose),
        twist=np.array([twist.linear.x, twist.linear.y, twist.angular.z]),
    )


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
    rate = message.angular_velocity
    world_from_base = rotation_from_msg(message.orientation)
    return Imu(
        stamp=seconds(message.header.stamp),
        angular_velocity=np.array([rate.x, rate.y, rate.z]),
        up=world_from_base[2],
    )


def frame_msgs(frame: CameraFrame) -> tuple[Image, Image, CameraInfo]:
    """Camera frame -> colour (rgb8), depth (32FC1, m) and calibration."""
    rgb = _image(frame, frame.rgb, "rgb8")
    depth = _image(frame, np.asarray(frame.depth, np.float32), "32FC1")
    height, width = frame.depth.shape
    k = frame.matrix
    info = CameraInfo(
        header=rgb.header, height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5
    )
    info.k = k.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.hstack([k, np.zeros((3, 1))]).ravel()
    return rgb, depth, info


def frame_from_msgs(
    name: str, image: Image, depth: Image, info: CameraInfo, base_from_optical: np.ndarray
) -> CameraFrame:
    """Colour, depth and calibration of one stamp -> camera frame; raises ConfigError."""
    return CameraFrame(
        stamp=seconds(image.header.stamp),
        name=name,
        rgb=rgb_from_msg(image),
        depth=_depth(depth),
        matrix=np.array(info.k).reshape(3, 3),
        base_from_optical=base_from_optical,
    )


def _image(frame: CameraFrame, pixels: np.ndarray, encoding: str) -> Image:
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    message = Image(
        height=height, width=width, encoding=encoding, is_bigendian=0, step=pixels.nbytes // height
    )
    message.header.stamp = stamp_msg(frame.stamp)
    message.header.frame_id = topics.image(frame.name).frame
    message.data = array("B", pixels.tobytes())  # an array of numpy would take 150 ms
    return message


def rgb_from_msg(image: Image) -> np.ndarray:
    """Pixels (h, w, 3) uint8 of an rgb8 or bgr8 image."""
    if image.encoding not in ("rgb8", "bgr8"):
        raise ConfigError(f"image encoding {image.encoding!r}: allowed are 'rgb8', 'bgr8'")
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
    pixels = rows[:, : 3 * image.width].reshape(image.height, image.width, 3)
    return pixels if image.encoding == "rgb8" else pixels[:, :, ::-1]


def _depth(image: Image) -> np.ndarray:
    """Depth (h, w) float32 m of a 32FC1 (m) or 16UC1 (mm) image; 0: none."""
    types = {"32FC1": np.float32, "16UC1": np.uint16}
    if image.encoding not in types:
        raise ConfigError(f"depth encoding {image.encoding!r}: allowed are {sorted(types)}")
    kind = np.dtype(types[image.encoding])
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
    pixels = np.ascontiguousarray(rows[:, : image.width * kind.itemsize]).view(kind)
    if image.encoding == "16UC1":
        return pixels.astype(np.float32) / 1000.0
    return np.where(np.isfinite(pixels), pixels, np.float32(0)) if _has_nan(pixels) else pixels


def _has_nan(pixels: np.ndarray) -> bool:
    return not np.isfinite(np.dot(pixels.ravel(), pixels.ravel()))  # one fast pass


def _floats(values: np.ndarray, kind: str = "d") -> array:
    """Array for a message field; from anything else the message checks every element."""
    return array(kind, np.asarray(values, kind).tobytes())
