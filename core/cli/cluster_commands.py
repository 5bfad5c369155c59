"""The commands about clusters: cut, save, publish, compare, export, assign; and the map."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from core.access import OPERATOR
from core.cli.cluster_documents import cluster_document, revision_document, revision_line
from core.cli.command_context import DEMO, FILE, CommandContext, collection_option, json_option, pass_context
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.clusters.edits.model import Branch, SetBranch, SetMinClusterSize, SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.views.export import Format, export_clustering, import_edits
from core.disk import write_whole
from core.errors import ClusterError
from core.records.clusterings import Revision
from core.text import counted

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it

# A JSON document, and the same as lines for people.
Output = tuple[dict[str, Any], list[str]]


@dataclass(frozen=True)
class Cut:
    """What the options say about where to cut; the rest is as saved last."""

    threshold: float | None
    smallest: int | None
    branches: tuple[str, ...]


def cut_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--threshold`, `--smallest` and `--branch`."""
    for option in (
        click.option(
            "--branch",
            "branches",
            multiple=True,
            metavar="A,B=COSINE",
            help="Another threshold where pictures A and B (ids, or their first digits) join; repeatable.",
        ),
        click.option("--smallest", type=int, metavar="N", help="Size of the smallest cluster.  [default: 2]"),
        click.option("--threshold", type=float, metavar="COSINE", help="Cut here.  [default: as saved last, or 0.82]"),
    ):
        command = option(command)
    return command


@click.command(short_help="Group similar pictures.")
@collection_option()
@cut_options
@click.option("--members", is_flag=True, help="List the pictures of each cluster.")
@json_option
@pass_context
def cluster(
    context: CommandContext,
    collection: str,
    threshold: float | None,
    smallest: int | None,
    branches: tuple[str, ...],
    members: bool,
    as_json: bool,
) -> None:
    """Group similar pictures: cut the collection's dendrogram into clusters."""
    app = _ready(context, collection, linked=True)
    plan, parent = _plan(app, collection, Cut(threshold, smallest, branches))
    document = cluster_document(app, collection, app.clusters.view(collection, plan, parent), members)
    if as_json:
        print_json(document)
        return
    for found in document["clusters"]:
        print(f"{found['size']:>6}  {found['cohesion']:.3f}  {found['id']:<14} {found['name'] or '–'}")
        for member in found.get("members", ()):
            print(f"        {member['similarity']:.3f}  {member['title']}  {member['id'][:12]}")
    clusters = counted(len(document["clusters"]), "cluster")
    print(
        f"{clusters} at {plan.threshold:g}, {counted(document['unclustered'], 'picture')} unclustered", file=sys.stderr
    )


@click.command(short_help="Assign new pictures to the published clusters.")
@collection_option()
@click.option("--threshold", type=float, metavar="COSINE", help="Only preview the effect of this threshold.")
@click.option("--last", default=1000, show_default=True, metavar="N", help="Number of pictures in the preview.")
@json_option
@pass_context
def assign(context: CommandContext, collection: str, threshold: float | None, last: int, as_json: bool) -> None:
    """Assign new pictures to the published clusters, or preview what another threshold would change."""
    app = _ready(context, collection)
    if threshold is None:
        placed = app.assign(collection)
        print_json({"assigned": placed}) if as_json else print(f"{counted(placed, 'picture')} assigned")
        return
    preview = app.assignments.preview(collection, threshold, last)
    if as_json:
        print_json(asdict(preview))
        return
    for change in preview.changes:
        print(f"{change.similarity:.4f}  {change.title}: {change.before or 'new'} → {change.after or 'new'}")
    tried = counted(preview.tried, "picture")
    print(f"{len(preview.changes)} of the last {tried} would be assigned differently", file=sys.stderr)


@click.command("map")
@collection_option()
@json_option
@pass_context
def map_collection(context: CommandContext, collection: str, as_json: bool) -> None:
    """Compute the map (UMAP) of a collection as it is now."""
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        if collection == DEMO:
            app.ensure_demo(bar.show)
        done = app.atlas.fit(collection, bar.show)
    if not as_json:
        print(done)
        return
    fitted = app.atlas.map(collection)
    rows = zip(fitted.asset_ids, fitted.coordinates.tolist(), strict=True)
    print_json({"collection": collection, "map": [{"id": i, "x": x, "y": y} for i, (x, y) in rows]})


def _ready(context: CommandContext, collection: str, linked: bool = False) -> App:
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        if collection == DEMO:
            app.ensure_demo(bar.show)
        app.version(collection)  # raises CollectionError if there is none of that name
        if linked and app.clusters.base(collection) is None:
            app.clusters.compute_linkage(collection, bar.show)
    return app


# -- revisions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RevisionRequest:
    """What `revisions` was asked to do."""

    action: str
    ids: tuple[int, ...]
    collection: str
    cut: Cut
    note: str
    format: Format
    output: Path | None
    input: Path | None
    keep: int


def _list(app: App, request: RevisionRequest) -> Output:
    found = app.clusters.revisions.list(request.collection)
    if not found:
        print("no revisions yet: python -m core revisions save", file=sys.stderr)
    return _revisions_output(*found)


def _save(app: App, request: RevisionRequest) -> Output:
    plan, parent = _plan(app, request.collection, request.cut)
    return _revisions_output(app.curation.save_plan(OPERATOR, request.collection, plan, parent, request.note))


