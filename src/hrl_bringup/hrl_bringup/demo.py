"""`./hrl demo`: one mission over ROS 2, watched in the terminal, recorded and judged."""

import contextlib
import os
import tempfile
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hrl_bringup.environment import Domain, domain_asked_for
from hrl_bringup.mission_log import MissionLog
from hrl_bringup.recorded import whole
from hrl_bringup.reports.mission import read_snapshots, write_report
from hrl_bringup.runner import Runner, signals_interrupt
from hrl_bringup.security.environment import security_environment
from hrl_bringup.security.tokens import ROLES, Tokens
from hrl_bringup.session import CONSOLE_PORT, System, SystemOptions, new_log
from hrl_bringup.video import write_video
from hrl_bringup.view import View, make_view
from hrl_core.config import ConfigError
from hrl_core.paths import folder_to_write
from hrl_core.robot import load_robot
from hrl_driver.profile import load_driver
from hrl_sim_bridge.worlds.loading import load_world

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
    keystore: Path | None = None  # with it nobody without its keys takes part
    console: bool = False  # with the page for operators
    driver: str = ""  # that the plant speaks as; empty: none


def run_demo(options: DemoOptions) -> int:
    """Run it; 0 only if the plant's truth says that the item lies at its destination."""
    console = Console()
    try:
        world = load_world(options.world)
        load_robot(options.robot)
        if options.driver:
            load_driver(options.driver)
        if options.keystore is not None:
            os.environ.update(security_environment(options.keystore))
        log = new_log(world, options.world, options.seed)
        folder = folder_to_write(options.out or Path("out") / time.strftime("%Y-%m-%d_%H-%M-%S"))
        domain = Domain(domain_asked_for())
    except ConfigError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    task = "{item} from {from_bin} to {to_station}".format(**log.order)
    console.print(f"{task}; results in {folder}/", highlight=False)
    status = 1
    try:
        with signals_interrupt():
            _run(options, world, folder, log, console, domain)
        status = 0 if log.judgement.delivered else 1
    except KeyboardInterrupt:
        log.broke_off("interrupted", "interrupted")
        status = INTERRUPTED
    except RuntimeError as error:  # a node died, or nobody answers
        log.broke_off(str(error), log.cause or log.failure_cause())
    _write_results(folder, log, world.site, console)
    style = "bold green" if status == 0 else "bold red"
    verdict = "delivered" if status == 0 else "not delivered"
    sentence = f"{verdict}: {log.judgement.sentence}"
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=True)
    if not options.headless and status != INTERRUPTED and _has_display():
        webbrowser.open((folder / "report.html").resolve().as_uri())
    return status


def _has_display() -> bool:
    return any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _run(
    options: DemoOptions, world, folder: Path, log: MissionLog, console: Console, domain: Domain
) -> None:
    view: View | None = None

    def watch() -> None:
        if view is not None:
            view.update(log)

    def tell(line: str) -> None:
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    tokens = (folder / "console_tokens.json").resolve() if options.console else None
    system_options = SystemOptions(
        console=tokens,
        world=options.world,
        robot=options.robot,
        seed=options.seed,
        driver=options.driver,
        realtime_factor=options.realtime_factor,
        overview_rate=OVERVIEW_RATE if options.record else 0.0,
        recording=(folder / "recording.mcap").resolve() if options.record else None,
    )
    with domain, Runner(domain.number, (folder / "logs").resolve()) as runner:
        begin = time.monotonic()
        console.print(f"starting the nodes on ROS_DOMAIN_ID={domain.number}")
        with System(runner, system_options, watch, tell) as system:
            console.print(f"ready after {time.monotonic() - begin:.1f} s", highlight=False)
            if tokens is not None:
                token = Tokens(tokens).make("demo", ROLES)
                page = f"http://127.0.0.1:{CONSOLE_PORT}/#{token}"
                console.print(f"console: {page}", highlight=False, soft_wrap=True)
            log.wall_started = time.monotonic()
            view = make_view(console, f"{options.world}, seed {options.seed}")
            try:
                system.run_mission(world, log)
            finally:
                view.close(log)
            if tokens is not None and not options.headless:
                console.print("further orders at the console; Ctrl-C ends everything")
                with contextlib.suppress(KeyboardInterrupt):
                    system.stay()


def _write_results(folder: Path, log: MissionLog, site, console: Console) -> None:
    """Write mission.json, mission.mp4 and report.html; say where they are."""
    if not log.wall_duration:
        log.wall_duration = time.monotonic() - log.wall_started
    log.write(folder / "mission.json")
    mission, snapshots, video = log.as_dict(), [], None
    recording = folder / "recording.mcap"
    with tempfile.TemporaryDirectory() as copies:
        try:
            if recording.is_file():
                recording, damage = whole(recording, Path(copies))
                if damage:
                    console.print(damage, markup=False, soft_wrap=True)
                snapshots = read_snapshots(recording, mission)
                if write_video(recording, folder / "mission.mp4"):
                    video = "mission.mp4"
        except ConfigError as error:  # the recorder was killed before it wrote anything
            console.print(str(error), markup=False, soft_wrap=True)
    write_report(folder / "report.html", mission, site, snapshots, video)
    for path in sorted(folder.iterdir()):
        if path.is_file():
            console.print(f"  {path}  {path.stat().st_size / 1e6:.1f} MB", highlight=False)
