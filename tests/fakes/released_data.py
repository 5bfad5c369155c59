"""The data folder of version 0.1, unpacked, and everything in it as one JSON document, under the names of version 0.1.

Arrays and pictures are represented by the SHA-256 of their bytes (arrays: C order, little-endian), shape and type.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from core.app import App
from core.clusters.edits.plan_documents import edit_to_document, plan_from_document, plan_to_document
from core.clusters.service import ClusterService, ClusterSources
from core.clusters.views.cluster_view import ClusterView
from core.jobs.background import BackgroundJobs
from core.records.alerts import AlertState, Silence
from core.records.assets import Asset, Collection
from core.records.clusterings import ClusterRecord, Draft, Revision
from core.records.evaluations import EvaluationRunSummary
from core.records.events import EventWindow
from core.records.judgements import RecordedJudgement
from core.store.lance.bin import RemovedAsset
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.map_files import MapFiles
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.job_store import JobStore
from core.store.sql.judgement_store import JudgementStore
from core.store.sql.ranking_cache import RankingCache
from core.store.sql.revision_store import RevisionStore
from core.store.sql.run_store import run_to_document
from core.store.sql.spend_store import Budgets, SpendStore
from tests.fakes.colour_app import colour_app, open_table

FOLDER = Path(__file__).parents[1] / "data" / "released"
# Fields that had other names in version 0.1.
RELEASED_NAMES: Mapping[type, Mapping[str, str]] = {
    AlertState: {"last_reading_at": "heard_at"},
    Silence: {"reason": "why"},
    Collection: {"sibling_of": "beside"},
    ClusterRecord: {"sample_ids": "sketch"},
    EvaluationRunSummary: {"mock_server": "stand_in"},
    RecordedJudgement: {"judgement": "judged"},
    RemovedAsset: {"removed_by": "by", "removed_at": "at"},
}
NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)
DAYS = [datetime(2026, 10, 30, 12, tzinfo=UTC), datetime(2026, 11, 19, 12, tzinfo=UTC), NOW]
# From the year before the first event to after the last, whole days of which only roll-ups are left, minutes of today.
SPANS = [
    (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
    (datetime(2026, 10, 30, 9, 0, 10, tzinfo=UTC), datetime(2026, 10, 30, 10, 30, tzinfo=UTC)),
    (datetime(2026, 11, 20, 14, 0, 5, tzinfo=UTC), datetime(2026, 11, 20, 14, 0, 20, tzinfo=UTC)),
]
PLACES = 3  # decimals of what is computed anew, as far as every machine agrees


def unpack(folder: Path) -> Path:
    """The data folder of version 0.1, with its modification times, below `folder`."""
    with tarfile.open(FOLDER / "data-0.1.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "data"


def expected() -> dict[str, Any]:
    """What version 0.1 read from it."""
    document: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
    return document


def read(data: Path) -> dict[str, Any]:
    """Everything in a data folder."""
    app = colour_app(data)
    return {
        "collections": {name: collection(app, data, name) for name in app.existing_collections()},
        "clusters": {name: clusters(app, data, name) for name in app.existing_collections()},
        "jobs": jobs(data),
        "spend": spend(data),
        "rankings": rankings(app, data),
        "judgements": judgements(app, data),
        "runs": runs(app),
        "events": events(app),
        "alerts": alerts(app),
        "uploads": uploads(data),
    }


def collection(app: App, data: Path, name: str) -> dict[str, Any]:
    """Its description, its pictures with thumbnails and vectors, its bin, its dendrograms and its maps."""
    about = next(c for c in app.collections() if c.name == name)
    table = open_table(data, name)
    snapshot = table.snapshot()
    vectors = dict(zip(snapshot.ids, snapshot.vectors, strict=True))
    return {
        "model": plain(about.model),
        "size": about.size,
        "created_at": plain(about.created_at),
        "beside": about.sibling_of,
        "version": app.version(name),
        "titles": app.titles(name),
        "pictures": {
            asset.id: {**plain(asset), "thumbnail": plain(jpeg), "vector": plain(vectors[asset.id])}
            for asset, jpeg in table.assets(sorted(snapshot.ids))
        },
        "bin": {
            "ids": app.removal.removed_ids(name),
            "newest first": [plain(r) for r in app.removal.removed(name, 0, 100)],
        },
        "lying beside": [plain(sibling) for sibling in app.reembedding.siblings(name)] if not about.sibling_of else [],
        "linkages": linkages(app, data, name),
        "map": stored_map(app, data, name),
    }


def linkages(app: App, data: Path, name: str) -> dict[str, Any]:
    """The newest dendrogram's version, and those of the collection as it is and of its revisions."""
    stored = LinkageFiles(data / "linkages" / name)
    versions = {app.version(name), *(r.collection_version for r in app.clusters.revisions.list(name))}
    found = {version: stored.get(version) for version in sorted(versions)}
    return {
        "newest": stored.latest_version(),
        "by version": {v: {"ids": plain(f[0]), "z": plain(f[1])} if f else None for v, f in found.items()},
    }


