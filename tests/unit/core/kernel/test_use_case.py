from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from tests.asvs import asvs
from tradingcore.kernel.authz import Actor, Permission, TraceId
from tradingcore.kernel.errors import RuleViolation, TradingCoreError, Unauthenticated
from tradingcore.kernel.ports import Observer
from tradingcore.kernel.use_case import UseCase

TRACE = TraceId("2" * 32)


@dataclass(frozen=True, slots=True)
class Diary(Observer):
    """Writes down how each call ended."""

    lines: list[tuple[str, str, str]] = field(default_factory=list)

    def watch(self, use_case: str, actor: Actor) -> AbstractContextManager[None]:
        return self._page(use_case, actor)

    @contextmanager
    def _page(self, use_case: str, actor: Actor) -> Iterator[None]:
        try:
            yield
        except TradingCoreError as error:
            self.lines.append((use_case, actor.name, error.code))
            raise
        self.lines.append((use_case, actor.name, "done"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Double(UseCase[int, int]):
    permission: ClassVar[Permission] = Permission.MARKET_READ
    handled: list[int] = field(default_factory=list)

    async def handle(self, actor: Actor, command: int) -> int:
        self.handled.append(command)
        if command < 0:
            raise RuleViolation(f"only positive numbers are doubled, was {command}")
        return 2 * command


async def test_the_result_of_handle_is_returned_and_observed() -> None:
    diary = Diary()
    assert await Double(observer=diary)(Actor.operator(TRACE), 21) == 42
    assert diary.lines == [("Double", "operator", "done")]


@asvs("8.3.1")
async def test_a_refused_caller_never_reaches_handle_and_is_observed() -> None:
    diary = Diary()
    double = Double(observer=diary)
    with pytest.raises(Unauthenticated):
        await double(Actor.anonymous(TRACE), 21)
    assert double.handled == []
    assert diary.lines == [("Double", "anonymous", "unauthenticated")]


async def test_an_error_of_handle_passes_the_observer() -> None:
    diary = Diary()
    with pytest.raises(RuleViolation):
        await Double(observer=diary)(Actor.operator(TRACE), -1)
    assert diary.lines == [("Double", "operator", "rule_violation")]


async def test_without_an_observer_calls_work_as_well() -> None:
    assert await Double()(Actor.operator(TRACE), 2) == 4


def test_a_class_without_permission_fails_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match="Forgetful declares no permission"):

        class Forgetful(UseCase[int, int]):
            async def handle(self, actor: Actor, command: int) -> int:
                return command


def test_a_word_is_no_permission() -> None:
    with pytest.raises(TypeError, match="declares no permission"):
        type("Sloppy", (Double,), {"permission": "market:read"})
