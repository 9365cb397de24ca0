"""A world without physics, kept in a file: it outlives the master that acts in it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import load_site
from hrl_master.scene import SECTORS, GripperConfig, Scene, Seen, build_scene

SITE = load_site("small_warehouse")
SUCCESS = Outcome(Code.SUCCEEDED, "done", Verdict(True, "done", {"error_m": 0.01}), np.eye(4))


class World:
    """Where the robot is and what was done to it, in a file: it outlives the master."""

    def __init__(self, file: Path):
        self.file = file

    @property
    def attempts(self) -> list[list]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def scene(self) -> Scene:
        """What a robot senses to whom all this was done."""
        pose, held, seen = np.array([1.2, 1.6, 0.0]), False, {}
        attempts = self.attempts if self.file.exists() else []
        for skill, target, face in attempts:
            if skill == "walk":
                pose, name = np.array(face), target.split()[0]
                if name in SITE.bins:
                    at = SITE.face(name).copy()
                    at[2, 3] += 0.15
                    seen = {"can": Seen("item", at, 0.5, 1.0)}
            elif skill == "approach":
                pose = SITE.pose_in_front(target, SITE.standoff)
            elif skill == "grasp":
                held, seen = True, {}
            else:
                at = SITE.face(face).copy()
                at[:3, 3] = SITE.target_point(face)
                held, seen = False, {"can": Seen("item", at, 0.5, 1.0)}
        position = (-0.5, 4.0) if held else (0.0, 0.0)
        return replace(
            BLANK,
            stamp=1.0 + len(attempts),
            map_from_base=pose,
            position_std=0.02,
            seen=seen,
            gripper_position=position[0],
            gripper_effort=position[1],
            holding=held,
        )

    def run(self, decision) -> Outcome:
        face = decision.face or decision.target
        if decision.skill == "walk":
            face = decision.pose.tolist()
        with self.file.open("a") as file:
            file.write(json.dumps([decision.skill, decision.target, face]) + "\n")
        return SUCCESS


BLANK = replace(
    build_scene(Sensed(0.0), SITE, load_robot(), GripperConfig()),
    scan_age=0.0,
    sectors=np.full(SECTORS, 12.0),
)
