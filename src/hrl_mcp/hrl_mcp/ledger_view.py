"""What the ledger says, as data."""

import json
from pathlib import Path
from typing import Any

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_master.ledger_damage import opened

CANDIDATES = 40  # of a decision that are told


def missions(path: Path, most: int) -> list[dict[str, Any]]:
    """The last missions with their orders, the newest first; raises ConfigError."""
    with opened(path) as ledger:
        rows = ledger.rows(
            "SELECT m.id, m.ended_at, o.item, o.from_bin, o.to_station, o.code, o.detail, "
            "o.decisions FROM missions m JOIN orders o ON o.mission = m.id "
            "ORDER BY m.began_at DESC, o.number LIMIT ?",
            most,
        )
        return [
            {
                "mission_id": row["id"],
                "ended": row["ended_at"] is not None,
                "order": [row["item"], row["from_bin"], row["to_station"]],
                "outcome": "" if row["code"] is None else Code(row["code"]).name,
                "detail": row["detail"] or "",
                "decisions": row["decisions"],
            }
            for row in rows
        ]


def decisions(path: Path, mission: str, most: int) -> list[dict[str, Any]]:
    """The last decisions of a mission in their order; raises ConfigError."""
    return [_short(row) for row in _rows(path, mission)[-most:]]


def explanation(path: Path, mission: str, number: int) -> dict[str, Any]:
    """All that is known of why a decision was made and how it ended; raises ConfigError."""
    rows = {row["number"]: row for row in _rows(path, mission)}
    if number not in rows:
        known = f"0 to {max(rows)}" if rows else "none"
        raise ConfigError(f"no decision {number} of that mission; there are {known}")
    row = rows[number]
    listed = zip(
        json.loads(row["candidates"]),
        json.loads(row["probabilities"]),
        json.loads(row["allowed"]),
        json.loads(row["why_not"]),
        strict=False,
    )
    candidates = sorted(listed, key=lambda each: (not each[2], -each[1]))
    return {
        **_short(row),
        "tier": row["tier"],
        "chance": row["chance"],
        "candidates": [
            {"what": what, "probability": round(p, 3), "allowed": ok, "why_not": why}
            for what, p, ok, why in candidates[:CANDIDATES]
        ],
        "measured": json.loads(row["evidence"] or "{}"),
        "approval": [row["answer"], row["answered"]] if row["answer"] else None,
    }


def _rows(path: Path, mission: str) -> list[Any]:
    with opened(path) as ledger:
        if not ledger.knows(mission):
            raise ConfigError("the ledger has no such mission")
        return ledger.rows(
            "SELECT d.*, o.ran, o.code, o.detail, o.verdict, o.evidence, o.check_ok, "
            "o.check_sentence, o.check_reason, a.verdict AS answer, a.by AS answered "
            "FROM decisions d LEFT JOIN outcomes o "
            "ON o.mission = d.mission AND o.decision = d.number "
            "LEFT JOIN approvals p ON p.mission = d.mission AND p.decision = d.number "
            "LEFT JOIN answers a ON a.approval = p.id AND a.counted "
            "WHERE d.mission = ? ORDER BY d.number",
            mission,
        )


def _short(row: Any) -> dict[str, Any]:
    return {
        "decision": row["number"],
        "skill": row["skill"],
        "target": row["target"],
        "because": row["reason"],
        "chosen_by": row["chosen_by"] or "policy",
        "outcome": "" if row["code"] is None else Code(row["code"]).name,
        "detail": row["detail"] or "",
        "verdict": row["verdict"] or "",
        "check": row["check_sentence"] or "",
        "check_ok": None if row["check_ok"] is None else bool(row["check_ok"]),
    }
