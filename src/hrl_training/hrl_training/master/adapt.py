"""`./hrl adapt --world FILE`: a master for one site, from the one that is shipped.

The skills stay as they are. The shipped master goes on learning on missions at the site, in the
fast world; so does, for comparison, one that begins from scratch, and a policy without skills.
Curves are of missions that no training draws.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.number_options import integer, real
from hrl_core.paths import folder_to_write
from hrl_master.learned import FOLDER, load_policy, write_policy
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.fast.flat import FlatMissions
from hrl_training.fast.rollouts import Place, Rollouts
from hrl_training.master.ppo import MasterPPOConfig
from hrl_training.master.train import (
    Schedule,
    Trainer,
    commit,
    drawing,
    evaluate,
    evaluation_jobs,
)
from hrl_training.missions.summary import compare, summarise
from hrl_training.rl.ppo import PPO, PPOConfig
from hrl_training.rl.run import updates
from hrl_training.trials.journal import to_json

# Shares of the time: the policy itself, each further seed of its curve, each seed of the others.
SHARES = {"adapted": 0.28, "adapted again": 0.07, "from scratch": 0.12, "without skills": 0.05}
PER_UPDATE = 48  # missions
CURVE_MISSIONS = 48  # of each point of a curve
CURVE_SEED, JUDGED_SEED = 100_000, 200_000  # trials of the curves, of the figures
NEAR_FINAL = 0.9  # of the final return
FLAT_ENVS = 32
FINE = MasterPPOConfig(learning_rate=3e-4, final_learning_rate=1e-4, entropy_weight=0.003)


@dataclass
class Curve:
    """Mean return over the missions that it was trained on."""

    missions: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)

    def add(self, missions: int, value: float) -> None:
        self.missions.append(missions)
        self.returns.append(round(value, 4))

    def until(self, value: float) -> int | None:
        """Missions to the first point so good, and no worse on average after; None: never."""
        for k, reached in enumerate(self.returns):
            if reached >= value and np.mean(self.returns[k:]) >= value:
                return self.missions[k]
        return None


@dataclass(frozen=True, kw_only=True)
class AdaptOptions:
    """What the command line asks for."""

    world: str
    minutes: float
    seeds: int
    workers: int
    missions: int
    init: Path
    compare: bool
    out: Path


def adapt(options: AdaptOptions) -> dict[str, Any]:
    """Adapt, compare and write everything into the folder; returns what adapt.json holds."""
    world = load_world(options.world)
    shipped = load_policy(options.init)[1]
    rollouts = Rollouts([Place(options.world)], options.workers)
    curves: dict[str, list[Curve]] = {name: [] for name in ("adapted", "from scratch")}
    try:
        share = SHARES["adapted"] if options.compare else 0.9
        weights, curve, missions = _learn(options, rollouts, 0, share, shipped)
        curves["adapted"].append(curve)
        figures = _figures(rollouts, options.missions, {"adapted": weights, "shipped": shipped})
        for seed in range(1, options.seeds if options.compare else 0):
            again = _learn(options, rollouts, seed, SHARES["adapted again"], shipped)
            curves["adapted"].append(again[1])
        for seed in range(options.seeds if options.compare else 0):
            scratch = _learn(options, rollouts, seed, SHARES["from scratch"], None)
            curves["from scratch"].append(scratch[1])
            if seed == 0:
                figures |= _figures(rollouts, options.missions, {"from_scratch": scratch[0]})
    finally:
        rollouts.close()
    if options.compare:
        flat = [_learn_flat(options, world, seed) for seed in range(options.seeds)]
        curves["without skills"] = flat
    result = {
        "world": options.world,
        "figures": figures,
        "near_final": NEAR_FINAL,
        **until_near_final(curves),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_policy(
        options.out,
        weights,
        name=f"master of {world.site.name}",
        trained_on=f"{Path(options.world).name}, from {options.init.name}; fast world",
        seed=0,
        missions=missions,
        figures={k: v for k, v in figures.items() if isinstance(v, (int, float))},
        commit=commit(),
    )
    (options.out / "adapt.json").write_text(to_json(result, indent=1) + "\n", encoding="utf-8")
    plot(curves, result, options.out / "adaptation.png", world.site.name)
    return result


def _learn(
    options: AdaptOptions,
    rollouts: Rollouts,
    seed: int,
    share: float,
    begin: dict[str, np.ndarray] | None,
) -> tuple[dict[str, np.ndarray], Curve, int]:
    """Learn for a share of the time; the weights of the best point of the curve, and the curve."""
    config = FINE if begin is not None else MasterPPOConfig()
    minutes = share * options.minutes
    schedule = Schedule(shown=0, per_update=PER_UPDATE, minutes=minutes)
    trainer = Trainer(rollouts, drawing(1), schedule, seed, config)
    if begin is not None:
        trainer.ppo.net.adopt(begin)
    jobs = evaluation_jobs(1, CURVE_MISSIONS, CURVE_SEED)
    curve, best, best_value = Curve(), trainer.weights(), -np.inf
    deadline = time.monotonic() + 60 * minutes
    every = 1
    while True:
        value = evaluate(rollouts, jobs, trainer.weights())[1]
        curve.add(trainer.missions, value)
        if value > best_value:
            best, best_value = trainer.weights(), value
        if trainer.missions and time.monotonic() >= deadline:
            return best, curve, trainer.missions
        # Points lie ever further apart, so that a long curve does not cost more than its training.
        for _ in range(every):
            trainer.improve()
            if time.monotonic() >= deadline:
                break
        every = min(every + 1, 6)


def _learn_flat(options: AdaptOptions, world: Any, seed: int) -> Curve:
    """PPO without skills for its share of the time; returns are those of its own missions."""
    env, curve = FlatMissions(world, FLAT_ENVS, seed), Curve()
    minutes = SHARES["without skills"] * options.minutes
    ppo = PPO(env, PPOConfig(discount=0.995, horizon=64), seed, minutes=minutes)
    for _ in updates(ppo):
        if env.returns:
            curve.add(len(env.returns), float(np.mean(env.returns[-100:])))
    return curve


def _figures(
    rollouts: Rollouts, missions: int, policies: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, Any]:
    """Figures of policies, and of the behaviour tree where there is a shipped one among them."""
    jobs = evaluation_jobs(1, missions, JUDGED_SEED)
    rows, figures = {}, {}
    names: list[tuple[str, Mapping[str, np.ndarray] | str]] = [*policies.items()]
    if "shipped" in policies:
        names += [(name, name) for name in ("behaviour_tree", "fixed_sequence")]
    for name, weights in names:
        rows[name], value = evaluate(rollouts, jobs, weights)
        summary = summarise(rows[name])
        figures |= {
            f"{name}_return": round(value, 4),
            f"{name}_success": summary["success_rate"],
            f"{name}_mean_resolved_after_s": summary["mean_resolved_after_s"],
        }
    if "behaviour_tree" in rows:
        pair = compare(rows["adapted"], rows["behaviour_tree"])
        figures["adapted_against_behaviour_tree"] = pair
        figures["judged_missions"] = missions
    return figures


def until_near_final(curves: Mapping[str, Sequence[Curve]]) -> dict[str, Any]:
    """Missions that each needed to 90 % of the return which the adapted policy ends with."""
    ends = [np.mean(curve.returns[-3:]) for curve in curves["adapted"]]
    final = float(np.mean(ends))
    return {
        "final_return": round(final, 4),
        "missions_to_near_final": {
            name: [curve.until(NEAR_FINAL * final) for curve in some]
            for name, some in curves.items()
        },
        "curves": {
            name: [{"missions": c.missions, "returns": c.returns} for c in some]
            for name, some in curves.items()
        },
    }


def plot(
    curves: Mapping[str, Sequence[Curve]], result: Mapping[str, Any], path: Path, site: str
) -> None:
    """Returns over missions, one line per seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for colour, (name, some) in zip(("C0", "C1", "C3"), curves.items(), strict=False):
        for k, curve in enumerate(some):
            x = np.maximum(curve.missions, 1)
            axes.plot(x, curve.returns, colour, alpha=0.8, label=name if k == 0 else None)
    near = NEAR_FINAL * result["final_return"]
    axes.axhline(near, color="grey", linestyle=":", label="90 % of the adapted policy's return")
    axes.set_xscale("log")
    axes.set_xlabel("missions trained on at the site")
    axes.set_ylabel("mean return of a mission")
    axes.set_title(f"{site}: adapted, from scratch, and without skills")
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl adapt", description=__doc__)
    parser.add_argument("--world", required=True, help="name in config/worlds, or a file")
    parser.add_argument("--minutes", type=real(0.01, 1e5), default=10.0, help="for all of it")
    parser.add_argument("--seeds", type=integer(1), default=3, help="curves of each kind")
    parser.add_argument("--workers", type=integer(1), default=2, help="processes")
    parser.add_argument(
        "--missions", type=integer(1), default=200, help="of the figures at the end"
    )
    parser.add_argument(
        "--init", default="shipped", metavar="FOLDER|shipped", help="policy to start from"
    )
    parser.add_argument(
        "--no-comparison",
        dest="compare",
        action="store_false",
        help="adapt only, with all of the time",
    )
    parser.add_argument("--out", type=folder_to_write, help="folder (default out/adapt/WORLD)")
    given = vars(parser.parse_args(arguments))
    given["init"] = FOLDER if given["init"] == "shipped" else Path(given["init"])
    given["out"] = given["out"] or Path("out", "adapt", Path(given["world"]).stem)
    options = AdaptOptions(**given)
    started = time.monotonic()
    try:
        result = adapt(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    for name, value in result["figures"].items():
        print(f"{name}: {value}")
    for name, needed in result["missions_to_near_final"].items():
        print(f"missions to {100 * NEAR_FINAL:.0f} % of {result['final_return']}, {name}: {needed}")
    print(f"wrote {options.out} in {(time.monotonic() - started) / 60:.1f} min")
    return 0


if __name__ == "__main__":
    sys.exit(main())