def stored_map(app: App, data: Path, name: str) -> dict[str, Any]:
    """The latest map as it is stored, and laid on the collection as it is."""
    maps, laid = MapFiles(data / "maps" / name), app.atlas.map(name)
    stored = maps.latest()
    return {
        "there is one": bool(maps.change_token()),
        "stored": plain(stored),
        "laid": {
            "placed": laid.placed,
            "provisional": laid.provisional,
            "refit suggested": laid.refit_suggested,
            "coordinates": {
                asset_id: [round(float(x), PLACES) + 0.0, round(float(y), PLACES) + 0.0]
                for asset_id, (x, y) in zip(laid.asset_ids, laid.coordinates, strict=True)
            },
        }
        if not laid.provisional
        else {"placed": laid.placed, "provisional": True},
    }


def clusters(app: App, data: Path, name: str) -> dict[str, Any]:
    """Revisions, publications, drafts and newcomers."""
    revisions, service = app.clusters.revisions, silent_service(app, data)
    published, drafts = revisions.published(name), DraftStore(Database(data / "contactsheet.db")).list(name)
    return {
        "revisions": [revision(app, service, r) for r in revisions.list(name)],
        "newest": plain(newest.id if (newest := revisions.newest(name)) else None),
        "published": published.id if published else None,
        "publications": [plain(p) for p in revisions.publications(name)],
        "drafts": [draft(app, service, d) for d in drafts],
        "newcomers": {
            str(r.id): [plain(a) for a in app.assignments.for_revision(name, r)] for r in revisions.list(name)
        },
    }


def silent_service(app: App, data: Path) -> ClusterService:
    """A service whose views leave no events in the log."""
    database = Database(data / "contactsheet.db")
    sources = ClusterSources(
        lambda name: open_table(data, name).snapshot(),
        lambda name: LinkageFiles(data / "linkages" / name),
        lambda _, texts: app.encoder.encode_texts(texts),
        list,
    )
    return ClusterService(sources, RevisionStore(database), BackgroundJobs(JobStore(database), data / "jobs", {}))


def revision(app: App, service: ClusterService, saved: Revision) -> dict[str, Any]:
    """A revision, its plan read and written once more, its clusters as saved, and its plan on the pictures of now."""
    clustering = app.clusters.clustering(saved.id)
    cluster_ids, labels = [*(c.id for c in clustering.clusters), None], clustering.labels.tolist()
    return {
        **plain(saved),
        "plan reads back": plan_to_document(plan_from_document(saved.plan)) == saved.plan,
        "clusters": [plain(c) for c in clustering.clusters],
        "members": {i: cluster_ids[label] for i, label in zip(clustering.asset_ids, labels, strict=True)},
        "today": view(service.revision_view(saved)),
    }


