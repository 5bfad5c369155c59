"""The commands about clusters: cut, save, publish, compare, export, assign; and the map."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from core.access import OPERATOR, Person
from core.cli.progress_bar import ProgressBar
from core.clusters.curation import name_of
from core.clusters.edits.model import Branch, SetBranch, SetSmallest, SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.clusters.lineage.diff_sentences import sentences
from core.clusters.views.export import Format, exported, imported
from core.clusters.views.view import ClusterView
from core.errors import ClusterError
from core.records.clusterings import Revision
from core.text import counted

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it

Finish = Callable[[argparse.ArgumentParser, Callable[[argparse.Namespace], int]], None]
Told = tuple[dict[str, Any], list[str]]
ACTIONS = ("list", "save", "publish", "restore", "diff", "export", "import", "name", "prune")


def add_cluster_commands(
    commands: Any, finish: Finish, open_app: Callable[[], App], print_json: Callable[[Any], None]
) -> None:
    """Add the commands to the parser of all commands."""
    desk = _Commands(open_app, print_json)
    cluster = commands.add_parser(
        "cluster", help="group similar pictures", description="Cut the collection's dendrogram into clusters."
    )
    _collection(cluster)
    _thresholds(cluster)
    cluster.add_argument("--members", action="store_true", help="list the pictures of each cluster")
    finish(cluster, desk.cluster)
    revisions = commands.add_parser(
        "revisions",
        help="save, publish, compare and export clusterings",
        description="What curators saved: list, save, publish, restore, diff, export, import, name, prune.",
    )
    revisions.add_argument("action", choices=ACTIONS, nargs="?", default="list", help="what to do (default: list)")
    revisions.add_argument("ids", type=int, nargs="*", metavar="ID", help="a revision; for diff two")
    _collection(revisions)
    _thresholds(revisions)
    revisions.add_argument("--note", default="", metavar="TEXT", help="what a saved revision is about; or its new name")
    revisions.add_argument("--format", choices=get_args(Format), default="csv", help="of an export (default: csv)")
    revisions.add_argument(
        "--output", type=Path, metavar="FILE", help="where an export goes (default: standard output)"
    )
    revisions.add_argument("--input", type=Path, metavar="FILE", help="an exported file, for import")
    revisions.add_argument("--keep", type=int, default=20, metavar="N", help="how many prune keeps (default: 20)")
    finish(revisions, desk.revisions)
    assign = commands.add_parser(
        "assign",
        help="assign new pictures to the published clusters",
        description="Assign pictures that have no place yet; with --threshold, say what another one would change.",
    )
    _collection(assign)
    assign.add_argument("--threshold", type=float, metavar="COSINE", help="only rehearse with this threshold")
    assign.add_argument("--last", type=int, default=1000, metavar="N", help="how many pictures to rehearse with")
    finish(assign, desk.assign)
    mapped = commands.add_parser(
        "map", help="lay a collection out as a map", description="Fit the map (UMAP) of a collection as it is now."
    )
    _collection(mapped)
    finish(mapped, desk.map)


def _collection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--collection", default="demo", metavar="NAME", help="the collection (default: demo)")


def _thresholds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threshold", type=float, metavar="COSINE", help="cut here (default: as saved last, or 0.82)")
    parser.add_argument("--smallest", type=int, metavar="N", help="the smallest cluster that counts (default: 2)")
    parser.add_argument(
        "--branch",
        action="append",
        default=[],
        metavar="A,B=COSINE",
        help="another threshold where pictures A and B (ids, or their first digits) join; repeatable",
    )


class _Commands:
    def __init__(self, open_app: Callable[[], App], print_json: Callable[[Any], None]) -> None:
        self._open, self._print_json = open_app, print_json

    def cluster(self, options: argparse.Namespace) -> int:
        app = self._ready(options.collection, linked=True)
        plan, parent = _plan(app, options)
        view = app.clusters.view(options.collection, plan, parent)
        document = cluster_document(app, options.collection, view, options.members)
        if options.json:
            self._print_json(document)
            return 0
        for cluster in document["clusters"]:
            print(f"{cluster['size']:>6}  {cluster['cohesion']:.3f}  {cluster['id']:<14} {cluster['name'] or '–'}")
            for member in cluster.get("members", ()):
                print(f"        {member['similarity']:.3f}  {member['title']}  {member['id'][:12]}")
        print(
            f"{len(document['clusters'])} clusters at {plan.threshold:g}, {document['unclustered']} pictures in none",
            file=sys.stderr,
        )
        return 0

    def revisions(self, options: argparse.Namespace) -> int:
        app = self._ready(options.collection, linked=options.action in ("save", "import"))
        if options.action == "export":
            return self._export(app, options)
        document, lines = getattr(self, f"_{options.action}")(app, options)
        if options.json:
            self._print_json(document)
            return 0
        for line in lines:
            print(line)
        return 0

    def assign(self, options: argparse.Namespace) -> int:
        app = self._ready(options.collection)
        if options.threshold is None:
            placed = app.assign(options.collection)
            self._print_json({"assigned": placed}) if options.json else print(f"{placed} pictures assigned")
            return 0
        rehearsal = app.newcomers.rehearse(options.collection, options.threshold, options.last)
        if options.json:
            self._print_json(asdict(rehearsal))
            return 0
        for change in rehearsal.changes:
            print(f"{change.similarity:.4f}  {change.title}: {change.before or 'new'} → {change.after or 'new'}")
        print(f"{len(rehearsal.changes)} of the last {rehearsal.tried} pictures would go elsewhere", file=sys.stderr)
        return 0

    def map(self, options: argparse.Namespace) -> int:
        app = self._open()
        with ProgressBar(sys.stderr) as bar:
            if options.collection == "demo":
                app.ensure_demo(bar.show)
            done = app.atlas.fit(options.collection, bar.show)
        if not options.json:
            print(done)
            return 0
        fitted = app.atlas.map(options.collection)
        rows = zip(fitted.asset_ids, fitted.coordinates.tolist(), strict=True)
        self._print_json({"collection": options.collection, "map": [{"id": i, "x": x, "y": y} for i, (x, y) in rows]})
        return 0

    def _ready(self, collection: str, linked: bool = False) -> App:
        app = self._open()
        with ProgressBar(sys.stderr) as bar:
            if collection == "demo":
                app.ensure_demo(bar.show)
            app.version(collection)  # raises CollectionError if there is none of that name
            if linked and app.clusters.base(collection) is None:
                app.clusters.link(collection, bar.show)
        return app

    def _list(self, app: App, options: argparse.Namespace) -> Told:
        found = app.clusters.revisions.list(options.collection)
        if not found:
            print("no revisions yet: python -m core revisions save", file=sys.stderr)
        return _told(*found)

    def _save(self, app: App, options: argparse.Namespace) -> Told:
        plan, parent = _plan(app, options)
        return _told(app.curators.save_plan(_operator(app), options.collection, plan, parent, options.note))

    def _import(self, app: App, options: argparse.Namespace) -> Told:
        """The clusters of an exported file, laid on what is saved as edits, and saved."""
        if options.input is None:
            raise ClusterError("import needs a file: revisions import --input FILE")
        plan, parent = _plan(app, options)
        edits, missing = imported(options.input.read_bytes(), options.input.name, list(app.titles(options.collection)))
        for edit in edits:
            plan = apply(plan, edit)
        if missing:
            print(f"{missing} pictures of the file are not in {options.collection}", file=sys.stderr)
        note = options.note or f"imported from {options.input.name}"
        return _told(app.curators.save_plan(_operator(app), options.collection, plan, parent, note))

    def _publish(self, app: App, options: argparse.Namespace) -> Told:
        revision, published = _one(app, options), app.clusters.revisions.published(options.collection)
        return _told(app.curators.publish(_operator(app), revision.id, published.id if published else None))

    def _restore(self, app: App, options: argparse.Namespace) -> Told:
        return _told(app.curators.restore(_operator(app), _one(app, options).id, options.note))

    def _name(self, app: App, options: argparse.Namespace) -> Told:
        return _told(app.curators.name(_operator(app), _one(app, options).id, options.note))

    def _prune(self, app: App, options: argparse.Namespace) -> Told:
        removed = app.curators.prune(_operator(app), options.collection, options.keep)
        return {"removed": removed}, [f"{removed} revisions removed; published and named ones stay"]

    def _diff(self, app: App, options: argparse.Namespace) -> Told:
        before, after = _revisions(app, options, 2)
        changes = sentences(app.clusters.difference(before.id, after.id))
        return {"changes": changes}, changes

    def _export(self, app: App, options: argparse.Namespace) -> int:
        revision = _one(app, options)
        how: Format = "json" if options.json else options.format
        data = exported(revision, app.clusters.clustering(revision.id), app.titles(revision.collection), how)
        if options.output:
            options.output.write_bytes(data)
        else:
            sys.stdout.buffer.write(data)
        return 0


def _operator(app: App) -> Person:
    """Whoever can read the settings holds the key in them."""
    return replace(OPERATOR, key=app.settings.curator_key)


def _told(*revisions: Revision) -> Told:
    return {"revisions": [_revision_document(revision) for revision in revisions]}, list(map(_line, revisions))


def _plan(app: App, options: argparse.Namespace) -> tuple[Plan, int | None]:
    """The plan saved last with what the options change, and the revision it is of."""
    newest = app.clusters.revisions.newest(options.collection)
    plan = app.clusters.plan_of(newest)
    if options.threshold is not None:
        plan = apply(plan, SetThreshold(options.threshold))
    if options.smallest is not None:
        plan = apply(plan, SetSmallest(options.smallest))
    for text in options.branch:
        plan = apply(plan, SetBranch(_branch(app, options.collection, text)))
    return plan, newest.id if newest else None


def _branch(app: App, collection: str, text: str) -> Branch:
    names, _, threshold = text.rpartition("=")
    try:
        similarity = float(threshold)
    except ValueError as error:
        raise ClusterError(f"{text!r} is not a branch: write A,B=0.9 with the ids of two pictures") from error
    known = app.titles(collection)
    return Branch(tuple(sorted(_whole_id(known, name.strip()) for name in names.split(","))), similarity)


def _whole_id(known: Mapping[str, str], start: str) -> str:
    found = [asset_id for asset_id in known if start and asset_id.startswith(start)]
    if len(found) != 1:
        raise ClusterError(f"{len(found)} pictures have an id that begins with {start!r}: write more digits")
    return found[0]


def _one(app: App, options: argparse.Namespace) -> Revision:
    return _revisions(app, options, 1)[0]


def _revisions(app: App, options: argparse.Namespace, count: int) -> list[Revision]:
    """The revisions that the command names. Raises ClusterError for another number of them, or another collection's."""
    if len(options.ids) != count:
        example = " ".join(map(str, range(3, 3 + count)))
        needed = f"{options.action} needs {counted(count, 'revision')}"
        raise ClusterError(f"{needed}: revisions {options.action} {example}")
    found = [app.clusters.revisions.get(revision_id) for revision_id in options.ids]
    for revision in found:
        if revision.collection != options.collection:
            other = f"revision {revision.id} is of {revision.collection}, not of {options.collection}"
            raise ClusterError(f"{other}: add --collection {revision.collection}")
    return found


