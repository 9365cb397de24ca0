"""The skills that are there, ours and those of other packages, by name; imported when one is made.

A package declares its skills as entry points of the group `hrl.skills`: name = module:Class. See
docs/write_a_skill.md.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.outcomes import FOREIGN
from hrl_core.policy.policy import ActionField, Field, Policy, load_policy
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_skills.skill import Skill

GROUP = "hrl.skills"
# Where the policies of the gait and of our skills are: <robot>/<skill>/ with weights and card.
POLICIES = Path(os.environ.get("HRL_POLICIES") or Path(__file__).parent / "policies")
ACTIONS = {topics.RUN_SKILL, *(topics.ACTIONS[n] for n in ("walk", "approach", "grasp", "place"))}
# Ours, for a checkout that is on the path and not installed; setup.py declares the same.
OWN = {
    "walk": "hrl_skills.walk:Walk",
    "approach": "hrl_skills.approach:Approach",
    "grasp": "hrl_skills.grasp:Grasp",
    "place": "hrl_skills.place:Place",
    "align": "hrl_skills.align:Align",
    "back_out": "hrl_skills.back_out:BackOut",
}


def skill_names() -> tuple[str, ...]:
    """All skills that are there: ours first, then those of other packages."""
    others = {point.name for point in entry_points(group=GROUP)}
    return (*OWN, *sorted(others - set(OWN)))


def make_skill(name: str, site: Site, robot: Robot) -> Skill:
    """Make a skill with its trained policy; raises ConfigError with the known names."""
    return load_class(name)(site, robot)


def load_class(name: str) -> Any:
    """The class of a skill; raises ConfigError where it is not one."""
    place = place_of(name)
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"skill {name!r}: cannot import {place}: {error}") from error
    verbs = ("start", "tick", "stop", "conditions", "max_steps", "contract")
    missing = [verb for verb in verbs if not hasattr(found, verb)]
    if missing:
        raise ConfigError(f"skill {name!r}: {place} has no {missing}; see hrl_skills.skill.Skill")
    if getattr(found, "name", None) != name:
        called = getattr(found, "name", None)
        raise ConfigError(f"skill {name!r}: {place} is called {called!r}; both must be the same")
    if found.contract.action not in ACTIONS:
        raise ConfigError(
            f"skill {name!r}: action {found.contract.action!r}; allowed are {sorted(ACTIONS)}"
        )
    own = [int(code) for code in found.contract.codes if code not in FOREIGN]
    if name not in OWN and own:
        allowed = f"{FOREIGN.start} to {FOREIGN.stop - 1}"
        raise ConfigError(f"skill {name!r}: codes {own}; allowed are {allowed}")
    return found


def place_of(name: str) -> str:
    """Where the class of a skill is, "module:Class"; raises ConfigError with the known names."""
    places = {point.value for point in entry_points(group=GROUP, name=name)}
    if name in OWN:
        places.add(OWN[name])
    if not places:
        raise ConfigError(f"unknown skill {name!r}; known: {sorted(skill_names())}")
    if len(places) > 1:
        raise ConfigError(f"skill {name!r} is there twice: {sorted(places)}; remove one package")
    return places.pop()


def policy_folder(name: str, robot: str) -> Path:
    """Folder with weights, card and success model of a skill for a robot, by its name.

    policies/<robot>/<skill> beside the skill's module.
    """
    if name == "gait" or name in OWN:
        return POLICIES / robot / name
    module = place_of(name).partition(":")[0]
    try:
        spec = find_spec(module)
    except ImportError as error:
        raise ConfigError(f"skill {name!r}: cannot import {module}: {error}") from error
    if spec is None or spec.origin is None:
        raise ConfigError(f"skill {name!r}: there is no module {module}")
    return Path(spec.origin).parent / "policies" / robot / name


def policy_names(robot: str) -> list[str]:
    """The learned policies of a robot: its gait's, and those of skills that ship weights."""
    names = ("gait", *skill_names())
    return [name for name in names if (policy_folder(name, robot) / "card.yaml").is_file()]


def shipped_policy(
    name: str, robot: str, observation: Sequence[Field], action: Sequence[ActionField]
) -> Policy:
    """The policy that a robot's skill runs with, for the skill itself, which declares the rest."""
    return load_policy(name, robot, observation, action, policy_folder(name, robot))


def load_policy_of(name: str, robot: str, folder: Path | None = None) -> Policy:
    """The learned policy of a skill, or the gait's: the robot's shipped one, or that in `folder`.

    Checked against what the skill's module declares as OBSERVATION and ACTION.
    """
    known = ("gait", *skill_names())
    if name not in known:
        raise ConfigError(f"unknown policy {name!r}; known: {list(known)}")
    place = "hrl_skills.gait" if name == "gait" else place_of(name)
    module = import_module(place.partition(":")[0])
    folder = folder or policy_folder(name, robot)
    return load_policy(name, robot, module.OBSERVATION, module.ACTION, folder)
