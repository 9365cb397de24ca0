"""`./hrl explain` on a mission with a recording of its scenes, made here."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.site import load_site
from hrl_master.decider import make_decider
from hrl_master.guardrails import GuardrailConfig, Guardrails
from hrl_master.mission import MasterConfig, Order
from hrl_master.replay import setting_of
from hrl_master.scene import SECTORS, Scene

pytest.importorskip("rclpy")
pytest.importorskip("hrl_msgs")

from rclpy.serialization import serialize_message

from hrl_bringup.explain_node import main
from hrl_bringup.recording import Recording
from hrl_master.scene_convert import situation_msg

pytestmark = pytest.mark.ros


@pytest.fixture
def mission(tmp_path) -> Path:
    """mission.json with one decision, and a recording of the scenes of two."""
    site, config, limits = load_site("small_warehouse"), MasterConfig(), GuardrailConfig()
    decider = make_decider(site, config, Guardrails(site, limits))
    decider.begin(Order("can", "A2", "packing"))
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep)]
    recording = Recording(tmp_path / "recording.mcap", prefixes)
    recording.add_topic("/scene", "hrl_msgs/msg/Scene")
    entries = []
    for index, tilt in enumerate((0.0, 1.0)):
        scene = Scene(
            stamp=1.0 + index, map_from_base=np.array([1.2, 1.6, 0.0]), position_std=0.02,
            sectors=np.full(SECTORS, 12.0), seen={}, gripper_position=0.0, gripper_effort=0.0,
            holding=False, tilt=tilt, base_from_lidar=np.zeros(3), scan_age=0.05,
        )  # fmt: skip
        decision = decider.decide(decider.observe(scene), {("walk", "A2"): 0.9})
        assert decision.situation is not None
        message = situation_msg(
            decision.situation, setting_of("small_warehouse", config, limits), "m", index
        )
        recording.write("/scene", serialize_message(message))
        entries.append(
            {
                "index": index,
                **{name: getattr(decision, name) for name in ("skill", "target", "face", "reason")},
                **{name: list(getattr(decision, name)) for name in
                   ("candidates", "probabilities", "allowed", "why_not")},
                "outcome": "SUCCEEDED",
                "detail": "at rest",
            }
        )  # fmt: skip
    recording.close()
    file = tmp_path / "mission.json"
    file.write_text(json.dumps({"world": "small_warehouse", "decisions": entries[:1]}))
    return file


def test_it_gives_the_reasons_and_finds_the_recorded_decision_again(mission, capsys):
    assert main([str(mission)]) == 0
    text = capsys.readouterr().out
    assert "0: walk A2" in text and "walk A2 (the skill gives itself 90 %" in text
    assert "no  place packing: the gripper holds nothing to place" in text
    assert "ended: SUCCEEDED: at rest" in text and "gives the same decision" in text
    assert "1: wait 3 s" in text and "the robot leans 1.00 rad" in text


def test_a_decision_that_its_scene_does_not_give_is_told(mission, capsys):
    content = json.loads(mission.read_text())
    content["decisions"][0]["target"] = "B1"
    mission.write_text(json.dumps(content))
    assert main([str(mission), "--decision", "0"]) == 1
    assert "DIFFERS: made was walk B1" in capsys.readouterr().out


def test_without_a_recording_it_tells_what_the_file_holds(mission, capsys):
    (mission.parent / "recording.mcap").unlink()
    assert main([str(mission)]) == 0
    text = capsys.readouterr().out
    assert "no recorded scene" in text and "no   grasp can at" in text


def test_what_is_not_there_is_named(mission):
    with pytest.raises(ConfigError, match=r"has no decision 7; it has \[0, 1\]"):
        main([str(mission), "--decision", "7"])
    with pytest.raises(ConfigError, match="No such file"):
        main([str(mission.parent / "other.json")])
    mission.write_text("{}")
    with pytest.raises(ConfigError, match="no `decisions`"):
        main([str(mission)])
