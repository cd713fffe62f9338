from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from tradingcore.kernel.aggregate import Aggregate, DomainEvent

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LampSwitched(DomainEvent):
    type: ClassVar[str] = "home.lamp_switched"
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp(Aggregate):
    is_on: bool = False


def test_announcing_keeps_the_order_of_facts() -> None:
    on, off = LampSwitched(occurred_at=NOON, is_on=True), LampSwitched(occurred_at=NOON, is_on=False)
    assert Lamp().announcing(on).announcing(off).pending_events == (on, off)


def test_a_transition_leaves_the_old_object_alone() -> None:
    lamp = Lamp()
    lamp.announcing(LampSwitched(occurred_at=NOON, is_on=True))
    assert lamp.pending_events == ()


def test_pending_events_are_no_part_of_equality() -> None:
    assert Lamp().announcing(LampSwitched(occurred_at=NOON, is_on=True)) == Lamp()


def test_saving_counts_the_version_and_clears_what_was_announced() -> None:
    saved = Lamp(version=3).announcing(LampSwitched(occurred_at=NOON, is_on=True)).saved()
    assert (saved.version, saved.pending_events) == (4, ())


def test_an_event_without_an_order_cannot_be_delivered() -> None:
    with pytest.raises(TypeError, match="LampSwitched does not say"):
        _ = LampSwitched(occurred_at=NOON, is_on=True).ordering_key
