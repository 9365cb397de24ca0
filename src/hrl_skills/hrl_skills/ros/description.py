"""What a skill's server says of it on <skill>/describe."""

import sys

import yaml

from hrl_core.config import ConfigError
from hrl_core.control import TICK
from hrl_core.outcomes import FOREIGN, codes_of
from hrl_core.policy.policy import load_card
from hrl_skills.library import policy_folder
from hrl_skills.runner import REQUIRED
from hrl_skills.skill import Skill


def describe(skill: Skill, robot: str, response):
    """Fill in a response of DescribeSkill; `robot`: name of the one that runs it."""
    response.name = skill.name
    response.max_steps = skill.max_steps
    response.rate = 1.0 / TICK
    response.description = (sys.modules[type(skill).__module__].__doc__ or "").strip()
    response.preconditions = [
        line.strip() for line in (type(skill).start.__doc__ or "").splitlines() if line.strip()
    ]
    contract = skill.contract
    response.outcome_codes = [code.name for code in codes_of(0)]
    response.outcome_codes += [
        f"{code.name}={int(code)}" if code in FOREIGN else code.name for code in contract.codes
    ]
    response.action_type, response.provides = contract.action, list(contract.provides)
    response.parameters = [f"{name}: {text}" for name, text in contract.parameters.items()]
    response.needs = [*REQUIRED, *contract.needs]
    try:
        card = load_card(policy_folder(skill.name, robot) / "card.yaml")
    except ConfigError as error:
        response.card = f"# {error}"
        return response
    response.version = card.version
    response.observation = [f"{p.name}[{p.size}] {p.unit}" for p in card.observation]
    response.action = [f"{p.name} {p.unit}, {p.low} to {p.high}" for p in card.action]
    response.card = yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False)
    return response
