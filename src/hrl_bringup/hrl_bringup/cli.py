"""The command line: `./hrl COMMAND`. Everything heavy is imported by the command that needs it."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

app = typer.Typer(
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
    "perception": "hrl_training.bench_perception",
    "policies": "hrl_skills.bench_policies",
}


def _as_file(world: str) -> str:
    from hrl_bringup.listing import world_file
    from hrl_core.config import ConfigError

    try:
        return world_file(world)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error


World = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE|FAMILY:S",
        callback=_as_file,
        help="World in config/worlds, a .yaml file, or a drawn layout such as aisles:4.",
    ),
]
Robot = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="Robot in config/robots, or a .yaml file.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same trial.")]


@app.command()
def demo(
    world: World = "small_warehouse",
    seed: Seed = 0,
    robot: Robot = "spot",
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not show the report in a browser at the end.")
    ] = False,
    realtime_factor: Annotated[
        float, typer.Option(min=0, help="Simulated over wall time; 0: as fast as it can.")
    ] = 0.0,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Write recording.mcap and mission.mp4.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: out/<time>.")
    ] = None,
) -> None:
    """Run one mission over ROS 2: an item from a shelf to a station. Exit status 0: delivered."""
    from hrl_bringup.demo import DemoOptions, run_demo

    options = DemoOptions(
        world=world,
        seed=seed,
        robot=robot,
        headless=headless,
        realtime_factor=realtime_factor,
        record=record,
        out=out,
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
        workers=workers,
        over_ros=ros,
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
def doctor() -> None:
    """Say what is there, what is missing and how to get it."""
    from hrl_bringup import doctor

    raise typer.Exit(doctor.doctor())


@app.command(context_settings=FORWARDED)
def node(
    context: typer.Context, name: Annotated[str, typer.Argument(help="A node of nodes.py.")]
) -> None:
    """Run one node in the foreground: `./hrl node plant world:=open_bay seed:=3`."""
    from hrl_bringup.single_node import become_node

    _friendly(lambda: become_node(name, context.args))


@app.command(context_settings=FORWARDED, add_help_option=False)
def train(context: typer.Context) -> None:
    """Train a skill's policy: `./hrl train SKILL`."""
    _run_main("hrl_training.train", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def export(context: typer.Context) -> None:
    """Write a skill's policy as an ONNX file: `./hrl export SKILL`."""
    _run_main("hrl_skills.export", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def bench(
    context: typer.Context, what: Annotated[str, typer.Argument(metavar="|".join(BENCHMARKS))]
) -> None:
    """Measure speed of plant and nodes, of missions, perception's accuracy, or policies' cost."""
    if what not in BENCHMARKS:
        _refuse(f"unknown benchmark {what!r}; known: {sorted(BENCHMARKS)}")
    _run_main(BENCHMARKS[what], context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def evaluate(context: typer.Context) -> None:
    """Measure a skill on trials drawn from a task file: `./hrl evaluate SKILL`."""
    _run_main("hrl_training.evaluate", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def chance(context: typer.Context) -> None:
    """Ask a running skill how likely a goal is to succeed: `./hrl chance grasp --target A2`."""
    _run_main("hrl_bringup.chance_node", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def approvals(context: typer.Context) -> None:
    """What the master asks a person: `./hrl approvals [list|approve|deny|watch|log]`."""
    _run_main("hrl_bringup.approvals_node", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def explain(context: typer.Context) -> None:
    """Say why each decision of a mission was made: `./hrl explain mission.json [--decision N]`."""
    _run_main("hrl_bringup.explain_node", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def report(context: typer.Context) -> None:
    """What a ledger says of its missions: `./hrl report LEDGER [--html F] [--json F]`."""
    _run_main("hrl_bringup.ledger_report", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def calibrate(context: typer.Context) -> None:
    """Fit a skill's chance of success to its trials: `./hrl calibrate SKILL --rows FILE`."""
    _run_main("hrl_training.calibrate", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def adapt(context: typer.Context) -> None:
    """Learn a master for one site from the shipped one: `./hrl adapt --world FILE`."""
    _run_main("hrl_training.adapt", context.args)


@app.command(context_settings=FORWARDED, add_help_option=False)
def gap(context: typer.Context) -> None:
    """Compare the fast world with full physics, on the missions of `./hrl trials --json`."""
    _run_main("hrl_training.gap", context.args)


@app.command("fit-outcomes", context_settings=FORWARDED, add_help_option=False)
def fit_outcomes(context: typer.Context) -> None:
    """Fit the fast world to trials of skills and missions: `./hrl fit-outcomes --rows FILES`."""
    _run_main("hrl_training.fast.outcomes", context.args)


@app.command()
def skills(
    name: Annotated[str | None, typer.Argument(help="Show this one with its card.")] = None,
) -> None:
    """List the skills that are there, or show one: its policy, observation, action, figures."""
    from hrl_bringup.skill_listing import show_skill, show_skills

    _friendly(show_skills if name is None else lambda: show_skill(name))


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

    _friendly(lambda: show_world(world, seed, disturb, out))


@world_app.command("generate")
def world_generate(
    family: Annotated[str, typer.Argument(help="aisles, perimeter, islands or mixed.")],
    file: Annotated[Path, typer.Argument(help="The .yaml file to write.")],
    seed: Seed = 0,
) -> None:
    """Write a world file: a warehouse of a family, drawn from a seed."""
    from hrl_bringup.listing import generate_world

    _friendly(lambda: generate_world(family, seed, file))


def _run_main(module: str, arguments: list[str]) -> None:
    """Run `main` of a module that parses its own options."""
    main = importlib.import_module(module).main
    _friendly(lambda: main(arguments))


def _friendly(action: Callable[[], object]) -> None:
    """Run it; a mistake in a file or a value is a sentence, not a traceback."""
    from hrl_core.config import ConfigError

    try:
        result = action()
    except ConfigError as error:
        _refuse(str(error))
    raise typer.Exit(result if isinstance(result, int) else 0)


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="./hrl")
