"""The pages that links in mails lead to, and in development the mailbox that mails are kept in instead of being sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from entrypoints.http.problems import Refused
from entrypoints.http.routes.system import static_file
from entrypoints.http.static_files import PAGE_POLICY, StaticFiles
from tradingcore.notifications.model.mail import CATALOGUE, KeptMail
from tradingcore.notifications.ports import Mailbox

_PAGES: Final = frozenset(form.link for form in CATALOGUE.values() if form.link is not None)
_OWN_SITE: Final = re.compile(r"^https?://[^/]+(?=/mail/)")
_LINK: Final = re.compile(r"https?://[^\s<>\"]+")
# The mail itself: its own styles, and nothing that could run, load or send.
_MAIL_POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_MAILBOX_POLICY: Final = PAGE_POLICY.replace("script-src 'self'; ", "").replace("img-src", "frame-src 'self'; img-src")

MakeMailbox = Callable[[], Mailbox]
_Mailbox = SkipValidation[Mailbox]  # the framework cannot check for a protocol


@get("/mail/{name:str}", include_in_schema=False)
async def mail_page_handler(
    request: Request[Any, Any, Any], name: FromPath[str], static_files: NamedDependency[StaticFiles]
) -> Response[Any]:
    return static_file(request, static_files, "mail.html" if name in _PAGES else "")


@get("/dev/mailbox", include_in_schema=False)
async def mailbox_handler(mailbox: NamedDependency[_Mailbox]) -> Response[str]:
    kept = await mailbox.list_kept()
    rows = "".join(
        f'<li><a href="/dev/mailbox/{mail.message.id}">{escape(mail.message.subject)}</a>'
        f'<p class="hint">{escape(mail.message.to)} · {mail.at:%Y-%m-%d %H:%M:%S} UTC</p></li>'
        for mail in kept
    )
    return _page("Mailbox", f'<ul class="mails">{rows}</ul>' if rows else '<p class="empty">No mail yet.</p>')


@get("/dev/mailbox/messages", include_in_schema=False)
async def messages_handler(mailbox: NamedDependency[_Mailbox]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(kept.message.id),
            "at": kept.at.isoformat(),
            "to": kept.message.to,
            "subject": kept.message.subject,
            "locale": kept.message.locale.value,
            "text": kept.message.text,
            "links": _LINK.findall(kept.message.text),
        }
        for kept in await mailbox.list_kept()
    ]


@get("/dev/mailbox/{mail_id:uuid}", include_in_schema=False)
async def message_handler(mail_id: FromPath[UUID], mailbox: NamedDependency[_Mailbox]) -> Response[str]:
    kept = await _found(mail_id, mailbox)
    message = kept.message
    return _page(
        message.subject,
        f'<p class="hint">{escape(message.to)} · {kept.at:%Y-%m-%d %H:%M:%S} UTC · {message.locale.value}</p>'
        f'<pre class="mail-text">{_with_links(message.text)}</pre>'
        f'<iframe sandbox title="HTML part" src="/dev/mailbox/{message.id}/html"></iframe>',
    )


@get("/dev/mailbox/{mail_id:uuid}/html", include_in_schema=False)
async def message_html_handler(mail_id: FromPath[UUID], mailbox: NamedDependency[_Mailbox]) -> Response[str]:
    kept = await _found(mail_id, mailbox)
    return Response(kept.message.html, media_type="text/html", headers={"Content-Security-Policy": _MAIL_POLICY})


async def _found(mail_id: UUID, mailbox: Mailbox) -> KeptMail:
    for kept in await mailbox.list_kept():
        if kept.message.id == mail_id:
            return kept
    raise Refused(HTTPStatus.NOT_FOUND, "not_found", "there is no such mail in the mailbox")


def _with_links(text: str) -> str:
    parts, end = [], 0
    for match in _LINK.finditer(text):
        # Whatever address the settings name, here the page behind the link is ours.
        page = escape(_OWN_SITE.sub("", match.group()))
        parts += [escape(text[end : match.start()]), f'<a href="{page}">{escape(match.group())}</a>']
        end = match.end()
    return "".join([*parts, escape(text[end:])])


def _page(title: str, content: str) -> Response[str]:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title>"
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/static/style.css">'
        '<link rel="stylesheet" href="/static/mailbox.css"></head>'
        f'<body><header><h1>{escape(title)}</h1><nav><a href="/dev/mailbox">All mails</a></nav></header>'
        f"<main>{content}</main></body></html>"
    )
    return Response(
        html,
        media_type="text/html",
        headers={"Content-Security-Policy": _MAILBOX_POLICY, "Cross-Origin-Opener-Policy": "same-origin"},
    )


ROUTES = Router("/", route_handlers=[mail_page_handler], tags=["mail"])
MAILBOX_ROUTES = Router(
    "/", route_handlers=[mailbox_handler, messages_handler, message_handler, message_html_handler], tags=["mail"]
)
