from __future__ import annotations

import asyncio
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.ports import Clock
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import KeptMail, MailLocale, MailMessage
from tradingcore.notifications.ports import Mailbox

MOST_KEPT: Final = 200


class LocalMailbox(Mailbox):
    """Mails as files in ``folder``, readable by their owner only, for development: nothing is delivered.

    The newest ``most_kept`` stay. Processes may share the folder. Errors of the file system raise `Unavailable`.
    """

    def __init__(self, folder: Path, clock: Clock, *, most_kept: int = MOST_KEPT) -> None:
        self._folder = folder
        self._clock = clock
        self._most_kept = most_kept

    async def send(self, message: MailMessage) -> None:
        await asyncio.to_thread(self._send, message)

    async def list_kept(self) -> list[KeptMail]:
        return await asyncio.to_thread(self._read_all)

    def _send(self, message: MailMessage) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if any(self._folder.glob(f"*_{message.id}.json")):
                return
            at = self._clock.now().astimezone(UTC)
            _write(self._folder / f"{at:%Y%m%dT%H%M%S%f}_{message.id}.json", json.dumps(_to_json(message, at)))
            for old in sorted(self._folder.glob("*.json"))[: -self._most_kept]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"cannot keep a mail in {self._folder}: {error.strerror or error}") from None

    def _read_all(self) -> list[KeptMail]:
        kept = []
        for file in sorted(self._folder.glob("*.json"), reverse=True):
            try:
                kept.append(_from_json(json.loads(file.read_text(encoding="utf-8"))))
            except FileNotFoundError:
                continue  # another process just made room
            except (OSError, ValueError, KeyError) as error:
                raise Unavailable(f"cannot read the mail {file}: {error}; delete it") from None
        return kept


def _write(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)  # 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _to_json(message: MailMessage, at: datetime) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "at": at.isoformat(),
        "to": message.to,
        "subject": message.subject,
        "locale": message.locale.value,
        "text": message.text,
        "html": message.html,
    }


def _from_json(stored: dict[str, Any]) -> KeptMail:
    return KeptMail(
        at=datetime.fromisoformat(stored["at"]),
        message=MailMessage(
            id=MailId(UUID(stored["id"])),
            to=stored["to"],
            subject=stored["subject"],
            locale=MailLocale(stored["locale"]),
            text=stored["text"],
            html=stored["html"],
        ),
    )
