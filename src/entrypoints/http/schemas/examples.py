"""One example per request and answer of the OpenAPI document. A test holds each against its schema."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from entrypoints.http.schemas import auth, ml, system, trading
from entrypoints.http.schemas.account_examples import ACCOUNT_EXAMPLES
from entrypoints.http.schemas.factor_examples import FACTOR_EXAMPLES
from entrypoints.http.schemas.own_data import OWN_DATA_EXAMPLES
from entrypoints.http.schemas.phones import PHONE_EXAMPLES
from entrypoints.http.schemas.provider_examples import PROVIDER_EXAMPLES
from entrypoints.http.schemas.session_examples import SESSION_EXAMPLES
from entrypoints.http.schemas.staff_examples import STAFF_EXAMPLES

_SIGNAL_ID: Final = "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e90"
_MODEL_ID: Final = "019cad00-11aa-7c52-8f3b-0d9e6a4b1c22"
_VERSION_ID: Final = "019cad00-11ab-7e01-b2c4-7a8d9e0f1a33"
_FORECAST_ID: Final = "019cada6-4aff-7b11-8c2d-3e4f5a6b7c88"
_TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
_HASH: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_PAGE: Final = {"next_cursor": None, "prev_cursor": None, "has_more": False}
_SPAN: Final = {"first": "2024-03-01T00:00:00Z", "last": "2026-03-01T23:00:00Z"}

_SIGNAL: Final[dict[str, Any]] = {
    "id": _SIGNAL_ID,
    "symbol": "BTC/USDT",
    "timeframe": "1h",
    "issued_at": "2026-03-02T13:00:00Z",
    "decision_candle": "2026-03-02T12:00:00Z",
    "side": "long",
    "entry": "67250.10",
    "take_profit": "67910.40",
    "stop_loss": "66830.00",
    "risk_reward": "1.5718",
    "probability": 0.41,
    "p_stop_loss": 0.39,
    "p_time": 0.2,
    "expected_value_r": 0.06,
    "cost": 0.0011,
    "horizon": 4,
    "predicted_high": "67910.40",
    "predicted_low": "66790.20",
    "interval": {
        "level": 0.8,
        "coverage": 0.803,
        "sample_size": 12063,
        "high": ["67390.00", "68805.70"],
        "low": ["65990.50", "67140.80"],
    },
    "expires_at": "2026-03-02T17:00:00Z",
    "model_version": "BTC/USDT:1h:h4:v1",
    "model_version_id": _VERSION_ID,
    "forecast_id": _FORECAST_ID,
    "feature_hash": _HASH,
    "data_range": ["2026-01-30T20:00:00Z", "2026-03-02T12:00:00Z"],
    "trace_id": _TRACE,
    "is_simulated": False,
    "edge_status": "unverified",
    "status": "active",
    "fill_price": None,
    "candles_seen": 0,
    "outcome_r": None,
    "closed_at": None,
}
_DECISION: Final[dict[str, Any]] = {
    "id": "019cada6-4b01-7d20-a1b2-c3d4e5f60718",
    "symbol": "BTC/USDT",
    "timeframe": "1h",
    "candle": "2026-03-02T11:00:00Z",
    "decided_at": "2026-03-02T12:00:00Z",
    "reason": "no_edge_after_costs",
    "detail": "best expected value -0.120 R after costs is not above 0 R",
    "forecast_id": _FORECAST_ID,
    "signal_id": None,
    "expected_value_r": -0.12,
    "trace_id": _TRACE,
}
_VERSION: Final[dict[str, Any]] = {
    "id": _VERSION_ID,
    "number": 1,
    "label": "BTC/USDT:1h:h4:v1",
    "is_champion": True,
    "state": "trained",
    "created_at": "2026-03-02T00:10:00Z",
    "profile": "full",
    "verdict": {
        "sentence": "On 12,063 candles that it had not learnt from, its range forecast beats the training mean (+20.1 %), "
        "repeating the last range (+31.6 %), ATR scaling (+1.6 %), an EWMA of squared returns (+1.9 %) and HAR (+3.1 %), "
        "and it does not beat HAR-W (-0.2 %); its intervals held 80.3 % of the outcomes. "
        "This is skill at how far the price moves, not at which way: no edge after costs follows from it.",
        "beats": ["mean", "persistence", "atr", "ewma", "har"],
        "level_with": [],
        "does_not_beat": ["har_w"],
        "not_measured": [],
    },
    "skill": {"mean": 0.201, "persistence": 0.316, "atr": 0.016, "ewma": 0.019, "har": 0.031, "har_w": -0.002},
    "coverage": 0.803,
    "folds": 6,
    "test_rows": 12063,
    "data": _SPAN,
    "bundle_sha256": _HASH,
}
_MODEL: Final[dict[str, Any]] = {
    "id": _MODEL_ID,
    "symbol": "BTC/USDT",
    "timeframe": "1h",
    "horizon": 4,
    "created_at": "2026-03-02T00:10:00Z",
}
_FOLD: Final[dict[str, Any]] = {
    "index": 0,
    "train": {"first": "2024-03-01T00:00:00Z", "last": "2024-12-20T08:00:00Z"},
    "test": {"first": "2024-12-20T13:00:00Z", "last": "2025-03-03T09:00:00Z"},
    "train_rows": 7064,
    "test_rows": 2010,
    "seed": 20260,
    "best_iterations": {"high": 212.0, "low": 198.0},
    "metrics": {"pinball": 0.0019},
    "seconds": 8.4,
}

EXAMPLES: Final[dict[type[msgspec.Struct], Any]] = {
    **ACCOUNT_EXAMPLES,
    **FACTOR_EXAMPLES,
    **OWN_DATA_EXAMPLES,
    **PHONE_EXAMPLES,
    **PROVIDER_EXAMPLES,
    **SESSION_EXAMPLES,
    **STAFF_EXAMPLES,
    auth.StreamTicketBody: {
        "ticket": "p2mUo7ZrGzq8oXkJ0sYw1v3n5b7d9f1h3j5l7n9p1r3",
        "expires_at": "2026-03-02T13:00:30Z",
    },
    system.HealthBody: {"status": "ok", "checks": {"database": "ok"}},
    trading.SymbolList: {
        "data": [
            {
                "code": "BTC/USDT",
                "asset_class": "crypto",
                "base": "BTC",
                "quote": "USDT",
                "price_tick": "0.01",
                "quantity_step": "0.00001",
                "minimum_notional": "10",
                "calendar": "24/7",
                "costs": {
                    "half_spread": {"amount": "0.5", "unit": "bp"},
                    "fee": {"amount": "4", "unit": "bp"},
                    "slippage": {"amount": "1", "unit": "bp"},
                },
                "minimum_risk_reward": "1.0",
                "minimum_expected_value_r": "0",
                "series": [{"timeframe": "1h", "count": 17544, **_SPAN}],
            }
        ]
    },
    trading.CandleRows: {
        "data": [
            {
                "symbol": "BTC/USDT",
                "timeframe": "1h",
                "open_time": "2026-03-02T12:00:00Z",
                "open": 67102.5,
                "high": 67300.0,
                "low": 67010.2,
                "close": 67250.1,
                "volume": 418.2,
                "closed": True,
                "source": "stored",
            }
        ]
    },
    trading.CandleColumns: {
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "source": "stored",
        "open_time": [1772452800000],
        "open": [67102.5],
        "high": [67300.0],
        "low": [67010.2],
        "close": [67250.1],
        "volume": [418.2],
    },
    trading.SignalBody: _SIGNAL,
    trading.SignalPage: {"data": [_SIGNAL], "page": _PAGE},
    trading.ExplanationBody: {
        "signal": _SIGNAL,
        "is_reproduced": True,
        "mismatches": [],
        "features": {"log_atr_over_s": -0.4127, "rsi_14": 1.93},
        "lineage": {"forecast_id": _FORECAST_ID, "bundle_sha256": _HASH, "trace_id": _TRACE},
    },
    trading.DecisionPage: {"data": [_DECISION], "page": _PAGE},
    trading.SeriesList: {
        "data": [
            {
                "symbol": "BTC/USDT",
                "timeframe": "1h",
                "source": "simulated",
                "is_simulated": True,
                "freshness": "fresh",
                "last_closed": "2026-03-02T12:00:00Z",
            }
        ]
    },
    ml.ModelPage: {"data": [{**_MODEL, "champion": _VERSION}], "page": _PAGE},
    ml.ModelDetailBody: {
        **_MODEL,
        "versions": [
            {
                **_VERSION,
                "metrics": {"pinball": 0.0018, "brier_skill": 0.031},
                "features": ["log_atr_over_s", "rsi_14"],
                "feature_spec_hash": _HASH,
                "data_hash": _HASH,
                "code_version": "0.1.0",
                "seed": 20260,
                "fold_records": [_FOLD],
            }
        ],
    },
    ml.PredictionRequest: {"symbol": "BTC/USDT", "timeframe": "1h", "horizon": 4},
    ml.PredictionBody: {
        "id": _FORECAST_ID,
        "is_stored": True,
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "candle": "2026-03-02T12:00:00Z",
        "made_at": "2026-03-02T13:00:00Z",
        "close": 67250.1,
        "atr": 0.0048,
        "horizons": [
            {
                "horizon": 4,
                "model_version": "BTC/USDT:1h:h4:v1",
                "model_version_id": _VERSION_ID,
                "bundle_sha256": _HASH,
                "delta_high": {"low": 0.0021, "median": 0.0098, "high": 0.0228},
                "delta_low": {"low": 0.0016, "median": 0.0069, "high": 0.0189},
                "high": {"low": 67391.5, "median": 67912.4, "high": 68801.0},
                "low": {"low": 65991.0, "median": 66787.7, "high": 67142.6},
                "mean_high": 0.0112,
                "mean_low": 0.0089,
                "unit": 0.0104,
                "barriers": [
                    {
                        "side": "long",
                        "k_take_profit": 1.5,
                        "k_stop_loss": 0.75,
                        "p_take_profit": 0.27,
                        "p_stop_loss": 0.52,
                        "p_time": 0.21,
                        "mean_time_return": 0.0003,
                    }
                ],
                "interval_level": 0.8,
                "interval_coverage": 0.803,
                "sample_size": 12063,
                "served_by": "ensemble",
                "is_out_of_distribution": False,
            }
        ],
        "feature_hash": _HASH,
        "data": {"first": "2026-01-30T20:00:00Z", "last": "2026-03-02T12:00:00Z"},
        "trace_id": _TRACE,
    },
}

EVENT_STREAM: Final = (
    'id: 9f3c:12\nevent: event\ndata: {"op":"event","topic":"signals:BTC/USDT:1h","offset":12,"type":"signal.issued"}\n\n'
)


def problem_example(status: HTTPStatus, code: str) -> dict[str, Any]:
    """What an error of this status looks like."""
    problem: dict[str, Any] = {
        "type": f"urn:tradingcore:problem:{code}",
        "title": _TITLES.get(code, status.phrase),
        "status": status.value,
        "detail": "a sentence about this request: what was received, and what to do",
        "instance": "5f3c9a7e1b2d4c6f8a0b1c2d3e4f5a6b",
        "code": code,
    }
    if status is HTTPStatus.BAD_REQUEST:
        problem["detail"] = "query parameter limit: expected int >= 1, was '0'"
        problem["errors"] = [{"pointer": "/limit", "code": "invalid", "detail": "expected int >= 1, was '0'"}]
    return problem


_TITLES: Final = {
    "invalid_input": "Invalid input",
    "unauthenticated": "Authentication required",
    "permission_denied": "Permission denied",
    "unavailable": "Temporarily unavailable",
    "internal": "Internal error",
}
