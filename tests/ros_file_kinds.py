"""Kinds of files that need ROS to be read: recordings, missions to explain, nodes' parameters."""

import io
import signal
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from rich.console import Console

from hrl_bringup.recorded import whole
from hrl_bringup.ros.approvals_node import main as approvals
from hrl_bringup.ros.explain_node import main as explain
from hrl_bringup.ros.recorded_messages import read_from
from hrl_bringup.ros.recorded_run import read_run
from hrl_bringup.ros.recorder_node import RecorderParameters
from hrl_bringup.ros.replay_node import show_mission
from hrl_console.ros.console_parameters import ConsoleParameters
from hrl_core.config import ConfigError
from hrl_core.ros.node import WRONG_INPUT, HrlNode, run_node
from hrl_core.ros.parameters import NodeParameters
from hrl_master.ros.master_parameters import MasterParameters
from hrl_perception.ros.perception_node import PerceptionParameters
from hrl_sim_bridge.ros.bridge_node import BridgeParameters
from hrl_skills.ros.skill_node import SkillParameters
from tests.file_kinds import Kind, given, ledger, text
from tests.mutants import mutated_ledger, mutated_recording
from tests.recorded_mission import recorded

PARAMETERS: dict[str, type[NodeParameters]] = {
    "plant": BridgeParameters,
    "perception": PerceptionParameters,
    "walk": SkillParameters,
    "master": MasterParameters,
    "recorder": RecorderParameters,
    "console": ConsoleParameters,
}


def use_parameters(node: str) -> Callable[[Path], None]:
    """Start a node of these parameters that does nothing else."""

    class Probe(HrlNode):
        parameters_model = PARAMETERS[node]

        def run(self, executor, stopping) -> None:
            pass

    def use(path: Path) -> None:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                status = run_node(lambda: Probe(node), ["--ros-args", "--params-file", str(path)])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if status == WRONG_INPUT:  # a node does not know from which file a parameter came
            lines = said.getvalue().splitlines()
            raise ConfigError("\n".join(f"{path.name}: {line}" for line in lines))

    return use


def mission(name: str) -> Callable[[Path], bytes]:
    def sound(folder: Path) -> bytes:
        recorded(folder, "behaviour_tree")
        return (folder / name).read_bytes()

    return sound


def use_mission(path: Path) -> None:
    """`./hrl explain`, with the sound recording."""
    beside = path.parent.parent / "recording.mcap"
    path.with_name(beside.name).write_bytes(beside.read_bytes())
    with redirect_stdout(io.StringIO()):
        explain([str(path)])
        explain([str(path), "--tree"])


def use_recording(path: Path) -> None:
    """`./hrl explain`, and what `./hrl replay` does beside playing."""
    (path.parent / "mission.json").write_bytes((path.parent.parent / "mission.json").read_bytes())
    with redirect_stdout(io.StringIO()):
        explain([str(path.parent)])
        (path.parent / "whole").mkdir()
        run = read_run(whole(path, path.parent / "whole")[0])
        for each in run.missions:
            with read_from(str(path)):
                show_mission(each, None, "", Console())


def use_ledger(path: Path) -> None:
    with redirect_stdout(io.StringIO()):
        approvals(["log", str(path)])


KINDS = (
    Kind("mission.json", mission("mission.json"), use_mission, text, 6),
    Kind("recording.mcap", mission("recording.mcap"), use_recording, mutated_recording, 12),
    Kind("approvals.sqlite", ledger, use_ledger, mutated_ledger, 4),
    *(Kind(f"{file}.yaml", given(f"{file}.yaml"), use_parameters(node), text, 3)
      for file, node in (("plant", "plant"), ("perception", "perception"), ("skills", "walk"),
                         ("master", "master"), ("recorder", "recorder"))),
)  # fmt: skip
