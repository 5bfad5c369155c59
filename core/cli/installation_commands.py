"""The commands about this installation: download-model, doctor, run-job."""

from __future__ import annotations

import sys

import click

from core.cli.command_context import CommandContext, json_option, pass_context
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar


@click.command("download-model", short_help="Download a model before it is needed.")
@click.argument("model", required=False)
@json_option
@pass_context
def download_model(context: CommandContext, model: str | None, as_json: bool) -> None:
    """Download a model, so that it can be used later without a network.

    Without MODEL it is the one that the setting CONTACTSHEET_MODEL names.
    """
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        card = app.encoders.get(model or app.settings.model, bar.show).card
    if as_json:
        print_json({"model": vars(card)})
    else:
        print(f"{card.name} is on this disk and loads ({card.dimension} dimensions)")


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Print what is installed and set, and what to fix."""
    from core.doctor import examine

    checks = examine()
    if as_json:
        print_json({"checks": [vars(check) for check in checks]})
    else:
        for check in checks:
            print(f"{'ok ' if check.ok else 'FIX'}  {check.name:<22} {check.found}")
            if check.advice:
                print(f"{'':<28}→ {check.advice}")
    return 0 if all(check.ok for check in checks) else 1


@click.command("run-job", short_help="Run a queued background job (internal).")
@click.argument("job_id", type=int, metavar="ID")
@json_option
@pass_context
def run_job(context: CommandContext, job_id: int, as_json: bool) -> int:
    """Run a queued background job. Internal: pages start these themselves."""
    job = context.open_app().run_job(job_id)
    if as_json:
        print_json({"job": job.id, "state": job.state, "message": job.message})
    else:
        print(f"job {job.id}: {job.state}: {job.message}")
    return 0 if job.state in ("done", "cancelled") else 1
