"""`./hrl demo`: one mission over ROS 2, watched in the terminal, recorded and judged."""

import os
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from mcap.exceptions import McapError
from rich.console import Console

from hrl_bringup.environment import Domain
from hrl_bringup.mission_log import MissionLog
from hrl_bringup.report import read_stills, write_report
from hrl_bringup.runner import Runner, signals_interrupt
from hrl_bringup.session import System, SystemOptions, new_log
from hrl_bringup.video import write_video
from hrl_bringup.view import View, make_view
from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_sim_bridge.world import load_world

OVERVIEW_RATE = 5.0  # Hz of ROS time
INTERRUPTED = 130  # exit status, as shells use it


@dataclass(frozen=True)
class DemoOptions:
    """What the command line asks for."""

    world: str
    seed: int
    robot: str
    headless: bool
    realtime_factor: float
    record: bool
    out: Path | None


def run_demo(options: DemoOptions) -> int:
    """Run it; 0 only if the plant's truth says that the item lies at its destination."""
    console = Console()
    try:
        world = load_world(options.world)
        load_robot(options.robot)
        log = new_log(world, options.world, options.seed)
    except ConfigError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 2
    folder = options.out or Path("out") / time.strftime("%Y-%m-%d_%H-%M-%S")
    folder.mkdir(parents=True, exist_ok=True)
    task = "{item} from {from_bin} to {to_station}".format(**log.order)
    console.print(f"{task}; results in {folder}/", highlight=False)
    status = 1
    try:
        with signals_interrupt():
            _run(options, world, folder, log, console)
        status = 0 if log.delivered else 1
    except KeyboardInterrupt:
        log.delivered, log.sentence, log.cause = False, "interrupted", "interrupted"
        status = INTERRUPTED
    except RuntimeError as error:  # a node died, or nobody answers
        log.delivered, log.sentence = False, str(error)
        log.cause = log.cause or log.failure_cause()
    _write_results(folder, log, world.site, console)
    style = "bold green" if status == 0 else "bold red"
    verdict = "delivered" if status == 0 else "not delivered"
    sentence = f"{verdict}: {log.sentence}"
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=True)
    if not options.headless and status != INTERRUPTED and _has_display():
        webbrowser.open((folder / "report.html").resolve().as_uri())
    return status


def _has_display() -> bool:
    return any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _run(options: DemoOptions, world, folder: Path, log: MissionLog, console: Console) -> None:
    view: View | None = None

    def watch() -> None:
        if view is not None:
            view.update(log)

    system_options = SystemOptions(
        world=options.world,
        robot=options.robot,
        seed=options.seed,
        realtime_factor=options.realtime_factor,
        overview_rate=OVERVIEW_RATE if options.record else 0.0,
        recording=(folder / "recording.mcap").resolve() if options.record else None,
    )
    with Domain() as domain, Runner(domain.number, (folder / "logs").resolve()) as runner:
        begin = time.monotonic()
        console.print(f"starting the nodes on ROS_DOMAIN_ID={domain.number}")
        with System(runner, system_options, watch) as system:
            console.print(f"ready after {time.monotonic() - begin:.1f} s", highlight=False)
            log.wall_started = time.monotonic()
            view = make_view(console, f"{options.world}, seed {options.seed}")
            try:
                system.run_mission(world, log)
            finally:
                view.close(log)


def _write_results(folder: Path, log: MissionLog, site, console: Console) -> None:
    """Write mission.json, mission.mp4 and report.html; say where they are."""
    if not log.wall_duration:
        log.wall_duration = time.monotonic() - log.wall_started
    log.write(folder / "mission.json")
    mission, stills, video = log.as_dict(), [], None
    recording = folder / "recording.mcap"
    try:
        if recording.is_file():
            stills = read_stills(recording, mission)
            if write_video(recording, folder / "mission.mp4"):
                video = "mission.mp4"
    except McapError as error:  # the recorder was killed
        console.print(f"{recording} is not complete: {error}", markup=False, soft_wrap=True)
    write_report(folder / "report.html", mission, site, stills, video)
    for path in sorted(folder.iterdir()):
        if path.is_file():
            console.print(f"  {path}  {path.stat().st_size / 1e6:.1f} MB", highlight=False)
