"""The plots of `./hrl report`: PLOTS names them all."""

from collections.abc import Callable
from itertools import accumulate

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hrl_bringup.reports.colours import DELIVERED, FAILED, HANDED_OVER
from hrl_bringup.reports.ledger_facts import LedgerFacts
from hrl_bringup.reports.ledger_figures import failures_by_cause
from hrl_core.pages.page import PLOT_STYLE, inline_svg

SHOWN_CAUSES = 12
WIDTH = 10  # inches


def draw_plots(facts: LedgerFacts) -> dict[str, str]:
    """SVG elements by their titles; those that have no data are left out."""
    plots = {}
    for title, draw in PLOTS.items():
        with matplotlib.rc_context(fname=PLOT_STYLE):
            figure = draw(facts)
            if figure is not None:
                plots[title] = inline_svg(figure)
    return plots


def _draw_times(facts: LedgerFacts) -> Figure | None:
    kinds = (
        ("delivered", DELIVERED, facts.delivered),
        ("handed over", HANDED_OVER, facts.handed_over),
    )
    times = [[o.duration for o in orders if o.duration is not None] for *_, orders in kinds]
    if not any(times):
        return None
    figure = Figure(figsize=(WIDTH, 2.8))
    axes = figure.subplots()
    axes.hist(
        times,
        bins=25,
        stacked=True,
        color=[colour for _, colour, _ in kinds],
        label=[name for name, *_ in kinds],
    )
    axes.set(xlabel="s of ROS time from the begin of an order to its end", ylabel="orders")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def _draw_causes(facts: LedgerFacts) -> Figure | None:
    causes = list(failures_by_cause(facts).items())[:SHOWN_CAUSES]
    if not causes:
        return None
    names, counts = zip(*causes, strict=True)
    figure, axes = _bars(len(causes))
    axes.barh(names[::-1], counts[::-1], height=0.7, color=FAILED)
    axes.set_xlabel("orders")
    return figure


def _draw_sums(facts: LedgerFacts) -> Figure | None:
    if not facts.orders:
        return None
    figure = Figure(figsize=(WIDTH, 2.8))
    axes = figure.subplots()
    numbers = range(1, len(facts.orders) + 1)
    for name, colour, happened in (
        ("delivered", DELIVERED, [order.delivered for order in facts.orders]),
        ("interventions", HANDED_OVER, [order.intervention for order in facts.orders]),
    ):
        axes.step(numbers, list(accumulate(happened)), where="post", color=colour, label=name)
    axes.set(xlabel="orders, as they were given", ylabel="so far")
    axes.legend()
    return figure


def _draw_attempts(facts: LedgerFacts) -> Figure | None:
    if not facts.skills:
        return None
    names = list(facts.skills)[::-1]
    worked = [facts.skills[name].outcomes["SUCCEEDED"] for name in names]
    failed = [
        sum(facts.skills[n].outcomes.values()) - w for n, w in zip(names, worked, strict=True)
    ]
    figure, axes = _bars(len(names))
    axes.barh(names, worked, height=0.7, color=DELIVERED, label="worked")
    axes.barh(names, failed, height=0.7, left=worked, color=FAILED, label="failed")
    axes.set_xlabel("attempts")
    axes.legend()
    return figure


def _bars(count: int) -> tuple[Figure, Axes]:
    """A figure with room for so many bars that lie one above the other."""
    figure = Figure(figsize=(WIDTH, 0.8 + 0.3 * count))
    axes = figure.subplots()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes


PLOTS: dict[str, Callable[[LedgerFacts], Figure | None]] = {
    "Time to resolution": _draw_times,
    "Failures by cause": _draw_causes,
    "Orders delivered and interventions": _draw_sums,
    "Attempts of skills": _draw_attempts,
}
