"""`./hrl bench console`: what viewers cost, as the plant's speed with and without them in one run.

The same mission over ROS several times, as fast as it goes, beside one console: in turn with
nobody at it and with viewers, who take every state and every picture as the page does. They run on
the same cores as all nodes, so their own cost counts as well.
"""

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from hrl_bringup.environment import Domain
from hrl_bringup.runner import Runner, signals_interrupt
from hrl_bringup.security.tokens import Tokens
from hrl_bringup.session import CONSOLE_PORT, System, SystemOptions, new_log
from hrl_core.number_options import integer
from hrl_sim_bridge.worlds.loading import load_world

WORLD = "small_warehouse"
LOOK = 30.0  # s of wall time for the console to be up


@contextlib.contextmanager
def viewers(url: str, token: str, count: int):
    """Some of them, each a process of its own; a list of what they got is filled at the end."""
    command = [sys.executable, "-m", "hrl_console.bench_viewer", url, token]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    got: list[dict[str, float]] = []
    try:
        yield got
    finally:
        for process in started:
            process.send_signal(signal.SIGINT)
        for process in started:
            said, _ = process.communicate(timeout=30)
            got += [json.loads(line) for line in said.splitlines()]


def measure(rounds: int, count: int) -> tuple[dict[int, list[float]], list[dict[str, float]]]:
    """Simulated over wall time of missions by how many looked on, and what these got."""
    world, factors, got = load_world(WORLD), {0: [], count: []}, []
    folder = Path(tempfile.mkdtemp(prefix="hrl-bench-"))
    token = Tokens(folder / "tokens.json").make("bench", ["viewer"])
    options = SystemOptions(WORLD, "spot", 0, console=folder / "tokens.json")
    with signals_interrupt(), Domain() as domain, Runner(domain.number, folder / "logs") as runner:
        with System(runner, options, lambda: None) as system:
            url = f"http://127.0.0.1:{CONSOLE_PORT}"
            _wait_for(url)
            for k in range(2 * rounds):
                number = count * (k % 2)
                log = new_log(world, WORLD, k // 2)
                with viewers(url, token, number) as results:
                    begun = time.monotonic()
                    system.run_mission(world, log, again=k % 2)
                    factors[number].append((log.now - log.started) / (time.monotonic() - begun))
                got += results
    return factors, got


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + LOOK
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url).close()
            return
        time.sleep(0.2)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="./hrl bench console",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=integer(1), default=2, help="missions of each kind")
    parser.add_argument("--viewers", type=integer(1, 20), default=5)
    options = parser.parse_args(arguments)
    factors, got = measure(options.rounds, options.viewers)
    means = {number: statistics.mean(each) for number, each in factors.items()}
    for number, each in factors.items():
        rounds = ", ".join(f"{factor:.2f}" for factor in each)
        print(f"{number} viewers: {means[number]:.2f} times real time ({rounds})")
    ratio = means[options.viewers] / means[0]
    print(f"with {options.viewers} viewers over without: {ratio:.2f}")
    if got:
        for what in ("states", "pictures"):
            rates = [each[what] for each in got]
            print(f"{what} of a viewer: {statistics.mean(rates):.1f} /s, least {min(rates):.1f} /s")


if __name__ == "__main__":
    main()
