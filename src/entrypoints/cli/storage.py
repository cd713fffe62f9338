from __future__ import annotations

from pathlib import Path

import rich_click as click

from entrypoints.cli.console import Session, command_body, pass_session
from entrypoints.cli.data_keys import password_filter, rotate_keys
from entrypoints.cli.exits import CommandFailed, Exit


@click.group()
def migrate() -> None:
    """Bring the database schema up to date, or look at it."""


@migrate.command()
@click.option("--dry-run", is_flag=True, help="Only say which revisions would run.")
@command_body
async def up(session: Session, dry_run: bool) -> None:
    """Run what is pending. Safe to repeat, to interrupt and to run several times at once."""
    from entrypoints.platform import migrator_of

    async with migrator_of(session.settings) as migrator:
        before = await migrator.status()
        after = before if dry_run else await migrator.up()
    done = [revision.id for revision in before.pending]
    if session.is_json:
        session.document(
            {"from": before.current, "to": after.current, "ran": [] if dry_run else done, "pending": done if dry_run else []}
        )
    elif not done:
        click.echo(f"the schema is at {after.head}, nothing to do")
    else:
        for revision in before.pending:
            click.echo(f"{'would run' if dry_run else 'ran'} {revision.id}  {revision.title}")


@migrate.command()
@command_body
async def status(session: Session) -> None:
    """Which revision the database is at and which are pending."""
    from entrypoints.platform import migrator_of

    async with migrator_of(session.settings) as migrator:
        found = await migrator.status()
    if session.is_json:
        pending = [{"id": revision.id, "title": revision.title} for revision in found.pending]
        session.document({"current": found.current, "head": found.head, "is_current": found.is_current, "pending": pending})
        return
    click.echo(f"current {found.current or 'empty'}, head {found.head}, {len(found.pending)} pending")
    for revision in found.pending:
        click.echo(f"  {revision.id}  {revision.title}")


@migrate.command()
@command_body
async def check(session: Session) -> None:
    """Exit with 5 unless the schema is the one that this version needs."""
    from adapters.postgres.errors import SchemaOutdated
    from entrypoints.platform import migrator_of

    async with migrator_of(session.settings) as migrator:
        try:
            found = await migrator.check()
        except SchemaOutdated as error:
            raise CommandFailed(str(error), exit_code=Exit.CHECK_FAILED) from None
    if session.is_json:
        session.document({"current": found.current, "is_current": True})
    else:
        click.echo(f"the schema is at {found.head}")


@click.group()
def data() -> None:
    """The data folder: path, backup, restore, reset, keys."""


data.add_command(rotate_keys)
data.add_command(password_filter)


@data.command()
@pass_session
def path(session: Session) -> None:
    """Where data lives."""
    folder = session.settings.data_dir
    if session.is_json:
        session.document({"data_dir": str(folder), "exists": folder.exists()})
    else:
        click.echo(str(folder))


@data.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@command_body
async def backup(session: Session, file: Path) -> None:
    """Write a consistent copy of the database to FILE; it may run meanwhile."""
    from entrypoints.platform import embedded_backups

    size = await embedded_backups(session.settings).backup(file)
    session.note(f"keep a copy of {session.settings.data_dir / 'secrets'} elsewhere: without its keys personal data is unreadable")
    if session.is_json:
        session.document({"file": str(file), "bytes": size})
    else:
        click.echo(f"wrote {file} ({size / 1e6:.1f} MB)")


@data.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--yes", is_flag=True, help="Replace what is there.")
@command_body
async def restore(session: Session, file: Path, yes: bool) -> None:
    """Replace the database by a backup."""
    from entrypoints.platform import embedded_backups

    session.confirm_destruction(is_confirmed=yes, what=f"restoring {file} replaces the database in {session.settings.data_dir}")
    await embedded_backups(session.settings).restore(file)
    if session.is_json:
        session.document({"restored": str(file)})
    else:
        click.echo(f"restored {file}")


@data.command()
@click.option("--yes", is_flag=True, help="Really delete.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@command_body
async def reset(session: Session, yes: bool, dry_run: bool) -> None:
    """Delete the embedded database and the stored models."""
    from entrypoints.platform import reset_data

    folder = session.settings.data_dir
    if not dry_run:
        session.confirm_destruction(is_confirmed=yes, what=f"this deletes the database and the models in {folder}")
        reset_data(session.settings)
    if session.is_json:
        session.document({"data_dir": str(folder), "deleted": not dry_run})
    else:
        click.echo(f"{'would delete' if dry_run else 'deleted'} the database and the models in {folder}")
