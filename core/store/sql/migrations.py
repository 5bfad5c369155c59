"""The schema of every SQLite database, as named migrations from nothing to the current version.

A database stores the number of migrations that were applied to it as its `user_version`; the names are for people.
A table of applied names would only repeat that number: migrations are applied in order and none is ever left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.store.sql.released_usd import pico_usd_from_binary, pico_usd_from_real


@dataclass(frozen=True)
class Migration:
    """One step of a schema, applied in one transaction; never edited once released: a change is a new step.

    `functions`, of one argument each, may be called by their names in `statements`.
    """

    name: str
    statements: tuple[str, ...]
    functions: tuple[Callable[[Any], Any], ...] = ()


# contactsheet.db: jobs, spending, cached rankings, clusterings, the audit log
CONTACTSHEET: tuple[Migration, ...] = (
    Migration(
        "jobs",
        (
            """
            CREATE TABLE jobs (
                id INTEGER PRIMARY KEY,
                kind TEXT NOT NULL,
                collection TEXT NOT NULL,
                arguments TEXT NOT NULL,
                author TEXT NOT NULL,
                state TEXT NOT NULL,
                phase TEXT NOT NULL DEFAULT '',
                done INTEGER NOT NULL DEFAULT 0,
                total INTEGER NOT NULL DEFAULT 0,
                rate REAL NOT NULL DEFAULT 0,
                remaining_s REAL,
                added INTEGER NOT NULL DEFAULT 0,
                known INTEGER NOT NULL DEFAULT 0,
                message TEXT NOT NULL DEFAULT '',
                cancel_requested INTEGER NOT NULL DEFAULT 0,
                created_at TEXT NOT NULL,
                started_at TEXT,
                ended_at TEXT
            )
            """,
            "CREATE INDEX jobs_by_state ON jobs (state)",
            """
            CREATE TABLE job_failures (
                job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
                uri TEXT NOT NULL,
                reason TEXT NOT NULL,
                detail TEXT NOT NULL
            )
            """,
            "CREATE INDEX job_failures_by_job ON job_failures (job_id)",
        ),
    ),
    Migration(
        "spend and rankings",
        (
            """
            CREATE TABLE spend (
                id INTEGER PRIMARY KEY,
                day TEXT NOT NULL,
                usd REAL NOT NULL,
                settled INTEGER NOT NULL
            )
            """,
            "CREATE INDEX spend_by_day ON spend (day)",
            """
            CREATE TABLE rankings (
                key TEXT PRIMARY KEY,
                document TEXT NOT NULL,
                used INTEGER NOT NULL
            ) WITHOUT ROWID
            """,
            "CREATE INDEX rankings_by_use ON rankings (used)",
        ),
    ),
    Migration(
        "clusterings",
        (
            """
            CREATE TABLE asset_lists (
                collection TEXT NOT NULL,
                version TEXT NOT NULL,
                ids BLOB NOT NULL,
                PRIMARY KEY (collection, version)
            )
            """,
            """
            CREATE TABLE revisions (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                collection TEXT NOT NULL,
                collection_version TEXT NOT NULL,
                parent INTEGER,
                threshold REAL NOT NULL,
                author TEXT NOT NULL,
                created_at TEXT NOT NULL,
                note TEXT NOT NULL,
                name TEXT NOT NULL DEFAULT '',
                size INTEGER NOT NULL,
                cluster_count INTEGER NOT NULL,
                named_count INTEGER NOT NULL,
                plan TEXT NOT NULL,
                labels BLOB NOT NULL,
                centroids BLOB NOT NULL,
                UNIQUE (collection, id),
                FOREIGN KEY (collection, collection_version) REFERENCES asset_lists (collection, version)
            )
            """,
            """
            CREATE TABLE revision_clusters (
                revision INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
                place INTEGER NOT NULL,
                id TEXT NOT NULL,
                name TEXT NOT NULL,
                confirmed INTEGER NOT NULL,
                description TEXT NOT NULL,
                size INTEGER NOT NULL,
                threshold REAL NOT NULL,
                no_group INTEGER NOT NULL,
                representative TEXT NOT NULL,
                cohesion REAL NOT NULL,
                sketch BLOB NOT NULL,
                PRIMARY KEY (revision, place)
            )
            """,
            """
            CREATE TABLE published (
                collection TEXT PRIMARY KEY,
                revision INTEGER NOT NULL,
                FOREIGN KEY (collection, revision) REFERENCES revisions (collection, id)
            ) WITHOUT ROWID
            """,
            """
            CREATE TABLE publications (
                id INTEGER PRIMARY KEY,
                collection TEXT NOT NULL,
                revision INTEGER NOT NULL,
                replaced INTEGER,
                author TEXT NOT NULL,
                published_at TEXT NOT NULL
            )
            """,
            "CREATE INDEX publications_by_collection ON publications (collection)",
            """
            CREATE TABLE drafts (
                id TEXT PRIMARY KEY,
                collection TEXT NOT NULL,
                parent INTEGER,
                author TEXT NOT NULL,
                created_at TEXT NOT NULL,
                updated_at TEXT NOT NULL,
                version INTEGER NOT NULL DEFAULT 0,
                history TEXT NOT NULL,
                FOREIGN KEY (collection, parent) REFERENCES revisions (collection, id)
            )
            """,
            "CREATE INDEX drafts_by_parent ON drafts (collection, parent)",
            """
            CREATE TABLE assignments (
                collection TEXT NOT NULL,
                revision INTEGER NOT NULL,
                asset_id TEXT NOT NULL,
                cluster_id TEXT NOT NULL,
                similarity REAL NOT NULL,
                assigned_at TEXT NOT NULL,
                PRIMARY KEY (collection, revision, asset_id),
                FOREIGN KEY (collection, revision) REFERENCES revisions (collection, id) ON DELETE CASCADE
            ) WITHOUT ROWID
            """,
        ),
    ),
    Migration(
        "collections of rankings",
        (
            "ALTER TABLE rankings ADD COLUMN collection TEXT",
            "CREATE INDEX rankings_by_collection ON rankings (collection)",
        ),
    ),
    Migration(
        "sessions and owners of drafts",
        (
            """
            CREATE TABLE sessions (
                id TEXT PRIMARY KEY,
                token_hash TEXT UNIQUE,
                claim_hash TEXT UNIQUE,
                name TEXT NOT NULL,
                account TEXT,
                account_name TEXT,
                email TEXT,
                groups TEXT,
                key_proof TEXT NOT NULL,
                visitor TEXT NOT NULL,
                browser TEXT NOT NULL,
                created_at TEXT NOT NULL,
                seen_at TEXT NOT NULL,
                expires_at TEXT NOT NULL,
                ended_at TEXT
            )
            """,
            "ALTER TABLE drafts ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
            "UPDATE drafts SET owner = iif(author = 'unnamed', 'unnamed:here', 'name:' || author)",
            "CREATE INDEX drafts_by_owner ON drafts (collection, owner, updated_at)",
        ),
    ),
    Migration(
        "audit log",
        (
            """
            CREATE TABLE audit (
                id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
                at_ms INTEGER NOT NULL,
                actor TEXT NOT NULL,
                identity TEXT NOT NULL,
                visitor TEXT NOT NULL,
                action TEXT NOT NULL,
                collection TEXT NOT NULL,
                target TEXT NOT NULL,
                outcome TEXT
            )
            """,
            "CREATE INDEX audit_by_time ON audit (at_ms)",
            "CREATE INDEX audit_by_action ON audit (action, at_ms)",
            """
            CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN
                SELECT RAISE(ABORT, 'the audit log is append-only');
            END
            """,
            # An INSERT OR REPLACE deletes without a trigger.
            """
            CREATE TRIGGER audit_replaces_nothing BEFORE INSERT ON audit
            WHEN EXISTS (SELECT 1 FROM audit WHERE id = new.id) BEGIN
                SELECT RAISE(ABORT, 'the audit log is append-only');
            END
            """,
            """
            CREATE TRIGGER audit_ends_once BEFORE UPDATE ON audit
            WHEN old.outcome IS NOT NULL OR new.outcome IS NULL
                OR (new.id, new.at_ms, new.actor, new.identity, new.visitor, new.action, new.collection, new.target)
                IS NOT (old.id, old.at_ms, old.actor, old.identity, old.visitor, old.action, old.collection, old.target)
            BEGIN
                SELECT RAISE(ABORT, 'the audit log is append-only');
            END
            """,
        ),
    ),
    Migration(
        "shares of spending",
        (
            "ALTER TABLE spend ADD COLUMN payer TEXT",
            "CREATE TABLE salts (day TEXT PRIMARY KEY, salt BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        "spending in pico-USD",
        (
            "ALTER TABLE spend ADD COLUMN pico_usd INTEGER NOT NULL DEFAULT 0",
            "UPDATE spend SET pico_usd = pico_usd_from_real(usd)",
            "ALTER TABLE spend DROP COLUMN usd",
        ),
        (pico_usd_from_real,),
    ),
    Migration(
        "sources and successors",
        (
            """
            CREATE TABLE sources (
                collection TEXT NOT NULL,
                root TEXT NOT NULL,
                kind TEXT NOT NULL,
                label TEXT NOT NULL,
                captions TEXT NOT NULL,
                exclude TEXT NOT NULL,
                added_at TEXT NOT NULL,
                scanned_at TEXT,
                PRIMARY KEY (collection, root)
            ) WITHOUT ROWID
            """,
            """
            CREATE TABLE successors (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                collection TEXT NOT NULL,
                old_id TEXT NOT NULL,
                new_id TEXT NOT NULL
            )
            """,
            "CREATE INDEX successors_by_collection ON successors (collection, id)",
        ),
    ),
    Migration(
        "written sidecars",
        (
            """
            CREATE TABLE sidecar_runs (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                collection TEXT NOT NULL,
                revision INTEGER NOT NULL,
                author TEXT NOT NULL,
                written_at TEXT NOT NULL
            )
            """,
            "CREATE INDEX sidecar_runs_by_collection ON sidecar_runs (collection, id)",
            """
            CREATE TABLE sidecar_files (
                id INTEGER PRIMARY KEY,
                run INTEGER NOT NULL REFERENCES sidecar_runs (id),
                uri TEXT NOT NULL,
                packed BLOB,
                before TEXT NOT NULL,
                after TEXT NOT NULL,
                UNIQUE (run, uri)
            )
            """,
        ),
    ),
)

# events.db: the event log
EVENTS: tuple[Migration, ...] = (
    Migration(
        "events",
        (
            """
            CREATE TABLE events (
                id INTEGER PRIMARY KEY,
                uid TEXT NOT NULL UNIQUE,
                at_ms INTEGER NOT NULL,
                kind TEXT NOT NULL,
                collection TEXT NOT NULL,
                outcome TEXT NOT NULL,
                reason TEXT NOT NULL,
                encode_ms REAL, search_ms REAL, rank_ms REAL, load_ms REAL, total_ms REAL,
                prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
                output_tokens INTEGER NOT NULL, thought_tokens INTEGER NOT NULL,
                clip_usd REAL NOT NULL, compute_usd REAL NOT NULL, gemini_usd REAL NOT NULL,
                model TEXT NOT NULL,
                cache_hit INTEGER NOT NULL,
                detail TEXT NOT NULL
            )
            """,
            "CREATE INDEX events_by_time ON events (at_ms)",
        ),
    ),
    Migration(
        "images and roll-ups",
        (
            "ALTER TABLE events ADD COLUMN images INTEGER NOT NULL DEFAULT 0",
            "DROP INDEX events_by_time",
            """
            CREATE INDEX events_by_time ON events
            (at_ms, kind, collection, total_ms, clip_usd, compute_usd, gemini_usd)
            """,
            """
            CREATE TABLE rollups (
                unit_ms INTEGER NOT NULL,
                at_ms INTEGER NOT NULL,
                kind TEXT NOT NULL,
                collection TEXT NOT NULL,
                outcome TEXT NOT NULL,
                reason TEXT NOT NULL,
                requests INTEGER NOT NULL,
                cache_hits INTEGER NOT NULL,
                images INTEGER NOT NULL,
                prompt_tokens INTEGER NOT NULL,
                cached_tokens INTEGER NOT NULL,
                output_tokens INTEGER NOT NULL,
                thought_tokens INTEGER NOT NULL,
                clip_usd BLOB NOT NULL,
                compute_usd BLOB NOT NULL,
                gemini_usd BLOB NOT NULL,
                encode_ms BLOB NOT NULL,
                search_ms BLOB NOT NULL,
                rank_ms BLOB NOT NULL,
                load_ms BLOB NOT NULL,
                total_ms BLOB NOT NULL,
                PRIMARY KEY (unit_ms, at_ms, kind, collection, outcome, reason)
            ) WITHOUT ROWID
            """,
            "CREATE TABLE folded (event INTEGER NOT NULL, first_ms INTEGER)",
            "INSERT INTO folded VALUES (0, NULL)",
            "CREATE TABLE kept (unit_ms INTEGER PRIMARY KEY, since_ms INTEGER NOT NULL)",
            "INSERT INTO kept VALUES (1, 0), (60000, 0), (3600000, 0), (86400000, 0), (0, 0)",
        ),
    ),
    Migration(
        "costs in pico-USD",
        (
            *(
                statement
                for table, convert in (("events", "pico_usd_from_real"), ("rollups", "pico_usd_from_binary"))
                for service in ("clip", "compute", "gemini")
                for statement in (
                    f"ALTER TABLE {table} ADD COLUMN {service}_pico_usd INTEGER NOT NULL DEFAULT 0",
                    f"UPDATE {table} SET {service}_pico_usd = {convert}({service}_usd)",  # noqa: S608
                )
            ),
            "DROP INDEX events_by_time",
            *(
                f"ALTER TABLE {table} DROP COLUMN {service}_usd"
                for table in ("events", "rollups")
                for service in ("clip", "compute", "gemini")
            ),
            """
            CREATE INDEX events_by_time ON events
            (at_ms, kind, collection, total_ms, clip_pico_usd, compute_pico_usd, gemini_pico_usd)
            """,
        ),
        (pico_usd_from_real, pico_usd_from_binary),
    ),
)

# alerts.db
ALERTS: tuple[Migration, ...] = (
    Migration(
        "alerts",
        (
            """
            CREATE TABLE alerts (
                name TEXT PRIMARY KEY,
                phase TEXT NOT NULL,
                since TEXT, fired_at TEXT, heard_at TEXT,
                value REAL,
                told INTEGER NOT NULL
            ) WITHOUT ROWID
            """,
            """
            CREATE TABLE changes (
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                phase TEXT NOT NULL,
                at TEXT NOT NULL,
                value REAL NOT NULL,
                threshold REAL NOT NULL
            )
            """,
            """
            CREATE TABLE silences (
                name TEXT PRIMARY KEY,
                until TEXT NOT NULL,
                author TEXT NOT NULL,
                why TEXT NOT NULL
            ) WITHOUT ROWID
            """,
            "CREATE TABLE checked (one INTEGER PRIMARY KEY CHECK (one = 1), at TEXT NOT NULL)",
        ),
    ),
)

# quality.db: evaluation runs
QUALITY: tuple[Migration, ...] = (
    Migration(
        "runs",
        (
            """
            CREATE TABLE runs (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                name TEXT NOT NULL,
                at TEXT NOT NULL,
                collection TEXT NOT NULL,
                ranker TEXT NOT NULL,
                model TEXT NOT NULL,
                labels TEXT NOT NULL,
                queries INTEGER NOT NULL,
                document TEXT NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX runs_by_name ON runs (name) WHERE name <> ''",
        ),
    ),
    Migration(
        "mock server of a run",
        ("ALTER TABLE runs ADD COLUMN stand_in TEXT",),
    ),
)

