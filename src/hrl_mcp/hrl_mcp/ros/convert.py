"""Messages of master, skills and perception -> what the tools are told."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import TICK
from hrl_core.geometry import compose, planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.ros.convert import map_from_odom, planar_pose_from_msg, seconds, transform_from_pose
from hrl_core.ros.sensor_convert import odometry_from_msg
from hrl_mcp.robot import Option, Question, Skill, StepReply
from hrl_msgs.msg import Approval, StepOption


def skill_from_msg(message) -> Skill:
    return Skill(
        message.name,
        message.description,
        tuple(message.provides),
        tuple(message.parameters),
        tuple(message.preconditions),
        round(message.max_steps * TICK, 1),
    )


def question_from_msg(message: Approval) -> Question:
    return Question(
        message.id,
        message.mission_id,
        message.decision,
        message.what,
        message.why,
        message.tier,
    )


def option_from_msg(message: StepOption) -> Option:
    return Option(
        message.skill,
        message.target,
        message.face,
        {each.name: each.value for each in message.parameters},
        message.way,
        None if message.chance < 0 else round(message.chance, 4),
        message.tier,
        message.asks,
    )


def step_reply(message) -> StepReply:
    return StepReply(
        message.accepted,
        message.confirmed,
        Code(message.code).name,
        message.reason,
        message.detail,
        message.decision,
        option_from_msg(message.option) if message.option.skill else None,
        message.verdict.sentence,
        {each.key: each.value for each in message.verdict.evidence},
        message.check,
        tuple(option_from_msg(each) for each in message.options),
        message.over,
    )


def seen_from_msgs(messages: Mapping[str, Any]) -> dict[str, Any]:
    """What was sensed, by the names of topics: where the robot is, what it sees where in map."""
    seen: dict[str, Any] = {}
    pose, odometry = messages.get(topics.POSE.name), messages.get(topics.ODOMETRY.name)
    try:
        if pose is not None:
            (x, y, yaw), covariance = planar_pose_from_msg(pose.pose)
            seen["robot"] = {
                "x_m": round(x, 2),
                "y_m": round(y, 2),
                "heading_deg": round(math.degrees(yaw)),
                "known_to_m": round(math.sqrt(max(covariance[0, 0], covariance[1, 1])), 2),
            }
        found = messages.get(topics.DETECTIONS.name)
        if found is not None and pose is not None and odometry is not None:
            frame, _ = map_from_odom(pose, odometry_from_msg(odometry))
            base = np.array([seen["robot"]["x_m"], seen["robot"]["y_m"]])
            seen["objects"] = [_object(each, frame, base, found) for each in found.detections]
    except ConfigError as error:
        seen["unusable"] = str(error)
    return seen


def _object(each, frame: np.ndarray, base: np.ndarray, array) -> dict[str, Any]:
    place = compose(frame, planar_from_transform(transform_from_pose(each.pose.pose)))
    return {
        "kind": each.kind,
        "name": each.name,
        "x_m": round(float(place[0]), 2),
        "y_m": round(float(place[1]), 2),
        "away_m": round(float(np.hypot(*(place[:2] - base))), 2),
        "seen_s_ago": round(seconds(array.header.stamp) - seconds(each.stamp), 1),
    }
