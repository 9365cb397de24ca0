"""`./hrl node NAME`: one node of the table in the foreground, as a container runs it."""

import os
from collections.abc import Sequence

import yaml

from hrl_bringup.nodes import ARGUMENTS, NODES, ParameterValue, parameters_for
from hrl_core.config import ConfigError


def node_command(name: str, arguments: Sequence[str] = ()) -> list[str]:
    """Command line of a node for arguments of the form `world:=small_warehouse`.

    Those that are not given have the defaults of the launch files.
    """
    if name not in NODES:
        raise ConfigError(f"unknown node {name!r}; known: {sorted(NODES)}")
    values = {argument.name: argument.default for argument in ARGUMENTS}
    values.update(_parse(text) for text in arguments)
    return NODES[name].command(parameters_for(name, values))


def become_node(name: str, arguments: Sequence[str] = ()) -> None:
    """Replace this process by the node, so that signals reach it without a middleman."""
    command = node_command(name, arguments)
    os.execv(command[0], command)


def _parse(text: str) -> tuple[str, ParameterValue]:
    name, separator, value = text.partition(":=")
    if not name or not separator:
        raise ConfigError(f"argument {text!r}: expected NAME:=VALUE, such as world:=open_bay")
    parsed = yaml.safe_load(value)
    return name, parsed if isinstance(parsed, bool | int | float) else value