# judgements.db
JUDGEMENTS: tuple[Migration, ...] = (
    Migration(
        "judgements",
        (
            """
            CREATE TABLE judgements (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                author TEXT NOT NULL,
                collection TEXT NOT NULL,
                query TEXT NOT NULL,
                asset_id TEXT NOT NULL,
                up INTEGER NOT NULL,
                model TEXT NOT NULL,
                ranker TEXT NOT NULL,
                position INTEGER NOT NULL,
                blind INTEGER NOT NULL,
                at_ms INTEGER NOT NULL,
                UNIQUE (author, collection, query, asset_id)
            )
            """,
            "CREATE INDEX judgements_by_time ON judgements (at_ms)",
            "CREATE INDEX judgements_by_collection ON judgements (collection, query)",
        ),
    ),
    Migration(
        "owners and voices",
        (
            """
            CREATE TABLE owned_judgements (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                author TEXT NOT NULL,
                collection TEXT NOT NULL,
                query TEXT NOT NULL,
                asset_id TEXT NOT NULL,
                up INTEGER NOT NULL,
                model TEXT NOT NULL,
                ranker TEXT NOT NULL,
                position INTEGER NOT NULL,
                blind INTEGER NOT NULL,
                at_ms INTEGER NOT NULL,
                owner TEXT NOT NULL,
                visitor TEXT,
                UNIQUE (owner, collection, query, asset_id)
            )
            """,
            """
            INSERT INTO owned_judgements
            SELECT id, author, collection, query, asset_id, up, model, ranker, position, blind, at_ms,
                CASE author WHEN 'someone at this computer' THEN 'local'
                WHEN 'a visitor' THEN 'session:' WHEN 'someone with the curator key' THEN 'session:key'
                ELSE 'name:' || author END,
                CASE WHEN author IN ('a visitor', 'someone at this computer', 'someone with the curator key')
                THEN '' END
            FROM judgements
            """,
            "DROP TABLE judgements",
            "ALTER TABLE owned_judgements RENAME TO judgements",
            "CREATE INDEX judgements_by_time ON judgements (at_ms)",
            "CREATE INDEX judgements_by_collection ON judgements (collection, query)",
            "CREATE TABLE salts (day TEXT PRIMARY KEY, salt BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
)

# limits.db: how often something was done of late
LIMITS: tuple[Migration, ...] = (
    Migration(
        "counts",
        (
            """
            CREATE TABLE counts (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                kind TEXT NOT NULL,
                key BLOB NOT NULL,
                tries INTEGER NOT NULL,
                ends_at REAL NOT NULL,
                blocked_until REAL NOT NULL,
                UNIQUE (kind, key)
            )
            """,
            "CREATE INDEX counts_by_end ON counts (ends_at)",
        ),
    ),
)
