from __future__ import annotations

from pathlib import Path

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.parameters import SYMBOL, TIMEFRAME
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.ml.ports import DEMO, FULL


@click.command()
@click.option(
    "--candles",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A file of candles instead of the simulated market; several times.",
)
@click.option("--symbol", type=SYMBOL, multiple=True, help="The symbol of each file.")
@click.option("--timeframe", type=TIMEFRAME, multiple=True, help="The timeframe of each file.")
@click.option("--once", is_flag=True, help="End when the replay is over.")
@click.option("--json", "is_json", is_flag=True, help="Print the summary as one JSON document.")
@click.option(
    "--profile", type=click.Choice([DEMO.name, FULL.name]), default=DEMO.name, show_default=True, help="How thoroughly to train."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the API; 0 takes a free one.")
@click.option("--speed", type=click.FloatRange(min=0.1), help="Candles a second and series.")
@click.option("--reset", is_flag=True, help="Start over: delete the data of earlier demos first.")
@command_body
async def demo(
    session: Session,
    candles: tuple[Path, ...],
    symbol: tuple[SymbolCode, ...],
    timeframe: tuple[Timeframe, ...],
    once: bool,
    is_json: bool,
    profile: str,
    port: int,
    speed: float | None,
    reset: bool,
) -> None:
    """The whole platform on this machine: candles become features, a forecast, a decision, a signal and a message.

    Starts PostgreSQL, the API and a worker, trains a model per symbol and replays the last 500 candles, which no model has seen,
    through the live path. Simulated data is labelled as such wherever it is shown.
    """
    from entrypoints.cli.exits import CommandFailed, Exit
    from entrypoints.demo.plan import DEFAULT_SPEED, DemoPlan, series_of
    from entrypoints.demo.run import run_demo
    from entrypoints.observing import configure_logging

    session.is_json = session.is_json or is_json
    if session.settings.storage == "memory":
        raise CommandFailed("the demo runs several processes, which memory storage cannot serve", exit_code=Exit.USAGE)
    configure_logging(session.settings, level="debug" if session.is_verbose else "error")
    plan = DemoPlan(
        series=series_of(candles, symbol, timeframe),
        training=FULL if profile == FULL.name else DEMO,
        is_once=once,
        is_reset=reset,
        port=port,
        speed=speed or DEFAULT_SPEED,
    )
    summary = await run_demo(session, plan)
    if session.is_json:
        session.document(summary)
