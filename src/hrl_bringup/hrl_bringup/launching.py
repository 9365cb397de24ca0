"""The table of nodes for launch_ros: the files in launch/ are one call of `describe` each."""

# launch is not on PyPI, and the folder launch/ is not it.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from hrl_bringup.nodes import ARGUMENTS, Argument, NodeSpec

_CONFIG = PathJoinSubstitution([FindPackageShare("hrl_bringup"), "config"])


def describe(
    nodes: tuple[NodeSpec, ...], defaults: dict[str, str] | None = None
) -> LaunchDescription:
    """Launch these nodes, with an argument for every value that one of them takes.

    `defaults` replaces the defaults of arguments. When one node ends, all end.
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
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        # On a busy computer four nodes with torch need more than launch's 5 s to go.
        sigterm_timeout="20",
        on_exit=[LogInfo(msg=f"{spec.name} has ended; ending the others"), Shutdown()],
    )
