"""G20: whatever owner, thief and clock do, a session has at most one live refresh token, and reuse outside the grace ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from adapters.memory.auth.sessions import MemorySessionRepository
from adapters.memory.database import IssuedRefreshToken
from tests.asvs import asvs
from tests.unit.core.auth.sign_in_world import ELSEWHERE, HERE, SignInWorld
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.session import MOST_SESSIONS, REFRESH_GRACE
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.auth.use_cases.manage_sessions import EndSessionsCommand, LeaveSessionCommand
from tradingcore.auth.use_cases.session_opening import OpenedSession
from tradingcore.kernel.errors import Conflict
from tradingcore.testing.auth.builders import the_owner_of

T = TypeVar("T")
CLIENTS = {"owner": HERE, "thief": ELSEWHERE, "thief at home": replace(HERE, device_label="curl")}
WAITS = st.sampled_from(
    [
        timedelta(0),
        timedelta(seconds=1),
        REFRESH_GRACE,
        REFRESH_GRACE + timedelta(microseconds=1),
        timedelta(hours=1),
        timedelta(days=3),
    ]
)


@dataclass
class Issued:
    """What the model knows of one refresh token that it has seen."""

    session: SessionId
    client: str | None = None
    used_at: datetime | None = None
    successor: str | None = None


class Unsigned(AccessTokens):
    """Access tokens are not what this is about, and signing them is most of the time."""

    def issue(self, claims: AccessClaims) -> str:
        return str(claims.token_id)

    def verify(self, token: str, *, at: datetime) -> AccessClaims:
        raise AssertionError("nobody shows one")


class RefreshMachine(RuleBasedStateMachine):
    """The model is a table of tokens; after every step it agrees with the store."""

    steps: ClassVar[int] = 0
    reuses: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.world = SignInWorld(access_tokens=Unsigned())
        self.tokens: dict[str, Issued] = {}
        self.ended: set[SessionId] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        type(self).steps += 1
        return self.loop.run(work)

    def teardown(self) -> None:
        self.loop.close()

    @initialize()
    def begin(self) -> None:
        self.run(self.world.an_owner())
        self.sign_in()

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def is_over(self, session: SessionId) -> bool:
        return session in self.ended or not self.world.database.sessions.rows[session].is_live(self.now)

    def learn(self, opened: OpenedSession) -> str:
        token = opened.tokens.refresh_token
        self.tokens.setdefault(token, Issued(opened.session.id))
        return token

    @precondition(lambda self: len({one.session for one in self.tokens.values()} - self.ended) < MOST_SESSIONS)
    @rule()
    def sign_in(self) -> None:
        self.learn(self.run(self.world.signed_in()))
        self.world.clock.advance(timedelta(milliseconds=1))

    @rule(wait=WAITS)
    def wait(self, wait: timedelta) -> None:
        self.world.clock.advance(wait)

    @rule(choice=st.integers(0, 10_000), client=st.sampled_from(sorted(CLIENTS)))
    def present(self, choice: int, client: str) -> None:
        token = sorted(self.tokens)[choice % len(self.tokens)]
        known, was_over = self.tokens[token], self.is_over(self.tokens[token].session)
        opened = self.presented(token, CLIENTS[client])
        if was_over:
            assert opened is None
        elif known.used_at is None:
            assert opened is not None, "a live token is rotated, whoever has it"
            known.client, known.used_at, known.successor = client, self.now, self.learn(opened)
        elif client == self.last_client(known.session) and self.now - known.used_at <= REFRESH_GRACE:
            assert opened is not None
            assert opened.tokens.refresh_token == known.successor, "a repetition gives the same successor"
        else:
            type(self).reuses += 1
            assert opened is None
            self.ended.add(known.session)
            assert self.world.database.sessions.rows[known.session].ended_at == self.now, "reuse ends the session"

    def last_client(self, session: SessionId) -> str | None:
        used = [one for one in self.tokens.values() if one.session == session and one.used_at is not None]
        # The token that was used last is the one whose successor nobody has used.
        return next((one.client for one in used if one.successor is not None and self.tokens[one.successor].used_at is None), None)

    def presented(self, token: str, caller: Caller) -> OpenedSession | None:
        try:
            return self.run(self.world.refresh(token, caller=caller))
        except CredentialRefused:
            return None

    @rule(choice=st.integers(0, 10_000), count=st.integers(2, 5))
    def race(self, choice: int, count: int) -> None:
        """The owner's tabs refresh at once."""
        token = sorted(self.tokens)[choice % len(self.tokens)]
        known = self.tokens[token]
        if self.is_over(known.session) or known.used_at is not None:
            return

        async def at_once() -> list[OpenedSession]:
            return await asyncio.gather(*(self.world.refresh(token) for _ in range(count)))

        opened = self.run(at_once())
        assert len({one.tokens.refresh_token for one in opened}) == 1
        known.client, known.used_at, known.successor = "owner", self.now, self.learn(opened[0])

    @rule(choice=st.integers(0, 10_000))
    def sign_out(self, choice: int) -> None:
        token = sorted(self.tokens)[choice % len(self.tokens)]
        self.run(self.world.leave_session(self.world.nobody(), LeaveSessionCommand(token=token)))
        self.ended.add(self.tokens[token].session)

    @precondition(lambda self: any(not self.is_over(one.session) for one in self.tokens.values()))
    @rule()
    def sign_out_elsewhere(self) -> None:
        current = next(one.session for one in self.tokens.values() if not self.is_over(one.session))
        account = self.world.account(self.world.database.sessions.rows[current].user_id)
        me = the_owner_of(account, session_id=current)
        self.run(self.world.end_sessions(me, EndSessionsCommand(but_current=True)))
        self.ended |= {one.session for one in self.tokens.values()} - {current}

    @invariant()
    def at_most_one_token_of_a_session_lives(self) -> None:
        rows = self.world.database.refresh_tokens.rows.values()
        live = [row.value.token.session_id for row in rows if row.value.is_live(self.now)]
        assert len(live) == len(set(live))
        assert not self.ended & set(live), "what has ended has no live token"


