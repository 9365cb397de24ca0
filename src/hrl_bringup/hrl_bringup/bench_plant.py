"""`./hrl bench plant`: the plant in this process, then all nodes over ROS for one mission."""

import tempfile
import time
from pathlib import Path

from hrl_bringup.environment import Domain
from hrl_bringup.runner import Runner, signals_interrupt
from hrl_bringup.session import System, SystemOptions, new_log
from hrl_sim_bridge import bench
from hrl_sim_bridge.worlds.loading import load_world

WORLD, SEED = "small_warehouse", 0


def factor_over_ros() -> float:
    """Simulated over wall time of one mission in lockstep, from its order to its verdict."""
    world = load_world(WORLD)
    log = new_log(world, WORLD, SEED)
    logs = Path(tempfile.mkdtemp(prefix="hrl-bench-")) / "logs"
    with signals_interrupt(), Domain() as domain, Runner(domain.number, logs) as runner:
        with System(runner, SystemOptions(WORLD, "spot", SEED), lambda: None) as system:
            begun = time.monotonic()
            system.run_mission(world, log)
            return (log.now - log.started) / (time.monotonic() - begun)


def main(arguments: list[str]) -> None:
    bench.main(arguments)
    print(
        f"all nodes over ROS, all sensors at their rates, cameras at 5 Hz: "
        f"{factor_over_ros():.1f} times real time"
    )
