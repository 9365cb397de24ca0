"""The table of nodes for launch_ros: the files in launch/ are one call of `describe` each."""

# launch is not on PyPI, and the folder launch/ is not it.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, SetEnvironmentVariable, Shutdown
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from hrl_bringup.nodes import ARGUMENTS, RESPAWN_DELAY, Argument, NodeSpec
from hrl_core.ros.node import WRONG_INPUT

DISCOVERY_RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
_CONFIG = PathJoinSubstitution([FindPackageShare("hrl_bringup"), "config"])


def describe(
    nodes: tuple[NodeSpec, ...], defaults: dict[str, str] | None = None
) -> LaunchDescription:
    """Launch these nodes, with an argument for every value that one of them takes.

    `defaults` replaces the defaults of arguments. A node that dies is started again where its
    entry in the table says so; when another one ends, or one for a wrong input, all end.
    """
    arguments = [a for a in ARGUMENTS if any(node.name in a.parameters for node in nodes)]
    declared = [_declare(argument, defaults or {}) for argument in arguments]
    declared += [
        DeclareLaunchArgument(
            "config",
            default_value=_CONFIG,
            description="folder with the parameter files (<node>.yaml)",
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="of all nodes, topics and actions"
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error"],
            description="how much the nodes log",
        ),
        DeclareLaunchArgument(
            "discovery_range",
            default_value=EnvironmentVariable(DISCOVERY_RANGE, default_value="LOCALHOST"),
            choices=["LOCALHOST", "SUBNET", "OFF", "SYSTEM_DEFAULT"],
            description="how far nodes are seen; SUBNET: nodes on several computers meet",
        ),
        SetEnvironmentVariable(DISCOVERY_RANGE, LaunchConfiguration("discovery_range")),
    ]
    return LaunchDescription([*declared, *(_start(node, arguments) for node in nodes)])


def _declare(argument: Argument, defaults: dict[str, str]) -> DeclareLaunchArgument:
    default = defaults.get(argument.name, str(argument.default))
    choices = ["true", "false"] if isinstance(argument.default, bool) else None
    return DeclareLaunchArgument(
        argument.name,
        default_value=default.lower() if choices else default,
        description=argument.description,
        choices=choices,
    )


def _start(spec: NodeSpec, arguments: list[Argument]) -> Node:
    given = {
        argument.parameters[spec.name]: ParameterValue(
            LaunchConfiguration(argument.name), value_type=type(argument.default)
        )
        for argument in arguments
        if spec.name in argument.parameters
    }
    parameters = [PathJoinSubstitution([LaunchConfiguration("config"), spec.parameter_file])]
    return Node(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=LaunchConfiguration("namespace"),
        parameters=[*parameters, {**spec.parameters, **given}],
        arguments=[
            "--ros-args",
            "--enclave",
            spec.enclave,  # used where ROS_SECURITY_ENABLE is true
            "--log-level",
            LaunchConfiguration("log_level"),
        ],
        output="screen",
        # On a busy computer four nodes with torch need more than launch's 5 s to go.
        sigterm_timeout="20",
        respawn=spec.respawn,
        respawn_delay=RESPAWN_DELAY,
        on_exit=lambda event, context: _after_end(spec, event.returncode),
    )


def _after_end(spec: NodeSpec, returncode: int) -> list:
    if spec.respawn and returncode not in (0, WRONG_INPUT):
        return [LogInfo(msg=f"{spec.name} has died ({returncode}); it is started again")]
    return [LogInfo(msg=f"{spec.name} has ended; ending the others"), Shutdown()]
