from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.kernel.aggregate import Aggregate, DomainEvent
from tradingcore.kernel.authz import EventId
from tradingcore.kernel.codec import EventCodec, decode, encode
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Candle, SymbolCode, Timeframe
from tradingcore.trading.events import EVENTS, CandleClosed, SignalIssued
from tradingcore.trading.ids import SignalId

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree(Aggregate):
    """One field of every type that can be stored."""

    id: EventId
    timeframe: Timeframe
    is_old: bool
    rings: int
    height: float
    price: Decimal
    planted: datetime
    age: timedelta
    leaves: tuple[Leaf, ...] = ()
    pair: tuple[str, float] = ("oak", 1.0)
    scores: Mapping[str, float] = field(default_factory=dict)
    felled: datetime | None = None
    crown: Leaf | None = None


floats = st.floats(allow_nan=False, allow_infinity=False)
times = st.datetimes(timezones=st.just(UTC))
leaves = st.builds(Leaf, st.text(), floats)
trees = st.builds(
    Tree,
    version=st.integers(0, 9),
    id=st.uuids(),
    timeframe=st.sampled_from(Timeframe),
    is_old=st.booleans(),
    rings=st.integers(),
    height=floats,
    price=st.decimals(allow_nan=False, allow_infinity=False),
    planted=times,
    age=st.timedeltas(),
    leaves=st.lists(leaves, max_size=3).map(tuple),
    pair=st.tuples(st.text(), floats),
    scores=st.dictionaries(st.text(), floats, max_size=3),
    felled=st.none() | times,
    crown=st.none() | leaves,
)


def a_tree(**changes: Any) -> Tree:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "timeframe": Timeframe.H1,
        "is_old": True,
        "rings": 3,
        "height": 1.5,
        "price": Decimal("2.50"),
        "planted": NOON,
        "age": timedelta(days=1),
    }
    return Tree(**values | changes)


def through_json(value: object) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(encode(value), allow_nan=False))
    return loaded


@given(trees)
def test_what_was_stored_comes_back_exactly(tree: Tree) -> None:
    back = decode(Tree, through_json(tree))
    assert back == tree
    assert (str(back.price), back.height.hex()) == (str(tree.price), tree.height.hex())


def test_pending_events_are_not_stored() -> None:
    event = SignalIssued(occurred_at=NOON, symbol=SymbolCode("BTC/USDT"), timeframe=Timeframe.H1, signal_id=SignalId(UUID(int=1)))
    assert "pending_events" not in through_json(a_tree().announcing(event))


def test_fields_that_an_old_row_lacks_take_their_defaults() -> None:
    raw = through_json(a_tree(scores={"skill": 0.5}))
    del raw["scores"], raw["felled"]
    assert decode(Tree, raw) == a_tree()


def test_fields_that_a_newer_version_added_are_ignored() -> None:
    assert decode(Tree, {**through_json(a_tree()), "colour": "green"}) == a_tree()


def test_times_are_stored_in_utc() -> None:
    in_delhi = datetime(2026, 1, 1, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert through_json(a_tree(planted=in_delhi))["planted"] == "2026-01-01T12:00:00+00:00"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must know its zone"):
        encode(a_tree(planted=datetime(2026, 1, 1)))  # noqa: DTZ001 - the fault under test


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused_both_ways(number: float) -> None:
    with pytest.raises(InvalidInput, match="must be finite"):
        encode(a_tree(height=number))
    with pytest.raises(InvalidInput, match="must be finite"):
        decode(Tree, {**encode(a_tree()), "height": number})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_decimals_that_are_not_finite_are_refused_both_ways(number: str) -> None:
    with pytest.raises(InvalidInput, match="must be finite"):
        encode(a_tree(price=Decimal(number)))
    with pytest.raises(InvalidInput, match="must be finite"):
        decode(Tree, {**encode(a_tree()), "price": number})


def test_a_type_that_cannot_be_stored_is_named() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: complex

    with pytest.raises(TypeError, match="complex"):
        encode(Odd(1j))


candle_closed = st.builds(
    CandleClosed,
    occurred_at=times,
    symbol=st.sampled_from([SymbolCode("BTC/USDT"), SymbolCode("AAPL")]),
    timeframe=st.sampled_from(Timeframe),
    candle=st.builds(
        lambda at, low, body, top, volume: Candle(at, low + body, low + body + top, low, low + body, volume),
        times,
        *(st.floats(0.001, 1e6) for _ in range(4)),
    ),
    source=st.text(),
    missing_candles=st.integers(0, 9),
)


@given(candle_closed)
def test_an_event_comes_back_from_its_type_and_payload(event: CandleClosed) -> None:
    codec = EventCodec(EVENTS)
    assert codec.from_payload(event.type, json.loads(json.dumps(codec.to_payload(event)))) == event


def test_an_event_that_nobody_registered_is_not_stored() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class LampSwitched(DomainEvent):
        type: ClassVar[str] = "home.lamp_switched"

    with pytest.raises(TypeError, match=r"LampSwitched is not registered as home\.lamp_switched"):
        EventCodec(EVENTS).to_payload(LampSwitched(occurred_at=NOON))


def test_an_event_of_a_newer_version_is_told_by_its_type() -> None:
    with pytest.raises(InvalidInput, match=r"knows no event of type trading\.moon_landed"):
        EventCodec(EVENTS).from_payload("trading.moon_landed", {})
