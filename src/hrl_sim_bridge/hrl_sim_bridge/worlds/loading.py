"""Worlds by name: from a file, or drawn from a family and a seed; checked as a whole."""

from pathlib import Path

from hrl_core.config import find_config, load_yaml
from hrl_sim_bridge.worlds.checks import problems
from hrl_sim_bridge.worlds.layouts import generate, parse_layout
from hrl_sim_bridge.worlds.world import World


def load_world(name: str | Path) -> World:
    """Load config/worlds/<name>.yaml, the file given or a layout, see layouts.layout_name.

    Raises ConfigError with everything that is wrong, names and room for the robot included.
    """
    _, colon, seeds = str(name).partition(":")
    if colon and seeds[:1].isdecimal():
        return generate(*parse_layout(str(name)))
    return load_yaml(find_config("worlds", str(name)), World, check=problems)
