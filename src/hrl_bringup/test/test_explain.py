"""`./hrl explain` on a mission with a recording of its scenes, made here."""

import json
import re
from pathlib import Path

import pytest

from hrl_core.config import ConfigError

pytest.importorskip("rclpy")
pytest.importorskip("hrl_msgs")

from hrl_bringup.ros.explain_node import main
from hrl_master.guided import GUIDED
from tests.recorded_mission import recorded

pytestmark = pytest.mark.ros


@pytest.fixture
def mission(tmp_path) -> Path:
    return recorded(tmp_path, "behaviour_tree")


def test_it_gives_the_reasons_and_finds_the_recorded_decision_again(mission, capsys):
    assert main([str(mission)]) == 0
    text = capsys.readouterr().out
    assert "0: walk A2" in text and "walk A2 (the skill gives itself 90 %" in text
    assert "no  place packing: the gripper holds nothing to place" in text
    assert "ended: SUCCEEDED: at rest" in text and "gives the same decision" in text
    assert "1: wait 3 s" in text and "the robot leans 1.00 rad" in text


def test_a_recording_alone_tells_the_same(mission, capsys):
    mission.unlink()
    for path in (mission.parent, mission.with_name("recording.mcap")):
        assert main([str(path)]) == 0
        text = capsys.readouterr().out
        assert (
            "mission m" in text and "0: walk A2" in text and "the skill gives itself 90 %" in text
        )
        assert "ended: SUCCEEDED: at rest" in text and "gives the same decision" in text
        assert "1: wait 3 s" in text and "ends the order" in text


def test_what_a_client_chose_is_told_and_chosen_again(tmp_path, capsys):
    file = recorded(tmp_path, GUIDED)
    assert main([str(file), "--decision", "0"]) == 0
    text = capsys.readouterr().out
    assert "because: chosen by planner: it comes first" in text
    assert "gives the same decision" in text
    assert main([str(file), "--decision", "0", "--tree"]) == 0
    assert "a client decided, not the tree: the tree would choose" in capsys.readouterr().out
    content = json.loads(file.read_text())
    content["decisions"][0] |= {"skill": "place", "target": "packing"}
    file.write_text(json.dumps(content))
    assert main([str(file), "--decision", "0"]) == 1
    assert "the gripper holds nothing to place" in capsys.readouterr().out.partition("DIFFERS")[2]


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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "decisions = {}: Field required; give the mission.json of"),
        ('{"decisions": [', "not JSON"),
        ('{"decisions": 3}', "decisions = 3: Input should be a valid array"),
        ('{"decisions": [{"index": "a"}]}', "decisions.0.index = 'a': Input should be a valid"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_mission_is_refused_with_file_and_place(mission, content, said):
    mission.write_text(content)
    with pytest.raises(ConfigError, match=rf"mission.json: {re.escape(said)}"):
        main([str(mission)])


def test_of_half_a_recording_what_is_whole_is_used(mission, capsys):
    recording = mission.with_name("recording.mcap")
    recording.write_bytes(recording.read_bytes()[:-200])  # its index
    assert main([str(mission)]) == 0
    text = capsys.readouterr().out
    assert "is damaged or has no index" in text and "gives the same decision" in text
    recording.write_bytes(recording.read_bytes()[:100])
    with pytest.raises(ConfigError, match="recording.mcap: none of its 100 bytes is a message"):
        main([str(mission)])


def test_the_tree_of_the_last_decision_is_shown_with_what_was_found(mission, capsys):
    assert main([str(mission), "--tree"]) == 0
    text = capsys.readouterr().out
    assert "1: wait 3 s" in text and "0: walk" not in text and "ends the order" in text
    assert re.search(r"--> wait \[.\] -- wait 3 s: nothing else may run now", text)
    assert re.search(r"--> give up \[-\]$", text, re.M)
    assert main([str(mission), "--tree", "--decision", "0"]) == 0
    text = capsys.readouterr().out
    assert "0: walk A2" in text and "gives the same decision" in text
    assert re.search(r"--> delivered\? \[.\] -- can is not delivered", text)


def test_for_another_policy_it_says_what_the_tree_would_do(tmp_path, capsys):
    (tmp_path / "fixed").mkdir()
    (tmp_path / "learned").mkdir()
    arguments = ["--tree", "--decision", "0"]
    main([str(recorded(tmp_path / "fixed", "fixed_sequence")), *arguments])
    told = "fixed_sequence decided, not the tree: the tree would choose walk A2 standoff"
    assert told in capsys.readouterr().out
    main([str(recorded(tmp_path / "learned", "learned")), *arguments])
    text = capsys.readouterr().out
    assert "a learned policy decided: the tree told it walk A2 standoff" in text
    assert "[o] order" in text


def test_the_tree_alone_needs_no_mission(capsys, tmp_path):
    assert main(["--tree", "--picture", str(tmp_path / "plan.png")]) == 0
    assert capsys.readouterr().out.startswith("[o] order\n    [-] delivered\n")
    assert (tmp_path / "plan.png").stat().st_size > 10_000
    with pytest.raises(SystemExit):
        main([])


def test_the_tree_of_a_decision_is_drawn(mission, tmp_path):
    for name, begins in (("tree.png", b"\x89PNG"), ("tree.svg", b"<?xml")):
        assert main([str(mission), "--picture", str(tmp_path / "new" / name)]) == 0
        assert (tmp_path / "new" / name).read_bytes().startswith(begins)
    with pytest.raises(ConfigError, match=r"ends in one of .png, .svg, .pdf"):
        main([str(mission), "--picture", "tree.txt"])


def test_without_a_scene_there_is_no_tree_of_a_decision(mission):
    (mission.parent / "recording.mcap").unlink()
    with pytest.raises(ConfigError, match=r"has no scene of decision \[0\]"):
        main([str(mission), "--tree"])