def draft(app: App, service: ClusterService, kept: Draft) -> dict[str, Any]:
    """A draft, what it means, what redoing would do, and its plan on the pictures of now."""
    opened = app.curation.draft(kept.id)
    history = opened.history
    stored = plain(kept)
    del stored["owner"]  # 0.1 knew the author alone
    return {
        **stored,
        "unsaved": opened.unsaved,
        "can undo": history.can_undo,
        "can redo": history.can_redo,
        "plan": plan_to_document(opened.plan),
        "base": plan_to_document(history.base),
        "redone": edit_to_document(history.redo().done[-1].edit) if history.can_redo else None,
        "plan after undoing": plan_to_document(history.undo().plan) if history.can_undo else None,
        "today": view(service.view(kept.collection, opened.plan, kept.parent)),
    }


def view(seen: ClusterView) -> dict[str, Any]:
    """Clusters with their names and members, and what could not be carried over."""
    ids = np.array(seen.asset_ids)
    return {
        "clusters": [
            {
                "id": c.id,
                "name": c.name,
                "confirmed": c.confirmed,
                "description": c.description,
                "no group": c.no_group,
                "threshold": c.threshold,
                "pinned": c.pinned,
                "edited": c.edited,
                "members": sorted(ids[seen.labels == number].tolist()),
            }
            for number, c in enumerate(seen.clusters)
        ],
        "unclustered": sorted(ids[seen.labels < 0].tolist()),
        "losses": [f"{edit.summary}: {edit.reason}" for edit in seen.partition.unapplied],
    }


def jobs(data: Path) -> dict[str, Any]:
    """All jobs, the newest first. `App.library.jobs` is not asked: it would find the running one crashed, rightly."""
    kept = JobStore(Database(data / "contactsheet.db"))
    return {
        "newest first": [
            {
                **plain(job),
                "open": job.open,
                "failures": [plain(f) for f in kept.failures(job.id)],
                "failures by reason": plain(kept.failures_by_reason(job.id)),
            }
            for job in kept.latest(100)
        ],
        "by state": kept.by_state(),
        "unfinished": [job.id for job in kept.unfinished()],
        "failed since": {plain(d): kept.failed_since(d) for d in (*DAYS, datetime(2026, 11, 18, tzinfo=UTC))},
    }


def spend(data: Path) -> dict[str, Any]:
    """What counts against the budgets on some days."""
    database, found = Database(data / "contactsheet.db"), {}
    for day in DAYS:
        kept = SpendStore(database, Budgets(2, 30), lambda day=day: day)  # type: ignore[misc]
        found[plain(day)] = {**plain(kept.spent()), "requests": kept.requests_today()}
    return found


