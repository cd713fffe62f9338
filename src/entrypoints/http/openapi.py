"""The OpenAPI 3.1 document, written from the handlers and the msgspec types that they read and answer with.

The framework's own generator is not used: it keeps its old error format in the document, drops ``minimum: 0`` and does not say that
unknown fields are refused. Here each schema is msgspec's own, which is also what validates.
"""

from __future__ import annotations

import re
import typing
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from entrypoints.http.inputs import FromBody, FromQuery
from entrypoints.http.problems import MEDIA_TYPE, Problem, status_of
from entrypoints.http.schemas.examples import EVENT_STREAM, EXAMPLES, problem_example
from entrypoints.http.visits import LIMITED_PATHS, TooManyRequests
from tradingcore.auth.errors import CredentialRefused
from tradingcore.kernel.errors import (
    InvalidInput,
    PermissionDenied,
    TooManyAttempts,
    TradingCoreError,
    Unauthenticated,
    Unavailable,
)

_JSON: Final = "application/json"
_SCHEMAS: Final = "#/components/schemas/"
_NOTES: Final = "openapi"
_LIMIT_HEADERS: Final = {
    "RateLimit": {"$ref": "#/components/headers/RateLimit"},
    "RateLimit-Policy": {"$ref": "#/components/headers/RateLimitPolicy"},
}
_ALWAYS: Final[tuple[type[TradingCoreError], ...]] = (
    InvalidInput,
    Unauthenticated,
    CredentialRefused,
    PermissionDenied,
    TooManyAttempts,
    Unavailable,
)
"""What any operation under ``/api`` may answer."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another form of the same answer, chosen by ``Accept``."""

    media_type: str
    kind: type[msgspec.Struct]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What the signature of a handler does not say. ``raises`` are errors beyond those of every operation.

    A GET only reads, and the storage holds it to that, unless it ``writes``.
    """

    raises: tuple[type[TradingCoreError], ...] = ()
    alternative: Alternative | None = None
    is_cacheable: bool = False
    is_open: bool = False
    may_be_unready: bool = False
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The documents as they are served."""

    openapi: bytes
    asyncapi: bytes


def is_open(handler: Any) -> bool:
    """Whether anybody may call the handler, which it must say itself: the others ask for a credential before anything else."""
    notes: Notes = handler.opt.get(_NOTES, Notes())
    return notes.is_open


def only_reads(handler: Any, method: str) -> bool:
    """Whether a call of the handler must change nothing."""
    notes: Notes = handler.opt.get(_NOTES, Notes())
    return method in ("GET", "HEAD") and not notes.writes


def described(**notes: Any) -> dict[str, Notes]:
    """Return the ``opt`` of a handler, see `Notes`."""
    return {_NOTES: Notes(**notes)}


def openapi_document(app: Litestar, *, version: str) -> dict[str, Any]:
    """Describe every route of ``app`` that is to be described."""
    operations = sorted(_operations(app), key=lambda item: (item.path, item.method))
    kinds = {kind for operation in operations for kind in operation.kinds()} | {Problem}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template=_SCHEMAS + "{name}")
    queries = {kind for operation in operations if (kind := operation.query) is not None}
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method] = operation.described(components)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "tradingcore",
            "version": version,
            "description": "Market data, and signals that say how good they are. Errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [
            {"name": "account", "description": "Your account: second factors, devices, API keys."},
            {"name": "admin", "description": "Accounts of others: for staff."},
            {"name": "auth", "description": "Credentials."},
            {"name": "ml", "description": "Models, what they are worth, and forecasts on demand."},
            {"name": "stream", "description": "Live messages; the WebSocket is described by asyncapi.json."},
            {"name": "system", "description": "Probes."},
            {"name": "trading", "description": "Symbols, candles, signals, decisions."},
        ],
        "paths": dict(paths),
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in {kind.__name__ for kind in queries}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token of a session, or an API key."}
            },
            "headers": {
                "RequestId": {"description": "the id that you sent or that was made", "schema": {"type": "string"}},
                "Link": {"description": "RFC 8288: rel next and prev", "schema": {"type": "string"}},
                "ETag": {"description": "send it back as If-None-Match", "schema": {"type": "string"}},
                "RateLimit": {"description": "what is left of the limit, and for how many seconds", "schema": {"type": "string"}},
                "RateLimitPolicy": {"description": "the limit, and its window in seconds", "schema": {"type": "string"}},
                "RetryAfter": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}},
                "WwwAuthenticate": {"description": "the scheme, and why a credential was refused", "schema": {"type": "string"}},
            },
        },
    }
    return _without_suffix(document)


def _without_suffix(document: dict[str, Any]) -> dict[str, Any]:
    # SignalBody here, Signal to clients.
    text = msgspec.json.encode(document).decode()
    text = re.sub(rf'("{_SCHEMAS}\w+?)Body"', r'\1"', text)
    renamed: dict[str, Any] = msgspec.json.decode(text)
    schemas = renamed["components"]["schemas"]
    renamed["components"]["schemas"] = {
        name.removesuffix("Body"): {**schema, "title": name.removesuffix("Body")} for name, schema in sorted(schemas.items())
    }
    return renamed


def _operations(app: Litestar) -> Iterator[_Operation]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.resolve_include_in_schema():
                    for method in sorted(handler.http_methods):
                        yield _Operation(route.path_format, method.lower(), handler, route)


