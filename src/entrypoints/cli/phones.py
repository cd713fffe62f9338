from __future__ import annotations

import rich_click as click

from entrypoints.cli.console import Session, command_body
from tradingcore.auth.use_cases.steer_phones import SetPhoneSwitchCommand, ShowPhoneSpendCommand


@click.group()
def phones() -> None:
    """See what codes by SMS and WhatsApp cost today, and stop them."""


@phones.command()
@command_body
async def status(session: Session) -> None:
    """What was spent today (UTC), how many codes came back, and which blocks of numbers are closed."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        found = await container.show_phone_spend()(actor, ShowPhoneSpendCommand())
    cap = session.settings.phones.daily_cap
    if session.is_json:
        session.document(
            {
                "is_stopped": found.is_stopped,
                "spent": str(found.spent),
                "daily_cap": str(cap),
                "sends": found.sends,
                "converted": found.converted,
                "closed_blocks": list(found.closed_blocks),
            }
        )
        return
    prefix = "stopped; " if found.is_stopped else ""
    click.echo(f"{prefix}{found.spent} of {cap} spent on {found.sends} codes, {found.converted} came back")
    for block in found.closed_blocks:
        click.echo(f"  {block}… is closed: hardly a code came back")


@phones.command()
@command_body
async def stop(session: Session) -> None:
    """Send no code to anybody, in any process, from now on."""
    await _throw(session, is_stopped=True)


@phones.command()
@command_body
async def start(session: Session) -> None:
    """Send codes again."""
    await _throw(session, is_stopped=False)


async def _throw(session: Session, *, is_stopped: bool) -> None:
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        await container.set_phone_switch()(actor, SetPhoneSwitchCommand(is_stopped=is_stopped))
    if session.is_json:
        session.document({"is_stopped": is_stopped})
    else:
        click.echo("codes by phone are stopped" if is_stopped else "codes by phone are sent again")
