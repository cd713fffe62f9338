"""What the routes answer: the same JSON as the stream, filters, forms, and honest models."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from entrypoints.http.schemas.trading import CandleBody, SignalBody
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import CANDLES, World
from tradingcore.kernel.authz import Role
from tradingcore.processes.wire import candle_on_the_wire, signal_on_the_wire
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, a_live_series, a_series, a_signal, a_symbol
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import EdgeStatus, Signal, SignalTrigger
from tradingcore.trading.use_cases.decide_on_candle import SIMULATED

SIGNALS = "/api/v1/trading/signals"
CANDLE_PATH = "/api/v1/trading/candles?symbol=BTC/USDT&timeframe=1h"


async def get(world: World, path: str, **headers: str) -> Any:
    async with await world.client_of(Role.TRADER) as client:
        answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_signal_over_http_is_the_signal_of_the_stream(shared_world: World) -> None:
    for signal in shared_world.database.signals.rows.values():
        assert await get(shared_world, f"{SIGNALS}/{signal.id}") == signal_on_the_wire(signal)


@pytest.mark.parametrize(
    "signal",
    [
        a_signal(),
        a_signal(side=Side.SHORT, take_profit=Decimal("98"), stop_loss=Decimal("104"), edge_status=EdgeStatus.VERIFIED),
        a_signal(issued_at=MONDAY + HOUR + timedelta(microseconds=7)),
        a_signal(entry=Decimal("0.00000012"), take_profit=Decimal("2E-7"), stop_loss=Decimal("1E-7"), p_time=-1e-17),
        a_signal().ended(SignalTrigger.TIME_OUT, at=MONDAY + 5 * HOUR, outcome_r=-0.2),
    ],
)
def test_the_schema_of_a_signal_holds_exactly_the_wire_form(signal: Signal) -> None:
    wire = signal_on_the_wire(signal)
    assert msgspec.to_builtins(msgspec.convert(wire, SignalBody)) == wire
    assert "E" not in wire["entry"] + wire["take_profit"]


def test_the_schema_of_a_candle_holds_exactly_the_wire_form() -> None:
    wire = candle_on_the_wire(BTC_1H, a_series(1)[0], source="replay")
    assert msgspec.to_builtins(msgspec.convert(wire, CandleBody)) == wire


async def test_candles_come_as_rows_and_as_columns(shared_world: World) -> None:
    rows = (await get(shared_world, f"{CANDLE_PATH}&limit=3"))["data"]
    series = a_series(CANDLES)
    assert rows == [candle_on_the_wire(BTC_1H, series[index], source="test") for index in range(CANDLES - 3, CANDLES)]
    columns = await get(shared_world, f"{CANDLE_PATH}&limit=3", accept='application/json; profile="columns"')
    assert columns["close"] == [row["close"] for row in rows]
    assert columns["open_time"] == list(series.open_times[-3:])
    assert {len(columns[name]) for name in ("open_time", "open", "high", "low", "close", "volume")} == {3}


async def test_candles_of_a_simulated_market_say_so(world: World) -> None:
    async def rename(unit: Any) -> None:
        known = await unit.live_series.find(BTC_1H)
        await unit.live_series.save(a_live_series(source=SIMULATED, version=known.version, last_closed=known.last_closed))

    await world.trading(rename)
    assert {row["source"] for row in (await get(world, CANDLE_PATH))["data"]} == {SIMULATED}
    (series,) = (await get(world, "/api/v1/trading/series"))["data"]
    assert series["is_simulated"] is True


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ("from=2026-03-02T02:00:00Z&to=2026-03-02T04:00:00Z", ["2026-03-02T02:00:00Z", "2026-03-02T03:00:00Z"]),
        ("from=2026-03-02T04:00:00%2B02:00&limit=1", ["2026-03-02T02:00:00Z"]),
        ("to=2026-03-02T01:00:00Z", ["2026-03-02T00:00:00Z"]),
        ("from=2030-01-01T00:00:00Z", []),
    ],
)
async def test_candles_of_a_span(shared_world: World, query: str, opens: list[str]) -> None:
    assert [row["open_time"] for row in (await get(shared_world, f"{CANDLE_PATH}&{query}"))["data"]] == opens


async def test_candles_of_an_unknown_symbol_are_not_found(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        answer = await client.get("/api/v1/trading/candles?symbol=DOGE/USDT&timeframe=1h")
        assert (answer.status_code, answer.json()["code"]) == (404, "trading.symbol_not_found")
        backwards = await client.get(f"{CANDLE_PATH}&from=2026-03-02T02:00:00Z&to=2026-03-02T01:00:00Z")
        assert (backwards.status_code, backwards.json()["errors"][0]["pointer"]) == (400, "/from")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("symbol=BTC/USDT&timeframe=1h&side=long&status=active&edge_status=unverified", 5),
        ("symbol=EUR/USD", 0),
        ("timeframe=5m", 0),
        ("side=short", 0),
        ("status=expired", 0),
        ("edge_status=verified", 0),
        ("min_confidence=0.42", 3),
        ("since=2026-03-02T04:00:00Z", 2),
    ],
)
async def test_signals_are_filtered(shared_world: World, query: str, count: int) -> None:
    assert len((await get(shared_world, f"{SIGNALS}?{query}"))["data"]) == count


@pytest.mark.parametrize(("query", "count"), [("reason=no_edge_after_costs", 5), ("reason=signal", 0), ("symbol=EUR/USD", 0)])
async def test_decisions_are_filtered(shared_world: World, query: str, count: int) -> None:
    assert len((await get(shared_world, f"/api/v1/trading/decisions?{query}"))["data"]) == count


async def test_symbols_and_models_are_revalidated(world: World) -> None:
    async with await world.client_of(Role.TRADER) as client:
        for path in ("/api/v1/trading/symbols", f"/api/v1/ml/models/{world.model_id}"):
            first = await client.get(path)
            again = await client.get(path, headers={"if-none-match": f'W/"old", {first.headers["etag"]}'})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        before = (await client.get("/api/v1/trading/symbols")).headers["etag"]

        async def add(unit: Any) -> None:
            await unit.symbols.save(a_symbol("ETH/USDT"))

        await world.trading(add)
        assert (await client.get("/api/v1/trading/symbols", headers={"if-none-match": before})).status_code == 200


async def test_models_say_what_they_beat(shared_world: World) -> None:
    (model,) = (await get(shared_world, "/api/v1/ml/models?symbol=BTC/USDT&timeframe=1h"))["data"]
    champion = model["champion"]
    assert set(champion["skill"]) == {"mean", "persistence", "atr", "ewma", "har", "har_w"}
    assert "4,321 candles" in champion["verdict"]["sentence"]
    assert champion["verdict"]["level_with"] == ["mean"]
    (version,) = (await get(shared_world, f"/api/v1/ml/models/{model['id']}"))["versions"]
    assert version["is_champion"]
    assert version["verdict"] == champion["verdict"]
    assert (version["features"], len(version["fold_records"])) == (["r_1", "atr_14"], 1)
    assert (await get(shared_world, "/api/v1/ml/models?symbol=EUR/USD&timeframe=1h"))["data"] == []


@asvs("2.2.3")
async def test_half_a_series_is_no_filter_for_models(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        answer = await client.get("/api/v1/ml/models?symbol=BTC/USDT")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/timeframe")


async def test_a_prediction_is_the_stored_forecast_where_there_is_one(shared_world: World) -> None:
    path, body = "/api/v1/ml/predictions", {"symbol": "BTC/USDT", "timeframe": "1h"}
    async with await shared_world.client_of(Role.TRADER) as client:
        found = (await client.post(path, json=body)).json()
        assert found["is_stored"]
        assert [item["horizon"] for item in found["horizons"]] == [4, 24]
        for item in found["horizons"]:
            assert item["low"]["high"] == found["close"]  # a delta below zero is shown as the close
            assert item["low"]["low"] < item["low"]["median"] < found["close"] < item["high"]["low"] < item["high"]["median"]
        narrowed = (await client.post(path, json={**body, "at": found["candle"], "horizon": 24})).json()
        assert [item["horizon"] for item in narrowed["horizons"]] == [24]
        for other, status in (({"at": "2026-03-02T00:30:00Z"}, 400), ({"at": "2029-03-02T00:00:00Z"}, 404), ({"horizon": 7}, 404)):
            assert (await client.post(path, json={**body, **other})).status_code == status


async def test_an_explanation_says_where_it_differs(shared_world: World) -> None:
    explained = await get(shared_world, f"{SIGNALS}/{shared_world.signal_id}/explanation")
    assert explained["is_reproduced"] is False
    assert "out_of_distribution" in explained["mismatches"][0]
    assert explained["lineage"]["trace_id"] == explained["signal"]["trace_id"]


async def test_a_ticket_is_for_the_holder_of_a_credential(world: World) -> None:
    async with await world.client_of(Role.INVESTOR) as client:
        answer = await client.post("/api/v1/auth/stream-tickets")
    assert answer.status_code == 201
    assert datetime.fromisoformat(answer.json()["expires_at"]) == world.clock.now() + timedelta(seconds=30)
    assert len(world.database.tickets) == 1


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer nope",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer tc_test_" + "0" * 32 + "_" + "A" * 43 + "00000000",
        "Bearer " + "x" * 5000,
    ],
)
async def test_a_bad_credential_is_refused_and_never_ignored(shared_world: World, authorization: str) -> None:
    async with shared_world.client(authorization=authorization) as client:
        answer = await client.get(SIGNALS)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.credential_refused")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tradingcore", error="invalid_token"'


async def test_two_credentials_are_none(shared_world: World) -> None:
    async with shared_world.client() as client:
        answer = await client.get(SIGNALS, headers=[("authorization", "Bearer a"), ("authorization", "Bearer b")])
    assert answer.status_code == 401


async def test_probes_never_look_at_credentials(shared_world: World) -> None:
    async with shared_world.client(authorization="Bearer nope") as client:
        assert (await client.get("/health/live")).status_code == 200
