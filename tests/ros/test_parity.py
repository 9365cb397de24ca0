"""One MuJoCo state gives the same observation directly and through messages."""

from dataclasses import replace

import numpy as np
import pytest

from hrl_core.control import Command
from hrl_core.geometry import transform_from
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import load_robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.sensed import Localisation, Sensed
from hrl_perception.perception import Perception
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import START_ERROR
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills.library import make_skill
from hrl_skills.skill import ApproachGoal, GoalRejected, GraspGoal, WalkGoal

TURN = np.array([0.3, 0.1, 0.5])  # m/s, m/s, rad/s


def over_ros(message):
    """A message as the other process gets it."""
    from rclpy.serialization import deserialize_message, serialize_message

    return deserialize_message(serialize_message(message), type(message))


@pytest.fixture(scope="module")
def robot():
    return load_robot()


@pytest.fixture(scope="module")
def walked(robot):
    """(world, Sensed, pictures) after a second of walking."""
    world = load_world("small_warehouse")
    plant = Plant(world, draw_trial(world, 3), robot)
    perception = Perception(world.site, robot)
    covariance = np.diag(START_ERROR) ** 2
    perception.reset(plant.trial.start_estimate, covariance, plant.odometry())
    frames, localisation, detections = [], None, {}
    for k in range(10):
        plant.step(Command(twist=TURN, arm=np.array(robot.arm.poses["ready"]) * k / 9))
        pictures = [plant.image(name) for name in robot.cameras] if k % 2 else []
        frames = [picture for picture in pictures if picture is not None]
        localisation, detections = perception.update(
            plant.odometry(), frames, plant.joints(), plant.scan(), plant.time
        )
    sensed = replace(plant.sensed(), localisation=localisation, detections=detections)
    yield world, sensed, frames
    plant.close()


@pytest.fixture(scope="module")
def received(walked, robot):
    """The same, as a node gets it."""
    _, sensed, _ = walked
    pose = over_ros(convert.pose_in_map_msg(sensed.localisation, sensed.odometry))
    heard = {
        sensor.field: sensor.from_msg(over_ros(sensor.to_msg(getattr(sensed, sensor.field))))
        for sensor in sensor_convert.sensors_of(robot)
    }
    map_from_odom, covariance = convert.map_from_odom(pose, heard["odometry"])
    return Sensed(
        stamp=convert.seconds(pose.header.stamp),
        **heard,
        localisation=Localisation(convert.seconds(pose.header.stamp), map_from_odom, covariance),
        detections=convert.detections_from_msg(
            over_ros(convert.detections_msg(sensed.detections, sensed.stamp))
        ),
    )


def test_every_sensor_survives_the_way_through_messages(walked, received):
    _, sent, _ = walked
    assert received.stamp == sent.stamp == received.scan.stamp == received.joints.stamp
    np.testing.assert_allclose(received.scan.ranges, sent.scan.ranges, rtol=1e-6)
    np.testing.assert_allclose(received.scan.angles, sent.scan.angles, atol=1e-5)
    for field in ("position", "velocity", "effort"):
        np.testing.assert_array_equal(getattr(received.joints, field), getattr(sent.joints, field))
    np.testing.assert_allclose(
        received.odometry.odom_from_base, sent.odometry.odom_from_base, atol=1e-12
    )
    np.testing.assert_array_equal(received.odometry.twist, sent.odometry.twist)
    np.testing.assert_allclose(received.imu.up, sent.imu.up, atol=1e-12)
    np.testing.assert_array_equal(received.imu.angular_velocity, sent.imu.angular_velocity)
    np.testing.assert_allclose(
        received.localisation.map_from_odom, sent.localisation.map_from_odom, atol=1e-12
    )
    np.testing.assert_allclose(
        received.localisation.covariance, sent.localisation.covariance, atol=1e-12
    )
    assert received.detections.keys() == sent.detections.keys() and sent.detections
    for name, detection in sent.detections.items():
        other = received.detections[name]
        assert (other.stamp, other.kind, other.marker_id) == (
            detection.stamp,
            detection.kind,
            detection.marker_id,
        )
        np.testing.assert_allclose(other.odom_from_object, detection.odom_from_object, atol=1e-12)
        np.testing.assert_array_equal(other.covariance, detection.covariance)


def test_pictures_survive_the_way_through_messages(walked):
    _, _, frames = walked
    assert len(frames) == 2
    for frame in frames:
        rgb, depth, info = (over_ros(message) for message in sensor_convert.frame_msgs(frame))
        pixels = sensor_convert.rgb_from_msg(rgb)
        size = pixels.shape[1], pixels.shape[0]
        assert convert.seconds(rgb.header.stamp) == frame.stamp and pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, frame.rgb)
        np.testing.assert_array_equal(sensor_convert.depth_from_msg(depth), frame.depth)
        np.testing.assert_allclose(
            sensor_convert.matrix_from_msg(info, size), frame.matrix, atol=1e-12
        )


@pytest.mark.parametrize("skill", ["walk", "approach", "grasp"])
def test_a_skill_gives_the_same_commands(skill, walked, received, robot):
    world, sent, _ = walked
    goals = {
        "walk": WalkGoal(world.site.pose_in_front("C1", world.site.staging)),
        "approach": ApproachGoal("C1", 0.0),
        "grasp": GraspGoal("can", "C1"),
    }
    answers = []
    for sensed in (sent, received):
        made = make_skill(skill, world.site, robot)
        try:
            made.start(goals[skill], sensed)
        except GoalRejected as error:
            answers.append((error.code, str(error)))
            continue
        tick = made.tick(sensed)
        command = tick.command
        answers.append(
            [
                *(command.twist if command.twist is not None else [0.0]),
                *(command.arm if command.arm is not None else [0.0]),
                command.gripper or 0.0,
                tick.error,
            ]
        )
    direct, through_messages = answers
    if isinstance(direct, tuple):
        assert through_messages == direct
    else:
        np.testing.assert_allclose(through_messages, direct, atol=1e-4)


def test_outcomes_survive_the_way_through_messages():
    outcome = Outcome(
        Code.NOT_HELD,
        "the gripper closed to 0.01 rad, needed 0.12",
        Verdict(False, "nothing is held", {"gripper_rad": 0.0123}),
        transform_from((0.1, 0.2, 0.3)),
    )
    message = convert.result_msg(outcome, steps=12, duration=1.2, stamp=3.4)
    convert.set_result_pose(message, outcome.pose, "tool")
    other = convert.outcome_from_msg(over_ros(message))
    assert (other.code, other.detail, other.verdict) == (
        outcome.code,
        outcome.detail,
        outcome.verdict,
    )
    assert other.pose is not None and outcome.pose is not None
    np.testing.assert_allclose(other.pose, outcome.pose)
    assert (message.steps, message.duration, message.pose.header.frame_id) == (12, 1.2, "tool")


def test_the_codes_of_the_message_are_those_of_the_core():
    from hrl_msgs.msg import SkillResult

    assert {code.name: int(code) for code in Code} == {
        code.name: getattr(SkillResult, code.name) for code in Code
    }


def test_stamps_are_exact():
    for tick in range(1, 20000):
        stamp = round(0.1 * tick, 6)
        assert convert.seconds(convert.stamp_msg(stamp)) == stamp
