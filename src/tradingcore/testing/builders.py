"""Valid objects with defaults; every field can be overridden by keyword.

Ids come from one counter per process, so that two objects never share one by accident.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.api_key import ApiKey, KeyHolder
from tradingcore.kernel.authz import Actor, Cause, EventId, Plan, Role, TraceId, UserId
from tradingcore.kernel.market import (
    AssetClass,
    Calendar,
    Candle,
    CandleSeries,
    SeriesKey,
    SymbolCode,
    Timeframe,
    to_milliseconds,
)
from tradingcore.ml.ids import BundleDigest, ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.forecast import BarrierForecast, Forecast, HorizonForecast, Quantiles
from tradingcore.ml.model.model_version import BASELINES, Evaluation, FoldRecord, Model, ModelVersion
from tradingcore.testing.fakes import SequentialIds
from tradingcore.trading.ids import DecisionId, ForecastRef, ModelVersionRef, SignalId
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.model.symbol import Cost, Symbol, TradingCosts

BTC: Final = SymbolCode("BTC/USDT")
BTC_1H: Final = SeriesKey(BTC, Timeframe.H1)
MONDAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""Midnight; a candle of every timeframe opens here."""
HOUR: Final = timedelta(hours=1)

_IDS: Final = SequentialIds(start=1 << 48)


def an_id() -> UUID:
    """A fresh id."""
    return _IDS.new_id()


def an_actor(**overrides: Any) -> Actor:
    """The platform itself, on a fresh trace."""
    return Actor.system(overrides.pop("trace_id", _IDS.new_trace_id()), **overrides)


def a_cause(handler: str = "test.handler") -> Cause:
    return Cause(handler, EventId(an_id()))


def a_symbol(code: str = BTC, **overrides: Any) -> Symbol:
    base, _, quote = code.partition("/")
    fields: dict[str, Any] = {
        "code": SymbolCode(code),
        "asset_class": AssetClass.CRYPTO,
        "base": base,
        "quote": quote or "USD",
        "price_tick": Decimal("0.01"),
        "quantity_step": Decimal("0.0001"),
        "minimum_notional": Decimal("10"),
        "costs": TradingCosts(half_spread=Cost(Decimal("0.5")), fee=Cost(Decimal("4")), slippage=Cost(Decimal("1"))),
        "calendar": Calendar.ALWAYS,
    }
    return Symbol(**(fields | overrides))


def a_candle(open_time: datetime = MONDAY, *, close: float = 100.5, **overrides: Any) -> Candle:
    """Opens half a point below ``close`` and reaches one point beyond on both sides."""
    fields: dict[str, Any] = {
        "open_time": open_time,
        "open": close - 0.5,
        "high": close + 1.0,
        "low": close - 1.5,
        "close": close,
        "volume": 12.25,
    }
    return Candle(**(fields | overrides))


def candles(count: int, *, first: datetime = MONDAY, timeframe: Timeframe = Timeframe.H1, close: float = 100.0) -> Sequence[Candle]:
    """Neighbours in time, each closing a quarter above the one before."""
    return [a_candle(first + index * timeframe.duration, close=close + index / 4) for index in range(count)]


def a_series(count: int = 24, *, key: SeriesKey = BTC_1H, first: datetime = MONDAY, close: float = 100.0) -> CandleSeries:
    """As `candles`, in columns; quick for a million of them."""
    start, step = to_milliseconds(first), key.timeframe.milliseconds
    closes = array("d", (close + index / 4 for index in range(count)))
    return CandleSeries.from_columns(
        key,
        array("q", range(start, start + count * step, step)),
        array("d", (value - 0.5 for value in closes)),
        array("d", (value + 1.0 for value in closes)),
        array("d", (value - 1.5 for value in closes)),
        closes,
        array("d", (12.25,)) * count,
    )


def a_live_series(key: SeriesKey = BTC_1H, **overrides: Any) -> LiveSeries:
    fields: dict[str, Any] = {"key": key, "source": "test"}
    return LiveSeries(**(fields | overrides))


