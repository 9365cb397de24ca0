"""What came of `./hrl soak`: soak.json, the table in the terminal, a page with plots."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from signal import SIGKILL
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from hrl_bringup.soak.accounts import totals
from hrl_bringup.soak.processes import Course, Sample, courses
from hrl_bringup.soak.records import Records
from hrl_bringup.soak.schedule import Trouble
from hrl_core.pages.page import PLOT_STYLE, embedded, write_page
from hrl_training.trials.journal import to_json

TEMPLATE = Path(__file__).with_suffix(".html")
WIDTH = 10  # inches
MINUTE = 60.0  # s
NODE_HEAD = (
    "node",
    "killed",
    "died",
    "back after",
    "memory (MB)",
    "per hour",
    "descriptors",
    "per hour",
    "ticks missed",
)
MISSION_HEAD = ("mission", "orders", "ends", "troubles", "took")


def summary_of(records: Records, ticks_missed: Mapping[str, int], command: str) -> dict[str, Any]:
    """All figures of a soak so far."""
    figures = totals(records.missions)
    events = records.events
    nodes = {}
    for node, measures in courses(records.samples).items():
        of_node = [event for event in events if event["target"] == node]
        died = [event["status"] for event in of_node if event["kind"] == "died"]
        back = [event["after_s"] for event in of_node if event["kind"] == "restart"]
        nodes[node] = {
            "killed": sum(status == -SIGKILL for status in died),
            "died_by_itself": sum(status != -SIGKILL for status in died),
            "restarts": len(back),
            "back_after_most_s": max(back, default=None),
            **{measure: asdict(course) for measure, course in measures.items()},
            "ticks_missed": ticks_missed.get(node),
        }
    troubles = {kind.value for kind in Trouble}
    broken_systems = sum(event["kind"] == "broken system" for event in events)
    sound = bool(records.missions) and not (
        figures["lost"]
        or figures["doubled"]
        or figures["accepted_twice"]
        or figures["false"]
        or figures["missions_with_contacts_with_people"]
        or any(node["died_by_itself"] for node in nodes.values())
        or broken_systems
    )
    return {
        "command": command,
        "seconds": round(records.seconds, 1),
        **figures,
        "troubles": dict(Counter(e["kind"] for e in events if e["kind"] in troubles)),
        "broken_systems": broken_systems,
        "nodes": nodes,
        "sound": sound,
    }


def figure_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each figure of the missions."""
    ends = ", ".join(f"{count} {end}" for end, count in summary["ends"].items())
    troubles = ", ".join(f"{count} {kind}" for kind, count in summary["troubles"].items())
    return [
        ("missions, orders", f"{summary['missions']}, {summary['orders']}"),
        ("orders ended as", ends or "none"),
        ("delivered by the plant's truth", str(summary["delivered"])),
        ("lost: without an end", str(summary["lost"])),
        ("doubled: carried out twice", str(summary["doubled"])),
        ("accepted again when sent twice", str(summary["accepted_twice"])),
        ("falsely called delivered", str(summary["false"])),
        ("missions that touched a person", str(summary["missions_with_contacts_with_people"])),
        ("pressed on a thing with over 60 N", str(summary["hard_contacts"])),
        ("ticks that the plant waited for in vain", str(summary["lockstep_misses"])),
        ("troubles", troubles or "none"),
        ("systems that had to be started anew", str(summary["broken_systems"])),
        (
            "simulated, wall time",
            f"{summary['simulated_s'] / MINUTE:.0f} min, {summary['seconds'] / MINUTE:.0f} min",
        ),
    ]


