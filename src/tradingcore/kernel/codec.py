"""Frozen dataclasses to JSON-ready dictionaries and back, exactly.

Used for events in the outbox and for values that are stored whole. Decimals, dates and ids travel as strings; floats as numbers,
which JSON round-trips bit for bit through their shortest form. NaN and infinities are refused.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.errors import InvalidInput

D = TypeVar("D", bound=object)
Convert = Callable[[Any], Any]

_MICROSECOND: Final = timedelta(microseconds=1)


def _same(value: Any) -> Any:
    return value


def _finite(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise InvalidInput(f"a number that is stored must be finite, was {number}")
    return number


def _decimal_from(value: str | Decimal) -> Decimal:
    number = Decimal(value)
    if not number.is_finite():
        raise InvalidInput(f"a number that is stored must be finite, was {number}")
    return number


def _datetime_to(value: datetime) -> str:
    # A naive time would come back shifted by the offset of the machine that reads it.
    if value.tzinfo is None:
        raise InvalidInput(f"a time that is stored must know its zone, was {value.isoformat()}")
    return value.astimezone(UTC).isoformat()


def _datetime_from(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def _union_member(annotation: Any) -> Any | None:
    """``X`` for ``X | None``."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return members[0]
    return None


@cache
def _converters(annotation: Hashable) -> tuple[Convert, Convert]:
    """The (encode, decode) pair of one type annotation."""
    while isinstance(annotation, typing.NewType):
        annotation = annotation.__supertype__
    member = _union_member(annotation)
    if member is not None:
        encode, decode = _converters(member)
        return (
            lambda value: None if value is None else encode(value),
            lambda value: None if value is None else decode(value),
        )
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and arguments[1:] == (...,):
        encode, decode = _converters(arguments[0])
        return (
            lambda value: [encode(item) for item in value],
            lambda value: tuple(decode(item) for item in value),
        )
    if origin is tuple:
        plan = [_converters(argument) for argument in arguments]
        return (
            lambda value: [to_json(item) for (to_json, _), item in zip(plan, value, strict=True)],
            lambda value: tuple(from_json(item) for (_, from_json), item in zip(plan, value, strict=True)),
        )
    if origin in (dict, Mapping) and arguments[0] is str:
        encode, decode = _converters(arguments[1])
        return (
            lambda value: {key: encode(item) for key, item in value.items()},
            lambda value: {key: decode(item) for key, item in value.items()},
        )
    if not isinstance(annotation, type):
        raise TypeError(f"cannot store a value of type {annotation!r}")
    if is_dataclass(annotation):
        return _dataclass_converters(annotation)
    if issubclass(annotation, Enum):
        return (lambda value: value.value), annotation
    simple: dict[type, tuple[Convert, Convert]] = {
        str: (_same, _same),
        bool: (_same, _same),
        int: (_same, int),
        float: (_finite, _finite),
        UUID: (str, UUID),
        Decimal: (lambda value: str(_decimal_from(value)), _decimal_from),
        datetime: (_datetime_to, _datetime_from),
        # Whole microseconds: seconds as a float lose the last digits of long spans.
        timedelta: (lambda value: value // _MICROSECOND, lambda value: value * _MICROSECOND),
    }
    if annotation not in simple:
        raise TypeError(f"cannot store a value of type {annotation!r}")
    return simple[annotation]


def _dataclass_converters(cls: type) -> tuple[Convert, Convert]:
    hints = typing.get_type_hints(cls)
    plan = [(field.name, *_converters(hints[field.name])) for field in fields(cls) if field.name != "pending_events"]

    def encode(value: Any) -> dict[str, Any]:
        return {name: to_json(getattr(value, name)) for name, to_json, _ in plan}

    def decode(raw: Mapping[str, Any]) -> Any:
        return cls(**{name: from_json(raw[name]) for name, _, from_json in plan if name in raw})

    return encode, decode


def encode(value: object) -> dict[str, Any]:
    """Return ``value``, a dataclass, as a dictionary that ``json.dumps`` takes."""
    result: dict[str, Any] = _converters(cast(Hashable, type(value)))[0](value)
    return result


def decode(cls: type[D], raw: Mapping[str, Any]) -> D:
    """Return the dataclass that `encode` made ``raw`` from. Fields that ``raw`` lacks take their defaults."""
    result: D = _converters(cast(Hashable, cls))[1](raw)
    return result


class EventCodec:
    """Turns events into (type, payload) and back; knows exactly the event classes that it was given."""

    def __init__(self, event_types: Iterable[type[DomainEvent]]) -> None:
        self._types = {event_type.type: event_type for event_type in event_types}

    def to_payload(self, event: DomainEvent) -> dict[str, Any]:
        if self._types.get(event.type) is not type(event):
            raise TypeError(f"{type(event).__name__} is not registered as {event.type}")
        return encode(event)

    def from_payload(self, type_name: str, payload: Mapping[str, Any]) -> DomainEvent:
        event_type = self._types.get(type_name)
        if event_type is None:
            raise InvalidInput(f"this version knows no event of type {type_name}")
        return decode(event_type, payload)
