"""report.html: one mission on one page that needs no other file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrl_bringup.recorded import jpeg_of, read_recording
from hrl_bringup.reports import colours
from hrl_bringup.reports.drawings import WIDTH, map_of, timeline_of
from hrl_core import topics
from hrl_core.pages.page import embedded, write_page
from hrl_core.site import Site

TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Snapshot:
    """A camera's picture at the end of a decision's skill."""

    decision: int
    camera: str
    time: float  # s, when it was taken
    jpeg: bytes


def read_snapshots(recording: Path, mission: dict[str, Any]) -> list[Snapshot]:
    """The last picture of each camera before each hand-over, from a recording."""
    names = {f"/{topics.image(camera).name}/compressed": camera for camera in topics.CAMERAS}
    ends = [(e["index"], e["ended"]) for e in mission["decisions"] if e["ended"] is not None]
    latest: dict[tuple[int, str], Snapshot] = {}
    for message in read_recording(recording, list(names)):
        camera = names[message.topic]
        for index, ended in ends:
            if message.time <= ended + 1e-6:
                latest[index, camera] = Snapshot(index, camera, message.time, jpeg_of(message.cdr))
                break
    return [latest[key] for key in sorted(latest)]


def write_report(
    path: Path,
    mission: dict[str, Any],
    site: Site,
    snapshots: list[Snapshot],
    video: str | None = None,
) -> None:
    """Write the page. `mission`: as in mission.json; `video`: a file beside the page."""
    order = mission["order"]
    entries = {entry["index"]: entry for entry in mission["decisions"]}
    write_page(
        path,
        TEMPLATE,
        title=f"{order['item']} from {order['from_bin']} to {order['to_station']}",
        mission=mission,
        rows=_facts(mission),
        width=WIDTH,
        map=map_of(site, mission),
        timeline=timeline_of(mission),
        colours=colours.SKILLS,
        video=video,
        snapshots=[
            (embedded(each.jpeg, "image/jpeg"), _caption(each, entries[each.decision]))
            for each in snapshots
        ],
    )


def _facts(mission: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what is known of the mission as a whole."""
    simulated, wall = mission["simulated_duration_s"], mission["wall_duration_s"]
    rows = [
        ("World and seed", f"{mission['world']}, {mission['seed']}"),
        ("The master says", f"{mission['mission_outcome']}: {mission['mission_detail']}"),
        ("Simulated time", f"{simulated:.1f} s"),
        ("Wall time", f"{wall:.1f} s" + (f" (x{simulated / wall:.2f})" if wall > 0 else "")),
        ("Decisions", str(len(mission["decisions"]))),
    ]
    if (placement := mission["placement_error_m"]) is not None:
        rows.append(("Item off its target", f"{100 * placement:.1f} cm"))
    if error := mission["localisation_error_m"]:
        mean, largest = 100 * error["mean"], 100 * error["largest"]
        rows.append(("Localisation error", f"mean {mean:.1f} cm, largest {largest:.1f} cm"))
    rows += [
        ("Touched", ", ".join(mission["contacts"]) or "nothing"),
        ("Ticks that a node missed", str(mission["lockstep_misses"])),
    ]
    return rows


def _caption(snapshot: Snapshot, entry: dict[str, Any]) -> str:
    return f"{entry['index'] + 1}. after {entry['skill']} {entry['target']}: {snapshot.camera}"
