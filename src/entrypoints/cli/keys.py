from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body, pass_session
from entrypoints.cli.exits import CommandFailed, Exit
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import DEFAULT_LIFETIME, NEVER_BY_KEY, ApiKey
from tradingcore.auth.use_cases.manage_api_keys import (
    CreateApiKeyCommand,
    ListApiKeysCommand,
    RevokeApiKeyCommand,
)
from tradingcore.kernel.authz import Permission, Plan, Role


@click.group()
def keys() -> None:
    """Create, list and revoke API keys of service users; rotate the keys that sign access tokens."""


@keys.command()
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may do.")
@click.option(
    "--plan",
    type=click.Choice([plan.value for plan in Plan]),
    default=Plan.PRO.value,
    show_default=True,
    help="Narrows that.",
)
@click.option("--name", default="service", show_default=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([item.value for item in Permission if item not in {Permission.PUBLIC, *NEVER_BY_KEY}]),
    multiple=True,
    help="Narrow the key; may be given several times.",
)
@click.option("--network", "networks", multiple=True, help="An address or CIDR block that it works from; default: anywhere.")
@click.option("--days", type=click.IntRange(1, 365), default=DEFAULT_LIFETIME.days, show_default=True, help="How long it is valid.")
@command_body
async def create(
    session: Session, role: str, plan: str, name: str, scopes: tuple[str, ...], networks: tuple[str, ...], days: int
) -> None:
    """Make a service user and its key. The key is shown once."""
    from entrypoints.cli.operator import operator

    if session.settings.storage_kind == "memory":
        raise CommandFailed(
            "with storage memory a key would end with this command: serve makes one of its own and shows it",
            exit_code=Exit.CONFIGURATION,
        )
    async with operator(session) as (container, actor):
        created = await container.create_api_key()(
            actor,
            CreateApiKeyCommand(
                name=name,
                role=Role(role),
                plan=Plan(plan),
                scopes=frozenset(Permission(scope) for scope in scopes) or None,
                lifetime=timedelta(days=days),
                networks=networks,
            ),
        )
    if session.is_json:
        session.document({**_row(created.key), "token": created.token})
        return
    session.note(f"key {created.key.id} for {role} on plan {plan}, valid until {created.key.expires_at:%Y-%m-%d}; shown once:")
    click.echo(created.token)


@keys.command("list")
@command_body
async def list_keys(session: Session) -> None:
    """Every key, newest first, without its secret."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        found = await container.list_api_keys()(actor, ListApiKeysCommand())
    if session.is_json:
        session.document([_row(key) for key in found])
        return
    rows = [tuple(_row(key).values()) for key in found]
    session.table(("id", "name", "roles", "plan", "scopes", "created", "expires", "revoked"), rows)


@keys.command()
@click.argument("key_id", type=click.UUID)
@command_body
async def revoke(session: Session, key_id: UUID) -> None:
    """End a key at once."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        key = await container.revoke_api_key()(actor, RevokeApiKeyCommand(key_id=ApiKeyId(key_id)))
    if session.is_json:
        session.document(_row(key))
    else:
        click.echo(f"revoked {key.id} ({key.name})")


@keys.command()
@pass_session
def rotate(session: Session) -> None:
    """Have a new key sign access tokens; the present one verifies until its last token has expired. Nobody is signed out."""
    from entrypoints.secret_files import signing_key_file

    ring = signing_key_file(session.settings).rotate()
    if session.is_json:
        session.document({"signing": ring.signing.id, "verifying": [key.id for key in ring.keys]})
    else:
        click.echo(f"{ring.signing.id} signs ({ring.signing.algorithm}); {len(ring.keys) - 1} older verify a while longer")


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "roles": ",".join(sorted(role.value for role in key.user.roles)),
        "plan": key.user.plan.value,
        "scopes": "all" if key.scopes is None else ",".join(sorted(scope.value for scope in key.scopes)),
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "expires_at": key.expires_at.isoformat(timespec="seconds"),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(timespec="seconds"),
    }
