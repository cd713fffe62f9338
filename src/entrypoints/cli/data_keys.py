"""Keys and lists that belong to the data folder: rotation of the keys that seal personal data, the filter of breached passwords."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body, pass_session
from entrypoints.cli.exits import CommandFailed, Exit


@click.command("rotate-keys")
@click.option("--user", "user_id", type=click.UUID, help="Instead, seal everything of this user anew under a fresh data key.")
@click.option("--retire", is_flag=True, help="Also forget old keys that were replaced 30 days ago and that nothing needs.")
@command_body
async def rotate_keys(session: Session, user_id: UUID | None, retire: bool) -> None:
    """Replace the key that protects every user's data key.

    Makes a new key unless an earlier run is unfinished, then wraps each data key anew, in batches, while everything runs. A run may
    be interrupted: the next one goes on. Old keys stay in the file, because backups need them, until --retire.
    """
    from datetime import UTC, datetime

    from adapters.postgres.auth.key_rotation import DataKeyRotation, Rewrapped
    from entrypoints.cli.operator import operator
    from entrypoints.secret_files import key_ring_file
    from tradingcore.kernel.authz import UserId

    # A ring in the settings is rotated there: here its newest key takes over.
    ring = None if session.settings.secrets.sealing_keys is not None else key_ring_file(session.settings)
    async with operator(session) as (container, actor):
        sealer = container.sealer()
        rotation = DataKeyRotation(container.auth_uow(), sealer, container.clock())
        if user_id is not None:
            count = await rotation.reseal(actor, UserId(user_id))
            if session.is_json:
                session.document({"user_id": str(user_id), "values": count})
            else:
                click.echo(f"sealed {count} values of user {user_id} under a fresh data key")
            return
        if ring is not None and not await rotation.is_pending(actor):
            ring.rotate()
        progress = Rewrapped()
        async for progress in rotation.rewrap(actor):
            session.note(f"{progress.done} data keys done")
        if retire and ring is not None:
            ring.retire(in_use=await rotation.versions_in_use(actor), at=datetime.now(UTC))
    unreadable = [str(key) for key in progress.unreadable]
    if session.is_json:
        session.document({"version": sealer.current_version, "rewrapped": progress.done, "unreadable": unreadable})
    else:
        click.echo(f"key {sealer.current_version} wraps {progress.done} data keys")
    if unreadable:
        raise CommandFailed(
            f"{len(unreadable)} data keys need an older key-encryption key than there is: restore it and run this again",
            exit_code=Exit.CHECK_FAILED,
        )


@click.command("password-filter")
@click.argument("hashes", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_session
def password_filter(session: Session, hashes: Path, file: Path) -> None:
    """Build FILE, for the setting passwords.breach_filter, from HASHES: SHA-1 digests of breached passwords, one a line.

    The digests may be followed by a colon and a count, as published lists have them. FILE takes 2.4 bytes for each.
    """
    from adapters.passwords.breach_filter import build_filter

    with hashes.open(encoding="ascii", errors="replace") as lines:
        count = sum(1 for _ in lines)
        lines.seek(0)
        added = build_filter(lines, count, file)
    if session.is_json:
        session.document({"file": str(file), "passwords": added, "bytes": file.stat().st_size})
    else:
        click.echo(f"wrote {file} with {added:,} passwords ({file.stat().st_size / 1e6:.1f} MB)")
