from __future__ import annotations

import numpy as np

from adapters.numba.compiled import viewed
from adapters.numba.kernels import barriers, base
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import CandleSeries
from tradingcore.ml.ports import BarrierLabels, RangeTargets, TargetCalculator


class NumbaTargetCalculator(TargetCalculator):
    """Delta-high and delta-low, and the triple barrier. Thread-safe.

    The rule of a position, the same for labels, back-test and live signals: the levels are set from the close of candle i, the
    position fills at the open of i+1, and candles i+1 to i+h are looked at in order. On each of them:

    1. An open at or beyond the stop ends the position at that open. On candle i+1 this is the open at which it filled.
    2. An open of candle i+1 at or beyond the target ends it there too: nothing is left to gain, nothing was gained.
    3. Else a touch of the stop ends it at the stop, also when the candle touches the target as well (counted as ambiguous), even
       if it opened beyond the target.
    4. Else a touch of the target ends it at the target, a limit order: a gap beyond it gains nothing more.
    5. Else the close of candle i+h ends it.

    A candle has no label (-1, NaN, exit index -1) while candle i+h is missing, even if a level was touched already: labels that
    come early would be the quick endings only.
    """

    def ranges(self, candles: CandleSeries, *, horizon: int) -> RangeTargets:
        """Raise `InvalidInput` for a horizon below one candle."""
        _require(horizon)
        count = len(candles)
        delta_high = np.full(count, np.nan)
        delta_low = np.full(count, np.nan)
        if count > horizon:
            close = viewed(candles.close)[: count - horizon]
            highest = np.empty(count - horizon)
            lowest = np.empty(count - horizon)
            base.extremes(viewed(candles.high), viewed(candles.low), horizon, horizon, highest, lowest)
            delta_high[: count - horizon] = np.log(highest / close)
            delta_low[: count - horizon] = np.log(close / lowest)
        return RangeTargets(delta_high.data.toreadonly(), delta_low.data.toreadonly())

    def barriers(
        self, candles: CandleSeries, *, unit: memoryview, horizon: int, side: int, k_take_profit: float, k_stop_loss: float
    ) -> BarrierLabels:
        """Raise `InvalidInput` for a horizon below one candle, another side, or multiples that are not above zero."""
        _require(horizon)
        if side not in (1, -1):
            raise InvalidInput(f"side is 1 for long and -1 for short, was {side}")
        if not (k_take_profit > 0 and k_stop_loss > 0):
            raise InvalidInput(f"barrier multiples must be above zero, were {k_take_profit} and {k_stop_loss}")
        count = len(candles)
        if len(unit) != count:
            raise InvalidInput(f"there must be one barrier unit per candle, {len(unit)} were given for {count} candles")
        label = np.empty(count, dtype=np.int8)
        realised = np.empty(count)
        exit_index = np.empty(count, dtype=np.int64)
        ambiguous = np.zeros(1, dtype=np.int64)
        barriers.triple_barrier(
            viewed(candles.open),
            viewed(candles.high),
            viewed(candles.low),
            viewed(candles.close),
            viewed(unit.toreadonly()),
            horizon,
            side,
            float(k_take_profit),
            float(k_stop_loss),
            label,
            realised,
            exit_index,
            ambiguous,
        )
        return BarrierLabels(
            label=label.data.toreadonly(),
            realised=realised.data.toreadonly(),
            exit_index=exit_index.data.toreadonly(),
            ambiguous=int(ambiguous[0]),
        )


def _require(horizon: int) -> None:
    if horizon < 1:
        raise InvalidInput(f"a horizon is one candle or more, was {horizon}")
