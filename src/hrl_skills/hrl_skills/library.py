"""The skills that ship with hrl, by name; imported only when one is made."""

from importlib import import_module
from pathlib import Path

from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_skills.policy import Policy, load_policy
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


def load_policy_of(name: str, folder: Path | None = None) -> Policy:
    """The learned policy of a skill, or the gait's: the shipped one, or that in `folder`.

    Checked against what the skill's module declares as OBSERVATION and ACTION.
    """
    modules = {"gait": "hrl_skills.gait"} | {
        skill: place.split(":")[0] for skill, place in SKILLS.items()
    }
    if name not in modules:
        raise ConfigError(f"unknown policy {name!r}; known: {sorted(modules)}")
    module = import_module(modules[name])
    return load_policy(name, module.OBSERVATION, module.ACTION, folder)
