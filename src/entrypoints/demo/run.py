"""The demo from start to summary."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from entrypoints.cli.console import Session
from entrypoints.cli.exits import CommandFailed
from entrypoints.demo.audience import Audience, listening
from entrypoints.demo.children import READY_SECONDS, child
from entrypoints.demo.display import Display
from entrypoints.demo.people import Person, invite, keep, sign_in
from entrypoints.demo.plan import DemoPlan
from entrypoints.demo.preparation import (
    PreparedSeries,
    global_options,
    import_series,
    model_documents,
    rewind_all,
    train_all,
)
from entrypoints.platform import Platform, ProcessKind, migrator_of, reset_data, running
from entrypoints.replay import stored_replay
from entrypoints.settings import ConfigurationError, Settings
from entrypoints.worker import close_candle
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKeyCommand
from tradingcore.kernel.authz import Actor, Role
from tradingcore.kernel.page import MAXIMUM_LIMIT, PageRequest
from tradingcore.ml.model.verdict import verdict_on
from tradingcore.processes.wire import rfc3339
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.queries import DecisionFilter
from tradingcore.trading.use_cases.list_signals import ListDecisionsCommand

KEY_LIFETIME: Final = timedelta(days=1)
SETTLE_SECONDS: Final = 60.0
FEWEST_LATENCIES: Final = 10
"""Fewer say nothing about a percentile to a person; the document has the figures in any case."""


@dataclass(slots=True)
class Seconds:
    """How long each part took."""

    start: float = 0.0
    import_: float = 0.0
    train: float = 0.0
    replay: float = 0.0


async def run_demo(session: Session, plan: DemoPlan) -> dict[str, Any]:
    """Run the plan and return the summary. Everything that was started is stopped, whatever happens."""
    settings, display, seconds = settings_of(session.settings, plan), Display(session), Seconds()
    begun = time.perf_counter()
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone_in(settings.data_dir))
        if plan.is_reset:
            reset_data(settings)
        display.step("starting PostgreSQL")
        migrator = await stack.enter_async_context(migrator_of(settings))
        await migrator.up()
        platform = await stack.enter_async_context(running(settings, ProcessKind.OPERATOR))
        stack.callback(display.end_step)
        actor = Actor.operator(platform.container.ids().new_trace_id())
        seconds.start = time.perf_counter() - begun

        begun = time.perf_counter()
        display.step("importing candles")
        prepared = [await import_series(platform, actor, one, display) for one in plan.series]
        seconds.import_ = time.perf_counter() - begun

        begun = time.perf_counter()
        display.step(f"preparing the models (profile {plan.training.name})")
        prepared = await train_all(platform, prepared, plan, display)
        seconds.train = time.perf_counter() - begun
        display.end_step()
        models = model_documents(prepared)
        display.skill_table(
            models, {version.label: verdict_on(version.evaluation).sentence for one in prepared for version in one.versions}
        )

        begun = time.perf_counter()
        display.step("starting the API and the worker")
        await rewind_all(platform, actor, prepared)
        address = await stack.enter_async_context(_services(settings, plan))
        created = await platform.container.create_api_key()(
            actor, CreateApiKeyCommand(name="demo", role=Role.TRADER, lifetime=KEY_LIFETIME)
        )
        people = await _welcome(platform, actor, address)
        seconds.start += time.perf_counter() - begun
        display.end_step()
        _introduce(display, settings, address, created.token, people)

        begun = time.perf_counter()
        async with listening(address, created.token, display.signal) as audience:
            closed_at = await _replay(platform, prepared, plan, display)
            decisions = await _settled(platform, actor, prepared, audience)
        seconds.replay = time.perf_counter() - begun
        display.replay_ended()
        summary = _summary(plan, models, decisions, audience, closed_at, seconds)
        summary["signed_in"] = [person.email for person in people]
        _conclude(display, summary, decisions)
        if not plan.is_once:
            display.say("The API and the stream stay up. Ctrl-C stops everything.")
            await asyncio.Event().wait()
    return summary


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two demos on one folder would rewind each other's replay. The lock goes with the process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "demo.lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}; choose another --data-dir") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(f"a demo runs already on {folder}: stop it first, or give another --data-dir") from None
        yield


async def _welcome(platform: Platform, actor: Actor, address: str) -> Sequence[Person]:
    """Sign in as everybody, once, as proof that they can."""
    people = await invite(platform, actor)
    keep(platform, people)
    signed_in = [await sign_in(address, person) for person in people]
    keep(platform, signed_in)
    return signed_in


@asynccontextmanager
async def _services(settings: Settings, plan: DemoPlan) -> AsyncIterator[str]:
    """The API and the worker as children; yields the API's address."""
    options = global_options(settings)
    # Known beforehand: the identity provider on this machine signs with its address.
    port = plan.port or _free_port(settings.http.host)
    serve = [*options, "--json", "serve", "--port", str(port), "--stop-with-stdin"]
    worker = [*options, "--json", "worker", "--stop-with-stdin"]
    async with child("the API", serve) as api, child("the worker", worker) as relay:
        try:
            async with asyncio.timeout(READY_SECONDS):
                ready, _ = await asyncio.gather(api.document(), relay.document())
        except TimeoutError:
            raise CommandFailed(f"the API and the worker were not ready within {READY_SECONDS:.0f} s") from None
        address: str = ready["address"]
        yield address


def _free_port(host: str) -> int:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        port: int = listener.getsockname()[1]
        return port


