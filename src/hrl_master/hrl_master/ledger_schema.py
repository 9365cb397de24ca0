"""The ledger's tables: migration n brings a file from version n to n + 1 (PRAGMA user_version).

A step that is released is never changed; what is new comes as another step.
"""

APPLICATION_ID = 0x48524C31  # "HRL1"

_CREATE = (
    """CREATE TABLE missions (
        id TEXT PRIMARY KEY,
        about TEXT NOT NULL,              -- JSON: site, policy; of trials world, seed, ...
        began_at REAL NOT NULL,
        ended_at REAL,                    -- NULL: has not ended
        process TEXT NOT NULL,            -- host, pid and start time of the master that runs it
        restarts INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE orders (
        mission TEXT NOT NULL REFERENCES missions,
        number INTEGER NOT NULL,          -- within the mission, from 0
        id TEXT NOT NULL,                 -- as the client gave it
        item TEXT NOT NULL, from_bin TEXT NOT NULL, to_station TEXT NOT NULL,
        began REAL, ended REAL, ended_at REAL,
        code INTEGER, detail TEXT,        -- NULL: has not ended
        decisions INTEGER,                -- that were acted on
        PRIMARY KEY (mission, number)
    )""",
    """CREATE TABLE decisions (
        mission TEXT NOT NULL, order_number INTEGER NOT NULL,
        number INTEGER NOT NULL,          -- within the mission, from 0
        made REAL NOT NULL, made_at REAL NOT NULL,
        skill TEXT NOT NULL, target TEXT NOT NULL, face TEXT NOT NULL, purpose TEXT NOT NULL,
        reason TEXT NOT NULL, tier INTEGER NOT NULL, chance REAL,
        pose TEXT, item_in_hand TEXT, parameters TEXT NOT NULL,                      -- JSON
        candidates TEXT NOT NULL, probabilities TEXT NOT NULL,                       -- JSON
        allowed TEXT NOT NULL, why_not TEXT NOT NULL,                                -- JSON
        PRIMARY KEY (mission, number),
        FOREIGN KEY (mission, order_number) REFERENCES orders
    )""",
    """CREATE TABLE outcomes (
        mission TEXT NOT NULL, decision INTEGER NOT NULL,
        ended REAL NOT NULL, ended_at REAL NOT NULL,
        ran INTEGER NOT NULL,             -- 0: stopped by a guardrail or a denied approval
        code INTEGER NOT NULL, detail TEXT NOT NULL,
        confirmed INTEGER NOT NULL, verdict TEXT NOT NULL, evidence TEXT NOT NULL,   -- the skill's
        check_ok INTEGER NOT NULL, check_sentence TEXT NOT NULL,                     -- the master's
        pose TEXT,                        -- JSON (4, 4), see Outcome.pose
        PRIMARY KEY (mission, decision),
        FOREIGN KEY (mission, decision) REFERENCES decisions
    )""",
    """CREATE TABLE approvals (
        id TEXT PRIMARY KEY,
        mission TEXT NOT NULL, decision INTEGER NOT NULL,
        what TEXT NOT NULL, why TEXT NOT NULL, tier INTEGER NOT NULL,
        asked REAL NOT NULL, expires REAL NOT NULL, asked_at REAL NOT NULL,
        FOREIGN KEY (mission, decision) REFERENCES decisions
    )""",
    """CREATE TABLE answers (
        approval TEXT NOT NULL REFERENCES approvals,
        verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'denied', 'expired', 'withdrawn')),
        by TEXT NOT NULL, comment TEXT NOT NULL,
        counted INTEGER NOT NULL,         -- 0: too late, or not the first
        stamp REAL, at REAL NOT NULL
    )""",
    """CREATE TABLE handovers (
        mission TEXT NOT NULL, order_number INTEGER NOT NULL,
        at REAL NOT NULL,
        package TEXT NOT NULL,            -- JSON: summary, evidence, recommended next step
        PRIMARY KEY (mission, order_number),
        FOREIGN KEY (mission, order_number) REFERENCES orders
    )""",
    """CREATE TABLE pictures (
        mission TEXT NOT NULL REFERENCES missions,
        approval TEXT REFERENCES approvals, order_number INTEGER,  -- what it is evidence of
        camera TEXT NOT NULL, stamp REAL NOT NULL, jpeg BLOB NOT NULL
    )""",
    """CREATE TABLE events (
        mission TEXT, kind TEXT NOT NULL, detail TEXT NOT NULL, at REAL NOT NULL
    )""",
)


def _append_only(table: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    )


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        *_CREATE,
        *(trigger for table in ("decisions", "outcomes", "approvals", "answers", "handovers")
          for trigger in _append_only(table)),
    ),
    (
        """CREATE TABLE judgements (
            mission TEXT NOT NULL, order_number INTEGER NOT NULL,
            delivered INTEGER NOT NULL, solvable INTEGER,
            wrong_item INTEGER NOT NULL, contacts_with_people INTEGER NOT NULL,
            cause TEXT NOT NULL,
            PRIMARY KEY (mission, order_number),
            FOREIGN KEY (mission, order_number) REFERENCES orders
        )""",
        """CREATE TABLE reopened (
            mission TEXT NOT NULL, order_number INTEGER NOT NULL,
            by TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL,
            FOREIGN KEY (mission, order_number) REFERENCES orders
        )""",
    ),
)  # fmt: skip
