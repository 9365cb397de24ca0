"""Which policies there are, and what each has to do: choose among the candidates."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from hrl_core.config import ConfigError, shown
from hrl_master.behaviour_tree import BehaviourTree
from hrl_master.candidate import Candidate
from hrl_master.candidates import Options
from hrl_master.choice import Choice
from hrl_master.config import MasterConfig
from hrl_master.fixed_sequence import FixedSequence
from hrl_master.guided import GUIDED, Guided
from hrl_master.learned import LearnedPolicy
from hrl_master.planner import Planner
from hrl_master.situation import Situation


class Policy(Protocol):
    """Chooses the next candidate; `policy` in the configuration names which one."""

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice: ...


def _learned(options: Options, config: MasterConfig) -> Policy:
    folder = Path(config.policy_folder) if config.policy_folder else None
    return LearnedPolicy(BehaviourTree(options, config), folder)


POLICIES: dict[str, Callable[[Options, MasterConfig], Policy]] = {
    "behaviour_tree": BehaviourTree,
    "fixed_sequence": FixedSequence,
    "learned": _learned,
    "planner": Planner,
    GUIDED: Guided,
}


def make_policy(options: Options, config: MasterConfig) -> Policy:
    """The policy that the configuration names; raises ConfigError with the known ones."""
    if config.policy not in POLICIES:
        raise ConfigError(
            f"unknown master policy {shown(config.policy)} (`policy` in master.yaml, or --policy); "
            f"known: {sorted(POLICIES)}"
        )
    return POLICIES[config.policy](options, config)
