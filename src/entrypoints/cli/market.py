from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit
from entrypoints.cli.parameters import COST, DECIMAL, SYMBOL, TIME, TIMEFRAME
from tradingcore.kernel.market import AssetClass, Calendar, SeriesKey, SymbolCode, Timeframe
from tradingcore.trading.model.symbol import Cost, CostUnit, Symbol
from tradingcore.trading.sessions import GapReport
from tradingcore.trading.use_cases.export_candles import ExportCandlesCommand
from tradingcore.trading.use_cases.find_gaps import FindGapsCommand
from tradingcore.trading.use_cases.import_candles import ImportCandlesCommand, ImportProgress, ImportReport
from tradingcore.trading.use_cases.list_symbols import ListSymbolsCommand
from tradingcore.trading.use_cases.set_symbol import AddSymbolCommand, SetSymbolCommand, SymbolSettings

GAPS_SHOWN = 20


@click.group()
def market() -> None:
    """Symbols and candles: import, export, gaps, replay."""


@market.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--symbol", type=SYMBOL, required=True, help="Such as BTC/USDT, EUR/USD or AAPL.")
@click.option("--timeframe", type=TIMEFRAME, required=True, help="Of its candles.")
@click.option("--asset-class", type=click.Choice([item.value for item in AssetClass]), help="Of a new symbol; else inferred.")
@click.option("--timezone", "zone", help="Of times without a zone, such as America/New_York.")
@click.option("--replace", is_flag=True, help="Let candles of the file replace different ones that are stored.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), help="Write every rejected row here, as CSV.")
@click.option("--dry-run", is_flag=True, help="Read and compare everything, store nothing.")
@command_body
async def import_candles(
    session: Session,
    file: Path,
    symbol: SymbolCode,
    timeframe: Timeframe,
    asset_class: str | None,
    zone: str | None,
    replace: bool,
    rejects: Path | None,
    dry_run: bool,
) -> None:
    """Store the candles of FILE (CSV, CSV.gz or Parquet). Good rows are kept whatever else the file holds.

    Exit code 5 when rows were rejected, or differ from what is stored.
    """
    from adapters.market_data.files import open_candle_source
    from adapters.market_data.sinks import CsvRejectSink
    from entrypoints.cli.operator import operator

    source = open_candle_source(file, zone=zone)
    with session.progress() as bars:
        bar = bars.add_task(f"reading {file.name}", total=source.size_bytes, note="")

        def advanced(progress: ImportProgress) -> None:
            bars.update(bar, completed=progress.bytes_read, note=f"{progress.rows_read:,} rows")

        async with operator(session) as (container, actor):
            report = await container.import_candles()(
                actor,
                ImportCandlesCommand(
                    key=SeriesKey(symbol, timeframe),
                    source=source,
                    replace=replace,
                    asset_class=None if asset_class is None else AssetClass(asset_class),
                    dry_run=dry_run,
                    rejects=None if rejects is None else CsvRejectSink(rejects),
                    on_progress=advanced,
                ),
            )
    if session.is_json:
        session.document(_report_document(report))
    else:
        _show_report(session, report, rejects=rejects)
    if not report.is_clean:
        raise CommandFailed(_refused(report), exit_code=Exit.CHECK_FAILED)


@market.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--symbol", type=SYMBOL, required=True, help="Such as BTC/USDT, EUR/USD or AAPL.")
@click.option("--timeframe", type=TIMEFRAME, required=True, help="Of its candles.")
@click.option("--from", "start", type=TIME, help="First open time.")
@click.option("--to", "stop", type=TIME, help="Open time to stop before.")
@command_body
async def export(
    session: Session, file: Path, symbol: SymbolCode, timeframe: Timeframe, start: datetime | None, stop: datetime | None
) -> None:
    """Write stored candles to FILE: .csv, .csv.gz or .parquet."""
    from adapters.market_data.files import open_candle_sink
    from entrypoints.cli.operator import operator

    sink = open_candle_sink(file)
    async with operator(session) as (container, actor):
        command = ExportCandlesCommand(key=SeriesKey(symbol, timeframe), sink=sink, start=start, stop=stop)
        report = await container.export_candles()(actor, command)
    if session.is_json:
        session.document({"file": str(file), "written": report.written})
    else:
        click.echo(f"wrote {report.written:,} candles of {report.key} to {file}")


@market.command()
@click.option("--symbol", type=SYMBOL, required=True, help="Such as BTC/USDT, EUR/USD or AAPL.")
@click.option("--timeframe", type=TIMEFRAME, required=True, help="Of its candles.")
@click.option("--from", "start", type=TIME, help="First open time.")
@click.option("--to", "stop", type=TIME, help="Open time to stop before.")
@command_body
async def gaps(session: Session, symbol: SymbolCode, timeframe: Timeframe, start: datetime | None, stop: datetime | None) -> None:
    """The holes of a stored series against its calendar."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        command = FindGapsCommand(key=SeriesKey(symbol, timeframe), start=start, stop=stop)
        report = await container.find_gaps()(actor, command)
    if session.is_json:
        session.document(_gaps_document(report))
        return
    click.echo(f"{report.key}, calendar {report.calendar.value}: {report.gap_count} gaps, {report.missing} candles missing")
    session.table(("first missing", "last missing", "candles"), [(gap.first, gap.last, gap.missing) for gap in report.gaps])


@market.command()
@click.option("--symbol", type=SYMBOL, required=True, help="Such as BTC/USDT, EUR/USD or AAPL.")
@click.option("--timeframe", type=TIMEFRAME, required=True, help="Of its candles.")
@click.option("--from", "start", type=TIME, required=True, help="Open time of the first candle.")
@click.option("--to", "stop", type=TIME, help="Open time to stop before.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Candles a second; as fast as possible if not given.")
@click.option("--rewind", is_flag=True, help="First forget the forecasts, decisions and signals from there on; needs --yes.")
@click.option("--yes", is_flag=True, help="With --rewind: really forget them.")
@command_body
async def replay(
    session: Session,
    symbol: SymbolCode,
    timeframe: Timeframe,
    start: datetime,
    stop: datetime | None,
    speed: float | None,
    rewind: bool,
    yes: bool,
) -> None:
    """Send stored candles through the live path; a running worker makes forecasts and signals of them."""
    from entrypoints.cli.operator import operator
    from entrypoints.replay import rewind_series, stored_replay
    from entrypoints.worker import feed_candles

    key = SeriesKey(symbol, timeframe)
    if rewind:
        session.confirm_destruction(
            is_confirmed=yes, what=f"this forgets the forecasts, decisions and signals of {key} from {start.isoformat()} on"
        )
    async with operator(session) as (container, actor):
        if not len(await container.candles().between(key, start=start, stop=stop, limit=1)):
            raise CommandFailed(f"nothing is stored of {key} in this range: see what is with market symbols list")
        if rewind:
            await rewind_series(container, actor, key, first=start)
        feed = stored_replay(container, [key], start=start, stop=stop, speed=speed, source="replay")
        taken = await feed_candles(container, feed)
    if session.is_json:
        session.document({"series": str(key), "taken": taken})
    else:
        click.echo(f"{taken} candles of {key} went into the flow")


@market.group()
def symbols() -> None:
    """What can be traded, on which tick and at what cost."""


@symbols.command("list")
@command_body
async def list_symbols(session: Session) -> None:
    """Every symbol, and the candles that are stored of it."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        found = await container.list_symbols()(actor, ListSymbolsCommand())
    if session.is_json:
        session.document(
            [
                {
                    **_symbol_document(one.symbol),
                    "series": [
                        {
                            "timeframe": extent.key.timeframe.value,
                            "count": extent.count,
                            "first": extent.first.isoformat(),
                            "last": extent.last.isoformat(),
                        }
                        for extent in one.series
                    ],
                }
                for one in found
            ]
        )
        return
    rows = [
        (
            *_symbol_document(one.symbol).values(),
            "; ".join(f"{extent.key.timeframe.value} {extent.count:,}" for extent in one.series),
        )
        for one in found
    ]
    session.table(
        ("symbol", "class", "tick", "step", "min notional", "½ spread", "fee", "slippage", "calendar", "R:R", "EV", "candles"), rows
    )


def _settings_options(command: Any) -> Any:
    # The last one applied comes first in the help.
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


_SETTINGS = (
    click.option("--tick", type=DECIMAL, help="Smallest step of a price."),
    click.option("--step", type=DECIMAL, help="Smallest step of a quantity."),
    click.option("--minimum-notional", type=DECIMAL, help="Smallest price times quantity of an order."),
    click.option("--half-spread", type=COST, help="Per fill, such as 0.5bp or 0.00005."),
    click.option("--fee", type=COST, help="Per fill."),
    click.option("--slippage", type=COST, help="Per round trip."),
    click.option("--calendar", type=click.Choice([item.value for item in Calendar]), help="When candles are due."),
    click.option("--minimum-risk-reward", type=DECIMAL, help="Target over stop distance that a signal must reach."),
    click.option("--minimum-ev", type=DECIMAL, help="Expected value in R after costs that a signal must exceed."),
)


def _settings(
    *,
    tick: Decimal | None,
    step: Decimal | None,
    minimum_notional: Decimal | None,
    half_spread: Cost | None,
    fee: Cost | None,
    slippage: Cost | None,
    calendar: str | None,
    minimum_risk_reward: Decimal | None,
    minimum_ev: Decimal | None,
) -> SymbolSettings:
    return SymbolSettings(
        price_tick=tick,
        quantity_step=step,
        minimum_notional=minimum_notional,
        half_spread=half_spread,
        fee=fee,
        slippage=slippage,
        calendar=None if calendar is None else Calendar(calendar),
        minimum_risk_reward=minimum_risk_reward,
        minimum_expected_value_r=minimum_ev,
    )


@symbols.command()
@click.argument("code", type=SYMBOL)
@click.option("--asset-class", type=click.Choice([item.value for item in AssetClass]), help="Inferred from the code if not given.")
@_settings_options
@command_body
async def add(session: Session, /, code: SymbolCode, asset_class: str | None, **settings: Any) -> None:
    """Create a symbol with the defaults of its class."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        kind = None if asset_class is None else AssetClass(asset_class)
        command = AddSymbolCommand(code=code, asset_class=kind, settings=_settings(**settings))
        _show_symbol(session, await container.add_symbol()(actor, command))


@symbols.command("set")
@click.argument("code", type=SYMBOL)
@_settings_options
@command_body
async def set_symbol(session: Session, /, code: SymbolCode, **settings: Any) -> None:
    """Change a symbol; what is not given stays."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        command = SetSymbolCommand(code=code, settings=_settings(**settings))
        _show_symbol(session, await container.set_symbol()(actor, command))


def _show_symbol(session: Session, symbol: Symbol) -> None:
    if session.is_json:
        session.document(_symbol_document(symbol))
    else:
        session.table(("field", "value"), list(_symbol_document(symbol).items()))


def _symbol_document(symbol: Symbol) -> dict[str, Any]:
    costs = symbol.costs
    return {
        "code": symbol.code,
        "asset_class": symbol.asset_class.value,
        "price_tick": str(symbol.price_tick),
        "quantity_step": str(symbol.quantity_step),
        "minimum_notional": str(symbol.minimum_notional),
        "half_spread": f"{costs.half_spread.amount}{_unit(costs.half_spread)}",
        "fee": f"{costs.fee.amount}{_unit(costs.fee)}",
        "slippage": f"{costs.slippage.amount}{_unit(costs.slippage)}",
        "calendar": symbol.calendar.value,
        "minimum_risk_reward": str(symbol.rules.minimum_risk_reward),
        "minimum_expected_value_r": str(symbol.rules.minimum_expected_value_r),
    }


def _unit(cost: Cost) -> str:
    return "bp" if cost.unit is CostUnit.BASIS_POINTS else ""


def _gaps_document(report: GapReport) -> dict[str, Any]:
    return {
        "series": str(report.key),
        "calendar": report.calendar.value,
        "candles": report.candles,
        "gaps": report.gap_count,
        "missing": report.missing,
        "list": [{"first": gap.first.isoformat(), "last": gap.last.isoformat(), "missing": gap.missing} for gap in report.gaps],
    }


def _report_document(report: ImportReport) -> dict[str, Any]:
    counts = report.counts
    return {
        "symbol": report.symbol.code,
        "symbol_created": report.symbol_created,
        "dry_run": report.dry_run,
        "rows_read": report.rows_read,
        "inserted": counts.inserted,
        "unchanged": counts.unchanged,
        "changed": counts.changed,
        "differing": counts.differing,
        "first_differing": [at.isoformat() for at in counts.first_differing],
        "rejected": report.rejected,
        "first_rejected": [{"line": row.line, "reason": row.reason, "row": row.text} for row in report.first_rejected],
        "first": None if report.first is None else report.first.isoformat(),
        "last": None if report.last is None else report.last.isoformat(),
        "gaps": report.gaps.gap_count,
        "missing": report.gaps.missing,
        "suspicious": {suspicion.value: count for suspicion, count in report.quality.counts.items()},
    }


def _refused(report: ImportReport) -> str:
    parts = []
    if report.rejected:
        parts.append(f"{_counted(report.rejected, 'row')} rejected")
    if differing := report.counts.differing:
        parts.append(f"{_counted(differing, 'candle')} not taken because other numbers are stored: --replace lets the file win")
    return ", ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _show_report(session: Session, report: ImportReport, *, rejects: Path | None) -> None:
    counts = report.counts
    made = " (new symbol, defaults of its class)" if report.symbol_created else ""
    click.echo(f"{report.gaps.key}{made}: {report.rows_read:,} rows read{', nothing stored' if report.dry_run else ''}")
    click.echo(
        f"  {counts.inserted:,} inserted, {counts.unchanged:,} unchanged, {counts.changed:,} changed, "
        f"{counts.differing:,} differ, {report.rejected:,} rejected"
    )
    click.echo(
        f"  {report.gaps.gap_count:,} gaps with {report.gaps.missing:,} candles missing against {report.gaps.calendar.value}"
    )
    seen = ", ".join(f"{count:,} {suspicion.value}" for suspicion, count in report.quality.counts.items() if count)
    click.echo(f"  suspicious: {seen or 'nothing'}")
    for row in report.first_rejected:
        session.note(f"  line {row.line}: {row.reason}")
    if report.rejected > len(report.first_rejected) and rejects is None:
        session.note("  more were rejected: --rejects FILE keeps all of them")
