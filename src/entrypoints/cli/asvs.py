from __future__ import annotations

from pathlib import Path

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit


@click.group()
def asvs() -> None:
    """The security requirements of OWASP ASVS 5.0, and what holds each of them."""


@asvs.command()
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="The checkout; default: the present folder.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A JUnit file of a test run: what is called covered must have passed in it.",
)
@command_body
async def check(session: Session, root: Path, results: Path | None) -> None:
    """Check that every requirement is decided and that tests hold what is called covered."""
    from entrypoints.asvs import check as check_table

    report = check_table(root, results=results)
    if session.is_json:
        counts = {name: {"reached": reached, "of": total} for name, (reached, total) in report.counts.items()}
        session.document({"counts": counts, "faults": list(report.faults)})
    else:
        session.table(("requirements", "reached", "of"), [(name, *pair) for name, pair in report.counts.items()])
        for fault in report.faults:
            click.echo(fault)
    if report.faults:
        raise CommandFailed(f"{len(report.faults)} requirements are not as the table says", exit_code=Exit.CHECK_FAILED)
