from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit
from tradingcore.auth.model.account import AccountKind, AccountStatus, Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.queries import UserFilter
from tradingcore.auth.use_cases.close_account import EraseAccountCommand
from tradingcore.auth.use_cases.create_user import CreateUserCommand
from tradingcore.auth.use_cases.manage_users import (
    EndUserSessionsCommand,
    GetUserCommand,
    ReinstateUserCommand,
    ResetUserFactorsCommand,
    SearchUsersCommand,
    SuspendUserCommand,
    UserDetails,
)
from tradingcore.kernel.authz import Plan, Role, UserId
from tradingcore.kernel.page import MAXIMUM_LIMIT, PageRequest

COLUMNS = ("id", "kind", "status", "email", "roles", "plan", "created")


@click.group()
def users() -> None:
    """Accounts: create, find, suspend, end sessions, reset factors."""


@users.command()
@click.argument("email")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    default=(Role.INVESTOR.value,),
    show_default=True,
    help="May be given several times.",
)
@click.option(
    "--plan", type=click.Choice([plan.value for plan in Plan]), default=Plan.FREE.value, show_default=True, help="What it unlocks."
)
@click.option("--name", default="", help="Shown to the user.")
@click.option("--locale", type=click.Choice(["en", "es"]), default="en", show_default=True, help="Language of mails.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
@command_body
async def create(
    session: Session, email: str, roles: tuple[str, ...], plan: str, name: str, locale: str, password_stdin: bool
) -> None:
    """Make an account that can sign in at once; its address counts as proven."""
    from entrypoints.cli.operator import operator

    if session.settings.storage_kind == "memory":
        raise CommandFailed("with storage memory an account would end with this command", exit_code=Exit.CONFIGURATION)
    password = _password(session, from_stdin=password_stdin)
    command = CreateUserCommand(
        email=email,
        password=password,
        roles=frozenset(map(Role, roles)),
        plan=Plan(plan),
        profile=Profile(display_name=name, locale=locale),
    )
    async with operator(session) as (container, actor):
        account = await container.create_user()(actor, command)
    if session.is_json:
        session.document(_row(account))
    else:
        click.echo(f"created {account.id} ({', '.join(sorted(account.roles))}, plan {account.plan})")


def _password(session: Session, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if session.no_input:
        raise CommandFailed("a password is needed: pipe it in with --password-stdin", exit_code=Exit.USAGE)
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


@users.command("list")
@click.option("--email", help="The whole address.")
@click.option("--status", type=click.Choice([status.value for status in AccountStatus]), help="Only those.")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Only who has it.")
@click.option("--kind", type=click.Choice([kind.value for kind in AccountKind]), help="Only people or only services.")
@click.option("--limit", type=click.IntRange(1, MAXIMUM_LIMIT), default=50, show_default=True, help="At most so many.")
@command_body
async def list_users(
    session: Session, email: str | None, status: str | None, role: str | None, kind: str | None, limit: int
) -> None:
    """The newest accounts."""
    from entrypoints.cli.operator import operator

    where = UserFilter(
        email=None if email is None else EmailAddress.parse(email),
        status=None if status is None else AccountStatus(status),
        role=None if role is None else Role(role),
        kind=None if kind is None else AccountKind(kind),
    )
    async with operator(session) as (container, actor):
        page = await container.search_users()(actor, SearchUsersCommand(where=where, page=PageRequest(limit=limit)))
    if session.is_json:
        session.document([_row(account) for account in page.items])
        return
    session.table(COLUMNS, [tuple(_row(account).values()) for account in page.items])
    if page.next is not None:
        session.note(f"these are the newest {limit}; raise --limit or narrow the list to see others")


@users.command()
@click.argument("user_id", type=click.UUID)
@command_body
async def show(session: Session, user_id: UUID) -> None:
    """One account with its sessions and factors. That somebody looked is audited."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        details = await container.get_user()(actor, GetUserCommand(user_id=UserId(user_id)))
    if session.is_json:
        session.document(_details(details))
        return
    session.table(("", ""), [(name, str(value)) for name, value in _details(details).items() if name != "sessions"])
    _show_sessions(session, details)


@users.command()
@click.argument("user_id", type=click.UUID)
@click.option("--end", is_flag=True, help="End all of them.")
@click.option("--yes", is_flag=True, help="Really end them.")
@command_body
async def sessions(session: Session, user_id: UUID, end: bool, yes: bool) -> None:
    """The live sessions of an account."""
    from entrypoints.cli.operator import operator

    if end:
        session.confirm_destruction(is_confirmed=yes, what=f"this signs user {user_id} out everywhere")
    async with operator(session) as (container, actor):
        if end:
            ended = await container.end_user_sessions()(actor, EndUserSessionsCommand(user_id=UserId(user_id)))
        else:
            details = await container.get_user()(actor, GetUserCommand(user_id=UserId(user_id)))
    if end:
        if session.is_json:
            session.document({"ended": ended})
        else:
            click.echo(f"ended {ended} sessions")
    elif session.is_json:
        session.document(_details(details)["sessions"])
    else:
        _show_sessions(session, details)


@users.command()
@click.argument("user_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Really freeze it.")
@command_body
async def suspend(session: Session, user_id: UUID, yes: bool) -> None:
    """Freeze an account: its sessions end, its keys rest, it cannot sign in."""
    from entrypoints.cli.operator import operator

    session.confirm_destruction(is_confirmed=yes, what=f"this signs user {user_id} out everywhere and freezes the account")
    async with operator(session) as (container, actor):
        account = await container.suspend_user()(actor, SuspendUserCommand(user_id=UserId(user_id)))
    _say(session, account)


@users.command()
@click.argument("user_id", type=click.UUID)
@command_body
async def reinstate(session: Session, user_id: UUID) -> None:
    """Open a frozen account again."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        account = await container.reinstate_user()(actor, ReinstateUserCommand(user_id=UserId(user_id)))
    _say(session, account)


def _say(session: Session, account: UserAccount) -> None:
    if session.is_json:
        session.document(_row(account))
    else:
        click.echo(f"{account.id} is {account.status}")


@users.command("reset-factors")
@click.argument("user_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Really take them away.")
@command_body
async def reset_factors(session: Session, user_id: UUID, yes: bool) -> None:
    """Take every second factor away from somebody who has lost them."""
    from entrypoints.cli.operator import operator

    session.confirm_destruction(is_confirmed=yes, what=f"this leaves user {user_id} with the password alone")
    async with operator(session) as (container, actor):
        await container.reset_user_factors()(actor, ResetUserFactorsCommand(user_id=UserId(user_id)))
    if session.is_json:
        session.document({"id": str(user_id), "factors": []})
    else:
        click.echo(f"{user_id} has no second factor any more")


@users.command()
@click.argument("user_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Really erase it, for good.")
@command_body
async def erase(session: Session, user_id: UUID, yes: bool) -> None:
    """Close an account and erase what is kept of its person. The audit trail keeps an id that means nobody any more."""
    from entrypoints.cli.operator import operator

    session.confirm_destruction(is_confirmed=yes, what=f"this closes account {user_id} and erases its person for good")
    async with operator(session) as (container, actor):
        is_first = await container.erase_account()(actor, EraseAccountCommand(user_id=UserId(user_id)))
    if session.is_json:
        session.document({"id": str(user_id), "erased_now": is_first})
    else:
        click.echo(f"{user_id} {'is' if is_first else 'was already'} erased")


def _row(account: UserAccount) -> dict[str, Any]:
    return {
        "id": str(account.id),
        "kind": account.kind.value,
        "status": account.status.value,
        "email": None if account.email is None else account.email.text,
        "roles": ",".join(sorted(role.value for role in account.roles)),
        "plan": account.plan.value,
        "created_at": account.created_at.isoformat(timespec="seconds"),
    }


def _details(details: UserDetails) -> dict[str, Any]:
    return {
        **_row(details.account),
        "is_verified": details.account.is_verified,
        "factors": sorted(kind.value for kind in details.factors),
        "sessions": [
            {
                "id": str(session.id),
                "device": session.device_label,
                "created_at": session.created_at.isoformat(timespec="seconds"),
                "last_seen_at": session.last_seen_at.isoformat(timespec="seconds"),
            }
            for session in details.sessions
        ],
    }


def _show_sessions(session: Session, details: UserDetails) -> None:
    rows = [tuple(row.values()) for row in _details(details)["sessions"]]
    session.table(("session", "device", "since", "last seen"), rows)