def a_closed_candle(key: SeriesKey = BTC_1H, *, candle: Candle | None = None, **overrides: Any) -> LiveSeries:
    """A watched series that has just taken ``candle`` and announces it."""
    taken = candle or a_candle()
    received_at = key.timeframe.close_of(taken.open_time)
    return a_live_series(key, **overrides).closed(taken, source="test", received_at=received_at, missing_candles=0)


def a_signal(**overrides: Any) -> Signal:
    """A long one on BTC/USDT 1h, entry 100, target 104, stop 98."""
    candle: datetime = overrides.get("decision_candle", MONDAY)
    fields: dict[str, Any] = {
        "id": SignalId(an_id()),
        "symbol": BTC,
        "timeframe": Timeframe.H1,
        "issued_at": candle + HOUR,
        "decision_candle": candle,
        "side": Side.LONG,
        "entry": Decimal("100.00"),
        "take_profit": Decimal("104.00"),
        "stop_loss": Decimal("98.00"),
        "risk_reward": Decimal("2.0000"),
        "probability": 0.41,
        "p_stop_loss": 0.39,
        "p_time": 0.2,
        "expected_value_r": 0.31,
        "cost": 0.0011,
        "horizon": 4,
        "predicted_high": Decimal("103.10"),
        "predicted_high_low": Decimal("101.20"),
        "predicted_high_high": Decimal("106.40"),
        "predicted_low": Decimal("98.30"),
        "predicted_low_low": Decimal("96.00"),
        "predicted_low_high": Decimal("99.50"),
        "interval_level": 0.8,
        "interval_coverage": 0.803,
        "sample_size": 4_321,
        "expires_at": candle + 5 * HOUR,
        "model_version_id": ModelVersionRef(an_id()),
        "model_version": "BTC/USDT:1h:h4:v1",
        "forecast_id": ForecastRef(an_id()),
        "feature_hash": "f" * 64,
        "data_first": candle - 500 * HOUR,
        "data_last": candle,
        "trace_id": _IDS.new_trace_id(),
        "is_simulated": True,
        "terms": a_symbol().terms,
    }
    return Signal(**(fields | overrides))


def a_decision(**overrides: Any) -> Decision:
    """One without a signal: no edge after costs."""
    candle: datetime = overrides.get("candle", MONDAY)
    fields: dict[str, Any] = {
        "id": DecisionId(an_id()),
        "symbol": BTC,
        "timeframe": Timeframe.H1,
        "candle": candle,
        "decided_at": candle + HOUR,
        "reason": DecisionReason.NO_EDGE_AFTER_COSTS,
        "detail": "the best offer is worth -0.12 R after costs",
        "trace_id": _IDS.new_trace_id(),
        "expected_value_r": -0.12,
    }
    return Decision(**(fields | overrides))


def a_horizon_forecast(**overrides: Any) -> HorizonForecast:
    fields: dict[str, Any] = {
        "horizon": 4,
        "model_version_id": ModelVersionId(an_id()),
        "model_version": "BTC/USDT:1h:h4:v1",
        "bundle_sha256": a_digest(),
        "delta_high": Quantiles(0.001, 0.1 + 0.2, 0.7),
        "delta_low": Quantiles(-0.001, 0.004, 0.011),
        "mean_high": 0.0061,
        "mean_low": 0.0059,
        "unit": 0.012,
        "barriers": (
            BarrierForecast(
                side=1,
                k_take_profit=1.0,
                k_stop_loss=0.75,
                p_take_profit=0.4,
                p_stop_loss=0.4,
                p_time=0.2,
                mean_time_return=1e-4,
            ),
        ),
        "interval_level": 0.8,
        "interval_coverage": 0.803,
        "sample_size": 4_321,
        "served_by": "ensemble",
    }
    return HorizonForecast(**(fields | overrides))


def a_forecast(**overrides: Any) -> Forecast:
    candle: datetime = overrides.get("candle", MONDAY)
    fields: dict[str, Any] = {
        "id": ForecastId(an_id()),
        "symbol": BTC,
        "timeframe": Timeframe.H1,
        "candle": candle,
        "made_at": candle + HOUR,
        "close": 100.5,
        "atr": 1.75,
        "feature_hash": "f" * 64,
        "data_first": candle - 500 * HOUR,
        "data_last": candle,
        "horizons": (a_horizon_forecast(), a_horizon_forecast(horizon=24)),
        "rows": (bytes(range(8)), b"\x00\xff"),
        "trace_id": _IDS.new_trace_id(),
    }
    return Forecast(**(fields | overrides))


