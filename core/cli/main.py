"""The command line. Results go to standard output, progress and errors to standard error.

Exit code 0; 1 with one line that says what to do; 2 for wrong usage.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from core import __version__
from core.cli.audit_command import audit
from core.cli.backup_commands import backup, restore, verify
from core.cli.cluster_commands import assign, cluster, map_collection, revisions
from core.cli.collection_commands import collections, demo, ingest
from core.cli.command_context import CommandContext
from core.cli.installation_commands import doctor, download_model, run_job
from core.cli.library_commands import duplicates, put_back, reembed, remove, switch
from core.cli.metrics_commands import metrics
from core.cli.quality_commands import compare, evaluate, judgements, validate, weak_labels, zero_shot
from core.cli.search_command import search
from core.cli.session_commands import sessions
from core.cli.source_commands import missing, remove_source, rescan, sources
from core.cli.unsplash_commands import ingest_unsplash
from core.cli.writing_commands import export_pictures, write_sidecars
from core.disk import DISK_IS_FULL, is_full
from core.errors import ContactSheetError

PROGRAM = "python -m core"


class _CommandsInOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which they are added, which is that of a person's work."""
        return list(self.commands)


@click.group(cls=_CommandsInOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="Contact Sheet %(version)s")
def commands() -> None:
    """Contact Sheet: search, cluster and curate collections of images."""


for _command in (
    *(ingest, ingest_unsplash, search),
    *(cluster, revisions, assign, map_collection),
    *(collections, sources, rescan, missing, remove_source),
    *(write_sidecars, export_pictures),
    *(remove, put_back, duplicates, reembed, switch),
    *(backup, restore, verify),
    *(metrics, audit, sessions),
    *(evaluate, compare, validate, judgements, weak_labels, zero_shot),
    *(demo, download_model, doctor, run_job),
):
    commands.add_command(_command)


def main(arguments: Sequence[str] | None = None, context: CommandContext | None = None) -> int:
    """Run one command and return its exit code; errors become one line on standard error."""
    try:
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        # Not click's own `main`: it would exit by itself where the output is a closed pipe.
        with commands.make_context(PROGRAM, arguments, obj=context or CommandContext()) as running:
            exit_code = commands.invoke(running)
        sys.stdout.flush()  # here, where a failure is caught
        return exit_code or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except ContactSheetError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:  # whoever read the output has seen enough; nothing more can be written, nor need be
        _drop_unwritten_output()
    except OSError as error:
        print(f"error: {_explain(error)}", file=sys.stderr)
        if error.filename is None:
            _drop_unwritten_output()
    except KeyboardInterrupt:
        print("error: stopped; what was committed is kept, run the command again to go on", file=sys.stderr)
    return 1


def _explain(error: OSError) -> str:
    if not is_full(error):
        return f"{error.filename or 'output'}: {error.strerror}: grant access or choose another folder"
    cause, advice = DISK_IS_FULL
    kept = "what was there before is kept" if error.filename else "what was printed is incomplete"
    return f"{error.filename or 'output'}: {cause}: {kept}; {advice}"


def _drop_unwritten_output() -> None:
    """Let the interpreter end without a second attempt to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
