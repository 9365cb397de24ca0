"""`./hrl site`: what a master has learned of its site; take it along, or have it forgotten."""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hrl_bringup.listing import world_file
from hrl_bringup.site_memory.files import read_searches, write_searches
from hrl_bringup.site_memory.learned import items_of, ways_of
from hrl_bringup.site_memory.picture import draw_learned
from hrl_core.config import ConfigError
from hrl_core.paths import file_to_write
from hrl_core.site import Site, load_site
from hrl_master.ledger import Ledger
from hrl_master.ledger_damage import opened
from hrl_master.ledger_file import LedgerError, default_path
from hrl_sim_bridge.picture import PICTURES

LISTED = 4  # bins of an item, at most
_console = Console(highlight=False)


def show(options: argparse.Namespace) -> None:
    """In words, and on the map."""
    site: Site | None = options.world
    out: Path | None = options.out
    if out is not None and out.suffix not in PICTURES:
        raise ConfigError(f"--out {out}: allowed endings are {[*PICTURES]}")
    if out is not None and site is None:
        raise ConfigError("--out: a drawing needs the map; give --world as well")
    with opened(options.ledger) as ledger:
        names = ledger.sites() if site is None else [site.name]
        for name in names:
            _show_site(ledger, name)
        if not names:
            _console.print("nothing is remembered")
        if out is not None and site is not None:
            items, ways = items_of(ledger.notes(site.name)), ledger.seen_ways(site.name)
            draw_learned(site, items, ways_of(ways), file_to_write(out))
            _console.print(f"drawn in {out}", markup=False)


def _show_site(ledger: Ledger, site: str) -> None:
    notes = ledger.notes(site)
    if not notes:
        _console.print(f"{site}: nothing is remembered", markup=False)
        return
    first, last = (time.strftime("%Y-%m-%d", time.localtime(notes[k].at)) for k in (0, -1))
    _console.print(f"{site}: {len(notes)} searches, {first} to {last}", markup=False)
    table = _table("item", "home", "searches", "found in", "not found", "looked in vain in")
    for facts in items_of(notes):
        table.add_row(
            facts.item,
            facts.home,
            str(facts.orders),
            _counts(facts.found),
            str(facts.not_found),
            _counts(facts.in_vain),
        )
    _console.print(table)
    ways = ways_of(ledger.seen_ways(site))
    if ways:
        table = _table("way", "looked blocked", "of", "at")
        for each in ways:
            hours = ", ".join(f"{hour} h" for hour in sorted(each.hours))
            table.add_row(" - ".join(each.way), str(each.blocked), str(each.seen), hours)
        _console.print(table)
    skills = ledger.skills_at(site)
    if skills:
        table = _table("skill", "at", "tries", "failed", "median")
        for each in skills:
            numbers = str(each.tries), str(each.failures), f"{each.duration:.1f} s"
            table.add_row(each.skill, each.place, *numbers)
        _console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _counts(counts: Counter[str]) -> str:
    told = ", ".join(f"{name} {count}" for name, count in counts.most_common(LISTED))
    return f"{told} and {len(counts) - LISTED} more" if len(counts) > LISTED else told


def export(options: argparse.Namespace) -> None:
    """Write what is remembered to a file."""
    with opened(options.ledger) as ledger:
        name = _name(ledger, options.world)
        notes = ledger.notes(name)
        write_searches(file_to_write(options.file), name, notes)
    _console.print(f"{len(notes)} searches of {name} in {options.file}", markup=False)


def take_over(options: argparse.Namespace) -> None:
    """Take over a file of `export`, or a stock list."""
    site = options.world
    notes = read_searches(options.file, site)
    with Ledger(options.ledger) as ledger:
        ledger.import_searches(site.name, notes)
    _console.print(f"{len(notes)} searches of {site.name} in {options.ledger}", markup=False)


def clear(options: argparse.Namespace) -> None:
    """Have what was learned of a site until now forgotten; the rows stay in the ledger."""
    with opened(options.ledger) as ledger:
        name = _name(ledger, options.world)
        ledger.forget_site(name, options.why)
    _console.print(f"{name} is forgotten until now", markup=False)


def _name(ledger: Ledger, site: Site | None) -> str:
    """Of the site that is meant; raises ConfigError where that is not clear."""
    if site is not None:
        return site.name
    names = ledger.sites()
    if len(names) != 1:
        raise ConfigError(f"ledger {ledger.path}: remembers {names or 'no site'}; give --world")
    return names[0]


PARTS = {"show": show, "export": export, "import": take_over, "clear": clear}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl site", description=__doc__)
    helps = "; ".join(f"{name}: {run.__doc__}" for name, run in PARTS.items())
    parser.add_argument("part", choices=[*PARTS], help=helps)
    parser.add_argument(
        "file", type=Path, nargs="?",
        help="to export to, .yaml; to import: an export, or a stock list: CSV of item,bin, or YAML",
    )  # fmt: skip
    parser.add_argument(
        "--ledger",
        type=Path,
        default=default_path(),
        metavar="FILE",
        help="default: that of a master that is started by itself",
    )
    parser.add_argument(
        "--world", metavar="NAME|FILE|FAMILY:S", help="whose site; default: the one that is known"
    )
    parser.add_argument("--out", type=Path, metavar="PNG", help="of show: draw it on the map")
    parser.add_argument("--why", default="", help="of clear: kept in the ledger")
    options = parser.parse_intermixed_args(arguments)  # the file may come last
    if (options.part in ("export", "import")) != (options.file is not None):
        parser.error("export and import need one file, show and clear none")
    if options.part == "import" and options.world is None:
        parser.error("import needs --world: its items and bins are compared")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if options.world is not None:
        options.world = load_site(world_file(options.world))
    try:
        PARTS[options.part](options)
    except LedgerError as error:
        raise ConfigError(str(error)) from error


if __name__ == "__main__":
    main(sys.argv[1:])
