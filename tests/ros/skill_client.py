"""Stages, goals and a client for the skills."""

from hrl_core import topics
from hrl_core.ros.qos import interface
from tests.ros.fake_robot import FakeRobot
from tests.ros.helpers import wait_for

SKILLS = ("walk", "approach", "grasp", "place")
SUCCEEDED, CANCELED, ABORTED = 4, 5, 6  # action_msgs/GoalStatus
BIN, ITEM, STATION = "B2", "box_small", "packing"


def stage(robot: FakeRobot, skill: str) -> None:
    """Put the robot where a goal of the skill may start and does not end at once."""
    site = robot.site
    if skill in ("walk", "approach"):
        robot.stand_at(site.pose_in_front(BIN, 2.2))
        robot.see_place(BIN)
    elif skill == "grasp":
        robot.stand_at(site.pose_in_front(BIN, site.standoff))
        robot.see_place(BIN)
        robot.see_item(ITEM, BIN)
    else:
        robot.stand_at(site.pose_in_front(STATION, site.standoff))
        robot.see_place(STATION)
        robot.hold_something()


def goal(skill: str):
    """A goal that suits the stage."""
    action = interface(topics.ACTIONS[skill])
    if skill == "walk":
        request = action.Goal()
        request.pose.header.frame_id = "map"
        request.pose.pose.position.x, request.pose.pose.position.y = 3.0, 5.0
        request.pose.pose.orientation.w = 1.0
        return request
    if skill == "approach":
        return action.Goal(target=BIN)
    if skill == "grasp":
        return action.Goal(item=ITEM, bin=BIN)
    request = action.Goal(station=STATION, item=ITEM)
    request.item_in_hand.orientation.w = 0.0
    return request


class Client:
    """Action client of one skill for a test."""

    def __init__(self, probe, skill: str):
        from action_msgs.srv import CancelGoal
        from rclpy.action import ActionClient

        self.skill = skill
        self.client = ActionClient(probe, interface(topics.ACTIONS[skill]), skill)
        self.cancel = probe.create_client(CancelGoal, f"{skill}/_action/cancel_goal")
        self.feedback: list = []

    def ready(self) -> bool:
        return self.client.server_is_ready() and self.cancel.service_is_ready()

    def send(self, request, **options):
        """Send a goal; returns the future of its handle."""
        self.feedback.clear()
        return self.client.send_goal_async(
            request, lambda message: self.feedback.append(message.feedback.progress), **options
        )

    def accepted(self, request):
        """Send a goal that has to be accepted; returns its handle."""
        sent = self.send(request)
        handle = wait_for(lambda: sent.done() and sent.result(), "the answer to a goal")
        assert handle.accepted
        return handle

    def accepted_soon(self, request):
        """Send a goal again and again until it is accepted; returns its handle."""

        def attempt():
            sent = self.send(request)
            handle = wait_for(lambda: sent.done() and sent.result(), "the answer to a goal")
            return handle if handle.accepted else None

        return wait_for(attempt, "a goal that is accepted")

    @staticmethod
    def result(handle, timeout: float = 60.0):
        """(status, SkillResult) of a goal."""
        future = handle.get_result_async()
        wait_for(future.done, "a result", timeout)
        return future.result().status, future.result().result.result


def stands_still(message) -> bool:
    t = message.twist
    return (t.linear.x, t.linear.y, t.angular.z) == (0.0, 0.0, 0.0)
