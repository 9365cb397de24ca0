"""The arms of the comparison, as changes to a family's card, and the masters of unseen tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from hrl_training.mlsh.experiment import Experiment
from hrl_training.mlsh.masters.gradient import GradientMaster, Kind
from hrl_training.mlsh.masters.option_model import OptionModelMaster
from hrl_training.mlsh.masters.recurrent import RecurrentConfig, RecurrentMaster
from hrl_training.mlsh.masters.search import SmdpQ, Thompson
from hrl_training.mlsh.measures import Adapting, adaptation
from hrl_training.mlsh.options.hand_made import DriveOptions, StepOptions
from hrl_training.mlsh.rollout import Options
from hrl_training.mlsh.tasks.four_rooms import FourRooms

UNGUARDED = {
    "stratified": False,
    "task_information": 0.0,
    "distinction": 0.0,
    "on_collapse": "ignore",
    "check_every": 0,
}
FAST_RATE, LOGITS_RATE = 3e-3, 0.2  # of a master that is not reset; of one with K weights
PER_UPDATE = {"paper": 20, "network": 5, "logits": 5}  # episodes; the others learn from each
SCRATCH = "scratch"
SHARED = "one policy"
HAND_MADE: dict[str, type[DriveOptions] | type[StepOptions]] = {
    "four_rooms": StepOptions,
    "aisles": DriveOptions,
}


def arms(card: Experiment) -> dict[str, Experiment]:
    """Arm -> experiment; `SCRATCH` needs no training."""
    cycle = card.warmup + card.joint

    def changed(**values: Any) -> Experiment:
        return Experiment.model_validate({**card.model_dump(), **values})

    def guard(**values: Any) -> Experiment:
        return changed(**{**UNGUARDED, **values})

    privileged: Mapping[str, Any] = {
        "master": "privileged",
        "master_rate": FAST_RATE,
        "warmup": 0,
        "joint": 1,
        "check_every": 0,
        # Twice the updates of sub-policies, and yet fewer steps: none is spent on a warm-up.
        "cycles": 2 * card.cycles * card.joint,
    }
    made = {
        "mlsh": guard(),
        "repaired": card,
        "privileged": changed(**privileged),
        "no warm-up": guard(warmup=0, joint=cycle),
        "N = 1": guard(option_steps=1),
        "stratified only": guard(stratified=True),
    }
    if card.task_information:
        made["task information only"] = guard(task_information=card.task_information)
    if card.distinction:
        made["distinction only"] = guard(distinction=card.distinction)
    made[SHARED] = guard(options=1, warmup=0, joint=1, cycles=card.cycles * card.joint)
    return made


def masters(card: Experiment) -> tuple[str, ...]:
    """Those that are compared on the same sub-policies."""
    found = ("paper", "network", "logits", "smdp_q", "thompson")
    return (*found, "option_model") if card.family == "four_rooms" else (*found, "recurrent")


def adapt(
    master: str,
    card: Experiment,
    options: Options,
    tasks: np.ndarray,
    episodes: int,
    seed: int,
) -> np.ndarray:
    """Return of every episode (episodes, s, g) on tasks (s, g) under a master of `masters`."""
    family = card.make_family()
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    seeds, each = tasks.shape

    def gradient(kind: Kind, rate: float) -> GradientMaster:
        return GradientMaster(
            family,
            seeds,
            each,
            options.count,
            kind=kind,
            hidden=card.hidden,
            rate=rate,
            generator=generator,
        )

    def smdp_q() -> SmdpQ:
        rooms = isinstance(family, FourRooms)
        return SmdpQ(
            seeds,
            each,
            options.count,
            cells=(lambda seen: seen.argmax(-1))
            if rooms
            else (lambda seen: seen[..., 0].long() * 0),
            cell_count=family.observation_size if rooms else 1,
            first=card.scale / family.return_scale,
            generator=generator,
        )

    def option_model() -> OptionModelMaster:
        assert isinstance(family, FourRooms), "its cells are what is modelled"
        return OptionModelMaster(family, options, each, card.option_steps, rng)

    def recurrent() -> RecurrentMaster:
        scale = family.return_scale / card.scale
        made = RecurrentMaster(family, options, RecurrentConfig(reward_scale=0.4 * scale), seed)
        made.train(card.option_steps)
        return made

    make: dict[str, Callable[[], Adapting]] = {
        "paper": lambda: gradient("network", card.master_rate),
        "network": lambda: gradient("network", card.master_rate),
        "logits": lambda: gradient("logits", LOGITS_RATE),
        "smdp_q": smdp_q,
        "thompson": lambda: Thompson(seeds, each, options.count, card.scale, rng),
        "option_model": option_model,
        "recurrent": recurrent,
    }
    steps = card.option_steps
    per_update = PER_UPDATE.get(master, 1)
    return adaptation(family, options, make[master](), tasks, episodes, per_update, steps, rng)
