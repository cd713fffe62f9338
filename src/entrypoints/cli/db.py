from __future__ import annotations

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit


@click.group()
def db() -> None:
    """Check how the database keeps users apart."""


@db.command("lint")
@command_body
async def lint_database(session: Session) -> None:
    """Exit with 5 unless the schema's policies, keys, functions and rights hold what isolation rests on."""
    from entrypoints.platform import lint_findings, migrator_of

    async with migrator_of(session.settings) as migrator:
        await migrator.check()
        found = await lint_findings(migrator)
    rows = [(check, finding.where, finding.detail) for check, findings in found.items() for finding in findings]
    broken = [check for check, findings in found.items() if findings]
    if session.is_json:
        document = [{"check": check, "where": where, "detail": detail} for check, where, detail in rows]
        session.document({"checks": {check: not findings for check, findings in found.items()}, "findings": document})
    elif rows:
        session.table(("check", "where", "detail"), rows)
    if broken:
        raise CommandFailed(f"{len(broken)} of {len(found)} checks do not hold: {', '.join(broken)}", exit_code=Exit.CHECK_FAILED)
    if not session.is_json:
        click.echo(f"all {len(found)} checks hold")
