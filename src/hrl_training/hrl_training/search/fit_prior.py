"""`./hrl train site_prior`: fit what is assumed of a site before it has shown anything.

Sites with habits are drawn, the behaviour tree searches there in the abstract simulator, and the
weights of the prior's rates are those that make all that it found the likeliest (expectation
maximisation over a fixed grid, Laird 1978). The times of a search are fitted to missions of the
behaviour tree in the fast world.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrl_core.number_options import integer
from hrl_core.paths import folder_to_write
from hrl_master.memory.prior import SHIPPED, Rates, SitePrior
from hrl_master.memory.searches import Search
from hrl_master.search_plan import SHIPPED_TIMES, SearchTimes
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.search.abstract import AbstractSite

WRONG = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
NOWHERE = (0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5)
SHARE = (0.0, 0.25, 0.5, 0.7, 0.85, 0.95)
# Assumed, not fitted: the sites that it is fitted to do not change, and see everything.
CHANGE, SEEN = 0.0005, 0.97
STEPS = 300  # of expectation maximisation
FAMILY = "aisles@16x12"  # layouts of seeds from 0 on
TIMED = 12  # missions at each site, for the times


def searches_at(site: AbstractSite, orders: int, seed: int) -> list[Search]:
    """What the tree finds in so many orders."""
    habits = site.world.trial.habits
    assert habits is not None, "the site has habits"
    rng = np.random.default_rng(seed)
    return [site.run(site.draw(habits.of_mission(0), rng), None, 0.0).shown for _ in range(orders)]


def likelihoods(searches: Sequence[Search], bins: int) -> np.ndarray:
    """(items, wrong, nowhere, share): of complete searches of the items of one site."""
    w = np.array(WRONG)[:, None]
    x = np.array(NOWHERE)[None, :]
    h = np.maximum(1 - w - x, 0.02)
    total = h + w + x
    h, w, x = h / total, w / total, x / total
    found = []
    for item in sorted({search.item for search in searches}):
        mine = [search for search in searches if search.item == item]
        wrong = [search.found for search in mine if search.found not in ("", search.home)]
        missing = sum(not search.found for search in mine)
        at_home = len(mine) - len(wrong) - missing
        top = at_home * np.log(h) + len(wrong) * np.log(w) + missing * np.log(x)
        where = np.array([_habitual(wrong, share, bins - 1) for share in SHARE])
        found.append(np.exp(top[:, :, None] + where))
    return np.array(found)


def _habitual(wrong: Sequence[str], share: float, others: int) -> float:
    """Log likelihood of the wrong bins, whichever of the others is the habitual one."""
    anywhere = (1 - share) / others
    counts = [wrong.count(name) for name in sorted({*wrong})]
    counts += [0] * (others - len(counts))
    each = [n * np.log(share + anywhere) + ((len(wrong) - n) * np.log(anywhere)) for n in counts]
    return float(np.logaddexp.reduce(each)) - np.log(others)


def fit_weights(likelihood: np.ndarray) -> list[np.ndarray]:
    """The likeliest weights of each axis after the first, of rates that are independent."""
    weights = [np.full(n, 1 / n) for n in likelihood.shape[1:]]
    for _ in range(STEPS):
        joint = likelihood * np.einsum("i,j,k->ijk", *weights)
        joint /= joint.sum(axis=(1, 2, 3), keepdims=True)
        mean = joint.mean(axis=0)
        weights = [mean.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    return weights


def fit_prior(sites: int, orders: int, seed: int, times: SearchTimes | None = None) -> SitePrior:
    """The prior of sites with habits."""
    found = []
    for k in range(sites):
        site = AbstractSite(load_world(f"{FAMILY}:{seed + k}+habits{seed + k}"), times)
        found.append(likelihoods(searches_at(site, orders, seed + k), len(site.bins)))
    rates = [
        Rates(values=values, weights=_rounded(weights))
        for values, weights in zip(
            (WRONG, NOWHERE, SHARE), fit_weights(np.concatenate(found)), strict=True
        )
    ]
    wrong, nowhere, share = rates
    return SitePrior(wrong=wrong, nowhere=nowhere, share=share, change=CHANGE, seen=SEEN)


def _rounded(weights: np.ndarray) -> tuple[float, ...]:
    """To four digits; what is met nowhere stays possible."""
    kept = np.maximum(weights, 0.002)
    return tuple(round(float(weight), 4) for weight in kept / kept.sum())


def fit_times(sites: int, missions: int, seed: int) -> SearchTimes:
    """Mean times of the steps of undisturbed missions of the tree in the fast world."""
    walks: list[tuple[float, float]] = []
    others: dict[str, list[float]] = {"approach": [], "grasp": [], "place": [], "in vain": []}
    for k in range(sites):
        world = load_world(f"{FAMILY}:{seed + k}+habits{seed + k}")
        site = FastSite(world, world.site.name)
        graph = site.options.graph
        for number in range(missions):
            trial = draw_trial(world, seed + number, "none")
            rng = np.random.default_rng([seed, k, number])
            row = run_mission(site, trial, site.policy("behaviour_tree"), rng=rng)
            here = graph.here(trial.start[:2])
            for each in row.decisions:
                if each["ended_s"] is None:
                    continue
                seconds = each["ended_s"] - each["began_s"]
                skill, target = each["skill"], str(each["target"]).removesuffix(" standoff")
                if skill == "walk" and target in graph.index:
                    way = float(graph.distances()[graph.index[here], graph.index[target]])
                    if each["confirmed"] and np.isfinite(way):
                        walks.append((way, seconds))
                    here = target
                elif skill in ("approach", "place") and each["confirmed"]:
                    others[skill].append(seconds)
                elif skill == "grasp":
                    others["grasp" if each["confirmed"] else "in vain"].append(seconds)
    way, seconds = np.array(walks).T
    pace, walk = np.polyfit(way, seconds, 1)
    mean = {name: round(float(np.mean(some)), 2) for name, some in others.items()}
    return SearchTimes(
        walk=round(float(walk), 2),
        pace=round(float(pace), 3),
        approach=mean["approach"],
        grasp=mean["grasp"],
        place=mean["place"],
        hand_look=mean["in vain"],
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl train site_prior", description=__doc__)
    parser.add_argument("--seed", type=integer(), default=0, help="of layouts, habits and orders")
    parser.add_argument("--sites", type=integer(1), default=12, help="that are drawn")
    parser.add_argument("--orders", type=integer(1), default=240, help="at each site")
    parser.add_argument("--out", type=folder_to_write, default=Path("out/train/site_prior"))
    parser.add_argument("--install", action="store_true", help="make the result the shipped one")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    times = fit_times(min(options.sites, 6), TIMED, options.seed)
    print(f"times of a search, s: {times.model_dump()}", flush=True)
    prior = fit_prior(options.sites, options.orders, options.seed, times)
    options.out.mkdir(parents=True, exist_ok=True)
    for model, shipped in ((prior, SHIPPED), (times, SHIPPED_TIMES)):
        text = json.dumps(model.model_dump(), indent=1) + "\n"
        for path in [options.out / shipped.name, *([shipped] if options.install else [])]:
            path.write_text(text, encoding="utf-8")
    for name in ("wrong", "nowhere", "share"):
        print(f"{name}: mean {getattr(prior, name).mean:.3f}")
    print(f"wrote {options.out} in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
