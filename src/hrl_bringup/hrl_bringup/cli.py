"""The command line: `./hrl COMMAND`. Everything heavy is imported by the command that needs it."""

import importlib
import math
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from hrl_bringup.commands import BY_SCRIPT, COMMANDS, ROS, Command, needs_of
from hrl_bringup.doctor import foreign_middleware


class Commands(TyperGroup):
    """The commands; a mistake in a file or a value is a sentence, not a traceback."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Refuse what would end without a word: rclpy ends the process of itself."""
        if ROS[0] in needs_of(args) and not {"-h", "--help"} & {*args}:
            if sentence := foreign_middleware():
                _refuse(sentence)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> object:
        from hrl_core.config import ConfigError

        try:
            return super().invoke(ctx)
        except ConfigError as error:
            _refuse(str(error))
        except OSError as error:
            if error.filename is None:
                raise
            _refuse(f"{error.filename}: {error.strerror}")


app = typer.Typer(
    cls=Commands,
    help="A ROS 2 skill stack for a mobile manipulator, with a simulated warehouse to try it in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
world_app = typer.Typer(help="Look at world files, or draw new ones.", no_args_is_help=True)
app.add_typer(world_app, name="world")

# Commands whose options belong to the module that does the work: `<name> --help` asks it.
FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True}
BENCHMARKS = {
    "plant": "hrl_bringup.bench_plant",
    "missions": "hrl_bringup.bench_missions",
    "mlsh": "hrl_training.mlsh.bench",
    "perception": "hrl_training.perception.bench",
    "policies": "hrl_skills.bench_policies",
    "stopping": "hrl_bringup.bench_stopping",
    "systems": "hrl_bringup.bench_systems",
    "console": "hrl_console.bench",
}


def _range_of(orders: str) -> tuple[int, int]:
    low, _, high = orders.partition("-")
    numbers = [part for part in (low, high or low) if part.isdecimal()]
    if len(numbers) < 2 or not 1 <= int(numbers[0]) <= int(numbers[1]) <= 9:
        _refuse(f"--orders {orders}: allowed are a number from 1 to 9 and two of them, as in 2-5")
    return int(numbers[0]), int(numbers[1])


def _finite(factor: float | None) -> float | None:
    if factor is not None and not math.isfinite(factor):
        _refuse(f"--realtime-factor {factor}: allowed are finite numbers from 0")
    return factor


def _share(share: float | None) -> float | None:
    if share is not None and not 0 <= share <= 1:
        _refuse(f"--systems {share}: allowed are numbers from 0 to 1")
    return share


def _as_file(world: str) -> str:
    from hrl_bringup.listing import world_file

    return world_file(world)


World = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE|FAMILY:S",
        callback=_as_file,
        help="World in config/worlds, a .yaml file, or a drawn layout: aisles:4, mixed@30x20:4.",
    ),
]
Robot = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="Robot in config/robots, or a .yaml file.")
]
Driver = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="The plant speaks as this driver of config/drivers, and its node turns that back.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same trial.")]


@app.command()
def demo(
    world: World = "small_warehouse",
    seed: Seed = 0,
    robot: Robot = "spot",
    driver: Driver = "",
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not show the report in a browser at the end.")
    ] = False,
    realtime_factor: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=_finite,
            help="Simulated over wall time; 0: as fast as it can, the default without --console.",
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Write recording.mcap and mission.mp4.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: out/<time>.")
    ] = None,
    secure: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keystore of ./hrl secure to use.")
    ] = None,
    console: Annotated[
        bool,
        typer.Option(
            "--console", help="A page for operators beside it, in real time; stays until Ctrl-C."
        ),
    ] = False,
) -> None:
    """Run one mission over ROS 2: an item from a shelf to a station. Exit status 0: delivered."""
    from hrl_bringup.demo import DemoOptions, run_demo

    options = DemoOptions(
        world=world,
        seed=seed,
        robot=robot,
        driver=driver,
        headless=headless,
        realtime_factor=(1.0 if console else 0.0) if realtime_factor is None else realtime_factor,
        record=record,
        out=out,
        keystore=secure,
        console=console,
    )
    raise typer.Exit(run_demo(options))


