"""What perception and the master said in a recording: poses, detections, missions, decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hrl_bringup.recorded import read_recording
from hrl_bringup.replay import Perceived
from hrl_bringup.ros.recorded_messages import message_of
from hrl_bringup.ros.recorded_skills import SkillRun
from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.outcomes import Code
from hrl_core.ros.convert import planar_pose_from_msg, seconds
from hrl_core.topics import Topic
from hrl_master.decider import Decider
from hrl_master.guided import GUIDED, Step, step_of
from hrl_master.replay import decider_of
from hrl_master.ros.mission_run import WAIT
from hrl_master.ros.scene_convert import setting_from_msg, situation_from_msg

SAID = (topics.POSE, topics.DETECTIONS, topics.SCENE, topics.DECISIONS, topics.TICK_DONE)


@dataclass
class RecordedMission:
    """A mission by the decisions that were made in it; messages by their index."""

    id: str
    scenes: dict[int, Any] = field(default_factory=dict)
    made: dict[int, Any] = field(default_factory=dict)
    finished: dict[int, Any] = field(default_factory=dict)

    @property
    def begins(self) -> float:
        """ROS time [s] of the first decision."""
        return seconds(self.scenes[min(self.scenes)].header.stamp)

    @property
    def orders(self) -> list[Any]:
        """Its orders as far as decisions tell of them, in the order in which they were begun."""
        found = {scene.order.id: scene.order for _, scene in sorted(self.scenes.items())}
        return list(found.values())

    @property
    def guided(self) -> bool:
        """Whether a client chose its steps."""
        return self.scenes[min(self.scenes)].policy == GUIDED

    def steps(self) -> list[tuple[float, Step]]:
        """What a client chose, with the ROS time [s] of each decision."""
        found = [
            (
                seconds(made.header.stamp),
                step_of(made.skill, made.target, made.reason, made.chosen_by),
            )
            for _, made in sorted(self.made.items())
        ]
        return [(stamp, step) for stamp, step in found if step is not None]

    def skill_runs(self, idle: Mapping[str, list[float]], world: str) -> list[SkillRun]:
        """What the skills did. `idle`: ticks [s] at which each said that it was done."""
        runs = []
        for index in sorted(self.made.keys() & self.finished.keys()):
            made, finished = self.made[index], self.finished[index]
            if made.skill == WAIT:
                continue
            began, ended = seconds(made.header.stamp), seconds(finished.header.stamp)
            ticks = [t for t in idle.get(made.skill, ()) if began <= t <= ended]
            at = max(ticks, default=ended - TICK)
            runs.append(
                SkillRun(made.skill, at, finished.last_result, self._questions(index, world))
            )
        return runs

    def _questions(self, index: int, world: str) -> dict[tuple[str, str], Any]:
        """What the skills were asked before a decision, with the chances that they gave."""
        scene = self.scenes.get(index)
        if scene is None:
            return {}
        decider, situation = decider_at(scene, world)
        return {
            (q.skill, q.target): (q, situation.chances[q.skill, q.target])
            for q in decider.questions(situation)
            if (q.skill, q.target) in situation.chances
        }


@dataclass
class RecordedRun:
    """All that was said, and what is needed to play the rest."""

    missions: list[RecordedMission] = field(default_factory=list)
    perceived: Perceived = field(default_factory=Perceived)
    ticks: list[float] = field(default_factory=list)  # s, of /clock; empty: a robot's recording
    idle: dict[str, list[float]] = field(default_factory=dict)  # s, by skill
    poses: list[Any] = field(default_factory=list)  # messages
    span: tuple[float, float] = (0.0, 0.0)  # s

    @property
    def site(self) -> str:
        """World file that the master used; empty: it decided nothing."""
        return self.missions[0].scenes[min(self.missions[0].scenes)].site if self.missions else ""

    @property
    def helpers(self) -> dict[str, str]:
        """Skills beside the four, by what they provide."""
        scenes = [scene for mission in self.missions for scene in mission.scenes.values()]
        return {pair.key: pair.value for scene in scenes for pair in scene.helpers}


def code_name(code: int) -> str:
    """Name of an outcome; the number of one that belongs to another package."""
    return next((each.name for each in Code if each == code), str(code))


def decider_at(scene, world: str) -> tuple[Decider, Any]:
    """The master's decider of a recorded scene, and the situation; `world`: its file now."""
    decider = decider_of(setting_from_msg(scene), world)
    situation = situation_from_msg(scene)
    decider.beliefs, decider.order = situation.beliefs, situation.order
    return decider, situation


def read_run(path: Path) -> RecordedRun:
    """Everything that perception and the master said; raises ConfigError."""
    run, missions = RecordedRun(), {}
    times = []
    for recorded in read_recording(path):
        times.append(recorded.time)
        if recorded.topic == topics.CLOCK.name:
            if not run.ticks or recorded.time > run.ticks[-1]:
                run.ticks.append(recorded.time)
            continue
        topic = _said(recorded.topic)
        if topic is None:
            continue
        message = message_of(recorded, topic, path)
        if topic in (topics.POSE, topics.DETECTIONS):
            hear(run.perceived, topic, message)
            if topic is topics.POSE:
                run.poses.append(message)
        elif topic is topics.TICK_DONE:
            if message.idle:
                run.idle.setdefault(message.node, []).append(seconds(message.stamp))
        else:
            mission = missions.setdefault(message.mission_id, RecordedMission(message.mission_id))
            if topic is topics.SCENE:
                mission.scenes[message.index] = message
            else:
                (mission.finished if message.finished else mission.made)[message.index] = message
    begun = [mission for mission in missions.values() if mission.scenes]
    run.missions = sorted(begun, key=lambda mission: mission.begins)
    run.span = (min(times), max(times)) if times else (0.0, 0.0)
    return run


def hear(perceived: Perceived, topic: Topic, message) -> None:
    """Take in a pose or detections."""
    stamp = seconds(message.header.stamp)
    if topic is topics.POSE:
        perceived.poses[stamp] = planar_pose_from_msg(message.pose)[0]
        return
    perceived.objects[stamp] = {
        each.name: np.array(
            [each.pose.pose.position.x, each.pose.pose.position.y, each.pose.pose.position.z]
        )
        for each in message.detections
    }


def _said(name: str) -> Topic | None:
    return next((topic for topic in SAID if name == f"/{topic.name}"), None)