def play(examples: int, *, phases: Sequence[Phase] = tuple(Phase), is_repeatable: bool = False) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        database=None,
        phases=phases,
        derandomize=is_repeatable,
    )
    run_state_machine_as_test(RefreshMachine, settings=chosen)


@asvs("10.4.5")
def test_no_interleaving_gives_a_session_two_live_tokens_or_survives_reuse() -> None:
    play(30)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_ten_thousand_interleavings() -> None:
    started = perf_counter()
    RefreshMachine.steps = RefreshMachine.reuses = 0
    play(10_000)
    figures = {"id": "G20", "n": 10_000, "failures": 0, "steps": RefreshMachine.steps, "reuses": RefreshMachine.reuses}
    print(json.dumps({**figures, "seconds": round(perf_counter() - started, 1)}))


Break = Callable[[pytest.MonkeyPatch], None]


def forget_that_tokens_are_used(patch: pytest.MonkeyPatch) -> None:
    def is_live(self: IssuedRefreshToken, at: datetime) -> bool:
        return self.revoked_at is None

    patch.setattr(IssuedRefreshToken, "is_live", is_live)


def give_everybody_grace(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tradingcore.auth.use_cases.refresh_session.REFRESH_GRACE", timedelta(days=2))


def let_sessions_survive_reuse(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        pass

    patch.setattr("tradingcore.auth.use_cases.refresh_session.RefreshSession._end", nothing)


def keep_tokens_of_ended_sessions(patch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        pass

    patch.setattr(MemorySessionRepository, "_revoke", nothing)


@pytest.mark.parametrize(
    "break_it",
    [forget_that_tokens_are_used, give_everybody_grace, let_sessions_survive_reuse, keep_tokens_of_ended_sessions],
    ids=lambda one: one.__name__,
)
def test_the_machine_finds_a_broken_rule(break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    break_it(monkeypatch)
    with pytest.raises((AssertionError, Conflict)):
        play(300, phases=(Phase.generate,), is_repeatable=True)
