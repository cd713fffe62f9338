"""Features by numba kernels: one code path for a single row and for a whole series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from adapters.numba.columns import NAMES, VOLUME_NAMES
from adapters.numba.compiled import Singles
from adapters.numba.computation import CandleColumns, Computation
from adapters.numba.parameters import KERNEL_VERSION, Parameters
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import AssetClass, Calendar, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.errors import FeatureSpecMismatch, NotEnoughHistory
from tradingcore.ml.model.features import FeatureMatrix, FeatureRow, FeatureSpec, SeriesProfile
from tradingcore.ml.ports import FeatureCalculator

_SLAB_ROWS: Final = 4080
"""A series is computed in slabs that fit the processor's cache; each begins anew, with its own ``w_max`` candles before it.

No power of two, which would put all columns of a candle on the same few lines of the cache.
"""


class NumbaFeatureCalculator(FeatureCalculator):
    """About eighty dimensionless columns of ml.md S3, named in `adapters.numba.columns`.

    A row is a function of the last ``w_max`` candles only. `window` runs the kernels of `matrix` over just these candles and
    for the last row alone, so both forms share every line. They differ in where recursive indicators were seeded and in how
    running sums round: below 1e-6 standard deviations. Thread-safe.
    """

    def spec(self, profile: SeriesProfile, *, horizon: int, has_volume: bool) -> FeatureSpec:
        """Raise `InvalidInput` for a horizon that the near window does not hold."""
        timeframe = profile.key.timeframe
        parameters = Parameters.of(profile)
        if not 1 <= horizon < parameters.near:
            raise InvalidInput(f"a horizon is 1 to {parameters.near - 1} candles, was {horizon}")
        return FeatureSpec(
            names=NAMES,
            w_max=parameters.w_max(horizon),
            horizon=horizon,
            timeframe=timeframe,
            calendar=profile.calendar,
            kernel_version=KERNEL_VERSION,
            constants=parameters.as_constants(),
            undefined=() if has_volume else VOLUME_NAMES,
        )

    def knows(self, spec: FeatureSpec) -> bool:
        parameters = Parameters.from_spec(spec)
        return (
            parameters is not None
            and spec.kernel_version == KERNEL_VERSION
            and spec.names == NAMES
            and spec.undefined in ((), VOLUME_NAMES)
            and 1 <= spec.horizon < parameters.near
            and spec.w_max == parameters.w_max(spec.horizon)
        )

    def window(self, candles: CandleSeries, specs: Sequence[FeatureSpec]) -> Sequence[FeatureRow]:
        """Raise `NotEnoughHistory`, `DataUnfit` for candles out of order, `FeatureSpecMismatch` for a spec of another kernel."""
        wanted = [(spec, self._parameters(spec, candles)) for spec in specs]
        longest = max((spec.w_max for spec in specs), default=0)
        columns = CandleColumns.of(candles.slice(len(candles) - longest, len(candles)))
        step = candles.key.timeframe.milliseconds
        shared: dict[tuple[Parameters, bool], tuple[Computation, Singles]] = {}
        rows = []
        for spec, parameters in wanted:
            has_volume = not spec.undefined
            if (parameters, has_volume) not in shared:
                computation = Computation(columns, 1, parameters, step=step, has_volume=has_volume)
                common = np.empty((1, len(NAMES)), dtype=np.float32)
                computation.common(common)
                shared[parameters, has_volume] = computation, common
            computation, common = shared[parameters, has_volume]
            values = common.copy()
            computation.of_horizon(spec.horizon, values)
            rows.append(
                FeatureRow(
                    spec=spec,
                    open_time_ms=candles.open_times[-1],
                    values=values[0].data.toreadonly(),
                    close=candles.close[-1],
                    atr=float(computation.atr[0]),
                    scale=float(computation.scale[0]),
                )
            )
        return rows

    def matrix(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureMatrix:
        """Raise as `window`."""
        parameters = self._parameters(spec, candles)
        first = spec.w_max - 1
        columns = CandleColumns.of(candles)
        step = candles.key.timeframe.milliseconds
        rows = len(candles) - first
        values = np.empty((rows, len(NAMES)), dtype=np.float32)
        atr = np.empty(rows)
        scale = np.empty(rows)
        slab = max(_SLAB_ROWS, spec.w_max)
        for start in range(0, rows, slab):
            stop = min(start + slab, rows)
            part = columns.part(start, first + stop)
            computation = Computation(part, stop - start, parameters, step=step, has_volume=not spec.undefined)
            computation.common(values[start:stop])
            computation.of_horizon(spec.horizon, values[start:stop])
            atr[start:stop] = computation.atr
            scale[start:stop] = computation.scale
        return FeatureMatrix(
            spec=spec,
            first_row=first,
            values=values.data.toreadonly(),
            close=candles.close[first:],
            atr=atr.data.toreadonly(),
            scale=scale.data.toreadonly(),
        )

    def warm_up(self) -> None:
        """Load the compiled kernels, or compile them (about six seconds), so that no later call waits."""
        key = SeriesKey(SymbolCode("WARM/UP"), Timeframe.H1)
        profile = SeriesProfile(key=key, asset_class=AssetClass.CRYPTO, calendar=Calendar.ALWAYS)
        spec = self.spec(profile, horizon=1, has_volume=True)
        ones = np.ones(spec.w_max).data
        times = (np.arange(spec.w_max, dtype=np.int64) * key.timeframe.milliseconds).data
        self.window(CandleSeries.from_columns(key, times, ones, ones, ones, ones, ones), [spec])

    def _parameters(self, spec: FeatureSpec, candles: CandleSeries) -> Parameters:
        parameters = Parameters.from_spec(spec)
        if parameters is None or not self.knows(spec):
            raise FeatureSpecMismatch(f"feature spec {spec.hash[:12]} was written by kernels other than version {KERNEL_VERSION}")
        if spec.timeframe is not candles.key.timeframe:
            raise FeatureSpecMismatch(f"the spec is for {spec.timeframe.value} candles, {candles.key} was given")
        if len(candles) < spec.w_max:
            raise NotEnoughHistory(
                f"{candles.key} has {len(candles)} candles, features for a horizon of {spec.horizon} need {spec.w_max}"
            )
        return parameters
