from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import CATALOGUE, MailLocale, MailMessage, MailOrder, missing_values
from tradingcore.notifications.ports import MailComposer

LONGEST_VALUE: Final = 200
PRODUCT: Final = "tradingcore"

_TEXT: Final = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - plain text
_HTML: Final = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_ADDRESS: Final = re.compile(r"(?i)\b(?:https?://|www\.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a layout shows, the same for both parts."""

    order: MailOrder
    words: Mapping[str, Any]
    texts: Mapping[str, Any]
    values: Mapping[str, str]
    link: str | None

    def fill(self, environment: Environment, layout: Template) -> str:
        def written(text: str) -> str:
            filled = _compiled(environment, text).render(self.values)
            # Our own words are markup as they stand; what was filled in is escaped by now.
            return Markup(filled) if environment.autoescape else filled  # noqa: S704 - see above

        return layout.render(
            language=self.order.locale.value,
            product=PRODUCT,
            subject=written(self.texts["subject"]),
            paragraphs=[written(text) for text in self.texts["paragraphs"]],
            facts=[(self.words["facts"][name], self.values[name]) for name in self.texts.get("facts", ())],
            link=self.link,
            button=self.texts.get("button"),
            closing=[written(text) for text in self.texts.get("closing", ())],
            words=self.words,
        )


class JinjaMailComposer(MailComposer):
    """Mails from one text per language and two layouts. Values are escaped in the HTML part and made one line in both.

    Links lead to ``base_url``, which comes from the settings and never from a request. The token stands behind ``#``: browsers keep
    it to themselves, so that it is in no log and no Referer, and programs that fetch every link of a mail cannot use it up.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._layouts = {kind: env.from_string(_read(f"layout.{kind}")) for kind, env in (("txt", _TEXT), ("html", _HTML))}

    def compose(self, order: MailOrder, *, mail_id: MailId) -> MailMessage:
        if missing := missing_values(order):
            raise InvalidInput(f"the mail {order.template} needs {', '.join(sorted(missing))}")
        texts, words = _texts(order.locale)[order.template.value], _texts(order.locale)["words"]
        form = CATALOGUE[order.template]
        shown = {name: _shown(name, order.values[name], words) for name in form.values - {"token"}}
        facts = _Facts(order=order, words=words, texts=texts, values=shown, link=self._link(order))
        return MailMessage(
            id=mail_id,
            to=order.to,
            subject=_compiled(_TEXT, texts["subject"]).render(shown),
            text=facts.fill(_TEXT, self._layouts["txt"]),
            html=facts.fill(_HTML, self._layouts["html"]),
            locale=order.locale,
        )

    def _link(self, order: MailOrder) -> str | None:
        page = CATALOGUE[order.template].link
        if page is None:
            return None
        return f"{self._base_url}/mail/{page}?lang={order.locale.value}#token={quote(order.values['token'], safe='')}"


def _read(name: str) -> str:
    return files("adapters.jinja").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _texts(locale: MailLocale) -> dict[str, Any]:
    return tomllib.loads(_read(f"{locale.value}.toml"))


@cache
def _compiled(environment: Environment, text: str) -> Template:
    return environment.from_string(text)


def _shown(name: str, value: str, words: Mapping[str, Any]) -> str:
    if name == "at":
        return _moment(value, words)
    names: Mapping[str, str] = words["names"]
    if name in ("factor", "provider", "roles"):
        return ", ".join(names.get(part.strip(), _one_line(part)) for part in value.split(","))
    return _one_line(value)


def _one_line(value: str) -> str:
    # A device's name comes from whoever signs in: neither lines of its own nor an address that mail programs turn into a link.
    letters = (" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in value[:LONGEST_VALUE])
    return _ADDRESS.sub("", " ".join("".join(letters).split()))


def _moment(value: str, words: Mapping[str, Any]) -> str:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput(f"a time in a mail is ISO 8601 with its offset, was {value[:40]!r}")
    at = at.astimezone(UTC)
    months: list[str] = words["months"]
    text: str = words["moment"]
    return text.format(day=at.day, month=months[at.month - 1], year=at.year, time=f"{at:%H:%M}")