def _import(app: App, request: RevisionRequest) -> Output:
    """Save the clusters of an exported file, applied as edits to the newest revision."""
    if request.input is None:
        raise ClusterError("import needs a file: revisions import --input FILE")
    plan, parent = _plan(app, request.collection, request.cut)
    asset_ids = list(app.titles(request.collection))
    edits, missing = import_edits(request.input.read_bytes(), request.input.name, asset_ids)
    for edit in edits:
        plan = apply(plan, edit)
    if missing:
        print(f"not in {request.collection}: {counted(missing, 'picture')} of the file", file=sys.stderr)
    note = request.note or f"imported from {request.input.name}"
    return _revisions_output(app.curation.save_plan(OPERATOR, request.collection, plan, parent, note))


def _publish(app: App, request: RevisionRequest) -> Output:
    revision, published = _revision(app, request), app.clusters.revisions.published(request.collection)
    return _revisions_output(app.curation.publish(OPERATOR, revision.id, published.id if published else None))


def _restore(app: App, request: RevisionRequest) -> Output:
    return _revisions_output(app.curation.restore(OPERATOR, _revision(app, request).id, request.note))


def _name(app: App, request: RevisionRequest) -> Output:
    return _revisions_output(app.curation.name_revision(OPERATOR, _revision(app, request).id, request.note))


def _prune(app: App, request: RevisionRequest) -> Output:
    removed = app.curation.prune(OPERATOR, request.collection, request.keep)
    return {"removed": removed}, [f"{counted(removed, 'revision')} removed; published and named ones stay"]


def _diff(app: App, request: RevisionRequest) -> Output:
    before, after = _revisions(app, request, 2)
    changes = describe_diff(app.clusters.diff_revisions(before.id, after.id))
    return {"changes": changes}, changes


_ACTIONS: dict[str, Callable[[App, RevisionRequest], Output]] = {
    "list": _list,
    "save": _save,
    "publish": _publish,
    "restore": _restore,
    "diff": _diff,
    "import": _import,
    "name": _name,
    "prune": _prune,
}


@click.command(short_help="List, save, publish, compare and export revisions.")
@click.argument("action", type=click.Choice([*_ACTIONS, "export"]), default="list", metavar="[ACTION]")
@click.argument("ids", type=int, nargs=-1, metavar="[ID…]")
@collection_option()
@cut_options
@click.option("--note", default="", metavar="TEXT", help="Note of a saved revision, or its new name.")
@click.option(
    "--format",
    "export_format",
    type=click.Choice(get_args(Format)),
    default="csv",
    show_default=True,
    help="Format of an export.",
)
@click.option("--output", type=FILE, metavar="FILE", help="Destination of an export.  [default: standard output]")
@click.option("--input", "input_file", type=FILE, metavar="FILE", help="An exported file to import.")
@click.option("--keep", default=20, show_default=True, metavar="N", help="Number of revisions that prune keeps.")
@json_option
@pass_context
def revisions(
    context: CommandContext,
    action: str,
    ids: tuple[int, ...],
    collection: str,
    threshold: float | None,
    smallest: int | None,
    branches: tuple[str, ...],
    note: str,
    export_format: Format,
    output: Path | None,
    input_file: Path | None,
    keep: int,
    as_json: bool,
) -> None:
    """List revisions, or do something with them.

    ACTION is list (the default), save, publish, restore, diff, import, export, name or prune. Each ID is the number of
    a revision: publish, restore, name and export take one, diff takes two.
    """
    cut = Cut(threshold, smallest, branches)
    request = RevisionRequest(action, ids, collection, cut, note, export_format, output, input_file, keep)
    app = _ready(context, collection, linked=action in ("save", "import"))
    if action == "export":
        _export(app, request, as_json)
        return
    document, lines = _ACTIONS[action](app, request)
    if as_json:
        print_json(document)
        return
    for line in lines:
        print(line)


def _export(app: App, request: RevisionRequest, as_json: bool) -> None:
    revision = _revision(app, request)
    how: Format = "json" if as_json else request.format
    data = export_clustering(revision, app.clusters.clustering(revision.id), app.titles(revision.collection), how)
    if request.output:
        write_whole(request.output, data)
    else:
        sys.stdout.buffer.write(data)


def _revisions_output(*revisions: Revision) -> Output:
    return {"revisions": [revision_document(revision) for revision in revisions]}, list(map(revision_line, revisions))


def _plan(app: App, collection: str, cut: Cut) -> tuple[Plan, int | None]:
    """The newest revision's plan with the changes of the options, and that revision's id."""
    newest = app.clusters.revisions.newest(collection)
    plan = app.clusters.revision_plan(newest)
    if cut.threshold is not None:
        plan = apply(plan, SetThreshold(cut.threshold))
    if cut.smallest is not None:
        plan = apply(plan, SetMinClusterSize(cut.smallest))
    for text in cut.branches:
        plan = apply(plan, SetBranch(_branch(app, collection, text)))
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
        raise ClusterError(
            f"{counted(len(found), 'picture')} with an id that begins with {prefix!r}: write more digits"
        )
    return found[0]


def _revision(app: App, request: RevisionRequest) -> Revision:
    return _revisions(app, request, 1)[0]


def _revisions(app: App, request: RevisionRequest, count: int) -> list[Revision]:
    """The revisions named by the command. Raises ClusterError for another number of them, or another collection's."""
    if len(request.ids) != count:
        example = " ".join(map(str, range(3, 3 + count)))
        needed = f"{request.action} needs {counted(count, 'revision')}"
        raise ClusterError(f"{needed}: revisions {request.action} {example}")
    found = [app.clusters.revisions.get(revision_id) for revision_id in request.ids]
    for revision in found:
        if revision.collection != request.collection:
            other = f"revision {revision.id} is of {revision.collection}, not of {request.collection}"
            raise ClusterError(f"{other}: add --collection {revision.collection}")
    return found
