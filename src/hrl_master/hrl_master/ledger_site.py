"""The part of the ledger that says what orders have shown of a site.

Rows are never deleted: what is forgotten is only read no more.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from hrl_master.graph import Edge
from hrl_master.ledger_chain import Write
from hrl_master.ledger_errands import ErrandLedger
from hrl_master.ledger_file import text_of
from hrl_master.memory.searches import Search
from hrl_master.memory.shown import Shown


class Noted(NamedTuple):
    """A search and when it was taken down, s since 1970."""

    search: Search
    at: float
    mission: str | None  # None: from a file


class SeenWays(NamedTuple):
    """The ways that one order has seen, and when: s since 1970 by the computer's clock."""

    at: float
    blocked: list[Edge]
    free: list[Edge]


class SkillAt(NamedTuple):
    """How a skill fares at a place: tries, failures, median duration [s of ROS time]."""

    skill: str
    place: str
    tries: int
    failures: int
    duration: float


class SiteLedger(ErrandLedger):
    """What a ledger remembers of sites, by their names."""

    def _take_shown(
        self, write: Write, site: str, shown: Shown, mission: str, order: int, stamp: float
    ) -> None:
        """Nothing where the order has shown nothing."""
        now = time.time()
        if shown.search.found or shown.search.empty:
            _search(write, site, Noted(shown.search, now, mission), order)
        if shown.blocked or shown.free:
            write.insert(
                "ways",
                site=site,
                mission=mission,
                order_number=order,
                blocked=text_of(shown.blocked),
                free=text_of(shown.free),
                stamp=stamp,
                at=now,
            )

    def import_searches(self, site: str, notes: Sequence[Noted]) -> None:
        """Take over what another ledger or a stock list knows, all or nothing."""
        with self._writing() as write:
            for note in notes:
                _search(write, site, note._replace(mission=None), None)

    def forget_site(self, site: str, why: str) -> None:
        """Read no more what was taken down of a site until now."""
        last = {
            table: self.rows(f"SELECT COALESCE(MAX(rowid), 0) AS last FROM {table}")[0]["last"]
            for table in ("searches", "ways", "outcomes")
        }
        with self._writing() as write:
            write.insert("forgotten", site=site, why=why, at=time.time(), **last)

    def sites(self) -> list[str]:
        """Names of the sites that something is remembered of."""
        rows = self.rows("SELECT DISTINCT site FROM searches UNION SELECT site FROM ways")
        return [row["site"] for row in rows]

    def searches(self, site: str) -> list[Search]:
        """What the orders at a site have shown of its items, the oldest first."""
        return [note.search for note in self.notes(site)]

    def notes(self, site: str) -> list[Noted]:
        """The same, with when and by which mission."""
        rows = self.rows(
            f"SELECT * FROM searches WHERE site = ? AND rowid > {_FORGOTTEN.format('searches')} "
            "ORDER BY at, rowid",
            site,
            site,
        )
        return [
            Noted(
                Search(row["item"], row["home"], row["found"], tuple(json.loads(row["empty"]))),
                row["at"],
                row["mission"],
            )
            for row in rows
        ]

    def seen_ways(self, site: str) -> list[SeenWays]:
        """By order, the oldest first."""
        rows = self.rows(
            f"SELECT * FROM ways WHERE site = ? AND rowid > {_FORGOTTEN.format('ways')} "
            "ORDER BY at, rowid",
            site,
            site,
        )
        return [SeenWays(row["at"], _edges(row["blocked"]), _edges(row["free"])) for row in rows]

    def skills_at(self, site: str) -> list[SkillAt]:
        """By skill and the place that it was used at: a bin, a station, a waypoint."""
        rows = self.rows(
            "SELECT d.skill, CASE d.face WHEN '' THEN d.target ELSE d.face END AS place, d.made, "
            "o.ended, o.check_ok AND o.confirmed AS worked FROM decisions d "
            "JOIN outcomes o ON o.mission = d.mission AND o.decision = d.number "
            "JOIN missions m ON m.id = d.mission "
            "WHERE o.ran AND json_extract(m.about, '$.site') = ? "
            f"AND o.rowid > {_FORGOTTEN.format('outcomes')} ORDER BY d.skill, place",
            site,
            site,
        )
        by_place: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for row in rows:
            by_place.setdefault((row["skill"], row["place"]), []).append(row)
        return [
            SkillAt(
                skill,
                place,
                len(tries),
                sum(not row["worked"] for row in tries),
                median(row["ended"] - row["made"] for row in tries),
            )
            for (skill, place), tries in by_place.items()
        ]


# Up to which row of a table a site is forgotten.
_FORGOTTEN = "(SELECT COALESCE(MAX({}), 0) FROM forgotten WHERE site = ?)"


def _search(write: Write, site: str, note: Noted, order: int | None) -> None:
    search = note.search
    write.insert(
        "searches",
        site=site,
        mission=note.mission,
        order_number=order,
        item=search.item,
        home=search.home,
        found=search.found,
        empty=text_of(search.empty),
        at=note.at,
    )


def _edges(text: str) -> list[Edge]:
    return [(a, b) for a, b in json.loads(text)]
