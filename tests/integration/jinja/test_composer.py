from __future__ import annotations

import re

import pytest

from adapters.jinja.composer import JinjaMailComposer
from tests.asvs import asvs
from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import CATALOGUE, MailLocale, MailTemplate
from tradingcore.notifications.ports import MailComposer
from tradingcore.testing.builders import an_id
from tradingcore.testing.mail import MailComposerContract, an_order


class TestJinjaMailComposer(MailComposerContract):
    @pytest.fixture
    def composer(self) -> MailComposer:
        return JinjaMailComposer("https://app.example.com/")


@pytest.fixture
def composer() -> JinjaMailComposer:
    return JinjaMailComposer("https://app.example.com")


@asvs("1.2.1", "1.1.2", "1.2.2", "1.3.1")
def test_value_is_escaped_in_the_html_part_and_as_it_was_in_the_text(composer: JinjaMailComposer) -> None:
    values = {"new_address": "<i>@x", "at": "2026-03-02T12:00:00+00:00", "token": 'a"><script>'}
    mail = composer.compose(an_order(MailTemplate.ADDRESS_CHANGED, values=values), mail_id=MailId(an_id()))
    assert "&lt;i&gt;@x" in mail.html
    assert "<i>@x" in mail.text
    assert "#token=a%22%3E%3Cscript%3E" in mail.html


@asvs("1.3.7", "1.3.5")
@pytest.mark.parametrize(
    "name", ["{{ 7 * 7 }}", "{% for x in ().__class__.__mro__ %}x{% endfor %}", "{{ config }}", "${7*7}", "<%= 7*7 %>"]
)
def test_value_is_never_a_template(composer: JinjaMailComposer, name: str) -> None:
    order = an_order(MailTemplate.ADDRESS_CHANGED, values={"new_address": name, "at": "2026-03-02T12:00:00+00:00", "token": "t"})
    assert name in composer.compose(order, mail_id=MailId(an_id())).text


@pytest.mark.parametrize("template", list(CATALOGUE))
def test_html_loads_nothing_from_elsewhere(composer: JinjaMailComposer, template: MailTemplate) -> None:
    html = composer.compose(an_order(template), mail_id=MailId(an_id())).html
    assert not re.search(r"<(?:img|link|script|style|iframe|object)|url\(|src=", html)
    assert set(re.findall(r"https?://[^/\"<]*", html)) <= {"https://app.example.com"}


def test_links_come_from_the_settings_and_hide_their_token_from_servers(composer: JinjaMailComposer) -> None:
    mail = composer.compose(an_order(MailTemplate.RESET_PASSWORD), mail_id=MailId(an_id()))
    (address,) = re.findall(r"https://\S+", mail.text)
    assert address == "https://app.example.com/mail/reset-password?lang=en#token=a-token_1"


def test_moment_is_written_out_in_the_language_of_the_mail(composer: JinjaMailComposer) -> None:
    texts = {
        locale: composer.compose(
            an_order(MailTemplate.PASSWORD_CHANGED, locale=locale, values={"at": "2026-11-25T20:04:59+02:00"}),
            mail_id=MailId(an_id()),
        ).text
        for locale in MailLocale
    }
    assert "When: 25 November 2026, 18:04 UTC" in texts[MailLocale.ENGLISH]
    assert "Cuándo: 25 de noviembre de 2026, 18:04 UTC" in texts[MailLocale.SPANISH]


@pytest.mark.parametrize("at", ["", "yesterday", "2026-11-25T20:04:59"])
def test_time_without_an_offset_is_refused(composer: JinjaMailComposer, at: str) -> None:
    with pytest.raises(InvalidInput, match="ISO 8601 with its offset"):
        composer.compose(an_order(MailTemplate.PASSWORD_CHANGED, values={"at": at}), mail_id=MailId(an_id()))


def test_names_that_we_know_are_translated(composer: JinjaMailComposer) -> None:
    order = an_order(
        MailTemplate.ROLE_CHANGED,
        locale=MailLocale.SPANISH,
        values={"roles": "investor, trader", "at": "2026-11-25T20:04:59+00:00"},
    )
    assert "Roles: inversor, operador" in composer.compose(order, mail_id=MailId(an_id())).text
