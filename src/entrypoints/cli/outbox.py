from __future__ import annotations

from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed
from tradingcore.kernel.authz import EventId

SHOWN = 20


@click.group()
def outbox() -> None:
    """See how the relay is doing, replay dead letters."""


@outbox.command()
@command_body
async def status(session: Session) -> None:
    """Open and parked events, and the newest dead letters."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, _):
        found = await container.outbox().status()
        parked = await container.outbox().list_parked(limit=SHOWN)
    age = None if found.oldest_age is None else found.oldest_age.total_seconds()
    if session.is_json:
        letters = [
            {
                "id": str(one.id),
                "type": one.type,
                "key": one.ordering_key,
                "attempts": one.attempts,
                "error": one.error,
                "parked_at": one.parked_at.isoformat(),
            }
            for one in parked
        ]
        session.document({"open": found.open, "parked": found.parked, "oldest_age_seconds": age, "dead_letters": letters})
        return
    click.echo(f"{found.open} open" + ("" if age is None else f", the oldest for {age:.1f} s") + f"; {found.parked} parked")
    if parked:
        session.table(
            ("id", "type", "key", "attempts", "error"),
            [(one.id, one.type, one.ordering_key, one.attempts, one.error) for one in parked],
        )


@outbox.command()
@click.argument("event_ids", type=click.UUID, nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every dead letter.")
@command_body
async def replay(session: Session, event_ids: tuple[UUID, ...], is_all: bool) -> None:
    """Put dead letters back on the list of the relay."""
    from entrypoints.cli.operator import operator

    if is_all == bool(event_ids):
        raise click.UsageError("give event ids, or --all")
    async with operator(session) as (container, _):
        count = await container.outbox().replay(None if is_all else [EventId(one) for one in event_ids])
    if count < len(event_ids):
        raise CommandFailed(
            f"{len(event_ids) - count} of the events given are no dead letters, {count} will be delivered again: "
            "see which there are with outbox status"
        )
    if session.is_json:
        session.document({"replayed": count})
    else:
        click.echo(f"{count} events will be delivered again")
