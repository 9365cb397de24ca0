"""The table of nodes is true: modules, executables, parameters, arguments, launch files."""

import importlib
from importlib.metadata import distribution

import pytest
import yaml
from pydantic import ValidationError

from hrl_bringup.nodes import ARGUMENTS, GROUPS, NODES, PLANT, NodeSpec, parameters_for
from hrl_core.config import ConfigError, config_dir
from hrl_core.site import load_site

ROS_PARAMETERS = {"use_sim_time"}


def model_of(spec: NodeSpec):
    """The pydantic model of a node's parameters."""
    pytest.importorskip("rclpy")
    from hrl_core.ros.node import HrlNode

    module = importlib.import_module(spec.module)
    nodes = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, HrlNode) and item.__module__ == spec.module
    ]
    assert len(nodes) == 1, f"{spec.module} has the node classes {nodes}"
    return nodes[0].parameters_model


def parameters_in_file(spec: NodeSpec) -> dict:
    content = yaml.safe_load(spec.parameter_path.read_text())
    for key in (f"/**/{spec.name}", "/**"):
        if key in content:
            return content[key]["ros__parameters"]
    raise AssertionError(f"{spec.parameter_path} has nothing for {spec.name}")


@pytest.mark.ros
@pytest.mark.parametrize("spec", NODES.values(), ids=NODES)
def test_the_node_accepts_every_value_of_its_parameter_file(spec):
    values = {**parameters_in_file(spec), **spec.parameters}
    model_of(spec).model_validate(values)


@pytest.mark.ros
@pytest.mark.parametrize("spec", NODES.values(), ids=NODES)
def test_the_parameter_file_shows_every_parameter(spec):
    shown = set(parameters_in_file(spec)) | set(spec.parameters)
    assert set(model_of(spec).model_fields) <= shown | {"lockstep", "reliable_sensors"}


@pytest.mark.ros
@pytest.mark.parametrize("spec", NODES.values(), ids=NODES)
def test_every_argument_reaches_a_parameter_that_the_node_declares(spec):
    model = model_of(spec)
    for argument in ARGUMENTS:
        name = argument.parameters.get(spec.name)
        if name is not None and name not in ROS_PARAMETERS:
            assert type(argument.default) is model.model_fields[name].annotation


@pytest.mark.ros
def test_a_wrong_parameter_is_refused():
    with pytest.raises(ValidationError, match="realtime_factor"):
        model_of(PLANT).model_validate({"realtime_factor": -1})


@pytest.mark.parametrize("spec", NODES.values(), ids=NODES)
def test_every_node_is_an_installed_executable_of_its_package(spec):
    scripts = distribution(spec.package).entry_points.select(group="console_scripts")
    assert {script.name: script.value for script in scripts}[spec.executable] == (
        f"{spec.module}:main"
    )


def test_arguments_name_only_nodes_of_the_table():
    for argument in ARGUMENTS:
        assert set(argument.parameters) <= set(NODES)


def test_the_default_world_and_robot_exist():
    defaults = {argument.name: argument.default for argument in ARGUMENTS}
    assert load_site(str(defaults["world"])).name == defaults["world"]


def test_a_launch_file_exists_for_each_group():
    files = {path.name for path in (config_dir().parent / "launch").glob("*.launch.py")}
    assert files == {f"{group}.launch.py" for group in GROUPS}


def test_the_command_line_quotes_strings_and_writes_yaml_booleans():
    command = PLANT.command({"world": "0", "lockstep": True, "realtime_factor": 0.0})
    assert "world:='0'" in command and "lockstep:=true" in command
    assert "realtime_factor:=0.0" in command
    assert command[command.index("--params-file") + 1] == str(PLANT.parameter_path)


def test_values_reach_each_node_under_its_own_parameter_names():
    values = {"world": "w", "seed": 3}
    assert parameters_for("plant", values) == {"world": "w", "seed": 3}
    assert parameters_for("walk", values) == {"site": "w"}
    with pytest.raises(ConfigError, match="unknown arguments.*sed.*known"):
        parameters_for("walk", {"sed": 3})


def test_only_nodes_whose_new_start_changes_no_world_and_no_file_are_started_again():
    again = {name for name, spec in NODES.items() if spec.respawn}
    assert again == set(NODES) - {"plant", "recorder"}
