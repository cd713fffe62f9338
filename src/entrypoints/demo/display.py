"""What a person sees of the demo: on a terminal a live view, elsewhere plain lines. All of it on stderr when ``--json`` is on."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

from entrypoints.cli.console import Session
from tradingcore.ml.model.model_version import BASELINES

SHOWN_SIGNALS: Final = 12
SECONDS_BETWEEN_LINES: Final = 2.0


class Display:
    """Also usable as a context manager around the replay, where it draws the live view."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._console = session.err if session.is_json else session.out
        self._is_live = self._console.is_terminal and not session.is_quiet
        self._signals: deque[dict[str, Any]] = deque(maxlen=SHOWN_SIGNALS)
        self._status: Any = None
        self._live: Any = None
        self._said_at = 0.0
        self._replayed = 0
        self._total = 0
        self._count = 0

    def say(self, text: str = "") -> None:
        if not self._session.is_quiet:
            self._console.print(text, highlight=False, markup=False)

    def step(self, text: str) -> None:
        """Begin a step: a spinner on a terminal."""
        self._stop_status()
        if self._is_live:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self.say(text)

    def progress(self, name: str, detail: str) -> None:
        """How a step goes on; elsewhere than on a terminal not more often than a person can read."""
        if self._status is not None:
            self._status.update(f"{name}: {detail}")
        elif not self._is_live and time.monotonic() - self._said_at > SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            self.say(f"  {name}: {detail}")

    def done(self, text: str) -> None:
        self.say(f"  {text}")

    def end_step(self) -> None:
        self._stop_status()

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def trained(self, version: dict[str, Any]) -> None:
        self.done(f"trained {version['label']} on {version['data_first'][:10]} to {version['data_last'][:10]}")

    def skill_table(self, models: list[dict[str, Any]], verdicts: dict[str, str]) -> None:
        """Per cent better than each baseline, and the sentence that says what it means."""
        self.say()
        self.say("How good the range forecasts are: % better than each baseline, on candles that the model had not seen")
        self.say(f"  {'model':<22}" + "".join(f"{name:>13}" for name in BASELINES))
        for model in models:
            name = f"{model['symbol']} {model['timeframe']} h{model['horizon']}"
            figures = "".join(f"{100 * model['skill'][baseline]:>+12.1f}%" for baseline in BASELINES)
            self.say(f"  {name:<22}{figures}")
        for name, sentence in verdicts.items():
            self.say(f"  {name}: {sentence}")
        self.say()

    def replay_started(self, total: int) -> None:
        self._total = total
        if self._is_live:
            from rich.live import Live

            self._live = Live(self._view(), console=self._console, refresh_per_second=4)
            self._live.start()

    def candle(self) -> None:
        self._replayed += 1
        if self._live is not None:
            self._live.update(self._view())

    def signal(self, data: dict[str, Any]) -> None:
        self._count += 1
        self._signals.append(data)
        if self._live is not None:
            self._live.update(self._view())
        else:
            self.say("  " + _signal_line(data))

    def replay_ended(self) -> None:
        if self._live is not None:
            self._live.update(self._view(), refresh=True)
            self._live.stop()
            self._live = None

    def _view(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", padding=(0, 1))
        for column in ("candle", "symbol", "side", "entry", "target", "stop", "P(TP)", "EV R", "edge", "from"):
            table.add_column(column, justify="right" if column in ("entry", "target", "stop", "P(TP)", "EV R") else "left")
        for data in self._signals:
            table.add_row(*_signal_cells(data))
        line = Text(f"{self._replayed:,} of {self._total:,} candles replayed, {self._count} signals received over the WebSocket")
        return Group(line, table)


def _signal_cells(data: dict[str, Any]) -> tuple[str, ...]:
    return (
        data["decision_candle"][:16].replace("T", " "),
        f"{data['symbol']} {data['timeframe']}",
        data["side"],
        data["entry"],
        data["take_profit"],
        data["stop_loss"],
        f"{data['probability']:.2f}",
        f"{data['expected_value_r']:+.2f}",
        data["edge_status"],
        "simulated" if data["is_simulated"] else "file",
    )


def _signal_line(data: dict[str, Any]) -> str:
    candle, series, side, entry, target, stop, probability, value, edge, source = _signal_cells(data)
    return (
        f"{candle} {series} {side:<5} entry {entry} target {target} stop {stop} P(TP) {probability} EV {value} R {edge}, {source}"
    )