def rankings(app: App, data: Path) -> list[dict[str, Any]]:
    """What is kept for each question that the log tells of; asked of a copy, since being asked is noted."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(data / "contactsheet.db", folder)
        kept = RankingCache(Database(Path(folder) / "contactsheet.db"))
        for event in app.events.latest(1_000):
            said = event.detail.get("ranking", {})
            places = sorted(said.get("places", ()), key=lambda place: place["vector_rank"])
            if places:
                ids = [place["asset_id"] for place in places]
                asked = (event.detail["query"], ids, said["model"], said["prompt_version"], said["send"], "")
                key = hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
                found.append({"event": event.uid, "asked": plain(asked), "key": key, "kept": kept.get(asked)})
    return found


def judgements(app: App, data: Path) -> dict[str, Any]:
    """What people think of results."""
    kept, year = JudgementStore(data / "judgements.db"), SPANS[0]
    asked = [(o.author, o.judgement.collection, o.judgement.query) for o in kept.latest(1_000)]
    return {
        "latest": [plain(opinion) for opinion in kept.latest(1_000)],
        "tallies": {name: [plain(tally) for tally in kept.tallies(name)] for name in ("holiday", "pets")},
        "counts": {
            f"{name or 'all'}, {ranker or 'any'}": plain(kept.counts(*year, name, ranker))
            for name in (None, "holiday", "pets")
            for ranker in (None, "gemini", "vector")
        },
        "counts of five seconds": plain(kept.counts(NOW - timedelta(hours=5), NOW - timedelta(hours=5, seconds=-5))),
        "of": {" | ".join(who): kept.by_owner(_owner(who[0]), *who[1:]) for who in sorted(set(asked))},
        "label sets": {name: plain(app.quality.judging.label_set(name)) for name in ("holiday", "pets")},
    }


def runs(app: App) -> dict[str, Any]:
    """Kept evaluations: the list, and each by its number; the named one by its name too."""
    kept = app.quality.runs
    rows = kept.latest()
    return {
        "latest": [{**plain(row), "ranked by": row.ranked_by} for row in rows],
        "by number": {
            str(run.id): {**plain(run_to_document(run)), "usd": run.usd, "fallbacks": run.fallbacks}
            for run in (kept.get(row.id) for row in rows)
        },
        "by name": {row.name: kept.get(row.name).id for row in rows if row.name},
    }


def events(app: App) -> dict[str, Any]:
    """Single events with their receipts, and what they add up to, also those that are gone."""
    log, year = app.events, SPANS[0]
    charted = log.series(datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC), 24)
    return {
        "began at": plain(log.began_at()),
        "latest": [plain(event) for event in log.latest(1_000)],
        "totals": {" | ".join(key): window(found) for key, found in sorted(log.totals().items())},
        "windows": [window(log.window(*span)) for span in SPANS],
        "searches of holiday": window(log.window(*year, ("search",), "holiday")),
        "series": [
            {"since": plain(w.since), "until": plain(w.until), "requests": w.requests, "usd": w.total_usd}
            for w in charted
            if w.requests
        ],
        "slowest": [event.uid for event in log.slowest(*year, 5, ("search",))],
        "dearest": [event.uid for event in log.most_expensive(*year, 5)],
        "one by its id": plain(log.get("7".zfill(32))),
    }


def window(found: EventWindow) -> dict[str, Any]:
    """A window without the moments of `totals`, which are those of its being asked."""
    return {
        "requests": found.requests,
        "errors": found.errors,
        "fallbacks": found.fallbacks,
        "reasons": dict(found.reasons),
        "by kind": {" | ".join(k): n for k, n in sorted(found.outcomes_by_kind.items())},
        "stages": {
            stage: {"count": sketch.count, **{f"p{q * 100:.0f}": plain(sketch.quantile(q)) for q in (0.5, 0.95)}}
            for stage, sketch in found.stages.items()
        },
        "tokens": dict(found.tokens),
        "usd": dict(found.usd),
        "cache hits": found.cache_hits,
        "images": found.images,
    }


def alerts(app: App) -> dict[str, Any]:
    """Where every alert stands at NOW, and what became of them."""
    service = app.monitor.alerts
    return {
        "current": [
            {
                "name": a.rule.name,
                "state": plain(a.state),
                "silence": plain(a.silence),
                "firing": a.firing,
                "loud": a.active,
                "sentence": a.summary if not math.isnan(a.state.value) else None,
            }
            for a in service.current(NOW)
        ],
        "changes": [plain(change) for change in service.history()],
    }


def uploads(data: Path) -> dict[str, Any]:
    """The uploaded files by their places in the data folder."""
    files = [path for path in sorted((data / "uploads").rglob("*")) if path.is_file()]
    return {path.relative_to(data).as_posix(): plain(path.read_bytes()) for path in files}


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Asset):
        return plain(_released_asset(value))
    if is_dataclass(value) and not isinstance(value, type):
        names = RELEASED_NAMES.get(type(value), {})
        return {names.get(f.name, f.name): plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<")).tobytes()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "sha256": hashlib.sha256(data).hexdigest()}
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value


def _released_asset(asset: Asset) -> dict[str, Any]:
    """What the released version knew of an asset: it kept a day without its time as midnight UTC."""
    about = {name: getattr(asset.about, name) for name in ("title", "description", "keywords", "author", "licence")}
    created = asset.about.created.start.replace(tzinfo=UTC) if asset.about.created else None
    known = {name: getattr(asset, name) for name in ("id", "uris", "width", "height", "ingested_at")}
    return {**known, "source": "".join(asset.sources), "about": {**about, "created_at": created}}


def _owner(author: str) -> str:
    """Who may change the thumbs of an author of the released version, which knew nothing but names."""
    return {"someone at this computer": "local", "a visitor": "session:"}.get(author, f"name:{author}")