async def _replay(
    platform: Platform, prepared: Sequence[PreparedSeries], plan: DemoPlan, display: Display
) -> dict[tuple[str, str, str], float]:
    """Close every candle that was kept back, and return when each was, by (symbol, timeframe, open time)."""
    closed_at: dict[tuple[str, str, str], float] = {}
    container = platform.container
    feeds = [
        stored_replay(container, [one.key], start=one.start, stop=one.stop, speed=plan.speed, source=one.series.source)
        for one in prepared
    ]

    async def replay(feed: Any) -> None:
        async for arrival in feed.closed_candles():
            key = arrival.key
            closed_at[key.symbol, key.timeframe.value, rfc3339(arrival.candle.open_time)] = time.perf_counter()
            await close_candle(container, feed, arrival)
            display.candle()

    display.replay_started(sum(one.count for one in prepared))
    async with asyncio.TaskGroup() as group:
        for feed in feeds:
            group.create_task(replay(feed))
    return closed_at


async def _settled(platform: Platform, actor: Actor, prepared: Sequence[PreparedSeries], audience: Audience) -> list[Decision]:
    """Wait until every replayed candle has its decision and every signal has been heard, then return the decisions."""
    expected = sum(one.count for one in prepared)
    progress, deadline = -1, 0.0
    while True:
        decisions = [decision for one in prepared for decision in await _decisions(platform, actor, one)]
        signals = sum(decision.signal_id is not None for decision in decisions)
        if len(decisions) >= expected and len(audience.received) >= signals:
            return decisions
        if len(decisions) + len(audience.received) > progress:
            progress, deadline = len(decisions) + len(audience.received), time.monotonic() + SETTLE_SECONDS
        elif time.monotonic() > deadline:
            raise CommandFailed(
                f"nothing has moved for {SETTLE_SECONDS:.0f} s: {len(decisions)} of {expected} candles are decided, "
                f"{len(audience.received)} of {signals} signals were heard; see tradingcore outbox status"
            )
        await asyncio.sleep(0.2)


async def _decisions(platform: Platform, actor: Actor, one: PreparedSeries) -> list[Decision]:
    where = DecisionFilter(symbol=one.key.symbol, timeframe=one.key.timeframe, since=one.start)
    found: list[Decision] = []
    after = None
    while True:
        page = PageRequest(limit=MAXIMUM_LIMIT, after=after)
        result = await platform.container.list_decisions()(actor, ListDecisionsCommand(where=where, page=page))
        found += [decision for decision in result.items if decision.candle >= one.start]
        after = result.next
        if after is None:
            return found


def _summary(
    plan: DemoPlan,
    models: list[dict[str, Any]],
    decisions: Sequence[Decision],
    audience: Audience,
    closed_at: dict[tuple[str, str, str], float],
    seconds: Seconds,
) -> dict[str, Any]:
    latencies = sorted(1000 * (heard - closed_at[which]) for which, heard in audience.received_at.items() if which in closed_at)

    def percentile(share: float) -> float | None:
        return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))], 2) if latencies else None

    return {
        "source": plan.source,
        "symbols": [one.key.symbol for one in plan.series],
        "candles": len(closed_at),
        "models": models,
        "forecasts": sum(decision.forecast_id is not None for decision in decisions),
        "decisions": len(decisions),
        "signals": sum(decision.signal_id is not None for decision in decisions),
        "received_over_websocket": len(audience.received),
        "latency_ms": {"p50": percentile(0.5), "p99": percentile(0.99)},
        "seconds": {
            "start": round(seconds.start, 2),
            "import": round(seconds.import_, 2),
            "train": round(seconds.train, 2),
            "replay": round(seconds.replay, 2),
        },
    }


def settings_of(settings: Settings, plan: DemoPlan) -> Settings:
    """The user's settings, with the data folder of this demo on the embedded storage."""
    if settings.storage != "embedded":
        return settings
    return settings.model_copy(update={"data_dir": settings.data_dir / "demo" / plan.folder})


def _introduce(display: Display, settings: Settings, address: str, token: str, people: Sequence[Person]) -> None:
    display.say(f"  live page      {address}/")
    display.say(f"  API docs       {address}/docs")
    display.say(f"  stream         {address.replace('http', 'ws', 1)}/api/v1/stream")
    if settings.shows_mailbox:
        display.say(f"  mailbox        {address}/dev/mailbox")
    display.say(f"  sign in        {address}/sign-in  (at a provider on this machine, where you may be anybody)")
    display.say(f"  API key        {token}")
    display.say("  accounts       signed in over HTTP as each of them; staff with a code of the authenticator besides")
    for person in people:
        authenticator = "" if person.secret is None else f"  authenticator {person.secret}"
        display.say(f"    {person.email:<24} {person.password}{authenticator}")
    display.say(f"  data           {settings.data_dir}  (look into it with tradingcore --data-dir ...)")
    display.say("  stop           Ctrl-C")
    display.say()


def _conclude(display: Display, summary: dict[str, Any], decisions: Sequence[Decision]) -> None:
    reasons: dict[DecisionReason, int] = {}
    for decision in decisions:
        reasons[decision.reason] = reasons.get(decision.reason, 0) + 1
    display.say()
    display.say(
        f"{summary['candles']:,} candles replayed: {summary['forecasts']:,} forecasts, {summary['decisions']:,} decisions, "
        f"{summary['signals']} signal{'' if summary['signals'] == 1 else 's'}, {summary['received_over_websocket']} "
        "received over the WebSocket"
    )
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        display.say(f"  {count:>6,}  {reason.value}")
    latency = summary["latency_ms"]
    if summary["signals"] >= FEWEST_LATENCIES:
        display.say(f"  from candle to socket: {latency['p50']:.0f} ms in half of the cases, {latency['p99']:.0f} ms in 99 of 100")
    display.say("Every signal is unverified: no edge after costs has been shown for these models. This is no advice.")