def node_rows(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of NODE_HEAD for every node."""
    rows = []
    for name, node in summary["nodes"].items():
        memory, descriptors = Course(**node["memory_mb"]), Course(**node["descriptors"])
        back, missed = node["back_after_most_s"], node["ticks_missed"]
        rows.append(
            (
                name,
                str(node["killed"]),
                str(node["died_by_itself"]),
                "" if back is None else f"{back:.1f} s",
                _from_to(memory),
                _growth(memory.per_hour),
                _from_to(descriptors),
                _growth(descriptors.per_hour),
                "" if missed is None else str(missed),
            )
        )
    return rows


def _from_to(course: Course) -> str:
    return f"{course.first:.0f} to {course.last:.0f}, most {course.largest:.0f}"


def _growth(per_hour: float | None) -> str:
    return "too short" if per_hour is None else f"{per_hour:+.1f}"


def show(summary: dict[str, Any], console: Console) -> None:
    """Print both tables."""
    figures = Table(box=None, show_header=False)
    for row in figure_rows(summary):
        figures.add_row(*row)
    nodes = Table(box=None, header_style="bold")
    for column in NODE_HEAD:
        nodes.add_column(column, justify="left" if column == "node" else "right")
    for row in node_rows(summary):
        nodes.add_row(*row)
    console.print(figures)
    console.print(nodes)


def write_summary(folder: Path, summary: dict[str, Any], records: Records) -> None:
    """Write soak.json: the summary, a row per mission, the events."""
    content = {
        "summary": summary,
        "missions": [mission.as_dict() for mission in records.missions],
        "events": records.events,
    }
    (folder / "soak.json").write_text(to_json(content, indent=1) + "\n", encoding="utf-8")


def write_soak_page(folder: Path, summary: dict[str, Any], records: Records) -> Path:
    """Write index.html and its plot."""
    plot, page = folder / "soak.png", folder / "index.html"
    draw(records).savefig(plot)
    missions = [
        (
            mission.mission,
            str(len(mission.orders)),
            ", ".join(order.end or "LOST" for order in mission.orders),
            ", ".join(mission.troubles) or "none",
            f"{mission.simulated_s:.0f} s in {mission.wall_s:.0f} s",
        )
        for mission in records.missions
    ]
    write_page(
        page,
        TEMPLATE,
        title=f"{summary['missions']} missions while things went wrong",
        summary=summary,
        figures=figure_rows(summary),
        node_head=NODE_HEAD,
        nodes=node_rows(summary),
        plot=embedded(plot.read_bytes(), "image/png"),
        mission_head=MISSION_HEAD,
        missions=missions,
    )
    return page


@matplotlib.rc_context(fname=PLOT_STYLE)
def draw(records: Records) -> Figure:
    """Memory and descriptors of every node over time; below, what went wrong when."""
    figure = Figure(figsize=(WIDTH, 7.5))
    memory, descriptors, events = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    by_node: dict[str, list[Sample]] = defaultdict(list)
    for sample in records.samples:
        by_node[sample.node].append(sample)
    colours = len(matplotlib.rcParams["axes.prop_cycle"])
    for k, (node, samples) in enumerate(by_node.items()):
        style = "-" if k < colours else "--"
        pids = np.array([sample.pid for sample in samples])
        at = np.array([sample.at / MINUTE for sample in samples])
        for axes, measure in ((memory, "memory_mb"), (descriptors, "descriptors")):
            values = np.array([getattr(sample, measure) for sample in samples], float)
            cuts = np.flatnonzero(np.diff(pids)) + 1  # no line from one process to the next
            times, values = (np.insert(each, cuts, np.nan) for each in (at, values))
            axes.plot(times, values, style, label=node)
    memory.set_ylabel("memory (MB)")
    descriptors.set_ylabel("descriptors")
    for axes in (memory, descriptors):
        axes.set_ylim(bottom=0)
    kinds = [*(kind.value for kind in Trouble), "died", "restart"]
    for k, kind in enumerate(kinds):
        times = [event["at"] / MINUTE for event in records.events if event["kind"] == kind]
        events.plot(times, [k] * len(times), "|", color="black")
    events.set_yticks(range(len(kinds)), [kind.replace("_", "-") for kind in kinds])
    events.invert_yaxis()
    events.set_xlabel("wall time (min)")
    figure.legend(*memory.get_legend_handles_labels(), loc="outside upper center", ncols=8)
    return figure
