"""The skills that ship with hrl, by name; imported only when one is made."""

from importlib import import_module

from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_skills.skill import Skill

SKILLS = {
    "walk": "hrl_skills.walk:Walk",
    "approach": "hrl_skills.approach:Approach",
    "grasp": "hrl_skills.grasp:Grasp",
    "place": "hrl_skills.place:Place",
}


def make_skill(name: str, site: Site, robot: Robot) -> Skill:
    """Make a skill with its trained policy; raises ConfigError with the known names."""
    if name not in SKILLS:
        raise ConfigError(f"unknown skill {name!r}; known: {sorted(SKILLS)}")
    module, cls = SKILLS[name].split(":")
    return getattr(import_module(module), cls)(site, robot)
