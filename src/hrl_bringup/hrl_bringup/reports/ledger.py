"""`./hrl report LEDGER`: what a ledger says of its missions, in figures and plots."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hrl_bringup.reports.figure import value_of
from hrl_bringup.reports.ledger_facts import LedgerFacts, Rates
from hrl_bringup.reports.ledger_figures import BREAKDOWNS, FIGURES, failures_by_cause, summarise
from hrl_bringup.reports.ledger_plots import SHOWN_CAUSES, draw_plots
from hrl_core.config import config_dir, load_yaml
from hrl_core.number_options import integer
from hrl_core.pages.page import write_page
from hrl_core.paths import file_to_write
from hrl_master.ledger_damage import opened

TEMPLATE = Path(__file__).with_suffix(".html")


def write_ledger_page(path: Path, facts: LedgerFacts, summary: dict[str, Any]) -> None:
    """Write the page with its plots; it needs no other file."""
    write_page(
        path,
        TEMPLATE,
        title=f"Missions of {facts.ledger.path.name}",
        figures=[(figure, value_of(figure, summary)) for figure in FIGURES],
        plots=draw_plots(facts),
        breakdowns=[
            (table, [(name, table.show(value)) for name, value in summary[table.key].items()])
            for table in BREAKDOWNS
        ],
        rates=[(name.replace("_", " "), str(v)) for name, v in facts.rates.model_dump().items()],
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl report", description=__doc__)
    parser.add_argument("ledger", type=Path, help="an SQLite file of the master")
    parser.add_argument(
        "--html", type=file_to_write, metavar="FILE", help="write a page with plots"
    )
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--rates", type=Path, metavar="FILE", help="costs; default: config/rates.yaml"
    )
    parser.add_argument(
        "--verify", action="store_true", help="only look whether a row was changed afterwards"
    )
    parser.add_argument(
        "--reopen", metavar="MISSION", help="first note that an order of it was not done after all"
    )
    parser.add_argument("--order", type=integer(), default=0, help="its number, for --reopen")
    parser.add_argument("--by", default="operator", help="who found out, for --reopen")
    parser.add_argument("--why", default="", help="what was found, for --reopen")
    return parser.parse_args(arguments)


def print_verdict(path: Path) -> int:
    """Say whether a ledger's chain is whole; 1: it is not."""
    with opened(path) as ledger:
        verdict = ledger.verify()
    if verdict.fault:
        print(f"ledger {path}: {verdict.fault}", file=sys.stderr)
        return 1
    print(f"chain is whole, {verdict.rows} rows; its last hash is {verdict.head}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.verify:
        return print_verdict(options.ledger)
    rates = load_yaml(options.rates or config_dir() / "rates.yaml", Rates)
    with opened(options.ledger) as ledger:
        if options.reopen is not None:
            ledger.reopen(options.reopen, options.order, options.by, options.why)
        facts = LedgerFacts(ledger, rates)
        summary = summarise(facts)
        if options.json is not None:
            options.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        if options.html is not None:
            write_ledger_page(options.html, facts, summary)
        table = Table(box=None, show_header=False)
        for figure in FIGURES:
            table.add_row(figure.name, value_of(figure, summary))
        for cause, count in list(failures_by_cause(facts).items())[:SHOWN_CAUSES]:
            table.add_row("failed by", escape(f"{cause}: {count}"))
    Console(highlight=False).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
