"""`./hrl node NAME`: one node of the table in the foreground, as a container runs it."""

import os
from collections.abc import Sequence

from hrl_bringup.nodes import ARGUMENTS, NODES, ParameterValue, parameters_for
from hrl_core.config import ConfigError


def node_command(name: str, arguments: Sequence[str] = ()) -> list[str]:
    """Command line of a node for arguments of the form `world:=small_warehouse`.

    Those that are not given have the defaults of the launch files.
    """
    if name not in NODES:
        raise ConfigError(f"unknown node {name!r}; known: {sorted(NODES)}")
    values = {argument.name: argument.default for argument in ARGUMENTS}
    for text in arguments:
        argument, separator, value = text.partition(":=")
        if not separator:
            raise ConfigError(f"argument {text!r}: expected NAME:=VALUE, such as world:=open_bay")
        values[argument] = _of_kind(argument, value, values.get(argument, ""))
    return NODES[name].command(parameters_for(name, values))


def become_node(name: str, arguments: Sequence[str] = ()) -> None:
    """Replace this process by the node, so that signals reach it without a middleman."""
    command = node_command(name, arguments)
    os.execv(command[0], command)


def _of_kind(name: str, text: str, default: ParameterValue) -> ParameterValue:
    """The value of an argument, of the kind of its default."""
    if isinstance(default, str):
        return text
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ConfigError(f"{name}:={text}: allowed are true and false")
        return text == "true"
    try:
        return type(default)(text)
    except ValueError:
        kind = "whole numbers" if isinstance(default, int) else "numbers"
        raise ConfigError(f"{name}:={text}: allowed are {kind}") from None