@app.command()
def trials(
    world: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE|FAMILY:S",
            help="As of demo; more than one: missions take turns. Default: small_warehouse.",
        ),
    ] = None,
    missions: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    orders: Annotated[
        str, typer.Option(metavar="N|LOW-HIGH", help="Orders of a mission, 1 to 9.")
    ] = "1",
    seed: Seed = 0,
    robot: Robot = "spot",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="Policy of the master, or the folder of a learned one; more than one: they are "
            "compared on the same seeds. Default: that of config/master.yaml.",
        ),
    ] = None,
    disturb: Annotated[
        Literal["file", "none", "one", "many"],
        typer.Option(help="Disturbances: as likely as the world file says, or so many kinds."),
    ] = "file",
    json: Annotated[
        Path | None, typer.Option(help="Write summary and a row per mission to this file.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the rows that are in --out.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for rows, page and ledger; default: in out/trials/."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    ros: Annotated[
        bool, typer.Option("--ros", help="Over ROS 2, one mission after the other.")
    ] = False,
    fast_world: Annotated[
        bool, typer.Option("--fast-world", help="Without physics: a mission in parts of a second.")
    ] = False,
    driver: Driver = "",
    systems: Annotated[
        float | None,
        typer.Option(
            callback=_share,
            metavar="FRACTION",
            help="With a stock system that is right about this fraction of the items.",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Over the Ray cluster of this head (host:port)."),
    ] = None,
) -> None:
    """Run missions and count: successes with 95 % intervals, times, causes of failures."""
    from hrl_bringup.trials import TrialsOptions, run_trials

    options = TrialsOptions(
        worlds=tuple(world or ["small_warehouse"]),
        missions=missions,
        seed=seed,
        robot=robot,
        json=json,
        policies=tuple(policy or ()),
        disturb=disturb,
        orders=_range_of(orders),
        workers=workers,
        over_ros=ros,
        fast_world=fast_world,
        driver=driver,
        systems=systems,
        ray=ray,
        resume=resume,
        out=out,
    )
    raise typer.Exit(run_trials(options))


@app.command(context_settings=FORWARDED)
def test(
    context: typer.Context,
    fast: Annotated[
        bool, typer.Option("--fast", help="Only what needs no ROS; under a minute.")
    ] = False,
) -> None:
    """Run the suites. What follows goes to pytest, for example `-k report -x`."""
    from hrl_bringup.suites import run_suites

    raise typer.Exit(run_suites(fast, context.args))


@app.command()
def doctor(
    driver: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Compare the live graph of ROS_DOMAIN_ID with this driver file instead.",
        ),
    ] = "",
    robot: Robot = "spot",
    seconds: Annotated[
        float, typer.Option(min=1, max=600, help="To listen, at most, for all to be heard.")
    ] = 15.0,
) -> None:
    """Say what is there, what is missing and how to get it."""
    if driver:
        from hrl_driver.ros.doctor import examine

        raise typer.Exit(examine(driver, robot, seconds))
    from hrl_bringup import doctor

    raise typer.Exit(doctor.doctor())


@app.command(context_settings=FORWARDED)
def node(
    context: typer.Context, name: Annotated[str, typer.Argument(help="A node of nodes.py.")]
) -> None:
    """Run one node in the foreground: `./hrl node plant world:=open_bay seed:=3`."""
    from hrl_bringup.single_node import become_node

    become_node(name, context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def bench(
    context: typer.Context, what: Annotated[str, typer.Argument(metavar="|".join(BENCHMARKS))]
) -> None:
    """Measure speed of plant and nodes, of missions; perception, policies' cost, way to rest,
    what a stock system saves; learned sub-policies (MLSH).
    """
    if what not in BENCHMARKS:
        _refuse(f"unknown benchmark {what!r}; known: {sorted(BENCHMARKS)}")
    _run_main(BENCHMARKS[what], context.args)


@app.command()
def skills(
    name: Annotated[str | None, typer.Argument(help="Show this one with its card.")] = None,
    robot: Robot = "spot",
) -> None:
    """List the skills that are there, or show one: its policy, observation, action, figures."""
    from hrl_bringup.skill_listing import show_skill, show_skills
    from hrl_core.robot import load_robot

    whose = load_robot(robot).name
    show_skills(whose) if name is None else show_skill(name, whose)


@world_app.command("show")
def world_show(
    world: Annotated[str, typer.Argument(metavar="NAME|FILE|FAMILY:S")] = "small_warehouse",
    seed: Seed = 0,
    disturb: Annotated[
        Literal["file", "none", "one", "many"],
        typer.Option(help="Disturbances: as likely as the world file says, or so many kinds."),
    ] = "file",
    out: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw it from above into this file.")
    ] = None,
) -> None:
    """Check a world file and show what is in it, and the trial that a seed makes of it."""
    from hrl_bringup.listing import show_world

    show_world(world, seed, disturb, out)


@world_app.command("generate")
def world_generate(
    family: Annotated[str, typer.Argument(help="aisles, perimeter, islands or mixed.")],
    file: Annotated[Path, typer.Argument(help="The .yaml file to write.")],
    seed: Seed = 0,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Of the hall in m, 8x6 to 40x25. Default: drawn, small."),
    ] = None,
    shelves: Annotated[
        int | None, typer.Option(help="2 to 30, with --size. Default: as suit the hall.")
    ] = None,
    items: Annotated[
        int | None, typer.Option(help="Kinds of items, 1 to 14, with --size. Default: up to 10.")
    ] = None,
    habits: Annotated[
        int | None,
        typer.Option(min=0, metavar="SEED", help="With habits of this seed. Default: none."),
    ] = None,
) -> None:
    """Write a world file: a warehouse of a family, drawn from a seed."""
    from hrl_bringup.listing import generate_world, hall_of

    generate_world(family, seed, file, hall_of(size, shelves, items), habits)


def _forward(command: Command) -> None:
    """Add a command whose module parses the options."""

    def run(context: typer.Context) -> None:
        _run_main(command.module, context.args)

    settings = {"context_settings": FORWARDED, "add_help_option": False}
    app.command(command.name, help=command.help, **settings)(run)


def _run_main(module: str, arguments: list[str]) -> None:
    """Run `main` of a module that parses its own options."""
    status = importlib.import_module(module).main(arguments)
    raise typer.Exit(status if isinstance(status, int) else 0)


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(2)


def _complete() -> None:
    """Add the forwarded commands, in the order of the table; it and this file have the same."""
    for command in COMMANDS.values():
        if command.module:
            _forward(command)
    here = {
        each.name or getattr(each.callback, "__name__", ""): each
        for each in app.registered_commands
    }
    groups = {str(group.name) for group in app.registered_groups}
    if odd := set(COMMANDS) ^ {*here, *groups, *BY_SCRIPT}:
        raise ValueError(f"{sorted(odd)}: commands only in commands.py, or only in cli.py")
    app.registered_commands = [here[name] for name in COMMANDS if name in here]


_complete()

if __name__ == "__main__":
    app(prog_name="./hrl")
