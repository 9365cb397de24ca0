"""Files of a site's memory: what another ledger knows, and stock lists."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from hrl_core.config import Config, ConfigError, load_yaml, shown
from hrl_core.site import Site
from hrl_master.ledger_site import Noted
from hrl_master.memory.searches import Search

Name = Annotated[str, Field(min_length=1, max_length=100)]


class SearchEntry(Config):
    """One search of a `hrl_master.memory.searches.Search`, and when, s since 1970."""

    item: Name
    home: Name
    found: str = ""
    empty: tuple[Name, ...] = ()
    at: float = Field(ge=0)


class StockLine(Config):
    """Where a list says that an item stands."""

    item: Name
    bin: Name
    quantity: int = Field(default=1, ge=0)  # pieces; 0: none


class SiteFile(Config):
    """An export has `searches`, a stock list `stock`."""

    site: str = ""  # its name; empty: any
    searches: tuple[SearchEntry, ...] = ()
    stock: tuple[StockLine, ...] = ()


def write_searches(path: Path, site: str, notes: Sequence[Noted]) -> None:
    """Write what is remembered as a file that `read_searches` takes."""
    entries = [{**vars(note.search), "at": note.at} for note in notes]
    file = SiteFile.model_validate({"site": site, "searches": entries})
    data = file.model_dump(mode="json", exclude={"stock"})
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def read_searches(path: Path, site: Site) -> list[Noted]:
    """What an export or a stock list says of a site.

    A stock list counts as one search of each item that found it in its bin, now. Raises
    ConfigError: also for items and bins that the site does not have.
    """
    if path.suffix == ".csv":
        file = SiteFile(stock=_stock_lines(path))
    else:
        file = load_yaml(path, SiteFile)
    if file.site and file.site != site.name:
        raise ConfigError(f"{path}: is of the site {file.site!r}, not of {site.name!r}")
    if not (file.searches or file.stock):
        raise ConfigError(f"{path}: holds neither searches nor stock")
    notes = [
        Noted(Search(each.item, each.home, each.found, each.empty), each.at, None)
        for each in file.searches
    ]
    homes: dict[str, str] = {}
    for line in (line for line in file.stock if line.quantity):
        if line.item in homes:
            raise ConfigError(
                f"{path}: {line.item} stands in {homes[line.item]} and in {line.bin}; allowed is "
                "one bin for an item"
            )
        homes[line.item] = line.bin
        notes.append(Noted(Search(line.item, line.bin, line.bin, ()), time.time(), None))
    for note in notes:
        _check(path, note.search, site)
    return notes


def _check(path: Path, search: Search, site: Site) -> None:
    if search.item not in site.items:
        known = sorted(site.items)
        raise ConfigError(f"{path}: item {shown(search.item)} is unknown; known: {known}")
    for name in filter(None, (search.home, search.found, *search.empty)):
        if name not in site.bins:
            known = sorted(site.bins)
            raise ConfigError(f"{path}: bin {shown(name)} is unknown; known: {known}")
    if search.found in search.empty:
        raise ConfigError(f"{path}: {search.item} was found in {search.found}, which was empty")


def _stock_lines(path: Path) -> tuple[StockLine, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if [*(rows.fieldnames or ())] != ["item", "bin"]:
                raise ConfigError(f"{path}:1: the first line has to be item,bin")
            lines = []
            for row in rows:
                try:
                    lines.append(StockLine.model_validate({k: row[k] for k in ("item", "bin")}))
                except ValidationError as error:
                    why = error.errors()[0]["msg"]
                    raise ConfigError(
                        f"{path}:{rows.line_num}: {shown(row)}: {why}; allowed is item,bin"
                    ) from error
            return tuple(lines)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not CSV: {error}") from error
