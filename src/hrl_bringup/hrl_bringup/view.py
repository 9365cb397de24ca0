"""The mission in the terminal as it goes: a live panel, or lines where output goes to a file."""

import math
import time
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hrl_bringup.mission_log import DecisionEntry, MissionLog

REFRESH = 0.25  # s of wall time between two drawings
PLAIN_PERIOD = 10.0  # s of wall time between two lines about a running skill


class View(Protocol):
    """Shows a mission log. Call `update` as often as you like."""

    def update(self, log: MissionLog) -> None: ...

    def close(self, log: MissionLog) -> None: ...


def make_view(console: Console, title: str) -> View:
    """A live panel on a terminal, otherwise lines."""
    return LiveView(console, title) if console.is_terminal else PlainView(console)


class LiveView:
    """A panel that is drawn again in place."""

    def __init__(self, console: Console, title: str):
        self._title = title
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._live.start()
        self._drawn = -math.inf

    def update(self, log: MissionLog) -> None:
        if time.monotonic() - self._drawn >= REFRESH:
            self._drawn = time.monotonic()
            self._live.update(draw(log, self._title), refresh=True)

    def close(self, log: MissionLog) -> None:
        self._live.update(draw(log, self._title), refresh=True)
        self._live.stop()


class PlainView:
    """A line per decision and outcome, and one now and then about a skill that takes long."""

    def __init__(self, console: Console):
        self._console = console
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._spoke = time.monotonic()

    def update(self, log: MissionLog) -> None:
        for entry in log.decisions:
            if entry.index not in self._begun:
                self._begun.add(entry.index)
                self._say(log, f"{_name(entry)}: {entry.reason}")
            if entry.ended is not None and entry.index not in self._ended:
                self._ended.add(entry.index)
                self._say(log, f"{_name(entry)} ended {entry.outcome}: {entry.detail}")
                sensed = "confirmed" if entry.confirmed else "not confirmed"
                self._say(log, f"    {sensed}: {_only_new(entry)}")
        running = log.running
        if running is not None and time.monotonic() - self._spoke > PLAIN_PERIOD:
            self._say(log, f"    {_skill(log)}; {_speed(log)}")

    def close(self, log: MissionLog) -> None:
        self.update(log)
        if log.outcome:
            self._say(log, f"the master: {log.outcome}: {log.detail}")

    def _say(self, log: MissionLog, line: str) -> None:
        self._spoke = time.monotonic()
        line = f"{log.duration:7.1f} s  {line}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def draw(log: MissionLog, title: str) -> Panel:
    """The panel: order, running skill, pose, speed, and the decisions so far."""
    order = log.order
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    facts.add_row("order", f"{order['item']} from {order['from_bin']} to {order['to_station']}")
    running = log.running
    facts.add_row("decision", f"{_name(running)}: {running.reason}" if running else "none")
    facts.add_row("skill", _skill(log) if running else "none")
    bar = ProgressBar(total=1.0, completed=log.skill.progress if running else 0.0, width=40)
    facts.add_row("progress", bar)
    facts.add_row("pose", _pose(log))
    facts.add_row("time", f"{log.duration:.1f} s, {_speed(log)}")
    return Panel(Group(facts, _past(log)), title=title, title_align="left")


def _past(log: MissionLog) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for column in ("", "decision", "outcome", "sensed"):
        table.add_column(column, overflow="fold")
    for entry in log.decisions:
        if entry.ended is not None:
            good = entry.outcome == "SUCCEEDED"
            table.add_row(
                str(entry.index + 1),
                f"{entry.skill} {entry.target}",
                Text(f"{entry.outcome} ({entry.steps} steps)", style="green" if good else "red"),
                Text(
                    _only_new(entry) if good else entry.detail,
                    style="green" if entry.confirmed else "yellow",
                ),
            )
    return table


def _name(entry: DecisionEntry) -> str:
    return f"{entry.index + 1}. {entry.skill} {entry.target}"


def _only_new(entry: DecisionEntry) -> str:
    """What the verdict says beside the skill's own sentence."""
    return entry.verdict.removeprefix(entry.detail).removeprefix("; ") or entry.verdict


def _skill(log: MissionLog) -> str:
    skill = log.skill
    steps = f"step {skill.step} of {skill.max_steps}"
    return f"{skill.phase or 'starting'}, {steps}, {skill.error:.2f} m left"


def _pose(log: MissionLog) -> str:
    if not log.estimated:
        return "unknown"
    _, x, y, yaw = log.estimated[-1]
    distance, angle = log.deviation
    return (
        f"x {x:.2f} m, y {y:.2f} m, yaw {math.degrees(yaw):.0f} deg "
        f"(+-{distance * 100:.0f} cm, {math.degrees(angle):.1f} deg)"
    )


def _speed(log: MissionLog) -> str:
    text = f"x{log.realtime_factor:.1f} real time"
    return text + (f", {log.lockstep_misses} ticks missed" if log.lockstep_misses else "")
