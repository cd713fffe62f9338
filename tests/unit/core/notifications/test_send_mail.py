from __future__ import annotations

from datetime import timedelta

import pytest

from tests.asvs import asvs
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import InvalidInput, Unauthenticated
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import (
    CATALOGUE,
    MailLocale,
    MailMessage,
    MailOrder,
    MailTemplate,
    is_mail_address,
    mail_locale,
)
from tradingcore.notifications.ports import MailComposer, MailSender
from tradingcore.notifications.use_cases.send_mail import MailOutcome, SendMail, SendMailCommand
from tradingcore.testing.builders import an_actor, an_id
from tradingcore.testing.fakes import NOON, FakeClock
from tradingcore.testing.mail import a_mail, an_order


class PlainComposer(MailComposer):
    def compose(self, order: MailOrder, *, mail_id: MailId) -> MailMessage:
        return a_mail(id=mail_id, to=order.to, locale=order.locale)


class Sent(MailSender):
    def __init__(self) -> None:
        self.mails: list[MailMessage] = []

    async def send(self, message: MailMessage) -> None:
        self.mails.append(message)


def a_use_case(sent: Sent, *, after: timedelta = timedelta(0)) -> SendMail:
    return SendMail(composer=PlainComposer(), sender=sent, clock=FakeClock(NOON + after))


def a_command(template: MailTemplate = MailTemplate.NEW_DEVICE) -> SendMailCommand:
    return SendMailCommand(mail_id=MailId(an_id()), order=an_order(template), ordered_at=NOON)


async def test_order_becomes_a_mail_with_the_id_of_the_command() -> None:
    sent, command = Sent(), a_command()
    assert await a_use_case(sent)(an_actor(), command) is MailOutcome.SENT
    assert [(mail.id, mail.to) for mail in sent.mails] == [(command.mail_id, "ana@example.com")]


async def test_decoy_goes_nowhere() -> None:
    sent = Sent()
    assert await a_use_case(sent)(an_actor(), a_command(MailTemplate.NONE)) is MailOutcome.DECOY
    assert sent.mails == []


@pytest.mark.parametrize("template", list(CATALOGUE))
async def test_mail_is_not_sent_after_it_ceased_to_be_useful(template: MailTemplate) -> None:
    sent, span = Sent(), CATALOGUE[template].useful_for
    just_in_time = a_use_case(sent, after=span - timedelta(microseconds=1))
    assert await just_in_time(an_actor(), a_command(template)) is MailOutcome.SENT
    assert await a_use_case(sent, after=span)(an_actor(), a_command(template)) is MailOutcome.OUTDATED
    assert len(sent.mails) == 1


async def test_only_the_platform_sends_mail() -> None:
    with pytest.raises(Unauthenticated):
        await a_use_case(Sent())(Actor.anonymous(TraceId("0" * 32)), a_command())


def test_every_template_but_the_decoy_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == set(MailTemplate) - {MailTemplate.NONE}


@asvs("1.3.11")
@pytest.mark.parametrize(
    "address",
    ["a@b@", "@b.example", "a@", "a", "", "a b@c.example", "a@b.example\r\nBcc: x@y", "a@b.example, c@d.example", "<a@b.example>",
     '"a b"@c.example', "a@b.example\u2028", "a\u200b@b.example", "a" * 250 + "@b.example", "a;b@c.example"],
)  # fmt: skip
def test_mail_goes_to_one_bare_address(address: str) -> None:
    assert not is_mail_address(address)
    with pytest.raises(InvalidInput, match="one address"):
        a_mail(to=address)


@pytest.mark.parametrize("address", ["ana@example.com", "a+b.c@sub.example.org", "josé@correo.example", "x@xn--bcher-kva.example"])
def test_ordinary_addresses_pass(address: str) -> None:
    assert a_mail(to=address).to == address


@asvs("1.3.11")
@pytest.mark.parametrize("subject", ["", "a\nBcc: x@y", "a\rb", "a\0b", "a\u2028b", "x" * 201])
def test_subject_cannot_forge_a_header(subject: str) -> None:
    with pytest.raises(InvalidInput, match="subject"):
        a_mail(subject=subject)


@pytest.mark.parametrize(
    ("tag", "locale"), [("es", "es"), ("es-MX", "es"), ("ES_mx", "es"), ("en-GB", "en"), ("fr", "en"), ("", "en"), (None, "en")]
)
def test_unknown_languages_get_english(tag: str | None, locale: str) -> None:
    assert mail_locale(tag) is MailLocale(locale)
