"""Goals and commands of the skills <-> messages."""

from types import SimpleNamespace

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.duration import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import TICK, Command
from hrl_core.geometry import planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_core.ros.convert import stamp_msg, transform_from_pose
from hrl_core.site import Site
from hrl_skills.skill import (
    ApproachGoal,
    GoalRejected,
    GraspGoal,
    PlaceGoal,
    RunGoal,
    Skill,
    WalkGoal,
)


def goal_from_request(skill: Skill, request, site: Site):
    """Goal message of a skill's action -> its goal. Raises GoalRejected with the field."""
    try:
        return _GOALS[skill.contract.action](request, site)
    except ConfigError as error:
        raise GoalRejected(Code.GOAL_INVALID, f"{skill.name}: {error}") from error


def goal_from_question(skill: Skill, request, site: Site):
    """Request of EstimateSuccess -> the goal that is meant. Raises GoalRejected with the field."""
    fields = {name: getattr(request, name) for name in request.get_fields_and_field_types()}
    named = SimpleNamespace(**fields, bin=request.target, station=request.target)
    return goal_from_request(skill, named, site)


def result_frame(skill: Skill, request) -> str:
    """The frame of the pose in a skill's result; see SkillResult.msg."""
    frames = {
        topics.ACTIONS["approach"]: lambda: request.target,
        topics.ACTIONS["grasp"]: lambda: "tool",
        topics.ACTIONS["place"]: lambda: request.station,
    }
    return frames.get(skill.contract.action, lambda: topics.MAP)()


def twist_msg(command: Command, stamp: float) -> TwistStamped:
    """Velocity of base_link; a command without one lets the base stand."""
    message = TwistStamped()
    message.header.frame_id = topics.BASE
    message.header.stamp = stamp_msg(stamp)
    if command.twist is not None:
        twist = message.twist
        twist.linear.x, twist.linear.y, twist.angular.z = np.asarray(command.twist, float).tolist()
    return message


def arm_msg(command: Command, robot: Robot, stamp: float) -> JointTrajectory | None:
    """Arm targets, to be reached at the end of the tick; None: the arm stays as it is."""
    if command.arm is None:
        return None
    return _trajectory(robot.arm.joints, command.arm, stamp)


def gripper_msg(command: Command, robot: Robot, stamp: float) -> JointTrajectory | None:
    """Gripper target, likewise."""
    if command.gripper is None:
        return None
    return _trajectory([robot.arm.gripper_joint], [command.gripper], stamp)


def _trajectory(joints, positions, stamp: float) -> JointTrajectory:
    point = JointTrajectoryPoint(
        positions=np.asarray(positions, float).tolist(),
        time_from_start=Duration(seconds=TICK).to_msg(),
    )
    message = JointTrajectory(joint_names=list(joints), points=[point])
    message.header.stamp = stamp_msg(stamp)
    return message


def _walk(request, site: Site) -> WalkGoal:
    frame = request.pose.header.frame_id
    if frame != topics.MAP:
        raise ConfigError(f"pose.header.frame_id = {frame!r}: allowed is {topics.MAP!r}")
    return WalkGoal(planar_from_transform(transform_from_pose(request.pose.pose)))


def _approach(request, site: Site) -> ApproachGoal:
    site.face(request.target)
    if not np.isfinite(request.standoff) or request.standoff < 0:
        raise ConfigError(f"standoff = {request.standoff}: allowed are 0 (the site's) and more [m]")
    return ApproachGoal(request.target, float(request.standoff) or site.standoff)


def _grasp(request, site: Site) -> GraspGoal:
    site.item(request.item)
    site.shelf_of(request.bin)
    return GraspGoal(request.item, request.bin)


def _place(request, site: Site) -> PlaceGoal:
    site.station(request.station)
    site.item(request.item)
    offset = np.array([request.offset.x, request.offset.y])
    if not np.isfinite(offset).all():
        raise ConfigError(f"offset = {offset.tolist()}: needs finite numbers [m]")
    q = request.item_in_hand.orientation
    known = any((q.x, q.y, q.z, q.w))
    item_in_hand = transform_from_pose(request.item_in_hand) if known else None
    return PlaceGoal(request.station, request.item, offset, item_in_hand)


def _run_skill(request, site: Site) -> RunGoal:
    pose = _walk(request, site).map_from_goal if request.pose.header.frame_id else None
    parameters = {each.name: float(each.value) for each in request.parameters}
    for name, value in parameters.items():
        if not np.isfinite(value):
            raise ConfigError(f"parameter {name} = {value}: needs a finite number")
    return RunGoal(request.target, request.item, pose, parameters)


_GOALS = {
    topics.ACTIONS["walk"]: _walk,
    topics.ACTIONS["approach"]: _approach,
    topics.ACTIONS["grasp"]: _grasp,
    topics.ACTIONS["place"]: _place,
    topics.RUN_SKILL: _run_skill,
}
