"""Codes of errors and types of events are a contract with clients and with stored rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tests.unit.architecture.source import imported_core, snake_case
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.errors import TradingCoreError

T = TypeVar("T")


def defined(kind: type[T]) -> Iterator[type[T]]:
    """The subclasses of ``kind`` that the core defines. Modules are walked: slotted dataclasses make every class twice."""
    for module in imported_core():
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__:
                yield value


def context_of(cls: type) -> str:
    return cls.__module__.split(".")[1]


def registered_events() -> Sequence[type[DomainEvent]]:
    return [event for module in imported_core() for event in getattr(module, "EVENTS", ()) if module.__name__.endswith(".events")]


def test_error_codes_are_unique() -> None:
    counts = Counter(error.code for error in defined(TradingCoreError))
    assert [code for code, count in counts.items() if count > 1] == []


def test_error_codes_carry_their_context() -> None:
    for error in defined(TradingCoreError):
        own_name = error.code if context_of(error) == "kernel" else error.code.removeprefix(f"{context_of(error)}.")
        is_prefixed = context_of(error) == "kernel" or own_name != error.code
        assert is_prefixed, f"{error.__name__} has the code {error.code}"
        assert error is TradingCoreError or own_name == snake_case(error.__name__), f"{error.__name__} has the code {error.code}"


def test_errors_say_their_title_and_code_themselves() -> None:
    assert [error.__name__ for error in defined(TradingCoreError) if not {"code", "title"} <= vars(error).keys()] == []


def test_every_event_is_registered_once() -> None:
    known = list(registered_events())
    assert len(known) == len(set(known)) == len({event.type for event in known})
    kinds = {event for event in defined(DomainEvent) if event is not DomainEvent}
    bases = {base for event in kinds for base in event.__mro__[1:]}
    assert {event.__name__ for event in kinds - bases} == {event.__name__ for event in known}


def test_event_types_are_context_and_name() -> None:
    for event in registered_events():
        assert event.type == f"{context_of(event)}.{snake_case(event.__name__)}"


def test_every_event_says_its_ordering_key() -> None:
    assert [event.__name__ for event in registered_events() if event.ordering_key is DomainEvent.ordering_key] == []
