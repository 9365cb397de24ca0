"""Commands, transforms and truth of the plant <-> messages."""

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from sensor_msgs.msg import CompressedImage
from trajectory_msgs.msg import JointTrajectory

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.ros.convert import (
    planar_pose_msg,
    pose_msg,
    seconds,
    stamp_msg,
    transform_from_pose,
    transform_msg,
)
from hrl_core.sensed import CameraFrame, Odometry
from hrl_msgs.msg import PlantTruth
from hrl_sim_bridge.plant.trajectory import Trajectory
from hrl_sim_bridge.plant.truth import Touch, Truth
from hrl_sim_bridge.trials.trial import START_ERROR, Trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from tf2_msgs.msg import TFMessage


def trajectory_from_msg(
    message: JointTrajectory, joints: tuple[str, ...], present: np.ndarray, now: float
) -> Trajectory:
    """Trajectory of these joints from their present positions (k,) rad; raises ConfigError.

    A header without a stamp means now. The joints may come in any order, but all of them.
    """
    if sorted(message.joint_names) != sorted(joints):
        raise ConfigError(f"joint_names = {list(message.joint_names)}: allowed are {list(joints)}")
    if not message.points:
        raise ConfigError("points is empty: needs one point or more")
    order = [list(message.joint_names).index(name) for name in joints]
    times, positions = [], []
    for k, point in enumerate(message.points):
        if len(point.positions) != len(joints):
            raise ConfigError(
                f"points[{k}].positions has {len(point.positions)} values: needs {len(joints)}"
            )
        values = np.array(point.positions)[order]
        if not np.isfinite(values).all():
            raise ConfigError(f"points[{k}].positions = {values.tolist()}: needs finite numbers")
        times.append(seconds(point.time_from_start))
        positions.append(values)
    if times[0] < 0 or np.any(np.diff(times) <= 0):
        raise ConfigError(f"time_from_start = {times} s: has to rise from 0")
    if times[0] > 0:
        times, positions = [0.0, *times], [present, *positions]
    begin = seconds(message.header.stamp) or now
    return Trajectory(begin, np.array(times), np.array(positions))


def static_transforms(robot: Robot) -> TFMessage:
    """What does not move in base_link: the LiDAR and the body's cameras."""
    frames = {topics.LIDAR: robot.lidar.mount.parent_from_sensor()}
    for name, camera in robot.cameras.items():
        if camera.mount.parent == topics.BASE:
            frames[topics.image(name).frame] = camera.parent_from_optical()
    return TFMessage(
        transforms=[transform_msg(topics.BASE, frame, 0.0, t) for frame, t in frames.items()]
    )


def moving_transforms(
    robot: Robot, odometry: Odometry, frames: Iterable[CameraFrame]
) -> list[TransformStamped]:
    """base_link in odom, and the cameras on the arm in base_link as the joints say."""
    moving = [
        transform_msg(
            topics.BASE, topics.image(frame.name).frame, frame.stamp, frame.base_from_optical
        )
        for frame in frames
        if robot.cameras[frame.name].mount.parent != topics.BASE
    ]
    base = transform_msg(topics.ODOM, topics.BASE, odometry.stamp, odometry.odom_from_base)
    return [base, *moving]


def initial_pose_msg(trial: Trial, stamp: float) -> PoseWithCovarianceStamped:
    """Where the robot is told that it starts, as an operator would say it."""
    covariance = np.diag(START_ERROR) ** 2
    message = PoseWithCovarianceStamped(pose=planar_pose_msg(trial.start_estimate, covariance))
    message.header.frame_id = topics.MAP
    message.header.stamp = stamp_msg(stamp)
    return message


def truth_msg(truth: Truth, realtime_factor: float, misses: int) -> PlantTruth:
    message = PlantTruth(
        base=pose_msg(truth.map_from_base),
        items=list(truth.items),
        item_poses=[pose_msg(pose) for pose in truth.items.values()],
        item_speeds=[truth.item_speeds[name] for name in truth.items],
        held=truth.held or "",
        touched_items=list(truth.touched_items),
        contacts=list(truth.contacts),
        touches=list(truth.touches),
        touch_forces=[touch.force for touch in truth.touches.values()],
        touch_counts=[touch.count for touch in truth.touches.values()],
        fallen=truth.fallen,
        happened=[f"{fault.kind.value} {fault.target}" for fault in truth.happened],
        belts_busy=truth.belts_busy,
        carried_items=list(truth.carried),
        carried_by=list(truth.carried.values()),
        realtime_factor=realtime_factor,
        lockstep_misses=misses,
    )
    message.header.frame_id = topics.MAP
    message.header.stamp = stamp_msg(truth.time)
    velocity = message.velocity
    velocity.linear.x, velocity.linear.y, velocity.angular.z = truth.twist.tolist()
    return message


def truth_from_msg(message: PlantTruth) -> Truth:
    """What the judge needs, as the plant said it."""
    twist, items = message.velocity, list(message.items)
    touches = zip(message.touches, message.touch_counts, message.touch_forces, strict=True)
    return Truth(
        time=seconds(message.header.stamp),
        map_from_base=transform_from_pose(message.base),
        twist=np.array([twist.linear.x, twist.linear.y, twist.angular.z]),
        items=dict(zip(items, map(transform_from_pose, message.item_poses), strict=True)),
        item_speeds=dict(zip(items, message.item_speeds, strict=True)),
        held=message.held or None,
        touched_items=tuple(message.touched_items),
        contacts=tuple(message.contacts),
        touches={name: Touch(count, force) for name, count, force in touches},
        fallen=message.fallen,
        happened=tuple(_fault(text) for text in message.happened),
        belts_busy=message.belts_busy,
        carried=dict(zip(message.carried_items, message.carried_by, strict=True)),
    )


def _fault(text: str) -> Fault:
    kind, _, target = text.partition(" ")
    return Fault(FaultKind(kind), target)


def jpeg_msg(data: bytes, stamp: float) -> CompressedImage:
    message = CompressedImage(format="jpeg")
    message.header.stamp = stamp_msg(stamp)
    message.data = data
    return message
