"""Node parameters declared from a pydantic model: type, default, description with unit, range."""

import difflib
from typing import Any, Literal, TypeVar, get_args, get_origin

import annotated_types
from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from hrl_core.config import Config, ConfigError

# Declared by rclpy itself where they are given.
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service")
ROS_SECTION = "qos_overrides."
INT_MAX = 2**63 - 1


class NodeParameters(Config):
    """Parameters of every node."""

    autostart: bool = Field(
        default=True, description="configure and activate by itself; false: wait for a manager"
    )
    lockstep: bool = Field(
        default=False, description="the plant waits for this node at every control tick"
    )
    reliable_sensors: bool = Field(
        default=False,
        description="ask sensors for reliable delivery; always so in lockstep. "
        "Matches only drivers that offer it",
    )


class RobotParameters(NodeParameters):
    """Parameters of every node that knows the robot and the site."""

    site: str = Field(
        default="small_warehouse", description="world in config/worlds, or a .yaml file"
    )
    robot: str = Field(default="spot", description="robot in config/robots, or a .yaml file")


Model = TypeVar("Model", bound=NodeParameters)


def declare(node: Node, model: type[Model]) -> Model:
    """Declare the parameters of a node and return their checked values.

    The node has to be made with automatically_declare_parameters_from_overrides, so that a name
    that nothing declares is found. Raises ConfigError with the name, the value, what is allowed.
    """
    given: dict[str, Any] = {
        name: getattr(p, "value", p) for name, p in node.get_parameters_by_prefix("").items()
    }
    known = model.model_fields
    for name in given:
        if name not in known and name not in ROS_PARAMETERS and not name.startswith(ROS_SECTION):
            near = difflib.get_close_matches(name.partition(".")[0], known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"parameter {name!r} is unknown{hint}; known: {sorted(known)}")
    try:
        values = model.model_validate({name: given[name] for name in known if name in given})
    except ValidationError as error:
        lines = [
            f"parameter {'.'.join(str(part) for part in item['loc'])!r} = {item['input']!r}: "
            f"{item['msg']}"
            for item in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error
    for name, field in known.items():
        if node.has_parameter(name):
            node.undeclare_parameter(name)
        value = getattr(values, name)
        if isinstance(value, tuple):
            value = list(value)
        node.declare_parameter(name, value, _descriptor(name, field), ignore_override=True)
    return values


def _descriptor(name: str, field: FieldInfo) -> ParameterDescriptor:
    low: Any = None
    high: Any = None
    for rule in field.metadata:
        if isinstance(rule, (annotated_types.Ge, annotated_types.Gt)):
            low = rule.ge if isinstance(rule, annotated_types.Ge) else rule.gt
        if isinstance(rule, (annotated_types.Le, annotated_types.Lt)):
            high = rule.le if isinstance(rule, annotated_types.Le) else rule.lt
    descriptor = ParameterDescriptor(
        name=name,
        type=_ros_type(field.annotation),
        description=field.description or "",
        read_only=True,  # read once, when the node starts
    )
    if low is None and high is None:
        return descriptor
    if field.annotation is int:
        low, high = int(-INT_MAX if low is None else low), int(INT_MAX if high is None else high)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    elif field.annotation is float:
        low = float("-inf") if low is None else float(low)
        high = float("inf") if high is None else float(high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _ros_type(annotation) -> int:
    single = {
        bool: Parameter.Type.BOOL,
        int: Parameter.Type.INTEGER,
        float: Parameter.Type.DOUBLE,
        str: Parameter.Type.STRING,
    }
    arrays = {
        int: Parameter.Type.INTEGER_ARRAY,
        float: Parameter.Type.DOUBLE_ARRAY,
        str: Parameter.Type.STRING_ARRAY,
    }
    if get_origin(annotation) is tuple:
        return arrays[get_args(annotation)[0]].value
    if get_origin(annotation) is Literal:  # names to choose from
        annotation = str
    return single[annotation].value
