"""All state beside the collections themselves, opened together: what is kept in SQLite, and files per collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.store.collection_store import CollectionStore
from core.store.objects.collection_folders import CollectionFolders
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.map_files import MapFiles
from core.store.objects.text_fit_file import TextFitFile
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.audit_log import AuditLog
from core.store.sql.damage import set_aside_files
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.event_log import EventLog
from core.store.sql.event_retention import Retention
from core.store.sql.job_store import JobStore
from core.store.sql.judgement_store import JudgementStore
from core.store.sql.migrations import ALERTS, CONTACTSHEET, EVENTS, JUDGEMENTS, LIMITS, QUALITY
from core.store.sql.ranking_cache import RankingCache
from core.store.sql.rate_limits import RateLimits
from core.store.sql.revision_store import RevisionStore
from core.store.sql.run_store import RunStore
from core.store.sql.session_store import SessionStore
from core.store.sql.sidecar_store import SidecarStore
from core.store.sql.source_store import SourceStore
from core.store.sql.spend_store import Budgets, SpendStore

# The files of a data folder that SQLite writes, those that nothing can replace first, with their schemas.
DATABASES = {
    "contactsheet.db": CONTACTSHEET,
    "judgements.db": JUDGEMENTS,
    "quality.db": QUALITY,
    "events.db": EVENTS,
    "alerts.db": ALERTS,
    "limits.db": LIMITS,
}


IRREPLACEABLE = ("contactsheet.db", "judgements.db")


@dataclass(frozen=True)
class Stores:
    """The stores of one data folder. May be shared between threads, and used by many processes at once."""

    jobs: JobStore
    spend: SpendStore
    rankings: RankingCache
    revisions: RevisionStore
    drafts: DraftStore
    assignments: AssignmentStore
    judgements: JudgementStore
    runs: RunStore
    sources: SourceStore
    sidecars: SidecarStore
    sessions: SessionStore
    events: EventLog
    audit: AuditLog
    rates: RateLimits
    linkages: CollectionFolders[LinkageFiles]
    maps: CollectionFolders[MapFiles]
    downloads: CollectionFolders[Path]
    captions: CollectionFolders[Path]
    text_fits: CollectionFolders[TextFitFile]
    set_aside_before: frozenset[Path] = frozenset()

    @classmethod
    def open(cls, data: Path, budgets: Budgets, retention: Retention) -> Stores:
        """Open or create the stores below `data`. A store that cannot be opened says so when it is used."""
        set_aside_before = frozenset(set_aside_files(data))
        others = [data / name for name in DATABASES if name not in IRREPLACEABLE]
        database = Database(data / "contactsheet.db", created_before=others)
        return cls(
            jobs=JobStore(database),
            spend=SpendStore(database, budgets),
            rankings=RankingCache(database),
            revisions=RevisionStore(database),
            drafts=DraftStore(database),
            assignments=AssignmentStore(database),
            judgements=JudgementStore(data / "judgements.db", created_before=others),
            runs=RunStore(data / "quality.db"),
            sources=SourceStore(database, data / "uploads"),
            sidecars=SidecarStore(database),
            sessions=SessionStore(database),
            events=EventLog(data / "events.db", retention),
            audit=AuditLog(database),
            rates=RateLimits(data / "limits.db"),
            linkages=CollectionFolders(data / "linkages", LinkageFiles),
            maps=CollectionFolders(data / "maps", MapFiles),
            downloads=CollectionFolders(data / "unsplash", Path),
            captions=CollectionFolders(data / "captions", Path),
            text_fits=CollectionFolders(data / "text-fits", TextFitFile),
            set_aside_before=set_aside_before,
        )

    def newly_set_aside(self, data: Path) -> list[Path]:
        """The databases that turned out to be damaged since these stores were opened, under their new names."""
        return [path for path in set_aside_files(data) if path not in self.set_aside_before]

    def of_collections(self) -> tuple[CollectionStore, ...]:
        """Every store that holds something about collections; drafts and assignments before the revisions they name.

        `spend` and `audit` are not among them: money spent stays, and so does who did what. Nor is `rates`, which knows
        no collections.
        """
        return (
            self.drafts,
            self.assignments,
            self.revisions,
            self.judgements,
            self.runs,
            self.sources,
            self.sidecars,
            self.rankings,
            self.linkages,
            self.maps,
            self.downloads,
            self.captions,
            self.text_fits,
            self.events,
        )
