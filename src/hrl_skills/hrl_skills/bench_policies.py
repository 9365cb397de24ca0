"""`./hrl bench policies`: what one tick of each policy costs on one core, by runtime."""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from hrl_core.policy.policy import Policy
from hrl_core.policy.runtime import RUNTIMES
from hrl_core.robot import DEFAULT_ROBOT, load_robot
from hrl_skills.library import load_policy_of, policy_names

ROUNDS, CALLS = 15, 300


def seconds_per_call(policies: list[Policy]) -> np.ndarray:
    """Median CPU time for one observation, of each policy [s].

    In turns and without what other processes take: ratios hold on a busy machine, too.
    """
    observation = policies[0].network.mean[None]
    times = np.zeros((1 + ROUNDS, len(policies)))
    for row in times:
        for k, policy in enumerate(policies):
            begun = time.thread_time()
            for _ in range(CALLS):
                policy(observation)
            row[k] = (time.thread_time() - begun) / CALLS
    return np.median(times[1:], axis=0)  # the first round warms up


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="./hrl bench policies", description=__doc__)
    parser.add_argument("--robot", default=DEFAULT_ROBOT, help="whose policies they are")
    robot = load_robot(parser.parse_args(arguments).robot).name
    table = Table(box=None, header_style="bold")
    for column in ("policy", *(f"{name}, us" for name in RUNTIMES), "ratio", "share of a period"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name in policy_names(robot):
        shipped = load_policy_of(name, robot)
        assert shipped.card is not None
        policies = [Policy(shipped.tensors, shipped.card, runtime) for runtime in RUNTIMES]
        times = seconds_per_call(policies)
        table.add_row(
            name,
            *(f"{1e6 * seconds:.1f}" for seconds in times),
            " : ".join(f"{seconds / times[0]:.1f}" for seconds in times),
            f"{100 * times[0] * shipped.card.rate_hz:.2f} %",
        )
    console = Console(highlight=False, width=100)
    console.print(table)
    console.print(
        "CPU time for one observation, with checks; the first is the default, HRL_RUNTIME chooses"
    )
