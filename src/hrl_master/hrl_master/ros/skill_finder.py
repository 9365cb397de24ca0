"""The skills that are there: the four that a mission needs, and helpers, ours and others'."""

from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from hrl_core import topics
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_master.ros.skill_client import SkillClient

SKILLS = ("walk", "approach", "grasp", "place")  # without these there is no mission


class SkillFinder:
    """Clients of the skills, by name; asks every skill server that appears to describe itself."""

    def __init__(self, node: HrlNode):
        self._node = node
        self._service, self._kind = topics.DESCRIBE_SKILL
        self._asked: dict[str, Client] = {}  # by service
        self._described: dict[str, Any] = {}  # by skill
        self._alive = node.publish_on(topics.GOAL_ALIVE)
        self.clients = {
            name: SkillClient(node, name, topics.ACTIONS[name], self._alive) for name in SKILLS
        }

    @property
    def helpers(self) -> dict[str, str]:
        """Skills besides the four, by what they provide; the first by name where two do."""
        found: dict[str, str] = {}
        for name in sorted(self.clients.keys() - set(SKILLS)):
            for purpose in self._described[name].provides:
                found.setdefault(purpose, name)
        return found

    @property
    def missing(self) -> list[str]:
        """Those of the four that nobody serves."""
        return [name for name in SKILLS if not self.clients[name].ready]

    def look(self) -> None:
        """Take in the servers that have come and forget those that have gone; call it often."""
        services = {
            service
            for service, kinds in self._node.get_service_names_and_types()
            if self._kind in kinds
        }
        for service in self._asked.keys() - services:
            self._node.destroy_client(self._asked.pop(service))
            self._forget(service.removesuffix(self._service.format(skill="")).rpartition("/")[2])
        for service in services - self._asked.keys():
            client = self._node.create_client(interface(self._kind), service)
            if not client.service_is_ready():
                self._node.destroy_client(client)
                continue  # next time
            self._asked[service] = client
            asked = client.call_async(interface(self._kind).Request())
            asked.add_done_callback(self._on_description)

    def destroy(self) -> None:
        for client in self._asked.values():
            self._node.destroy_client(client)
        for client in self.clients.values():
            client.destroy()

    def _on_description(self, asked: Future) -> None:
        description = asked.result()
        if description is None or description.action_type != topics.RUN_SKILL:
            return  # its goals are those of one of the four
        name = description.name
        self._described[name] = description
        if name not in self.clients:
            self.clients[name] = SkillClient(self._node, name, topics.RUN_SKILL, self._alive)
            provides = list(description.provides)
            self._node.get_logger().info(f"found the skill {name}, which provides {provides}")

    def _forget(self, name: str) -> None:
        if self._described.pop(name, None) is not None:
            self.clients.pop(name).destroy()
            self._node.get_logger().info(f"the skill {name} has gone")
