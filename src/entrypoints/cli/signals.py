from __future__ import annotations

from datetime import datetime
from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit
from entrypoints.cli.parameters import SYMBOL, TIME, TIMEFRAME
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.kernel.page import MAXIMUM_LIMIT, PageRequest
from tradingcore.processes.wire import signal_on_the_wire
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import Signal, SignalStatus
from tradingcore.trading.queries import SignalFilter
from tradingcore.trading.use_cases.explain_signal import ExplainSignalCommand
from tradingcore.trading.use_cases.list_signals import ListSignalsCommand


@click.group()
def signals() -> None:
    """List signals and explain how one came to be."""


@signals.command("list")
@click.option("--symbol", type=SYMBOL, help="Only of this one.")
@click.option("--timeframe", type=TIMEFRAME, help="Only of this one.")
@click.option("--side", type=click.Choice([side.value for side in Side]), help="Only this side.")
@click.option("--status", type=click.Choice([status.value for status in SignalStatus]), help="Only in this state.")
@click.option("--since", type=TIME, help="Issued at or after.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Least probability of the target.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@command_body
async def list_signals(
    session: Session,
    symbol: SymbolCode | None,
    timeframe: Timeframe | None,
    side: str | None,
    status: str | None,
    since: datetime | None,
    min_confidence: float | None,
    limit: int,
) -> None:
    """Newest first. Every signal is shown with its edge status; none of them is advice."""
    from entrypoints.cli.operator import operator

    where = SignalFilter(
        symbol=symbol,
        timeframe=timeframe,
        side=None if side is None else Side(side),
        status=None if status is None else SignalStatus(status),
        since=since,
        minimum_probability=min_confidence,
    )
    found: list[Signal] = []
    async with operator(session) as (container, actor):
        after = None
        while len(found) < limit:
            page = PageRequest(limit=min(MAXIMUM_LIMIT, limit - len(found)), after=after)
            result = await container.list_signals()(actor, ListSignalsCommand(where=where, page=page))
            found += result.items
            after = result.next
            if after is None:
                break
    if session.is_json:
        session.document([signal_on_the_wire(signal) for signal in found])
        return
    session.table(
        ("id", "issued", "symbol", "tf", "side", "entry", "target", "stop", "P(TP)", "EV R", "edge", "status", "result R"),
        [
            (
                signal.id,
                f"{signal.issued_at:%Y-%m-%d %H:%M}",
                signal.symbol,
                signal.timeframe.value,
                signal.side.value,
                signal.entry,
                signal.take_profit,
                signal.stop_loss,
                f"{signal.probability:.2f}",
                f"{signal.expected_value_r:+.3f}",
                signal.edge_status.value,
                signal.status.value,
                None if signal.outcome_r is None else f"{signal.outcome_r:+.2f}",
            )
            for signal in found
        ],
    )


@signals.command()
@click.argument("signal_id", type=click.UUID)
@command_body
async def explain(session: Session, signal_id: UUID) -> None:
    """Rebuild a stored signal from stored candles and the stored model; exit with 5 if any number differs."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        explanation = await container.explain_signal()(actor, ExplainSignalCommand(signal_id=SignalId(signal_id)))
    if session.is_json:
        session.document(
            {
                "signal": signal_on_the_wire(explanation.signal),
                "is_reproduced": explanation.is_reproduced,
                "mismatches": explanation.mismatches,
                "features": explanation.features,
                "lineage": explanation.lineage,
            }
        )
    else:
        session.table(
            ("field", "value"),
            [(name, _told(value)) for name, value in signal_on_the_wire(explanation.signal).items()],
            title="signal",
        )
        session.table(("step", "value"), list(explanation.lineage.items()), title="lineage")
        session.table(
            ("feature", "value"), [(name, f"{value:.6g}") for name, value in explanation.features.items()], title="features"
        )
        if explanation.is_reproduced:
            click.echo("reproduced bit for bit from the stored candles and the stored model")
    if not explanation.is_reproduced:
        raise CommandFailed(f"not reproduced: {'; '.join(explanation.mismatches)}", exit_code=Exit.CHECK_FAILED)


def _told(value: object) -> object:
    """A value of the wire for a person: the parts of a list or an object in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return " to ".join(str(_told(part)) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
