"""`./hrl skills`: the skills that are there, and the card of one."""

import sys
import textwrap
from itertools import groupby

from rich.console import Console
from rich.table import Table

from hrl_core.config import ConfigError
from hrl_core.policy.card import Card, Comparison, Figure, load_card
from hrl_skills.library import policy_folder, skill_names

WIDTH = 100  # columns, where the output is not a terminal
SUCCESS = "success rate"


def show_skills(robot: str) -> None:
    """A line per policy of a robot, by its name: the skills, and the gait that they walk with."""
    table = _table(
        "skill", "version", "success (95 %)", "trials", "hard half", "N", "min", "limits"
    )
    for name in ("gait", *skill_names()):
        path = policy_folder(name, robot) / "card.yaml"
        if not path.is_file():
            table.add_row(name, "", "no card")
            continue
        card = load_card(path)
        success, hard = _success(card), _hard_half(card)
        table.add_row(
            name,
            card.version,
            "not measured" if success is None else _share(success),
            "" if success is None else str(success.trials),
            ""
            if hard is None
            else f"{100 * hard.learned.value:.1f} : {100 * hard.script.value:.1f}",
            str(card.max_steps),
            f"{card.training.minutes:.0f}",
            textwrap.shorten("; ".join(card.limits), 25, placeholder=" ..."),
        )
    console = _console()
    console.print(table)
    console.print(
        "hard half: success in per cent on the harder half of the trials, learned : script;\n"
        "N: steps at most; min: minutes of training. A whole card: ./hrl skills NAME"
    )


def show_skill(name: str, robot: str) -> None:
    """The whole card of one policy of a robot."""
    known = ["gait", *skill_names()]
    if name not in known:
        raise ConfigError(f"unknown skill {name!r}; known: {known}")
    path = policy_folder(name, robot) / "card.yaml"
    if not path.is_file():
        raise ConfigError(f"{name} is a script and has no card; {path} does not exist")
    card = load_card(path)
    console = _console()

    def say(text: str) -> None:
        console.print(text, markup=False)

    seconds = card.max_steps / card.rate_hz
    say(f"{name} {card.version} for {card.robot}")
    say(f"at most {card.max_steps} steps at {card.rate_hz:g} Hz: {seconds:g} s")
    say(f"weights: sha256 {card.sha256}")
    for table in (_observation(card), _action(card)):
        console.print(table)
    for command, figures in groupby(card.figures, lambda figure: figure.command):
        table = _table("metric", "value (95 %)", "trials")
        for figure in figures:
            table.add_row(figure.metric, _value(figure), str(figure.trials))
        _heading(console, "measured by")
        say(command)
        console.print(table)
    if card.comparisons:
        _heading(console, "against a script that sees the same")
        console.print(_comparisons(card.comparisons))
    _training(console, card)
    _heading(console, "limits")
    for limit in card.limits:
        say(f"- {limit}")
    _heading(console, "licence")
    say(card.licence)


def _observation(card: Card) -> Table:
    table = _table("observation", "values", "unit")
    for part in card.observation:
        table.add_row(part.name, str(part.size), part.unit)
    return table


def _action(card: Card) -> Table:
    table = _table("action", "range", "unit")
    for part in card.action:
        table.add_row(part.name, f"{part.low:g} to {part.high:g}", part.unit)
    return table


def _comparisons(comparisons: tuple[Comparison, ...]) -> Table:
    table = _table("on", "learned", "script", "trials")
    for each in comparisons:
        table.add_row(each.on, _value(each.learned), _value(each.script), str(each.learned.trials))
    return table


def _training(console: Console, card: Card) -> None:
    training = card.training
    _heading(console, "trained by")
    lines = [training.command, f"{training.steps} control steps, {training.minutes:g} min"]
    if training.tasks is not None:
        lines.append(f"tasks: {training.tasks}, sha256 {training.tasks_sha256}")
    if training.init_sha256 is not None:
        lines.append(f"started from weights with sha256 {training.init_sha256}")
    if training.resumed:
        lines.append(f"interrupted and resumed {training.resumed} times")
    for line in lines:
        console.print(line, markup=False)
    if training.seeds:
        table = _table("seed", "metric", "value (95 %)", "trials", "weights")
        for each in training.seeds:
            figure = each.figure
            table.add_row(
                str(each.seed),
                figure.metric,
                _value(figure),
                str(figure.trials),
                each.sha256[:12],
            )
        console.print(table)


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def _heading(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    return table


def _success(card: Card) -> Figure | None:
    """The success rate as the shipped task file measures it, with the robot's own eyes."""
    named = {figure.metric: figure for figure in reversed(card.figures)}
    for way in ("with cameras", "in physics"):
        if (found := named.get(f"{SUCCESS}, {way}")) is not None:
            return found
    return None


def _hard_half(card: Card) -> Comparison | None:
    return next((each for each in card.comparisons if each.on.startswith("hard half")), None)


def _share(figure: Figure) -> str:
    text = f"{100 * figure.value:.1f} %"
    if figure.interval is not None:
        text += f" ({100 * figure.interval[0]:.1f} to {100 * figure.interval[1]:.1f})"
    return text


def _value(figure: Figure) -> str:
    if figure.metric.startswith(SUCCESS) and "minus" not in figure.metric:
        return _share(figure)
    text = f"{figure.value:.3g}"
    if figure.interval is not None:
        text += f" ({figure.interval[0]:.3g} to {figure.interval[1]:.3g})"
    return text
