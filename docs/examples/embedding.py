"""From simulated candles to signals in one process: no server, no database, no file.

Run it as a script, or cell by cell in a notebook or an editor: a cell begins at ``# %%``.
"""

# %% What is needed
import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from adapters.market_data.simulated import SimulatedCandleSource, SimulatedFeed, SimulatedMarket
from entrypoints.container import Container
from entrypoints.relay import Relay
from entrypoints.worker import feed_candles
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.model.verdict import verdict_on
from tradingcore.ml.ports import TrainingProfile
from tradingcore.ml.use_cases.train_models import TrainModelsCommand
from tradingcore.notifications.model.stream import ALL_SIGNALS, StreamPosition
from tradingcore.trading.use_cases.explain_signal import ExplainSignalCommand
from tradingcore.trading.use_cases.import_candles import ImportCandlesCommand
from tradingcore.trading.use_cases.list_signals import ListDecisionsCommand
from tradingcore.trading.use_cases.set_symbol import SetSymbolCommand, SymbolSettings

EUR_USD = SeriesKey(SymbolCode("EUR/USD"), Timeframe.H1)
QUICK = TrainingProfile(name="quick", folds=3, rounds=20, horizons=1, max_tree_rows=500)


class Silent:
    def advanced(self, key, **step):
        """Hear of each step of a training. A progress bar would be drawn here."""


def run(work):
    """Run a use case in a thread of its own: a script has no event loop, and that of a notebook is busy."""
    return thread.submit(asyncio.run, work).result()


thread = ThreadPoolExecutor(max_workers=1)
platform = Container(storage_kind="memory")
me = Actor.operator(platform.ids().new_trace_id())
market, start = SimulatedMarket(seed=7), datetime(2025, 1, 6, tzinfo=UTC)
learnt, stop = start + timedelta(weeks=40), start + timedelta(weeks=41)

# %% Import candles. For your own: open_candle_source(Path("my.csv")) of adapters.market_data.files
source = SimulatedCandleSource(market, start, learnt)
report = run(platform.import_candles()(me, ImportCandlesCommand(key=EUR_USD, source=source)))
print(f"imported {report.counts.inserted:,} candles of {EUR_USD}")

# %% Train a model on them. Figures to rely on need the profile FULL and years of candles
(version,) = run(platform.train_models()(me, TrainModelsCommand(key=EUR_USD, training=QUICK, progress=Silent())))
print(f"trained {version.label}. {verdict_on(version.evaluation).sentence}")

# %% No edge, no signal. So that there is something to see, let signals pass that expect to lose up to half of what they risk
lenient = SymbolSettings(minimum_expected_value_r=Decimal("-0.5"))
run(platform.set_symbol()(me, SetSymbolCommand(code=EUR_USD.symbol, settings=lenient)))

# %% Close another week of candles, as a live feed would, and let the reactions to them run
taken = run(feed_candles(platform, SimulatedFeed(market, {EUR_USD: learnt}, stop=stop)))
delivered = run(Relay(platform.outbox(), platform.reactions()).drain())
decisions = run(platform.list_decisions()(me, ListDecisionsCommand())).items
print(f"closed {taken} candles, delivered {delivered} events; the last {len(decisions)} decisions:")
print(dict(Counter(decision.reason.value for decision in decisions)))

# %% What a subscriber of the stream would have received
log = platform.stream_log()
beginning = StreamPosition(run(log.head(ALL_SIGNALS)).epoch, 0)
messages = [entry.message for entry in run(log.read(ALL_SIGNALS, after=beginning, limit=500))]
print(f"{len(messages)} messages on {ALL_SIGNALS}: {dict(Counter(message.type for message in messages))}")

# %% Explain a signal: it is computed again from the stored candles by the stored model
signal_id = next(decision.signal_id for decision in decisions if decision.signal_id)
explained = run(platform.explain_signal()(me, ExplainSignalCommand(signal_id=signal_id)))
signal, signal_bundle = explained.signal, explained.lineage["bundle_sha256"]
print(f"{signal.side.value} {signal.entry}, target {signal.take_profit}, stop {signal.stop_loss}: {signal.edge_status.value}")
print(f"reproduced from {len(explained.features)} features by bundle {signal_bundle[:12]}: {explained.is_reproduced}")
