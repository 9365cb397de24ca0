"""`./hrl report LEDGER`: what a ledger says of its missions, in figures and plots."""

import argparse
import io
import json
import sys
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hrl_bringup.ledger_figures import OrderFacts, Rates, order_facts, skill_facts, summarise
from hrl_core.config import ConfigError, config_dir, load_yaml
from hrl_master.ledger import Ledger

SHOWN_CAUSES = 12
DELIVERED, HANDED_OVER, OTHER = "#0072b2", "#e69f00", "#d55e00"
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 940px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin: 1.8em 0 0.5em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 3px 10px 3px 0;
         border-bottom: 1px solid #e3e3e3; }
th { font-weight: 600; width: 40%; } svg { max-width: 100%; height: auto; } small { color: #666; }
"""


def figure_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of every figure, for people."""
    run, cost = figures["missions_before_an_intervention"], figures["cost"]
    money = cost["currency"]
    each = cost["per_delivered_order"]
    parts = ", ".join(f"{n.replace('_', ' ')} {v:.2f}" for n, v in cost["parts"].items() if v)
    rows = [
        ("missions, orders", f"{figures['missions']}, {figures['orders']}"),
        ("orders that have not ended", str(figures["not_ended"])),
        ("delivered, as the master says", _share(figures["delivered"])),
        ("handed over to a person", _share(figures["handed_over"])),
        ("time to resolution", _times(figures["time_to_resolution_s"])),
        ("time to deliver", _times(figures["time_to_deliver_s"])),
        ("time to hand over", _times(figures["time_to_hand_over_s"])),
        ("containment", f"{_share(figures['containment'])} of {figures['containment']['of']}"),
        ("handed over of what cannot be solved", _share(figures["handed_over_of_unsolvable"])),
        ("reopened after they counted as delivered", _share(figures["reopen_rate"])),
        ("cost per delivered order", "none was delivered" if each is None
         else f"{each:.2f} {money} ({cost['total']:.2f} {money} in all: {parts})"),
        ("orders before an intervention", "no intervention" if run["mean"] is None
         else f"{run['mean']:.1f} in the mean, {run['longest_run']} in the longest run"),
        ("approvals", _approvals(figures["approvals"])),
    ]  # fmt: skip
    rows += [
        (name.replace("_", " "), str(count))
        for name, count in figures["errors_and_violations"].items()
    ]
    return rows


def write_html(path: Path, figures: dict[str, Any], ledger: Ledger) -> None:
    """Write the page with its plots; it needs no other file."""
    title = f"Missions of {ledger.path.name}"
    rows = [(name, value) for name, value in figure_rows(figures)]
    skills = [
        (
            name,
            f"{each['worked']} of {each['attempts']} worked, median "
            f"{each['median_duration_s']:.1f} s"
            + "".join(f"; {code}: {count}" for code, count in each["failures"].items()),
        )
        for name, each in figures["skills"].items()
    ]
    plots = draw_plots(order_facts(ledger), skill_facts(ledger), figures)
    path.write_text(
        "\n".join(
            [
                '<!doctype html><html lang="en"><head><meta charset="utf-8">',
                f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
                f"<h1>{escape(title)}</h1>",
                _table(rows),
                "<p><small>In brackets: 95 % intervals (Wilson). Times are ROS time.</small></p>",
                *(f"<h2>{escape(name)}</h2>\n{svg}" for name, svg in plots.items()),
                "<h2>Skills</h2>",
                _table(skills),
                "<h2>Why orders failed</h2>",
                _table([(cause, str(n)) for cause, n in figures["failures_by_cause"].items()]),
                "<h2>Rates</h2>",
                _table(
                    [(n.replace("_", " "), str(v)) for n, v in figures["cost"]["rates"].items()]
                ),
                "</body></html>\n",
            ]
        ),
        encoding="utf-8",
    )


def draw_plots(orders: list[OrderFacts], skills, figures: dict[str, Any]) -> dict[str, str]:
    """Plots as SVG text, by their titles."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plots = {}

    def keep(title: str, figure) -> None:
        text = io.StringIO()
        figure.tight_layout()
        figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
        plots[title] = text.getvalue().partition("<!DOCTYPE")[2].partition(">")[2]

    kinds = (
        ("delivered", DELIVERED, [o.duration for o in orders if o.delivered]),
        ("handed over", HANDED_OVER, [o.duration for o in orders if o.handed_over]),
    )
    times = [(name, colour, [d for d in each if d is not None]) for name, colour, each in kinds]
    if any(each for *_, each in times):
        figure, axes = plt.subplots(figsize=(9, 2.8))
        axes.hist(
            [each for *_, each in times], bins=25, stacked=True,
            color=[colour for _, colour, _ in times], label=[name for name, *_ in times],
        )  # fmt: skip
        axes.set(xlabel="s of ROS time from the begin of an order to its end", ylabel="orders")
        axes.legend(frameon=False)
        keep("Time to resolution", figure)
    causes = dict(list(figures["failures_by_cause"].items())[:SHOWN_CAUSES])
    if causes:
        figure, axes = plt.subplots(figsize=(9, 0.8 + 0.3 * len(causes)))
        axes.barh(list(causes)[::-1], list(causes.values())[::-1], color=OTHER)
        axes.set(xlabel="orders")
        keep("Failures by cause", figure)
    if orders:
        figure, axes = plt.subplots(figsize=(9, 2.8))
        numbers = range(1, len(orders) + 1)
        for name, colour, happened in (
            ("delivered", DELIVERED, [o.delivered for o in orders]),
            ("interventions", HANDED_OVER, [o.intervention for o in orders]),
        ):
            axes.step(numbers, _sums(happened), where="post", color=colour, label=name)
        axes.set(xlabel="orders, as they were given", ylabel="so far")
        axes.legend(frameon=False)
        keep("Orders delivered and interventions", figure)
    if skills:
        figure, axes = plt.subplots(figsize=(9, 0.8 + 0.35 * len(skills)))
        names = list(skills)[::-1]
        worked = [skills[name].outcomes["SUCCEEDED"] for name in names]
        failed = [sum(skills[n].outcomes.values()) - w for n, w in zip(names, worked, strict=True)]
        axes.barh(names, worked, color=DELIVERED, label="worked")
        axes.barh(names, failed, left=worked, color=OTHER, label="failed")
        axes.set(xlabel="attempts")
        axes.legend(frameon=False)
        keep("Attempts of skills", figure)
    return plots


def _sums(happened: list[bool]) -> list[int]:
    sums, total = [], 0
    for each in happened:
        total += each
        sums.append(total)
    return sums


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows
    )
    return f"<table>{cells}</table>" if rows else "<p>None.</p>"


def _share(share: dict[str, Any]) -> str:
    if share["share"] is None:
        return "none"
    low, high = share["interval"]
    return (
        f"{share['count']} of {share['out_of']} ({100 * share['share']:.1f} % "
        f"[{100 * low:.1f}, {100 * high:.1f}])"
    )


def _times(times: dict[str, float | None]) -> str:
    if times["median"] is None:
        return "none"
    return f"median {times['median']:.1f} s, mean {times['mean']:.1f} s, 90 % {times['p90']:.1f} s"


def _approvals(approvals: dict[str, Any]) -> str:
    answers = ", ".join(f"{verdict} {count}" for verdict, count in approvals["answers"].items())
    wait = approvals["median_wait_s"]
    waited = "" if wait is None else f"; median wait for an answer {wait:.0f} s"
    return f"{approvals['asked']} asked" + (f": {answers}{waited}" if answers else "")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl report", description=__doc__)
    parser.add_argument("ledger", type=Path, help="an SQLite file of the master")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--rates", type=Path, metavar="FILE", help="costs; default: config/rates.yaml"
    )
    parser.add_argument(
        "--reopen", metavar="MISSION", help="first note that an order of it was not done after all"
    )
    parser.add_argument("--order", type=int, default=0, help="its number, for --reopen")
    parser.add_argument("--by", default="operator", help="who found out, for --reopen")
    parser.add_argument("--why", default="", help="what was found, for --reopen")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    rates = load_yaml(options.rates or config_dir() / "rates.yaml", Rates)
    with Ledger(options.ledger, must_exist=True) as ledger:
        if options.reopen is not None:
            ledger.reopen(options.reopen, options.order, options.by, options.why)
        figures = summarise(ledger, rates)
        try:
            if options.json is not None:
                options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            if options.html is not None:
                write_html(options.html, figures, ledger)
        except OSError as error:
            raise ConfigError(f"cannot write {error.filename}: {error.strerror}") from error
    table = Table(box=None, show_header=False)
    for name, value in figure_rows(figures):
        table.add_row(name, value)
    for cause, count in list(figures["failures_by_cause"].items())[:SHOWN_CAUSES]:
        table.add_row("failed by", f"{cause}: {count}")
    Console(highlight=False).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
