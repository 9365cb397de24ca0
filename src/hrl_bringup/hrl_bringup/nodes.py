"""The one table of nodes: what `./hrl`, the launch files and the containers start, and how."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hrl_core.config import ConfigError, config_dir
from hrl_skills.library import skill_names

ParameterValue = bool | int | float | str
RESPAWN_DELAY = 2.0  # s of wall time between the end of a node and its new start


@dataclass(frozen=True)
class Argument:
    """A value for several nodes at once, and the parameter that takes it in each of them."""

    name: str
    default: ParameterValue
    description: str
    parameters: Mapping[str, str]  # node name -> parameter name


def enclave_of(name: str) -> str:
    """Where the keys of a node lie in a keystore of SROS 2."""
    return f"/hrl/{name}"


@dataclass(frozen=True)
class NodeSpec:
    """One process with one node; its executable is the module of that name in `ros`."""

    name: str
    package: str
    executable: str
    parameter_file: str  # in config/
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    # Started again when it has ended: nothing moves until it is there, and it takes up or asks
    # for what it needs. The plant would begin another trial, the recorder overwrite its file.
    respawn: bool = False

    @property
    def module(self) -> str:
        return f"{self.package}.ros.{self.executable}"

    @property
    def enclave(self) -> str:
        return enclave_of(self.name)

    @property
    def parameter_path(self) -> Path:
        return config_dir() / self.parameter_file

    def command(self, parameters: Mapping[str, ParameterValue] | None = None) -> list[str]:
        """Command line that runs the node with this Python; `parameters` win over the file's."""
        command = [sys.executable, "-u", "-m", self.module, "--ros-args"]
        command += ["-r", f"__node:={self.name}", "--params-file", str(self.parameter_path)]
        command += ["--enclave", self.enclave]  # used where ROS_SECURITY_ENABLE is true
        for name, value in {**self.parameters, **(parameters or {})}.items():
            command += ["-p", f"{name}:={_as_yaml(value)}"]
        return command


PLANT = NodeSpec("plant", "hrl_sim_bridge", "bridge_node", "plant.yaml")
PERCEPTION = NodeSpec(
    "perception", "hrl_perception", "perception_node", "perception.yaml", respawn=True
)
SKILLS = tuple(
    NodeSpec(skill, "hrl_skills", "skill_node", "skills.yaml", {"skill": skill}, respawn=True)
    for skill in skill_names()
)
MASTER = NodeSpec("master", "hrl_master", "master_node", "master.yaml", respawn=True)
RECORDER = NodeSpec("recorder", "hrl_bringup", "recorder_node", "recorder.yaml")
CONSOLE = NodeSpec("console", "hrl_console", "console_node", "console.yaml", respawn=True)
DRIVER = NodeSpec("driver", "hrl_driver", "driver_node", "driver.yaml", respawn=True)

NODES = {
    node.name: node for node in (PLANT, DRIVER, PERCEPTION, *SKILLS, MASTER, RECORDER, CONSOLE)
}
GROUPS = {  # one launch file each
    "sim": (PLANT,),
    "driver": (DRIVER,),
    "perception": (PERCEPTION,),
    "skills": SKILLS,
    "master": (MASTER,),
    "demo": (PLANT, PERCEPTION, *SKILLS, MASTER),
}

_ROBOT_SIDE = ("perception", *(skill.name for skill in SKILLS), "master")

ARGUMENTS = (
    Argument(
        "world",
        "small_warehouse",
        "the site: a world's name in config/worlds, or a .yaml file",
        {"plant": "world", **{name: "site" for name in (*_ROBOT_SIDE, "console")}},
    ),
    Argument(
        "robot",
        "spot",
        "the robot: a name in config/robots, or a .yaml file",
        {name: "robot" for name in ("plant", "driver", *_ROBOT_SIDE, "console")},
    ),
    Argument(
        "driver",
        "",
        "how the robot's driver speaks: a name in config/drivers, or a .yaml file; empty: as our "
        "nodes do",
        {name: "driver" for name in ("plant", "driver")},
    ),
    Argument("seed", 0, "seed of the trial; the same seed gives the same trial", {"plant": "seed"}),
    Argument(
        "realtime_factor",
        1.0,
        "simulated time over wall time that the plant aims at; 0: as fast as it can",
        {"plant": "realtime_factor"},
    ),
    Argument(
        "lockstep",
        False,
        "true: the plant waits at every control tick for the nodes in its lockstep_nodes",
        {name: "lockstep" for name in ("plant", "driver", *_ROBOT_SIDE)},
    ),
    Argument(
        "use_sim_time",
        True,
        "true: time comes from /clock; false: from the computer, as on a robot",
        {name: "use_sim_time" for name in ("driver", *_ROBOT_SIDE, "recorder")},
    ),
)


def parameters_for(name: str, values: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """Parameters of one node from the values of arguments, by the arguments' names."""
    known = {argument.name: argument for argument in ARGUMENTS}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"unknown arguments {unknown}; known: {sorted(known)}")
    return {
        known[argument].parameters[name]: value
        for argument, value in values.items()
        if name in known[argument].parameters
    }


def _as_yaml(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not value.startswith("["):
        quoted = value.replace("'", "''")
        return f"'{quoted}'"  # a name like 0 or true stays a string
    return str(value)
