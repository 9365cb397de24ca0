"""The schedule of MLSH: a fresh master warms up, then learns together with the sub-policies.

Source: Frans et al. 2017 (arXiv:1710.09767), algorithm 1. Several seeds train as one batch: they
share random streams, but no weights. A collapse is told by forced returns, see guards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from hrl_core.config import ConfigError
from hrl_training.mlsh.experiment import Experiment
from hrl_training.mlsh.guards import Verdict, judge, task_information, usage
from hrl_training.mlsh.masters.gradient import GradientMaster
from hrl_training.mlsh.measures import forced_returns
from hrl_training.mlsh.options.learned import LearnedOptions
from hrl_training.mlsh.rollout import Rollout, Situation, roll_out

CHECK_EPISODES = 10  # of each kind and option
REPAIR = 10  # joint iterations in which a fresh option is taught the neglected kind
USUAL = -1  # in a map of forced options: the master decides


class Collapsed(ConfigError):
    """Sub-policies have become one, and the card says to stop then."""


class _Taught:
    """A master, except in copies where an option is forced: (s, n), USUAL elsewhere."""

    def __init__(self, master: GradientMaster, forced: torch.Tensor) -> None:
        self._master, self._forced = master, forced

    def begin(self, seeds: int, copies: int) -> None:
        self._master.begin(seeds, copies)

    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        option, log_prob = self._master.decide(situation)
        return torch.where(self._forced == USUAL, option, self._forced), log_prob


class Trainer:
    """Sub-policies of `seeds` runs under one card; a hrl_training.rl.run.Trainer."""

    def __init__(self, experiment: Experiment, seeds: int, seed: int) -> None:
        torch.set_num_threads(1)
        self.experiment, self.seeds = experiment, seeds
        self.family = experiment.make_family()
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        e = experiment
        self.options = LearnedOptions(
            self.family, seeds, e.options, e.hidden, e.option_rate, self.generator
        )
        self.master = GradientMaster(
            self.family,
            seeds,
            e.tasks,
            e.options,
            kind=e.master,
            hidden=e.hidden,
            rate=e.master_rate,
            generator=self.generator,
        )
        self.iteration, self.steps = 0, 0
        self.repairs: list[str] = []  # what was found and done
        self._teaching: dict[int, tuple[int, int, int]] = {}  # seed -> option, kind, iterations
        self._tasks = np.zeros((seeds, e.tasks), int)

    @property
    def progress(self) -> float:
        return self.iteration / self.experiment.iterations

    def improve(self) -> dict[str, float]:
        """One iteration: episodes, the master's update and, in the joint phase, the options'."""
        e = self.experiment
        phase = self.iteration % (e.warmup + e.joint)
        if phase == 0:
            shape = (self.seeds, e.tasks)
            self._tasks = self.family.draw(self.rng, shape, "train", e.stratified)
            self.master.begin_anew()
        forced = self._forced()
        master = _Taught(self.master, forced)
        rollout = roll_out(
            self.family, self.rng, self._tasks, e.episodes, master, self.options, e.option_steps
        )
        self.steps += int(np.prod(forced.shape)) * self.family.horizon // self.seeds
        made = rollout.decisions
        shares = usage(made.option, made.made, e.tasks, e.options)
        if e.options > 1:
            self.master.learn(rollout, self.rng, self._bonus(rollout, shares), forced == USUAL)
        figures = self._figures(rollout, shares)
        if phase >= e.warmup:
            figures["option_kl"] = self.options.learn(
                rollout,
                self.rng,
                epochs=e.option_epochs,
                minibatches=e.minibatches,
                bonus=e.distinction,
            )
            figures["information"] = float(self.options.information(rollout).mean())
            self._teach_on()
        self.iteration += 1
        if self._due():
            figures |= self._check()
        return figures

    def _bonus(self, rollout: Rollout, shares: torch.Tensor) -> torch.Tensor | None:
        """The guard's addition to the rewards of decisions (m, s, n)."""
        if not self.experiment.task_information:
            return None
        told = task_information(shares).repeat_interleave(self.experiment.episodes, 1)
        option = rollout.decisions.option
        every = told.expand(len(option), *told.shape)
        chosen = every.gather(-1, option[..., None])[..., 0]
        return self.experiment.task_information * chosen

    def _figures(self, rollout: Rollout, shares: torch.Tensor) -> dict[str, float]:
        kinds = self.family.kind(rollout.tasks)
        of_task = rollout.returns.mean(-1)
        mean = shares.mean(1)
        doubt = -(mean * mean.clamp(min=1e-9).log()).sum(-1) / np.log(max(2, shares.shape[-1]))
        figures = {"return": float(of_task.mean()), "usage_entropy": float(doubt.mean())}
        for kind in np.unique(kinds):
            figures[f"return_of_kind_{kind}"] = float(of_task[kinds == kind].mean())
        return figures

    # Collapse

    def _due(self) -> bool:
        e = self.experiment
        cycle, rest = divmod(self.iteration, e.warmup + e.joint)
        late = e.check_every and cycle >= e.check_from * e.cycles
        return bool(late and not rest and cycle % e.check_every == 0 and e.options > 1)

    def verdicts(self) -> list[Verdict]:
        """Of every seed, by forced returns on training tasks."""
        rng = np.random.default_rng([self.iteration, self.seeds])
        forced = forced_returns(
            self.family, self.options, self.experiment.option_steps, rng, "train", CHECK_EPISODES
        )
        return [judge(of_seed) for of_seed in forced]

    def _check(self) -> dict[str, float]:
        """Tell collapsed seeds; repair them or stop, as the card says."""
        found = self.verdicts()
        lost = [seed for seed, verdict in enumerate(found) if verdict.collapsed]
        figures = {
            "collapsed": len(lost) / self.seeds,
            "worst_kind": float(np.mean([verdict.worst for verdict in found])),
        }
        if lost and self.experiment.on_collapse == "stop":
            raise Collapsed(
                f"collapsed after iteration {self.iteration}: "
                + "; ".join(_said(seed, found[seed]) for seed in lost)
            )
        if self.experiment.on_collapse == "repair":
            for seed in lost:
                if seed not in self._teaching:
                    self._repair(seed, found[seed])
        return figures

    def _repair(self, seed: int, verdict: Verdict) -> None:
        option, kind = verdict.redundant, verdict.neglected
        self.options.networks.begin_anew([seed * self.options.count + option])
        self._teaching[seed] = (option, kind, REPAIR)
        self.repairs.append(
            f"iteration {self.iteration}, {_said(seed, verdict)}: option {option} begins anew and "
            f"is taught kind {kind} for {REPAIR} joint iterations"
        )

    def _forced(self) -> torch.Tensor:
        """Options (s, n) of copies in which a fresh option is taught; USUAL elsewhere."""
        e = self.experiment
        forced = np.full((self.seeds, e.tasks * e.episodes), USUAL)
        kinds = np.repeat(self.family.kind(self._tasks), e.episodes, 1)
        if self.iteration % (e.warmup + e.joint) >= e.warmup:
            for seed, (option, kind, _) in self._teaching.items():
                forced[seed, kinds[seed] == kind] = option
        return torch.from_numpy(forced)

    def _teach_on(self) -> None:
        left = {seed: (option, kind, n - 1) for seed, (option, kind, n) in self._teaching.items()}
        self._teaching = {seed: each for seed, each in left.items() if each[2] > 0}

    # Checkpoints and words

    def state(self) -> dict[str, Any]:
        return {
            "experiment": self.experiment.model_dump_json(),
            "seeds": self.seeds,
            "options": self.options.networks.state_dict(),
            "options_optimiser": self.options.networks.optimiser.state_dict(),
            "master": self.master.networks.state_dict(),
            "master_optimiser": self.master.networks.optimiser.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "generator": self.generator.get_state(),
            "tasks": self._tasks.tolist(),
            "teaching": [[seed, *each] for seed, each in self._teaching.items()],
            "iteration": self.iteration,
            "steps": self.steps,
            "repairs": list(self.repairs),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; raises ConfigError where the card is another."""
        noted = Experiment.model_validate_json(state["experiment"])
        for name, before in noted.model_dump().items():
            if name != "cycles" and before != (now := getattr(self.experiment, name)):
                raise ConfigError(f"--resume: {name} is {now!r}; the checkpoint has {before!r}")
        if state["seeds"] != self.seeds:
            raise ConfigError(f"--seeds {self.seeds}: the checkpoint has {state['seeds']}")
        self.options.networks.load_state_dict(state["options"])
        self.options.networks.optimiser.load_state_dict(state["options_optimiser"])
        self.master.networks.load_state_dict(state["master"])
        self.master.networks.optimiser.load_state_dict(state["master_optimiser"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.generator.set_state(state["generator"])
        self._tasks = np.array(state["tasks"])
        self._teaching = {seed: (o, kind, n) for seed, o, kind, n in state["teaching"]}
        self.iteration, self.steps = state["iteration"], state["steps"]
        self.repairs = list(state["repairs"])

    def line(self, figures: Mapping[str, float]) -> str:
        words = f"{self.steps / 1e6:.2f}M steps a seed, return {figures['return']:.2f}"
        return words + (f"; {self.repairs[-1]}" if self.repairs else "")

    def so_far(self) -> str:
        return f"after iteration {self.iteration} of {self.experiment.iterations}"


def _said(seed: int, verdict: Verdict) -> str:
    return (
        f"run {seed} of the batch: no option gets more than {verdict.worst:.2f} of kind "
        f"{verdict.neglected}, where one for all kinds gets {verdict.alone:.2f} on average"
    )
