"""Many missions in the fast world, over processes, with what a trainer needs of each."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hrl_core.config import ConfigError
from hrl_master.candidate import Candidate
from hrl_master.choice import Choice
from hrl_master.features import encode
from hrl_master.learned import Network
from hrl_master.policy import Policy
from hrl_master.situation import Situation
from hrl_sim_bridge.judging.solvable import final_bins
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Disturb, Trial
from hrl_sim_bridge.worlds.faults import DISTURBANCES
from hrl_sim_bridge.worlds.layouts import generate
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.fast.skill_outcomes import OutcomeModel, load_outcomes
from hrl_training.missions.row import MissionRow

TRUTH = len(DISTURBANCES) + 1
TRIALS_KEPT = 4000  # over all sites; drawing one takes longer than running its mission


WEIGHTS = {  # what a mission is worth
    "wrong_item": -1.0,
    "delivered": 1.0,
    "rightly_handed_over": 0.5,
    # With -1, and 0.01 for a second, it hands over rather than look in other bins.
    "needlessly_handed_over": -2.0,
    "failed": -1.0,  # neither delivered nor handed over
    "second": -0.006,  # for each
}


def reward_terms(row: MissionRow) -> dict[str, float]:
    """Weighted terms of a mission by their names in WEIGHTS; their sum is its return."""
    handed_over = row.handed_over and not row.delivered
    values = {
        "wrong_item": row.wrong_item_delivered,
        "delivered": row.delivered,
        "rightly_handed_over": handed_over and not row.solvable,
        "needlessly_handed_over": handed_over and row.solvable,
        "failed": not (row.delivered or row.handed_over),
        "second": row.resolved_after_s,
    }
    return {name: weight * values[name] for name, weight in WEIGHTS.items()}


def reward_of_end(row: MissionRow) -> float:
    """Without the time that it took."""
    return sum(value for name, value in reward_terms(row).items() if name != "second")


class Step(NamedTuple):
    """One decision of a mission."""

    context: np.ndarray  # (C,)
    actions: np.ndarray  # (n, F)
    mask: np.ndarray  # (n,) bool
    chosen: int
    log_probability: float
    truth: np.ndarray  # (T,) of the trial, for the value function only
    reward: float = 0.0
    seconds: float = 0.0  # until the next decision


@dataclass(frozen=True)
class Place:
    """Where missions take place: a world file, or a layout family and the seed of a layout."""

    world: str
    layout: int | None = None

    def load(self) -> World:
        if self.layout is None:
            return load_world(self.world)
        return generate(self.world, self.layout)

    @property
    def name(self) -> str:
        return Path(self.world).stem if self.layout is None else f"{self.world}/{self.layout}"


@dataclass(frozen=True)
class Job:
    """One mission: where, which trial, and the seed of what happens by chance."""

    place: int  # index of the place
    seed: int
    disturb: Disturb
    luck: int


def truth_of(trial: Trial) -> np.ndarray:
    """(TRUTH,) what is true of a trial, for a value function: which kinds, and no item at all."""
    nowhere = final_bins(trial)[trial.order.item] is None
    kinds = [float(kind in trial.disturbances) for kind in DISTURBANCES]
    return np.array([*kinds, float(nowhere)], np.float32)


class Watched:
    """A network as a policy that notes what it decides; `greedy`: without exploration."""

    def __init__(
        self,
        network: Network,
        adviser: Policy,
        truth: np.ndarray,
        rng: np.random.Generator,
        greedy: bool,
    ) -> None:
        self._network, self._adviser = network, adviser
        self._truth, self._rng, self._greedy = truth, rng, greedy
        self.steps: list[tuple[Step, float]] = []  # with the stamp of the decision

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        advised = self._adviser.decide(situation, candidates).index
        encoded = encode(situation, candidates, advised)
        p = self._network.probabilities(encoded)
        index = int(np.argmax(p)) if self._greedy else int(self._rng.choice(len(p), p=p / p.sum()))
        step = Step(
            encoded.context,
            encoded.actions,
            encoded.mask,
            index,
            float(np.log(p[index])),
            self._truth,
        )
        self.steps.append((step, situation.scene.stamp))
        return Choice(index, p, "")


class Shown:
    """Another policy, watched in the same way, to be imitated."""

    def __init__(self, policy: Policy, adviser: Policy, truth: np.ndarray) -> None:
        self._policy, self._adviser, self._truth = policy, adviser, truth
        self.steps: list[tuple[Step, float]] = []

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        choice = self._policy.decide(situation, candidates)
        advised = self._adviser.decide(situation, candidates).index
        encoded = encode(situation, candidates, advised)
        parts = (encoded.context, encoded.actions, encoded.mask)
        step = Step(*parts, choice.index, 0.0, self._truth)
        self.steps.append((step, situation.scene.stamp))
        return choice


class Worker:
    """Runs missions at a list of places; one lives in each process."""

    def __init__(self, places: Sequence[Place], model: OutcomeModel) -> None:
        self._places, self._model = places, model
        self._sites: dict[int, FastSite] = {}
        self._trials: dict[tuple[int, int, str], Trial] = {}

    def run(
        self, jobs: Sequence[Job], weights: Mapping[str, np.ndarray] | str, greedy: bool
    ) -> list[tuple[list[Step], MissionRow, float]]:
        """Steps, row and return of each mission; `weights`: of a network, or a policy's name."""
        network = None if isinstance(weights, str) else Network(weights)
        found = []
        for job in jobs:
            site, rng = self._site(job.place), np.random.default_rng(job.luck)
            trial, adviser = self._trial(job), site.policy("behaviour_tree")
            if network is None:
                assert isinstance(weights, str)
                policy = Shown(site.policy(weights), adviser, truth_of(trial))
            else:
                policy = Watched(network, adviser, truth_of(trial), rng, greedy)
            row = run_mission(site, trial, policy, self._model, np.random.default_rng(job.luck))
            found.append((_rewarded(policy, row), row, sum(reward_terms(row).values())))
        return found

    def _site(self, index: int) -> FastSite:
        if index not in self._sites:
            place = self._places[index]
            self._sites[index] = FastSite(place.load(), place.name)
        return self._sites[index]

    def _trial(self, job: Job) -> Trial:
        key = job.place, job.seed, job.disturb
        if key not in self._trials:
            if len(self._trials) >= TRIALS_KEPT:
                self._trials.clear()
            self._trials[key] = draw_trial(self._site(job.place).world, job.seed, job.disturb)
        return self._trials[key]