def a_digest(content: bytes | None = None) -> BundleDigest:
    """The SHA-256 of ``content``, or of something new."""
    return BundleDigest(hashlib.sha256(content if content is not None else an_id().bytes).hexdigest())


def a_model(**overrides: Any) -> Model:
    fields: dict[str, Any] = {
        "id": ModelId(an_id()),
        "symbol": BTC,
        "timeframe": Timeframe.H1,
        "horizon": 4,
        "created_at": MONDAY,
    }
    return Model(**(fields | overrides))


def an_evaluation(**overrides: Any) -> Evaluation:
    fields: dict[str, Any] = {
        "folds": 1,
        "test_rows": 4_321,
        "skill": {name: 0.01 * index for index, name in enumerate(BASELINES)},
        "coverage": 0.803,
        "metrics": {"r2_high": 0.12, "pinball": 0.0041},
    }
    return Evaluation(**(fields | overrides))


def a_fold_record(**overrides: Any) -> FoldRecord:
    fields: dict[str, Any] = {
        "index": 0,
        "train_first": MONDAY - 900 * HOUR,
        "train_last": MONDAY - 400 * HOUR,
        "test_first": MONDAY - 390 * HOUR,
        "test_last": MONDAY,
        "train_rows": 500,
        "test_rows": 391,
        "seed": 7,
        "best_iterations": {"high_q50": 120.0},
        "metrics": {"pinball": 0.0042},
        "seconds": 1.5,
    }
    return FoldRecord(**(fields | overrides))


def a_model_version(model: Model | None = None, **overrides: Any) -> ModelVersion:
    """Number 1 of ``model``."""
    of = model or a_model()
    fields: dict[str, Any] = {
        "id": ModelVersionId(an_id()),
        "model_id": of.id,
        "symbol": of.symbol,
        "timeframe": of.timeframe,
        "horizon": of.horizon,
        "number": 1,
        "created_at": of.created_at,
        "bundle_sha256": a_digest(),
        "feature_spec_hash": "a" * 64,
        "feature_names": ("r_1", "atr_14"),
        "data_hash": "d" * 64,
        "data_first": MONDAY - 900 * HOUR,
        "data_last": MONDAY,
        "code_version": "0.1.0",
        "seed": 7,
        "profile": "demo",
        "evaluation": an_evaluation(),
        "folds": (a_fold_record(),),
    }
    return ModelVersion(**(fields | overrides))


def a_key_holder(**overrides: Any) -> KeyHolder:
    fields: dict[str, Any] = {"id": UserId(an_id()), "roles": frozenset({Role.TRADER}), "plan": Plan.PRO}
    return KeyHolder(**(fields | overrides))


def the_account_of(key: ApiKey) -> UserAccount:
    """The service account that a key acts for."""
    user = key.user
    return UserAccount.service(id=user.id, name=key.name, roles=user.roles, plan=user.plan, at=key.created_at)


def an_api_key(*, secret: bytes = b"s" * 32, **overrides: Any) -> ApiKey:
    """A key of a new service account, valid for 90 days from Monday."""
    fields: dict[str, Any] = {
        "id": ApiKeyId(an_id()),
        "user": a_key_holder(),
        "name": "my laptop",
        "secret_hash": hashlib.sha256(secret).digest(),
        "scopes": None,
        "created_at": MONDAY,
        "expires_at": MONDAY + timedelta(days=90),
    }
    return ApiKey(**(fields | overrides))


def the_actor_of(key: ApiKey, *, trace_id: TraceId | None = None) -> Actor:
    """Whom an API key speaks for."""
    return Actor.of_user(
        trace_id=trace_id or _IDS.new_trace_id(),
        user_id=key.user.id,
        roles=key.user.roles,
        plan=key.user.plan,
        name=key.name,
        scopes=key.scopes,
        credential_id=key.id,
    )
