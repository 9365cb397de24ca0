"""A mission.json with a recording of its scenes beside it, without a run."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message

from hrl_bringup.recording import Recording
from hrl_core.outcomes import Code
from hrl_core.site import load_site
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.guided import Guided, Step
from hrl_master.orders import Order
from hrl_master.replay import setting_of
from hrl_master.ros.convert import decision_msg
from hrl_master.ros.scene_convert import situation_msg
from hrl_master.scene import SECTORS, Scene
from hrl_msgs.msg import SkillResult

ORDER = Order("can", "A2", "packing")


def recorded(tmp_path: Path, policy: str) -> Path:
    """mission.json with one decision, and a recording of it and of the scenes of two.

    Where it is guided a client chooses the decision.
    """
    site, limits = load_site("small_warehouse"), GuardrailConfig()
    config = MasterConfig(policy=policy)
    decider = make_decider(site, config, Guardrails(site, limits))
    decider.begin(ORDER)
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep)]
    recording = Recording(tmp_path / "recording.mcap", prefixes)
    recording.add_topic("/scene", "hrl_msgs/msg/Scene")
    recording.add_topic("/decisions", "hrl_msgs/msg/MasterDecision")
    if isinstance(decider.policy, Guided):
        decider.policy.step = Step("walk", "A2", by="planner", why="it comes first")
    entries = []
    for index, tilt in enumerate((0.0, 1.0)):
        scene = Scene(
            stamp=1.0 + index, map_from_base=np.array([1.2, 1.6, 0.0]), position_std=0.02,
            sectors=np.full(SECTORS, 12.0), seen={}, gripper_position=0.0, gripper_effort=0.0,
            holding=False, tilt=tilt, base_from_lidar=np.zeros(3), scan_age=0.05,
        )  # fmt: skip
        situation = replace(decider.observe(scene), chances={("walk", "A2"): 0.9})
        decision = decider.decide(situation)
        message = situation_msg(
            situation, setting_of("small_warehouse", config, limits), "m", index
        )
        recording.write("/scene", serialize_message(message))
        if index == 0:
            end = SkillResult(code=int(Code.SUCCEEDED), detail="at rest")
            for result, finished in ((SkillResult(), False), (end, True)):
                told = decision_msg("m", 0, ORDER, decision, result, finished, scene.stamp)
                recording.write("/decisions", serialize_message(told))
        entries.append(
            {
                "index": index,
                **{
                    name: getattr(decision, name)
                    for name in ("skill", "target", "face", "reason", "chosen_by")
                },
                **{
                    name: list(getattr(decision, name))
                    for name in ("candidates", "probabilities", "allowed", "why_not")
                },
                "outcome": "SUCCEEDED",
                "detail": "at rest",
            }
        )
    recording.close()
    file = tmp_path / "mission.json"
    file.write_text(json.dumps({"world": "small_warehouse", "decisions": entries[:1]}))
    return file
