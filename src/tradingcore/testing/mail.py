"""Contracts and builders of mail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import (
    CATALOGUE,
    MailLocale,
    MailMessage,
    MailOrder,
    MailTemplate,
)
from tradingcore.notifications.ports import Mailbox, MailComposer, MailSender
from tradingcore.testing.builders import an_id
from tradingcore.testing.fakes import NOON, FakeClock

SAMPLE_VALUES = {"at": NOON.isoformat(), "left": "3", "token": "a-token_1"}


def a_mail(**overrides: Any) -> MailMessage:
    """A written mail in Spanish, with letters beyond ASCII in every part."""
    fields: dict[str, Any] = {
        "id": MailId(an_id()),
        "to": "ana@example.com",
        "subject": "Confirma tu dirección",
        "text": "Mañana más.\n",
        "html": "<p>Mañana más.</p>\n",
        "locale": MailLocale.SPANISH,
    }
    return MailMessage(**(fields | overrides))


def an_order(template: MailTemplate = MailTemplate.NEW_DEVICE, **overrides: Any) -> MailOrder:
    """An order with exactly the values that its template needs."""
    needed = CATALOGUE[template].values if template in CATALOGUE else frozenset()
    fields: dict[str, Any] = {
        "template": template,
        "to": "ana@example.com",
        "locale": MailLocale.ENGLISH,
        "values": {name: SAMPLE_VALUES.get(name, f"the {name}") for name in needed},
    }
    return MailOrder(**(fields | overrides))


@pytest.mark.asyncio
class MailSenderContract(ABC):
    """Fixture: ``sender``. `delivered` answers what has arrived, oldest first."""

    @pytest.fixture
    def sender(self) -> MailSender:
        raise NotImplementedError("supply the sender under test")

    @abstractmethod
    async def delivered(self, sender: Any) -> Sequence[MailMessage]: ...

    async def test_mail_arrives_with_both_parts(self, sender: MailSender) -> None:
        mail = a_mail()
        await sender.send(mail)
        assert list(await self.delivered(sender)) == [mail]

    async def test_long_lines_and_lone_dots_arrive_as_they_were(self, sender: MailSender) -> None:
        mail = a_mail(text="a\n.\n..b\nFrom c\n" + "palabra " * 400 + "\n", html="<p>" + "ñ" * 3000 + "</p>\n.\n")
        await sender.send(mail)
        assert list(await self.delivered(sender)) == [mail]

    async def test_mail_that_is_sent_again_is_known_by_its_id(self, sender: MailSender) -> None:
        mail = a_mail()
        await sender.send(mail)
        await sender.send(mail)
        assert {arrived.id for arrived in await self.delivered(sender)} == {mail.id}

    async def test_mails_in_one_second_stay_apart(self, sender: MailSender) -> None:
        mails = [a_mail(subject=f"number {number}") for number in range(3)]
        for mail in mails:
            await sender.send(mail)
        assert list(await self.delivered(sender)) == mails


class MailboxContract(MailSenderContract):
    """Fixtures: ``sender``, a mailbox that keeps five mails, and ``clock``, the clock that it reads."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    async def delivered(self, sender: Mailbox) -> Sequence[MailMessage]:
        return [kept.message for kept in reversed(await sender.list_kept())]

    async def test_newest_comes_first_and_the_oldest_make_room(self, sender: Mailbox, clock: FakeClock) -> None:
        mails = [a_mail() for _ in range(7)]
        for mail in mails:
            await sender.send(mail)
            clock.advance(timedelta(seconds=1))
        kept = await sender.list_kept()
        assert [one.message for one in kept] == mails[:1:-1]
        assert [one.at for one in kept] == [NOON + timedelta(seconds=number) for number in (6, 5, 4, 3, 2)]

    async def test_mail_that_is_sent_again_is_kept_once(self, sender: Mailbox, clock: FakeClock) -> None:
        mail = a_mail()
        await sender.send(mail)
        clock.advance(timedelta(minutes=1))
        await sender.send(mail)
        assert [kept.at for kept in await sender.list_kept()] == [NOON]


class MailComposerContract:
    """Fixture: ``composer``, which links to ``https://app.example.com``."""

    @pytest.fixture
    def composer(self) -> MailComposer:
        raise NotImplementedError("supply the composer under test")

    @pytest.mark.parametrize("locale", list(MailLocale))
    @pytest.mark.parametrize("template", list(CATALOGUE))
    def test_every_template_is_written_in_every_language_from_its_values_alone(
        self, composer: MailComposer, template: MailTemplate, locale: MailLocale
    ) -> None:
        order = an_order(template, locale=locale)
        mail = composer.compose(order, mail_id=MailId(an_id()))
        assert (mail.to, mail.locale) == (order.to, locale)
        for part in (mail.text, mail.html):
            for name, value in order.values.items():
                assert name == "at" or value in part, f"{name} is not shown"
            link = CATALOGUE[template].link
            address = f"https://app.example.com/mail/{link}?lang={locale.value}#token=a-token_1"
            assert (address in part) == (link is not None)

    @pytest.mark.parametrize("template", list(CATALOGUE))
    def test_languages_differ(self, composer: MailComposer, template: MailTemplate) -> None:
        subjects = {composer.compose(an_order(template, locale=locale), mail_id=MailId(an_id())).subject for locale in MailLocale}
        assert len(subjects) == len(MailLocale)

    @pytest.mark.parametrize("template", [template for template, form in CATALOGUE.items() if form.values])
    def test_missing_value_is_named(self, composer: MailComposer, template: MailTemplate) -> None:
        order = an_order(template)
        for name in order.values:
            lacking = replace(order, values={known: value for known, value in order.values.items() if known != name})
            with pytest.raises(InvalidInput, match=rf"the mail {template} needs {name}"):
                composer.compose(lacking, mail_id=MailId(an_id()))

    @pytest.mark.parametrize("hostile", ['<script>alert("1")</script>', "'><img src=x onerror=y>", "{{ 7 * 7 }}", "&lt;b&gt;"])
    @pytest.mark.parametrize("template", [template for template, form in CATALOGUE.items() if form.values - {"at"}])
    def test_values_are_never_markup(self, composer: MailComposer, template: MailTemplate, hostile: str) -> None:
        order = an_order(template)
        order = replace(order, values={name: value if name == "at" else hostile for name, value in order.values.items()})
        html = composer.compose(order, mail_id=MailId(an_id())).html
        assert "<script" not in html
        assert "<img" not in html
        assert "7 * 7" not in hostile or set(order.values) == {"token"} or hostile in html
        assert "<b>" not in html

    def test_value_cannot_add_a_line_or_an_address(self, composer: MailComposer) -> None:
        values = {"device": "Phone\r\nWin at https://evil.example\u2028now \u202eback", "network": "n", "at": NOON.isoformat()}
        mail = composer.compose(an_order(values=values), mail_id=MailId(an_id()))
        assert "Phone Win at evil.example now back\n" in mail.text
        assert "://evil" not in mail.html
