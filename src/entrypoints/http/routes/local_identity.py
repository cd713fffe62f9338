"""The identity provider of a developer's own machine, in development only: its endpoints, and the page that asks who to be."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from entrypoints.http.oauth_browser import fields_of, posted_form
from entrypoints.http.static_files import PAGE_POLICY
from entrypoints.identity_providers import LOCAL_PATH

if TYPE_CHECKING:
    from adapters.oauth.local_provider import LocalProvider

MakeLocalProvider = Callable[[], Any]

_POLICY: Final = PAGE_POLICY.replace("form-action 'none'", "form-action 'self'").replace("script-src 'self'; ", "")
_Provider = SkipValidation[Any]  # a vendor's class, which this entry point loads in development only


@get("/.well-known/openid-configuration", include_in_schema=False)
async def metadata_handler(local_provider: NamedDependency[_Provider]) -> dict[str, Any]:
    provider: LocalProvider = local_provider
    return provider.metadata()


@get("/keys", include_in_schema=False)
async def keys_handler(local_provider: NamedDependency[_Provider]) -> dict[str, Any]:
    provider: LocalProvider = local_provider
    return provider.keys()


@get("/authorize", include_in_schema=False)
async def authorize_handler(request: Request[Any, Any, Any], local_provider: NamedDependency[_Provider]) -> Response[str]:
    provider: LocalProvider = local_provider
    question = provider.ask(fields_of(request.scope["query_string"]))
    people = "".join(
        f'<p><button name="subject" value="{escape(person.subject)}">{escape(person.name)}</button> '
        f'<span class="hint">{escape(person.email or "no address")}'
        f"{'' if person.email is None or person.is_verified else ', unverified'}</span></p>"
        for person in provider.people
    )
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>Who are you?</title><link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/static/style.css"></head><body><header><h1>Who are you?</h1></header><main>'
        "<p>This provider runs on your own machine, for development. Anybody may be anybody here.</p>"
        f'<form method="post" action="{LOCAL_PATH}/authorize"><input type="hidden" name="question" value="{escape(question)}">'
        f'{people}<p><button name="subject" value="">Nobody: go back</button></p></form></main></body></html>'
    )
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})


@post("/authorize", include_in_schema=False)
async def answer_handler(request: Request[Any, Any, Any], local_provider: NamedDependency[_Provider]) -> Response[None]:
    provider: LocalProvider = local_provider
    form = fields_of(await posted_form(request))
    location = provider.answer(form.get("question", ""), form.get("subject", ""))
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": location})


@post("/token", include_in_schema=False)
async def token_handler(request: Request[Any, Any, Any], local_provider: NamedDependency[_Provider]) -> Response[Any]:
    provider: LocalProvider = local_provider
    status, body = provider.redeem(fields_of(await posted_form(request)), request.headers.get("authorization"))
    return Response(body, status_code=status, headers={"Cache-Control": "no-store"})


ROUTES = Router(
    LOCAL_PATH, route_handlers=[metadata_handler, keys_handler, authorize_handler, answer_handler, token_handler], tags=["dev"]
)
