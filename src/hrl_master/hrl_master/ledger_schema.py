"""The ledger's tables: migration n brings a file from version n to n + 1 (PRAGMA user_version).

A step that is released is never changed; what is new comes as another step.
"""

APPLICATION_ID = 0x48524C31  # "HRL1"
CHAINED = 4  # the first version with a chain

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
    # A hrl_master.reasons.Reason beside the sentence of the master's own check.
    ("ALTER TABLE outcomes ADD COLUMN check_reason TEXT NOT NULL DEFAULT 'none'",),
    # hrl_master.ledger_chain fills the chain with what an older file holds.
    (
        "ALTER TABLE answers ADD COLUMN answered_by TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE chain (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- SQLite keeps the highest beside the table
            of_table TEXT NOT NULL, of_row INTEGER NOT NULL,  -- its rowid
            content TEXT NOT NULL,            -- sha256 of the row as it was written
            hash TEXT NOT NULL                -- sha256 of the hash before and of all the above
        )""",
        *_append_only("chain"),
    ),
    # What other systems are to do, and how that ended; one that has not ended is owed.
    (
        """CREATE TABLE errands (
            key TEXT PRIMARY KEY,             -- of idempotency
            mission TEXT NOT NULL, order_number INTEGER NOT NULL,
            skill TEXT NOT NULL, goal TEXT NOT NULL,                                 -- JSON
            tier INTEGER NOT NULL, chance REAL,
            made REAL NOT NULL, made_at REAL NOT NULL,
            FOREIGN KEY (mission, order_number) REFERENCES orders
        )""",
        """CREATE TABLE errand_ends (
            errand TEXT PRIMARY KEY REFERENCES errands,
            code INTEGER NOT NULL, detail TEXT NOT NULL,
            confirmed INTEGER NOT NULL, verdict TEXT NOT NULL,
            answer TEXT,                      -- JSON
            ended_at REAL NOT NULL
        )""",
        *_append_only("errands"),
        *_append_only("errand_ends"),
    ),
    # What people did beside answering approvals, and the missions that wait for their turn.
    (
        """CREATE TABLE people (
            by TEXT NOT NULL,                 -- who
            did TEXT NOT NULL,                -- order, cancel, stop, release
            mission TEXT, detail TEXT NOT NULL, at REAL NOT NULL
        )""",
        """CREATE TABLE queue (
            mission TEXT PRIMARY KEY,         -- waits until a row of missions has this id
            orders TEXT NOT NULL,             -- JSON
            by TEXT NOT NULL, at REAL NOT NULL,
            cancelled_at REAL, why TEXT       -- NULL: was not
        )""",
        *_append_only("people"),
    ),
    # Who chose a decision of a guided mission; NULL: the master's own policy did.
    ("ALTER TABLE decisions ADD COLUMN chosen_by TEXT",),
    # What orders have shown of a site, and up to which row of a table it is forgotten.
    (
        """CREATE TABLE searches (
            site TEXT NOT NULL,
            mission TEXT, order_number INTEGER,  -- NULL: from a file
            item TEXT NOT NULL, home TEXT NOT NULL,
            found TEXT NOT NULL,              -- '': it was not
            empty TEXT NOT NULL,              -- JSON: bins where it was not
            at REAL NOT NULL,
            FOREIGN KEY (mission, order_number) REFERENCES orders
        )""",
        """CREATE TABLE ways (
            site TEXT NOT NULL,
            mission TEXT NOT NULL, order_number INTEGER NOT NULL,
            blocked TEXT NOT NULL, free TEXT NOT NULL,  -- JSON: pairs of nodes of the graph
            stamp REAL NOT NULL, at REAL NOT NULL,
            FOREIGN KEY (mission, order_number) REFERENCES orders
        )""",
        """CREATE TABLE forgotten (
            site TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL,
            searches INTEGER NOT NULL, ways INTEGER NOT NULL, outcomes INTEGER NOT NULL
        )""",
        *_append_only("searches"),
        *_append_only("ways"),
        *_append_only("forgotten"),
    ),
    # How much an order counts, and s of ROS time when it is due and when it was given.
    tuple(
        f"ALTER TABLE orders ADD COLUMN {column}"
        for column in ("priority INTEGER", "due REAL", "given REAL")
    ),
)  # fmt: skip