def cluster_document(app: App, collection: str, view: ClusterView, with_members: bool = True) -> dict[str, Any]:
    """The JSON document of `cluster --json`."""
    suggestions, measures, ids = app.clusters.suggestions(collection, view), view.measures, view.asset_ids
    clusters = []
    for number in np.flatnonzero(view.sizes).tolist():  # clusters whose pictures are gone are not listed
        cluster, suggestion = view.clusters[number], suggestions[number]
        name = name_of(cluster, suggestion)
        sure = 1.0 if cluster.confirmed else None
        if suggestion and name == suggestion.name and not cluster.confirmed:
            sure = round(suggestion.confidence, 4)
        entry: dict[str, Any] = {
            "id": cluster.id,
            "name": name,
            "confirmed": cluster.confirmed,
            "confidence": sure,
            "size": int(view.sizes[number]),
            "threshold": cluster.threshold,
            "no_group": cluster.no_group,
            "cohesion": round(float(measures.cohesion[number]), 6),
            "borderline": int(view.borderline[number]),
            "representative": ids[int(measures.representatives[number])],
        }
        if with_members:
            titles = view.base.snapshot.titles
            entry["members"] = [
                {"id": ids[row], "title": titles[row], "similarity": round(float(measures.similarity[row]), 6)}
                for row in measures.members(number).tolist()
            ]
        clusters.append(entry)
    return {
        "collection": collection,
        "collection_version": view.base.snapshot.version,
        "threshold": view.plan.threshold,
        "smallest": view.plan.smallest,
        "unclustered": int((view.labels < 0).sum()),
        "clusters": clusters,
        "losses": [loss.sentence for loss in view.partition.losses],
    }


def _revision_document(revision: Revision) -> dict[str, Any]:
    return {**vars(revision), "created_at": revision.created_at.isoformat()}


def _line(revision: Revision) -> str:
    marks = " · ".join(filter(None, ["published" if revision.published else "", revision.name, revision.note]))
    return (
        f"{revision.id:>5}  {revision.created_at:%Y-%m-%d %H:%M}  {revision.threshold:<8g} "
        f"{revision.cluster_count:>6} clusters  {revision.author}  {marks}"
    )
