"""The commands about clusters: cut, save, publish, compare, export, assign; and the map."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from core.access import OPERATOR
from core.cli.cluster_documents import cluster_document, revision_document, revision_line
from core.cli.command_parser import DEMO, OpenApp, add_collection_option, finish_command
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.clusters.edits.model import Branch, SetBranch, SetMinClusterSize, SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.views.export import Format, export_clustering, import_edits
from core.errors import ClusterError
from core.records.clusterings import Revision
from core.text import counted

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it

# A JSON document, and the same as lines for people.
Output = tuple[dict[str, Any], list[str]]
ACTIONS = ("list", "save", "publish", "restore", "diff", "export", "import", "name", "prune")


def add_cluster_commands(commands: Any, open_app: OpenApp) -> None:
    """Add the commands to the parser of all commands."""
    run = _ClusterCommands(open_app)
    _add_cluster(commands, run)
    _add_revisions(commands, run)
    _add_assign(commands, run)
    parser = commands.add_parser(
        "map", help="lay a collection out as a map", description="Fit the map (UMAP) of a collection as it is now."
    )
    add_collection_option(parser)
    finish_command(parser, run.map)


def _add_cluster(commands: Any, run: _ClusterCommands) -> None:
    parser = commands.add_parser(
        "cluster", help="group similar pictures", description="Cut the collection's dendrogram into clusters."
    )
    add_collection_option(parser)
    _add_threshold_options(parser)
    parser.add_argument("--members", action="store_true", help="list the pictures of each cluster")
    finish_command(parser, run.cluster)


def _add_revisions(commands: Any, run: _ClusterCommands) -> None:
    parser = commands.add_parser(
        "revisions",
        help="save, publish, compare and export clusterings",
        description="What curators saved: list, save, publish, restore, diff, export, import, name, prune.",
    )
    parser.add_argument("action", choices=ACTIONS, nargs="?", default="list", help="what to do (default: list)")
    parser.add_argument("ids", type=int, nargs="*", metavar="ID", help="a revision; for diff two")
    add_collection_option(parser)
    _add_threshold_options(parser)
    parser.add_argument("--note", default="", metavar="TEXT", help="what a saved revision is about; or its new name")
    parser.add_argument("--format", choices=get_args(Format), default="csv", help="of an export (default: csv)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where an export goes (default: standard output)")
    parser.add_argument("--input", type=Path, metavar="FILE", help="an exported file, for import")
    parser.add_argument("--keep", type=int, default=20, metavar="N", help="how many prune keeps (default: 20)")
    finish_command(parser, run.revisions)


def _add_assign(commands: Any, run: _ClusterCommands) -> None:
    parser = commands.add_parser(
        "assign",
        help="assign new pictures to the published clusters",
        description="Assign pictures that have no place yet; with --threshold, say what another one would change.",
    )
    add_collection_option(parser)
    parser.add_argument("--threshold", type=float, metavar="COSINE", help="only rehearse with this threshold")
    parser.add_argument("--last", type=int, default=1000, metavar="N", help="how many pictures to rehearse with")
    finish_command(parser, run.assign)


def _add_threshold_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threshold", type=float, metavar="COSINE", help="cut here (default: as saved last, or 0.82)")
    parser.add_argument("--smallest", type=int, metavar="N", help="the smallest cluster that counts (default: 2)")
    parser.add_argument(
        "--branch",
        action="append",
        default=[],
        metavar="A,B=COSINE",
        help="another threshold where pictures A and B (ids, or their first digits) join; repeatable",
    )


class _ClusterCommands:
    def __init__(self, open_app: OpenApp) -> None:
        self._open_app = open_app

    def cluster(self, options: argparse.Namespace) -> int:
        app = self._ready(options.collection, linked=True)
        plan, parent = _plan(app, options)
        view = app.clusters.view(options.collection, plan, parent)
        document = cluster_document(app, options.collection, view, options.members)
        if options.json:
            print_json(document)
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
            print_json(document)
            return 0
        for line in lines:
            print(line)
        return 0

    def assign(self, options: argparse.Namespace) -> int:
        app = self._ready(options.collection)
        if options.threshold is None:
            placed = app.assign(options.collection)
            print_json({"assigned": placed}) if options.json else print(f"{placed} pictures assigned")
            return 0
        preview = app.assignments.preview(options.collection, options.threshold, options.last)
        if options.json:
            print_json(asdict(preview))
            return 0
        for change in preview.changes:
            print(f"{change.similarity:.4f}  {change.title}: {change.before or 'new'} → {change.after or 'new'}")
        print(f"{len(preview.changes)} of the last {preview.tried} pictures would go elsewhere", file=sys.stderr)
        return 0

    def map(self, options: argparse.Namespace) -> int:
        app = self._open_app()
        with ProgressBar(sys.stderr) as bar:
            if options.collection == DEMO:
                app.ensure_demo(bar.show)
            done = app.atlas.fit(options.collection, bar.show)
        if not options.json:
            print(done)
            return 0
        fitted = app.atlas.map(options.collection)
        rows = zip(fitted.asset_ids, fitted.coordinates.tolist(), strict=True)
        print_json({"collection": options.collection, "map": [{"id": i, "x": x, "y": y} for i, (x, y) in rows]})
        return 0

    def _ready(self, collection: str, linked: bool = False) -> App:
        app = self._open_app()
        with ProgressBar(sys.stderr) as bar:
            if collection == DEMO:
                app.ensure_demo(bar.show)
            app.version(collection)  # raises CollectionError if there is none of that name
            if linked and app.clusters.base(collection) is None:
                app.clusters.compute_linkage(collection, bar.show)
        return app

    def _list(self, app: App, options: argparse.Namespace) -> Output:
        found = app.clusters.revisions.list(options.collection)
        if not found:
            print("no revisions yet: python -m core revisions save", file=sys.stderr)
        return _revisions_output(*found)

    def _save(self, app: App, options: argparse.Namespace) -> Output:
        plan, parent = _plan(app, options)
        return _revisions_output(app.curation.save_plan(OPERATOR, options.collection, plan, parent, options.note))

    def _import(self, app: App, options: argparse.Namespace) -> Output:
        """Save the clusters of an exported file, applied as edits to the newest revision."""
        if options.input is None:
            raise ClusterError("import needs a file: revisions import --input FILE")
        plan, parent = _plan(app, options)
        asset_ids = list(app.titles(options.collection))
        edits, missing = import_edits(options.input.read_bytes(), options.input.name, asset_ids)
        for edit in edits:
            plan = apply(plan, edit)
        if missing:
            print(f"{missing} pictures of the file are not in {options.collection}", file=sys.stderr)
        note = options.note or f"imported from {options.input.name}"
        return _revisions_output(app.curation.save_plan(OPERATOR, options.collection, plan, parent, note))

    def _publish(self, app: App, options: argparse.Namespace) -> Output:
        revision, published = _revision(app, options), app.clusters.revisions.published(options.collection)
        return _revisions_output(app.curation.publish(OPERATOR, revision.id, published.id if published else None))

    def _restore(self, app: App, options: argparse.Namespace) -> Output:
        return _revisions_output(app.curation.restore(OPERATOR, _revision(app, options).id, options.note))

    def _name(self, app: App, options: argparse.Namespace) -> Output:
        return _revisions_output(app.curation.name_revision(OPERATOR, _revision(app, options).id, options.note))

    def _prune(self, app: App, options: argparse.Namespace) -> Output:
        removed = app.curation.prune(OPERATOR, options.collection, options.keep)
        return {"removed": removed}, [f"{removed} revisions removed; published and named ones stay"]

    def _diff(self, app: App, options: argparse.Namespace) -> Output:
        before, after = _revisions(app, options, 2)
        changes = describe_diff(app.clusters.diff_revisions(before.id, after.id))
        return {"changes": changes}, changes

    def _export(self, app: App, options: argparse.Namespace) -> int:
        revision = _revision(app, options)
        how: Format = "json" if options.json else options.format
        data = export_clustering(revision, app.clusters.clustering(revision.id), app.titles(revision.collection), how)
        if options.output:
            options.output.write_bytes(data)
        else:
            sys.stdout.buffer.write(data)
        return 0


def _revisions_output(*revisions: Revision) -> Output:
    return {"revisions": [revision_document(revision) for revision in revisions]}, list(map(revision_line, revisions))


def _plan(app: App, options: argparse.Namespace) -> tuple[Plan, int | None]:
    """The newest revision's plan with the options' changes, and that revision's id."""
    newest = app.clusters.revisions.newest(options.collection)
    plan = app.clusters.revision_plan(newest)
    if options.threshold is not None:
        plan = apply(plan, SetThreshold(options.threshold))
    if options.smallest is not None:
        plan = apply(plan, SetMinClusterSize(options.smallest))
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
    return Branch(tuple(sorted(_expand_id(known, name.strip()) for name in names.split(","))), similarity)


def _expand_id(known: Mapping[str, str], prefix: str) -> str:
    found = [asset_id for asset_id in known if prefix and asset_id.startswith(prefix)]
    if len(found) != 1:
        raise ClusterError(f"{len(found)} pictures have an id that begins with {prefix!r}: write more digits")
    return found[0]


def _revision(app: App, options: argparse.Namespace) -> Revision:
    return _revisions(app, options, 1)[0]


def _revisions(app: App, options: argparse.Namespace, count: int) -> list[Revision]:
    """The revisions named by the command. Raises ClusterError for another number of them, or another collection's."""
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
