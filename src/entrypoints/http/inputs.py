"""What a handler reads: a query or a body as a msgspec struct. What the struct does not name is refused, with pointers.

A handler asks for ``dependencies={"parameters": FromQuery(SignalQuery)}``; the OpenAPI document is written from the same struct.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.di import Provide
from litestar.exceptions import InternalServerException
from msgspec.inspect import FloatType, IntType, Metadata, Type, UnionType, type_info

from entrypoints.http.problems import Refused
from tradingcore.kernel.errors import FieldError, InvalidInput

_MOST_PARAMETERS: Final = 64
_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_SHOWN: Final = 40


class FromQuery(Provide):
    """The query string as ``kind``."""

    __slots__ = ("kind",)

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        def read(request: Request[Any, Any, Any]) -> Any:
            return read_query(request.scope["query_string"], kind)

        super().__init__(read, sync_to_thread=False)
        self.kind = kind


class FromBody(Provide):
    """The JSON body as ``kind``."""

    __slots__ = ("kind",)

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        async def read(request: Request[Any, Any, Any]) -> Any:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                detail = f"send the body as application/json, was {media_type[:_SHOWN] or 'nothing'}"
                raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
            if (coding := request.headers.get("content-encoding", "identity").strip().lower()) != "identity":
                detail = f"send the body without a content coding, was {coding[:_SHOWN]}"
                raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
            try:
                body = await request.body()
            except InternalServerException:
                # The framework's word for a client that left halfway, which is no fault of ours.
                raise Refused(HTTPStatus.BAD_REQUEST, "bad_request", "the body ended before its end") from None
            return read_body(body, kind)

        super().__init__(read)
        self.kind = kind


async def refuse_unread_query(request: Request[Any, Any, Any]) -> None:
    """Runs before every handler: one that reads no query takes none."""
    handler: Any = request.scope["route_handler"]
    if request.scope["query_string"] and not any(isinstance(item, FromQuery) for item in handler.resolve_dependencies().values()):
        read_query(request.scope["query_string"], _NoParameters)


class _NoParameters(msgspec.Struct):
    pass


def read_query(query: bytes, kind: type[msgspec.Struct]) -> Any:
    """Parse ``query`` as ``kind``. Raises `InvalidInput` that names every wrong parameter."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise InvalidInput(f"a query has at most {_MOST_PARAMETERS} parameters") from None
    fields = _fields_of(kind)
    counts = Counter(name for name, _ in pairs)
    errors = [_wrong(name, "unknown_parameter", "there is no such parameter") for name in counts if name not in fields]
    errors += [_wrong(name, "repeated", "give it once") for name, count in counts.items() if count > 1 and name in fields]
    given = dict(pairs)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given:
            try:
                values[field.name] = msgspec.convert(given[name], field.type, strict=not _is_numeric(field.type))
            except msgspec.ValidationError as error:
                errors.append(_wrong(name, "invalid", f"{_sentence(error)}, was {given[name][:_SHOWN]!r}"))
        elif field.required:
            errors.append(_wrong(name, "missing", "this parameter is required"))
    if errors:
        raise InvalidInput(_summary("query parameter", errors), errors=tuple(errors))
    return kind(**values)


@cache
def _fields_of(kind: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def read_body(body: bytes, kind: type[msgspec.Struct]) -> Any:
    """Parse ``body`` as ``kind``. Raises `InvalidInput` with a pointer, or `Refused` when it is no JSON."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        pointer = "" if place is None else re.sub(r"[.\[]", "/", place.group("path")).replace("]", "")
        wrong = FieldError(pointer, "invalid", _sentence(error))
        raise InvalidInput(f"the body is wrong at {pointer or 'its root'}: {wrong.detail}", errors=(wrong,)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(HTTPStatus.BAD_REQUEST, "malformed_json", "the body is not valid JSON") from None


def in_utc(at: datetime | None, name: str) -> datetime | None:
    """``at`` in UTC. Raises `InvalidInput` at the edges of the calendar, which have no UTC."""
    if at is None:
        return None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{name} is out of range", errors=(_wrong(name, "out_of_range", "no such time in UTC"),)) from None


def _wrong(name: str, code: str, detail: str) -> FieldError:
    pointer = name[:_SHOWN].replace("~", "~0").replace("/", "~1")
    return FieldError(f"/{pointer}", code, detail)


def _sentence(error: msgspec.ValidationError) -> str:
    text = _PLACE.sub("", str(error)).replace("`", "")
    return text[:1].lower() + text[1:]


def _summary(what: str, errors: list[FieldError]) -> str:
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{what} {errors[0].pointer[1:]}: {errors[0].detail}{more}"


@cache
def _is_numeric(kind: Any) -> bool:
    # Text is read as a number only where a number is wanted: a time must not be given as one.
    return _names_number(type_info(kind))


def _names_number(info: Type) -> bool:
    if isinstance(info, Metadata):
        return _names_number(info.type)
    if isinstance(info, UnionType):
        return any(map(_names_number, info.types))
    return isinstance(info, IntType | FloatType)
