from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from adapters.local.mailbox import LocalMailbox
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.ports import Mailbox
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.mail import MailboxContract, a_mail


class TestLocalMailbox(MailboxContract):
    @pytest.fixture
    def sender(self, clock: FakeClock, tmp_path: Path) -> Mailbox:
        return LocalMailbox(tmp_path / "mailbox", clock, most_kept=5)


async def test_another_process_reads_what_was_kept(tmp_path: Path) -> None:
    mail = a_mail()
    await LocalMailbox(tmp_path, FakeClock()).send(mail)
    assert [kept.message for kept in await LocalMailbox(tmp_path, FakeClock()).list_kept()] == [mail]


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_mails_are_for_their_owner_only(tmp_path: Path) -> None:
    await LocalMailbox(tmp_path / "mailbox", FakeClock()).send(a_mail())
    (file,) = _files(tmp_path / "mailbox")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_mailbox_stays_bounded_under_concurrent_senders(tmp_path: Path) -> None:
    boxes = [LocalMailbox(tmp_path, FakeClock(), most_kept=5) for _ in range(4)]
    await asyncio.gather(*(box.send(a_mail()) for box in boxes for _ in range(10)))
    assert len(await boxes[0].list_kept()) == 5


async def test_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mailbox").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot keep a mail in"):
        await LocalMailbox(tmp_path / "mailbox", FakeClock()).send(a_mail())


async def test_file_that_is_no_mail_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "20260101T000000_x.json").write_text("{}")
    with pytest.raises(Unavailable, match="cannot read the mail"):
        await LocalMailbox(tmp_path, FakeClock()).list_kept()
