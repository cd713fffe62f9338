from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters.cryptography.key_ring import KeyRing
from adapters.cryptography.sealing import AesGcmPurposeSealer
from adapters.jinja.composer import JinjaMailComposer
from adapters.memory.database import MemoryDatabase, MemoryUnits
from adapters.memory.outbox import MemoryOutbox
from adapters.memory.trading import MemoryTradingUnits
from entrypoints.relay import Relay
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.events import MailRequested
from tradingcore.auth.model.mail_payload import MAIL_PURPOSE, MailPayload
from tradingcore.kernel.aggregate import RecordedEvent
from tradingcore.kernel.authz import EventId
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.errors import MailRefused
from tradingcore.notifications.model.mail import MailLocale, MailMessage, MailTemplate
from tradingcore.notifications.ports import MailSender
from tradingcore.notifications.use_cases.send_mail import SendMail
from tradingcore.processes.when_mail_requested_send import WhenMailRequestedSend
from tradingcore.testing.builders import an_actor, an_id
from tradingcore.testing.fakes import NOON, FakeClock, SequentialIds


class Moody(MailSender):
    """Answers with what is left of its moods, then takes every mail."""

    def __init__(self, *moods: Exception) -> None:
        self.moods = list(moods)
        self.asked: list[MailMessage] = []

    async def send(self, message: MailMessage) -> None:
        self.asked.append(message)
        if self.moods:
            raise self.moods.pop(0)


RING = KeyRing.fresh()
SEALER = AesGcmPurposeSealer(lambda: RING)


def a_request(template: str = "new_device", **overrides: Any) -> MailRequested:
    mail_id = an_id()
    payload = MailPayload(
        to="ana@example.com", locale="es-MX", values={"device": "Firefox", "network": "203.0.113.7", "at": NOON.isoformat()}
    )
    fields: dict[str, Any] = {
        "mail_id": mail_id,
        "template": template,
        "sealed": SEALER.seal(payload.to_bytes(), purpose=MAIL_PURPOSE, about=str(mail_id)),
        "occurred_at": NOON,
    }
    return MailRequested(**(fields | overrides))


def a_reaction(sender: MailSender, clock: FakeClock | None = None) -> WhenMailRequestedSend:
    send_mail = SendMail(composer=JinjaMailComposer("https://app.example.com"), sender=sender, clock=clock or FakeClock())
    return WhenMailRequestedSend(sealer=SEALER, send_mail=send_mail)


async def react(reaction: WhenMailRequestedSend, event: MailRequested) -> None:
    actor = an_actor()
    await reaction.react(actor, event, RecordedEvent(id=EventId(an_id()), trace_id=actor.trace_id, event=event))


async def test_request_becomes_a_mail_in_the_language_of_its_recipient() -> None:
    sender, event = Moody(), a_request()
    await react(a_reaction(sender), event)
    (mail,) = sender.asked
    assert (mail.id, mail.to, mail.locale) == (event.mail_id, "ana@example.com", MailLocale.SPANISH)
    assert "Firefox" in mail.text


async def test_decoy_is_thrown_away() -> None:
    sender = Moody()
    await react(a_reaction(sender), a_request(MailTemplate.NONE))
    assert sender.asked == []


async def test_payload_of_one_mail_is_no_payload_of_another() -> None:
    sender = Moody()
    with pytest.raises(Unsealable):
        await react(a_reaction(sender), a_request(mail_id=UUID(int=7)))
    assert sender.asked == []


def test_event_says_nothing_about_its_recipient() -> None:
    assert "ana" not in repr(a_request())


async def delivered(sender: Moody, clock: FakeClock) -> tuple[Moody, MemoryOutbox]:
    """One request through the outbox and the relay, until nothing is due any more."""
    database = MemoryDatabase(clock)
    units: MemoryUnits[Any] = MemoryTradingUnits(database, SequentialIds())
    async with units(an_actor()) as unit:
        unit.announce(a_request())
    outbox = MemoryOutbox(database)
    relay = Relay(outbox, [a_reaction(sender, clock)])
    for _ in range(12):
        await relay.drain()
        clock.advance(timedelta(minutes=2))
    return sender, outbox


async def test_server_that_is_away_is_tried_again_with_the_same_message() -> None:
    sender, outbox = await delivered(Moody(Unavailable("away"), Unavailable("away")), FakeClock())
    assert len(sender.asked) == 3
    assert len(set(sender.asked)) == 1
    assert ((await outbox.status()).open, (await outbox.status()).parked) == (0, 0)


async def test_refused_mail_is_not_tried_again() -> None:
    sender, outbox = await delivered(Moody(MailRefused("no such mailbox")), FakeClock())
    assert len(sender.asked) == 1
    assert ((await outbox.status()).open, (await outbox.status()).parked) == (0, 0)