def _rewarded(policy: Watched | Shown, row: MissionRow) -> list[Step]:
    """What was decided, with what each decision brought and how long it took."""
    began = policy.steps[0][1] if policy.steps else 0.0
    stamps = [stamp for _, stamp in policy.steps] + [began + row.resolved_after_s]
    steps = []
    for k, (step, stamp) in enumerate(policy.steps):
        seconds = max(stamps[k + 1] - stamp, 0.0)
        last = reward_of_end(row) if k == len(policy.steps) - 1 else 0.0
        steps.append(step._replace(reward=WEIGHTS["second"] * seconds + last, seconds=seconds))
    return steps


_worker: Worker | None = None


def _start(places: Sequence[Place], model: OutcomeModel) -> None:
    global _worker
    # Ctrl-C reaches every process; the one that asked for the missions decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = Worker(places, model)


def _run(jobs: Sequence[Job], weights: Mapping[str, np.ndarray] | str, greedy: bool) -> list:
    assert _worker is not None, "_start has made it"
    return _worker.run(jobs, weights, greedy)


class Rollouts:
    """Missions over `workers` processes; one: in this process."""

    def __init__(
        self,
        places: Sequence[Place],
        workers: int = 1,
        model: OutcomeModel | None = None,
    ) -> None:
        if not places:
            raise ConfigError("no place to run missions at")
        self.places = list(places)
        self._own = Worker(self.places, model or load_outcomes())
        # A pool each, so that a place is always with the same process, which keeps its trials.
        self._pools = [
            ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(self.places, model or load_outcomes()),
            )
            for _ in range(workers if workers > 1 else 0)
        ]

    def collect(
        self, jobs: Sequence[Job], weights: Mapping[str, np.ndarray] | str, greedy: bool = False
    ) -> list[tuple[list[Step], MissionRow, float]]:
        """Steps, row and return of each mission, in the order of the jobs."""
        if not self._pools:
            return self._own.run(jobs, weights, greedy)
        # One place only: by the seed of the trial.
        alone = len(self.places) == 1
        parts: list[list[int]] = [[] for _ in self._pools]
        for k, job in enumerate(jobs):
            parts[(job.seed if alone else job.place) % len(parts)].append(k)
        futures = [
            pool.submit(_run, [jobs[k] for k in part], weights, greedy)
            for pool, part in zip(self._pools, parts, strict=True)
        ]
        found: list = [None] * len(jobs)
        for part, future in zip(parts, futures, strict=True):
            for k, result in zip(part, future.result(), strict=True):
                found[k] = result
        return found

    def close(self) -> None:
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
