"""Messages <-> the types of hrl_core: sensed data, outcomes, poses. Every message of hrl_msgs that
more than one node handles is converted here."""

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import Point as PointMsg
from geometry_msgs.msg import (
    Pose,
    PoseArray,
    PoseWithCovariance,
    PoseWithCovarianceStamped,
    Quaternion,
    TransformStamped,
)

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.geometry import (
    compose,
    invert,
    planar_from_transform,
    quaternion_from_rotation,
    rotation_from_quaternion,
    transform_from,
    transform_from_planar,
)
from hrl_core.outcomes import FOREIGN, Code, Outcome, Verdict
from hrl_core.sensed import (
    Detection,
    Localisation,
    Odometry,
)
from hrl_msgs.msg import Detection as DetectionMsg
from hrl_msgs.msg import DetectionArray, SkillProgress, SkillResult
from hrl_msgs.msg import Verdict as VerdictMsg

PLANAR = np.ix_([0, 1, 5], [0, 1, 5])  # x, y, yaw of a covariance (6, 6)


# Time


def stamp_msg(seconds: float) -> Time:
    """ROS time [s] -> message."""
    nanoseconds = round(seconds * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def seconds(stamp: Time) -> float:
    """Message -> ROS time [s], the nearest float."""
    return (stamp.sec * 10**9 + stamp.nanosec) / 10**9


# Frames


def check_frame(message, field: str, allowed: str) -> None:
    """Raise ConfigError unless a frame of a message is the allowed one, whatever its prefix."""
    frame = message
    for part in field.split("."):
        frame = getattr(frame, part)
    if frame.rpartition("/")[2] != allowed:
        raise ConfigError(f"{field} = {frame!r}: allowed is {allowed!r}")


# Poses


def pose_msg(transform: np.ndarray) -> Pose:
    """Transform (4, 4) -> pose."""
    x, y, z, w = quaternion_from_rotation(transform[:3, :3]).tolist()
    px, py, pz = transform[:3, 3].tolist()
    return Pose(position=PointMsg(x=px, y=py, z=pz), orientation=Quaternion(x=x, y=y, z=z, w=w))


def transform_from_pose(pose: Pose) -> np.ndarray:
    """Pose -> transform (4, 4). Raises ConfigError for NaN and for a quaternion of length 0."""
    position = np.array([pose.position.x, pose.position.y, pose.position.z])
    if not np.isfinite(position).all():
        raise ConfigError(f"position = {position.tolist()}: needs finite numbers")
    return transform_from(position, rotation_from_msg(pose.orientation))


def rotation_from_msg(orientation: Quaternion) -> np.ndarray:
    """Quaternion -> rotation (3, 3). Raises ConfigError for NaN and for a length other than 1."""
    q = np.array([orientation.x, orientation.y, orientation.z, orientation.w])
    if not abs(np.linalg.norm(q) - 1.0) < 0.1:  # also where it is NaN
        raise ConfigError(f"orientation = {q.tolist()} (x, y, z, w): needs a unit quaternion")
    return rotation_from_quaternion(q)


def transform_msg(
    parent: str, child: str, stamp: float, parent_from_child: np.ndarray
) -> TransformStamped:
    """Transform (4, 4) -> tf message."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = stamp_msg(stamp)
    pose = pose_msg(parent_from_child)
    translation = message.transform.translation
    translation.x, translation.y, translation.z = (
        pose.position.x,
        pose.position.y,
        pose.position.z,
    )
    message.transform.rotation = pose.orientation
    return message


def transform_from_msg(message: TransformStamped) -> np.ndarray:
    """Tf message -> parent_from_child (4, 4); raises ConfigError for what is no transform."""
    t = message.transform.translation
    if not np.isfinite([t.x, t.y, t.z]).all():
        raise ConfigError(f"translation = {[t.x, t.y, t.z]}: needs finite numbers")
    return transform_from((t.x, t.y, t.z), rotation_from_msg(message.transform.rotation))


def people_msg(people: np.ndarray, stamp: float) -> PoseArray:
    """Who moves about, (n, 3) x, y m, heading rad in map -> message."""
    message = PoseArray(poses=[pose_msg(transform_from_planar(each)) for each in people])
    message.header.frame_id, message.header.stamp = topics.MAP, stamp_msg(stamp)
    return message


def people_from_msg(message: PoseArray) -> np.ndarray:
    """Message -> (n, 3) x, y m, heading rad in map. Raises ConfigError."""
    check_frame(message, "header.frame_id", topics.MAP)
    planar = [planar_from_transform(transform_from_pose(pose)) for pose in message.poses]
    return np.reshape(planar, (-1, 3))


def planar_pose_msg(pose: np.ndarray, covariance: np.ndarray) -> PoseWithCovariance:
    """Planar pose (3,) with covariance (3, 3) -> message."""
    full = np.zeros((6, 6))
    full[PLANAR] = covariance
    return PoseWithCovariance(pose=pose_msg(transform_from_planar(pose)), covariance=full.ravel())


def planar_pose_from_msg(message: PoseWithCovariance) -> tuple[np.ndarray, np.ndarray]:
    """Message -> planar pose (3,) and covariance (3, 3); raises ConfigError for NaN."""
    pose = planar_from_transform(transform_from_pose(message.pose))
    covariance = np.array(message.covariance).reshape(6, 6)[PLANAR]
    if not np.isfinite(covariance).all():
        raise ConfigError(f"covariance = {covariance.tolist()}: needs finite numbers")
    if not np.allclose(covariance, covariance.T, rtol=1e-3, atol=1e-6):
        raise ConfigError(f"covariance = {covariance.tolist()}: needs to be symmetric")
    return pose, covariance


def map_from_odom(
    message: PoseWithCovarianceStamped, odometry: Odometry
) -> tuple[np.ndarray, np.ndarray]:
    """Pose in map and the odometry of its time -> where odom lies (3,), covariance (3, 3)."""
    map_from_base, covariance = planar_pose_from_msg(message.pose)
    odom_from_base = planar_from_transform(odometry.odom_from_base)
    return compose(map_from_base, invert(odom_from_base)), covariance


def pose_in_map_msg(localisation: Localisation, odometry: Odometry) -> PoseWithCovarianceStamped:
    """base_link in map, from where odom lies and the odometry of the same time."""
    map_from_base = compose(
        localisation.map_from_odom, planar_from_transform(odometry.odom_from_base)
    )
    message = PoseWithCovarianceStamped(
        pose=planar_pose_msg(map_from_base, localisation.covariance)
    )
    message.header.frame_id = topics.MAP
    message.header.stamp = stamp_msg(localisation.stamp)
    return message


# Perception


def detections_msg(detections: dict[str, Detection], stamp: float) -> DetectionArray:
    message = DetectionArray(
        detections=[
            DetectionMsg(
                stamp=stamp_msg(d.stamp),
                kind=d.kind,
                name=d.name,
                marker_id=d.marker_id,
                pose=PoseWithCovariance(
                    pose=pose_msg(d.odom_from_object), covariance=d.covariance.ravel()
                ),
                confidence=d.confidence,
            )
            for d in detections.values()
        ]
    )
    message.header.frame_id = topics.ODOM
    message.header.stamp = stamp_msg(stamp)
    return message


def detections_from_msg(message: DetectionArray) -> dict[str, Detection]:
    return {
        d.name: Detection(
            stamp=seconds(d.stamp),
            kind=d.kind,
            name=d.name,
            marker_id=d.marker_id,
            odom_from_object=transform_from_pose(d.pose.pose),
            covariance=np.array(d.pose.covariance).reshape(6, 6),
            confidence=d.confidence,
        )
        for d in message.detections
    }


# Results


def verdict_msg(verdict: Verdict) -> VerdictMsg:
    return VerdictMsg(
        confirmed=bool(verdict.confirmed),
        sentence=verdict.sentence,
        evidence=[KeyValue(key=k, value=f"{v:.6g}") for k, v in verdict.evidence.items()],
    )


def result_msg(outcome: Outcome, steps: int, duration: float, stamp: float) -> SkillResult:
    message = SkillResult(
        code=int(outcome.code),
        detail=outcome.detail,
        steps=steps,
        duration=float(duration),
        verdict=verdict_msg(outcome.verdict),
    )
    message.pose.header.stamp = stamp_msg(stamp)
    return message


def set_result_pose(message: SkillResult, pose: np.ndarray | None, frame: str) -> None:
    """Fill in the pose (4, 4) that a skill measured; None leaves the frame empty."""
    if pose is not None:
        message.pose.header.frame_id = frame
        message.pose.pose = pose_msg(pose)


def outcome_from_msg(message: SkillResult) -> Outcome:
    verdict = message.verdict
    try:
        code = Code(message.code)
    except ValueError as error:
        known = sorted(int(code) for code in Code)
        raise ConfigError(
            f"outcome code {message.code}: known are {known} and {FOREIGN.start} to "
            f"{FOREIGN.stop - 1} of other packages"
        ) from error
    return Outcome(
        code=code,
        detail=message.detail,
        verdict=Verdict(
            verdict.confirmed,
            verdict.sentence,
            {item.key: float(item.value) for item in verdict.evidence},
        ),
        pose=transform_from_pose(message.pose.pose) if message.pose.header.frame_id else None,
    )


def progress_msg(
    stamp: float, step: int, max_steps: int, phase: str, progress: float, error: float
) -> SkillProgress:
    return SkillProgress(
        stamp=stamp_msg(stamp),
        step=step,
        max_steps=max_steps,
        phase=phase,
        progress=float(np.clip(progress, 0, 1)),
        error=float(error),
    )
