"""report.html: one mission on one page that needs no other file."""

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from hrl_bringup.recording import jpeg_of, read_recording
from hrl_bringup.report_drawings import OTHER_COLOUR, SKILL_COLOURS, draw_map, draw_timeline
from hrl_core import topics
from hrl_core.site import Site

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 940px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0.2em; } h2 { font-size: 1.15em; margin: 1.8em 0 0.5em; }
.good { color: #1a7f37; } .bad { color: #b3261e; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 3px 10px 3px 0;
         border-bottom: 1px solid #e3e3e3; }
th { font-weight: 600; } td.number { text-align: right; white-space: nowrap; }
small { color: #666; }
figure { display: inline-block; margin: 0 8px 12px 0; width: 290px; vertical-align: top; }
figure img { width: 100%; display: block; } figcaption { font-size: 0.85em; color: #444; }
video { width: 100%; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.floor { fill: #fafafa; stroke: #555; stroke-width: 2; }
.shelf { fill: #d9c9a8; stroke: #8a7a5a; } .station { fill: #c9dbc9; stroke: #6a8a6a; }
.obstacle { fill: #ddd; stroke: #777; }
.true { fill: none; stroke: #222; stroke-width: 2; }
.estimated { fill: none; stroke: #e08214; stroke-width: 2; stroke-dasharray: 5 4; }
.end { fill: #fff; stroke: #222; stroke-width: 2; }
.name { text-anchor: middle; fill: #555; } .chosen { font-weight: 700; fill: #000; }
.number { text-anchor: middle; } svg .number { fill: #fff; font-weight: 700; }
.label { text-anchor: end; } .seconds { fill: #555; }
.tick { text-anchor: middle; fill: #555; } .axis { stroke: #999; }
.key span { display: inline-block; width: 1.6em; height: 0; margin: 0 0.4em 0.25em 1em;
            border-top: 3px solid; vertical-align: middle; }
"""


@dataclass(frozen=True)
class Still:
    """A camera's picture at the end of a decision's skill."""

    decision: int
    camera: str
    time: float  # s, when it was taken
    jpeg: bytes


def read_stills(recording: Path, mission: dict[str, Any]) -> list[Still]:
    """The last picture of each camera before each hand-over, from a recording."""
    names = {f"/{topics.image(camera).name}/compressed": camera for camera in topics.CAMERAS}
    ends = [(e["index"], e["ended"]) for e in mission["decisions"] if e["ended"] is not None]
    latest: dict[tuple[int, str], Still] = {}
    for message in read_recording(recording, list(names)):
        camera = names[message.topic]
        for index, ended in ends:
            if message.time <= ended + 1e-6:
                latest[index, camera] = Still(index, camera, message.time, jpeg_of(message.cdr))
                break
    return [latest[key] for key in sorted(latest)]


def write_report(
    path: Path, mission: dict[str, Any], site: Site, stills: list[Still], video: str | None = None
) -> None:
    """Write the page. `mission`: as in mission.json; `video`: a file beside the page."""
    order = mission["order"]
    title = f"{order['item']} from {order['from_bin']} to {order['to_station']}"
    verdict = "delivered" if mission["delivered"] else "not delivered"
    style = "good" if mission["delivered"] else "bad"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}: {verdict}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}: <span class='{style}'>{verdict}</span></h1>",
        f"<p>{escape(mission['sentence'])}</p>",
        _figures(mission),
        "<h2>Path</h2>",
        draw_map(site, mission),
        '<p class="key"><span style="color:#222"></span>true (the simulator\'s)'
        '<span style="color:#e08214;border-top-style:dashed"></span>as the robot estimated it. '
        "Numbers: where the skill of that decision ended.</p>",
        "<h2>Skills</h2>",
        draw_timeline(mission),
        '<p class="key">'
        + "".join(_key(skill) for skill in SKILL_COLOURS)
        + " Hatched: failed.</p>",
        "<h2>Decisions</h2>",
        _decisions(mission),
    ]
    if video is not None:
        parts.append(f'<h2>Video</h2><video controls src="{escape(video)}"></video>')
    if stills:
        parts.append("<h2>What the cameras saw at each hand-over</h2>")
        parts += [_figure(still, mission) for still in stills]
    parts.append("</body></html>\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def _figures(mission: dict[str, Any]) -> str:
    simulated, wall = mission["simulated_duration_s"], mission["wall_duration_s"]
    localisation, placement = mission["localisation_error_m"], mission["placement_error_m"]
    rows = [
        ("World and seed", f"{mission['world']}, {mission['seed']}"),
        ("The master says", f"{mission['mission_outcome']}: {mission['mission_detail']}"),
        ("Simulated time", f"{simulated:.1f} s"),
        ("Wall time", f"{wall:.1f} s" + (f" (x{simulated / wall:.2f})" if wall > 0 else "")),
        ("Decisions", str(len(mission["decisions"]))),
        ("Item off its target", f"{placement * 100:.1f} cm" if placement is not None else None),
        (
            "Localisation error",
            f"mean {localisation['mean'] * 100:.1f} cm, largest "
            f"{localisation['largest'] * 100:.1f} cm"
            if localisation
            else None,
        ),
        ("Touched", ", ".join(mission["contacts"]) or "nothing"),
        ("Ticks that a node missed", str(mission["lockstep_misses"])),
    ]
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in rows
        if value is not None
    )
    return f"<table>{cells}</table>"


def _decisions(mission: dict[str, Any]) -> str:
    begin = mission["decisions"][0]["started"] if mission["decisions"] else 0.0
    rows = []
    for entry in mission["decisions"]:
        worked = entry["outcome"] == "SUCCEEDED" and entry["confirmed"]
        outcome = entry["outcome"] or "did not end"
        evidence = ", ".join(f"{name} = {value}" for name, value in entry["evidence"].items())
        chance = "" if entry["chance"] is None else f"{100 * entry['chance']:.0f} %"
        rows.append(
            f"<tr><td>{entry['index'] + 1}</td>"
            f"<td class='number'>{entry['started'] - begin:.1f} s</td>"
            f"<td>{escape(entry['skill'])} {escape(entry['target'])}<br>"
            f"<small>{escape(entry['reason'])}</small></td>"
            f"<td class='number'>{chance}</td>"
            f"<td class='{'good' if worked else 'bad'}'>{escape(outcome)}</td>"
            f"<td>{escape(entry['detail'])}<br><small>sensed: {escape(entry['verdict'])} "
            f"({escape(evidence) or 'no evidence'})</small></td>"
            f"<td class='number'>{entry['steps']}</td></tr>"
        )
    head = (
        "<tr><th></th><th>at</th><th>decision</th><th>chance</th><th>outcome</th><th>how</th>"
        "<th>steps</th></tr>"
    )
    return f"<table>{head}{''.join(rows)}</table>"


def _figure(still: Still, mission: dict[str, Any]) -> str:
    entry = next(e for e in mission["decisions"] if e["index"] == still.decision)
    data = base64.b64encode(still.jpeg).decode()
    caption = f"{entry['index'] + 1}. after {entry['skill']} {entry['target']}: {still.camera}"
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _key(skill: str) -> str:
    return f'<span style="color:{SKILL_COLOURS.get(skill, OTHER_COLOUR)}"></span>{skill}'
