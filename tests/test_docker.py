"""The container files name the nodes of the table; hadolint finds no fault in them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hrl_bringup.commands import COMMANDS
from hrl_bringup.commands import SERVICES as SERVICES_PART
from hrl_bringup.nodes import CONSOLE, GROUPS, parameters_for
from hrl_bringup.single_node import node_command
from hrl_core.config import ConfigError

DOCKER = Path(__file__).resolve().parents[1] / "docker"
SERVICES = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))["services"]
WAREHOUSE = SERVICES.pop("warehouse")


def test_compose_has_one_service_for_each_node_of_the_demo_and_a_console_for_who_wants_it():
    assert list(SERVICES) == [*(node.name for node in GROUPS["demo"]), CONSOLE.name]
    assert SERVICES[CONSOLE.name]["profiles"] == [CONSOLE.name]


def test_master_and_console_find_the_same_ledger():
    environments = [SERVICES[name]["environment"] for name in ("master", CONSOLE.name)]
    volumes = [SERVICES[name]["volumes"] for name in ("master", CONSOLE.name)]
    assert environments[0] == environments[1] and volumes[0] == volumes[1]
    _, _, shared = volumes[0][0].partition(":")
    assert Path(environments[0]["ROS_HOME"]).is_relative_to(shared)


@pytest.mark.parametrize("service", SERVICES)
def test_the_command_of_a_service_runs_its_node(service):
    first, name, *arguments = SERVICES[service]["command"].split()
    arguments = [text.replace("${WORLD:-small_warehouse}", "open_bay") for text in arguments]
    arguments = [text.replace("${SEED:-0}", "3") for text in arguments]
    assert (first, name) == ("node", service)
    command = node_command(name, arguments)
    assert any(text.endswith(":='open_bay'") for text in command)
    takes_time = "use_sim_time" in parameters_for(name, {"use_sim_time": True})
    assert ("use_sim_time:=true" in command) == takes_time


def test_the_warehouse_system_is_started_where_it_is_asked_for():
    command, *_ = WAREHOUSE["command"].split()
    assert COMMANDS[command].needs == SERVICES_PART and WAREHOUSE["profiles"] == ["systems"]


def test_an_unknown_node_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown node 'gripper'.*walk"):
        node_command("gripper")


def test_an_argument_without_a_value_is_refused_with_an_example():
    with pytest.raises(ConfigError, match="'world': expected NAME:=VALUE"):
        node_command("plant", ["world"])


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.robot"])
def test_hadolint_finds_no_fault(name):
    hadolint = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([hadolint, DOCKER / name], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