@dataclass
class _Operation:
    path: str
    method: str
    handler: HTTPRouteHandler
    route: HTTPRoute
    notes: Notes = field(init=False)
    query: type[msgspec.Struct] | None = field(init=False, default=None)
    body: type[msgspec.Struct] | None = field(init=False, default=None)
    answer: type[msgspec.Struct] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.notes = self.handler.opt.get(_NOTES, Notes())
        for provider in self.handler.resolve_dependencies().values():
            if isinstance(provider, FromQuery):
                self.query = provider.kind
            elif isinstance(provider, FromBody):
                self.body = provider.kind
        annotation = self.handler.parsed_return_field.annotation
        if typing.get_origin(annotation) is Response:
            (annotation,) = typing.get_args(annotation)
        self.answer = annotation if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct) else None

    @property
    def is_limited(self) -> bool:
        return self.path.startswith(LIMITED_PATHS)

    def kinds(self) -> Iterator[type[msgspec.Struct]]:
        alternative = self.notes.alternative.kind if self.notes.alternative else None
        yield from (kind for kind in (self.query, self.body, self.answer, alternative) if kind is not None)

    def described(self, components: Mapping[str, Any]) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": self.handler.operation_id,
            "summary": self.handler.summary,
            "tags": sorted({tag for layer in self.handler.ownership_layers for tag in layer.tags or ()}),
        }
        if self.handler.description:
            operation["description"] = self.handler.description
        if parameters := [*self._path_parameters(), *self._query_parameters(components)]:
            operation["parameters"] = parameters
        if self.body is not None:
            operation["requestBody"] = {"required": True, "content": {_JSON: _content(self.body)}}
        operation["responses"] = {**self._successes(), **self._problems()}
        if self.notes.is_open:
            operation["security"] = []
        return operation

    def _path_parameters(self) -> Iterator[dict[str, Any]]:
        for name, definition in self.route.path_parameters.items():
            shape = {"type": "string", "format": "uuid"} if definition.type is UUID else {"type": "string", "maxLength": 200}
            yield {"name": name, "in": "path", "required": True, "schema": shape}

    def _query_parameters(self, components: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if self.query is None:
            return
        schema = components[self.query.__name__]
        for name, found in schema["properties"].items():
            shape = {key: value for key, value in found.items() if key != "default" or value is not None}
            # A parameter is left out, never null.
            choices = [choice for choice in shape.pop("anyOf", ()) if choice != {"type": "null"}]
            for choice in choices:
                shape |= choice
            parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": shape}
            if (text := shape.pop("description", None)) is not None:
                parameter["description"] = text
            yield parameter

    def _successes(self) -> dict[str, Any]:
        headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
        if self.is_limited:
            headers |= _LIMIT_HEADERS
        if self.answer is not None and "page" in self.answer.__struct_fields__:
            headers["Link"] = {"$ref": "#/components/headers/Link"}
        if self.notes.is_cacheable:
            headers["ETag"] = {"$ref": "#/components/headers/ETag"}
        status = HTTPStatus(self.handler.status_code)
        if status is HTTPStatus.NO_CONTENT:
            return {str(status.value): {"description": status.phrase, "headers": headers}}
        if self.answer is not None:
            content = {_JSON: _content(self.answer)}
        else:
            content = {"text/event-stream": {"schema": {"type": "string"}, "example": EVENT_STREAM}}
        if self.notes.alternative is not None:
            content[self.notes.alternative.media_type] = _content(self.notes.alternative.kind)
        found = {str(status.value): {"description": status.phrase, "headers": headers, "content": content}}
        if self.notes.is_cacheable:
            found["304"] = {"description": HTTPStatus.NOT_MODIFIED.phrase, "headers": headers}
        return found

    def _problems(self) -> dict[str, Any]:
        codes: dict[HTTPStatus, list[str]] = defaultdict(list)
        raised: Iterable[type[TradingCoreError]] = self.notes.raises if self.notes.is_open else (*_ALWAYS, *self.notes.raises)
        for error in raised:
            if error.code not in codes[status_of(error)]:
                codes[status_of(error)].append(error.code)
        if self.is_limited:
            codes[HTTPStatus.TOO_MANY_REQUESTS].append(TooManyRequests.code)
        if self.body is not None:
            codes[HTTPStatus.BAD_REQUEST].append("malformed_json")
            codes[HTTPStatus.UNSUPPORTED_MEDIA_TYPE].append("unsupported_media_type")
        if self.notes.may_be_unready:
            codes[HTTPStatus.SERVICE_UNAVAILABLE].append("not_ready")
        codes[HTTPStatus.REQUEST_ENTITY_TOO_LARGE].append("content_too_large")
        codes[HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE].append("head_too_large")
        codes[HTTPStatus.SERVICE_UNAVAILABLE].append("deadline_exceeded")
        codes[HTTPStatus.INTERNAL_SERVER_ERROR].append("internal")
        return {str(status.value): _problem(status, names) for status, names in sorted(codes.items())}


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"{_SCHEMAS}{kind.__name__}"}}
    if kind in EXAMPLES:
        content["example"] = EXAMPLES[kind]
    return content


def _problem(status: HTTPStatus, codes: list[str]) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers |= _LIMIT_HEADERS
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WwwAuthenticate"}
    return {
        "description": f"{status.phrase}; codes: {', '.join(codes)}",
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}, "example": problem_example(status, codes[0])}},
    }
