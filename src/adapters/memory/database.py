"""One store for all contexts: a unit of work sees what is committed under its own changes, and commits whole or not at all."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar
from uuid import UUID

from adapters.memory.outbox_rows import OutboxRows
from adapters.memory.rights_log import RightsLog
from adapters.memory.table import A, K, Kept, Staged, Table
from tradingcore.auth.ids import ApiKeyId, ChallengeId, IdentityId, PasskeyId, PhoneProofId, SessionId, TrustedDeviceId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.model.backup_code import BackupCode
from tradingcore.auth.model.challenge import Challenge
from tradingcore.auth.model.identity import Identity
from tradingcore.auth.model.oauth_flow import OAuthFlow
from tradingcore.auth.model.one_time_token import OneTimeToken
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.model.phone import Phone, PhoneProof
from tradingcore.auth.model.session import RefreshToken, Session
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.kernel.aggregate import AuditedEvent, DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor, EventId, UserId
from tradingcore.kernel.errors import AlreadyHandled, WriteWhileReading
from tradingcore.kernel.market import SeriesKey, SymbolCode
from tradingcore.kernel.ports import Clock, IdGenerator
from tradingcore.kernel.proposal import Proposal
from tradingcore.ml.ids import ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.model.model_version import Model, ModelVersion
from tradingcore.trading.ids import DecisionId, SignalId
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.signal import Signal, SignalStatus
from tradingcore.trading.model.symbol import Symbol

if TYPE_CHECKING:
    from adapters.memory.candles import Columns, StagedCandles

REMEMBERED_CAUSES: Final = 250_000
"""Causes kept against redelivery: far more than are ever on loan, and few enough for a replay of any length."""


@dataclass(frozen=True, slots=True)
class SpentToken:
    user_id: UserId
    token_hash: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EnrolledTotp:
    factor: TotpFactor
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailedToken:
    token: OneTimeToken
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedRefreshToken:
    token: RefreshToken
    used_at: datetime | None = None
    sealed_successor: bytes | None = None
    revoked_at: datetime | None = None

    def is_live(self, at: datetime) -> bool:
        return self.used_at is None and self.revoked_at is None and at < self.token.expires_at


def live_of(row: Kept[IssuedRefreshToken]) -> Hashable:
    """What at most one live token has; used and revoked ones stand for themselves."""
    issued = row.value
    return issued.token.session_id if issued.used_at is None and issued.revoked_at is None else issued.token.token_hash


@dataclass(frozen=True, slots=True)
class WaitingFlow:
    """A sign-in at a provider; one that was taken stays as a mark."""

    flow: OAuthFlow
    is_taken: bool = False


def proven_address(account: UserAccount) -> Hashable:
    """What no two accounts share; accounts that have proven no address stand for themselves."""
    return account.email.comparable if account.email is not None and account.is_verified else account.id


def _active_in(signal: Signal) -> SeriesKey | None:
    return SeriesKey(signal.symbol, signal.timeframe) if signal.status is SignalStatus.ACTIVE else None


@dataclass(slots=True)
class MemoryDatabase:
    """Everything that is committed. One event loop at a time; commits are plain code and so never interleave.

    ``clock`` stamps what is committed, and outbox leases run on it.
    """

    clock: Clock
    symbols: Table[SymbolCode, Symbol] = field(default_factory=lambda: Table("symbol", lambda row: row.code))
    live_series: Table[SeriesKey, LiveSeries] = field(default_factory=lambda: Table("watched series", lambda row: row.key))
    candles: dict[SeriesKey, Columns] = field(default_factory=dict)
    signals: Table[SignalId, Signal] = field(
        default_factory=lambda: Table(
            "signal",
            lambda row: row.id,
            unique=lambda row: (row.symbol, row.timeframe, row.decision_candle, row.model_version_id),
            group=_active_in,
            listed_at=lambda row: row.issued_at,
        )
    )
    decisions: Table[DecisionId, Decision] = field(
        default_factory=lambda: Table(
            "decision",
            lambda row: row.id,
            unique=lambda row: (row.symbol, row.timeframe, row.candle),
            listed_at=lambda row: row.decided_at,
        )
    )
    models: Table[ModelId, Model] = field(
        default_factory=lambda: Table(
            "model",
            lambda row: row.id,
            unique=lambda row: (row.symbol, row.timeframe, row.horizon),
            listed_at=lambda row: row.created_at,
        )
    )
    model_versions: Table[ModelVersionId, ModelVersion] = field(
        default_factory=lambda: Table(
            "model version",
            lambda row: row.id,
            unique=lambda row: (row.model_id, row.number),
            group=lambda row: row.model_id,
        )
    )
    forecasts: Table[ForecastId, Forecast] = field(
        default_factory=lambda: Table("forecast", lambda row: row.id, unique=lambda row: (row.symbol, row.timeframe, row.candle))
    )
    api_keys: Table[ApiKeyId, ApiKey] = field(
        default_factory=lambda: Table("API key", lambda row: row.id, listed_at=lambda row: row.created_at)
    )
    user_accounts: Table[UserId, UserAccount] = field(
        default_factory=lambda: Table(
            "account",
            lambda row: row.id,
            unique=proven_address,
            group=lambda row: None if row.email is None else row.email.comparable,
            listed_at=lambda row: row.created_at,
        )
    )
    one_time_tokens: Table[bytes, Kept[MailedToken]] = field(
        default_factory=lambda: Table(
            "mailed token", lambda row: row.value.token.token_hash, group=lambda row: row.value.token.user_id
        )
    )
    sessions: Table[SessionId, Session] = field(
        default_factory=lambda: Table("session", lambda row: row.id, group=lambda row: row.user_id)
    )
    refresh_tokens: Table[bytes, Kept[IssuedRefreshToken]] = field(
        default_factory=lambda: Table(
            "refresh token",
            lambda row: row.value.token.token_hash,
            unique=live_of,
            group=lambda row: row.value.token.session_id,
        )
    )
    identities: Table[IdentityId, Identity] = field(
        default_factory=lambda: Table(
            "identity",
            lambda row: row.id,
            unique=lambda row: (row.provider, row.subject),
            group=lambda row: row.user_id,
        )
    )
    oauth_flows: Table[bytes, Kept[WaitingFlow]] = field(
        default_factory=lambda: Table("sign-in at a provider", lambda row: row.value.flow.key_hash)
    )
    totp_factors: Table[UserId, Kept[EnrolledTotp]] = field(
        default_factory=lambda: Table("authenticator", lambda row: row.value.factor.user_id)
    )
    backup_codes: Table[bytes, Kept[BackupCode]] = field(
        default_factory=lambda: Table(
            "backup code",
            lambda row: row.value.code_hash,
            unique=lambda row: (row.value.user_id, row.value.number),
            group=lambda row: row.value.user_id,
        )
    )
    challenges: Table[ChallengeId, Kept[Challenge]] = field(
        default_factory=lambda: Table(
            "challenge",
            lambda row: row.value.id,
            unique=lambda row: row.value.token_hash,
            group=lambda row: row.value.user_id,
        )
    )
    trusted_devices: Table[TrustedDeviceId, Kept[TrustedDevice]] = field(
        default_factory=lambda: Table(
            "trusted device",
            lambda row: row.value.id,
            unique=lambda row: row.value.token_hash,
            group=lambda row: row.value.user_id,
        )
    )
    passkeys: Table[PasskeyId, Kept[Passkey]] = field(
        default_factory=lambda: Table(
            "passkey",
            lambda row: row.value.id,
            unique=lambda row: row.value.credential_id,
            group=lambda row: row.value.user_id,
        )
    )
    spent_passkey_tokens: Table[tuple[UserId, bytes], Kept[SpentToken]] = field(
        default_factory=lambda: Table(
            "token of a passkey ceremony",
            lambda row: (row.value.user_id, row.value.token_hash),
            group=lambda row: row.value.user_id,
        )
    )
    erased_accounts: Table[UserId, Kept[UserId]] = field(default_factory=lambda: Table("erased account", lambda row: row.value))
    proposals: Table[UUID, Proposal] = field(default_factory=lambda: Table("proposal", lambda row: row.id))
    phones: Table[UserId, Kept[Phone]] = field(default_factory=lambda: Table("phone", lambda row: row.value.user_id))
    phone_proofs: Table[PhoneProofId, Kept[PhoneProof]] = field(
        default_factory=lambda: Table("phone proof", lambda row: row.value.id, group=lambda row: row.value.user_id)
    )
    tickets: dict[bytes, tuple[Actor, datetime]] = field(default_factory=dict)
    audit: list[tuple[RecordedEvent, Actor, datetime]] = field(default_factory=list)
    """Audited events in the order of their commits, with who acted and when."""
    outbox: OutboxRows = field(default_factory=OutboxRows)
    causes: dict[tuple[str, int], datetime] = field(default_factory=dict)
    """(handler, event id as a number, which hashes quicker) to when it was recorded, oldest first."""
    rights: RightsLog = field(init=False)

    def __post_init__(self) -> None:
        self.rights = RightsLog(self.clock)
        self.user_accounts.on_update = self.rights.account_changed
        self.sessions.on_update = self.rights.session_changed
        self.api_keys.on_update = self.rights.key_changed


class MemoryUnit:
    """One transaction: enter, change, and on a clean exit check everything before anything is applied."""

    def __init__(self, database: MemoryDatabase, ids: IdGenerator, actor: Actor) -> None:
        self.database = database
        self.actor = actor
        self._ids = ids
        cause = actor.cause
        self._cause = None if cause is None else (cause.handler, cause.event_id.int)
        self._changed: list[Staged[Any, Any] | StagedCandles] = []
        self._events: list[DomainEvent] = []

    def stage(self, table: Table[K, A]) -> Staged[K, A]:
        return Staged(table, self._changed)

    def stage_candles(self, staged: StagedCandles) -> None:
        self._changed.append(staged)

    def announce(self, *events: DomainEvent) -> None:
        self._events.extend(events)

    def save(self, staged: Staged[Any, A], row: A) -> A:
        saved = staged.save(row)
        self._events.extend(row.pending_events)
        return saved

    async def __aenter__(self) -> Self:
        self._refuse_known_cause()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._commit()

    def _refuse_known_cause(self) -> None:
        if self._cause is not None and self._cause in self.database.causes:
            raise AlreadyHandled(f"{self._cause[0]} has handled event {UUID(int=self._cause[1])} before")

    def _commit(self) -> None:
        database = self.database
        self._refuse_known_cause()
        if self.actor.is_reading and (self._changed or self._events):
            raise WriteWhileReading("a call that only reads tried to write, nothing was written")
        for staged in self._changed:
            staged.check()
        for staged in self._changed:
            staged.apply()
        if self._cause is not None:
            database.causes[self._cause] = database.clock.now()
            if len(database.causes) > REMEMBERED_CAUSES:
                del database.causes[next(iter(database.causes))]
        if self._events:
            now = database.clock.now()
            recorded = [self._recorded(event) for event in self._events]
            database.audit.extend((one, self.actor, now) for one in recorded if isinstance(one.event, AuditedEvent))
            database.outbox.append(recorded, at=now)

    def _recorded(self, event: DomainEvent) -> RecordedEvent:
        return RecordedEvent(id=EventId(self._ids.new_id()), trace_id=self.actor.trace_id, event=event)


U = TypeVar("U", bound=MemoryUnit)


class MemoryUnits(Generic[U]):
    """Opens units of one context."""

    unit: type[U]

    def __init__(self, database: MemoryDatabase, ids: IdGenerator) -> None:
        self._database = database
        self._ids = ids

    def __call__(self, actor: Actor) -> U:
        return self.unit(self._database, self._ids, actor)


class Stored(Generic[K, A]):
    """What the repositories of one unit share."""

    __slots__ = ("_staged", "_unit")

    def __init__(self, unit: MemoryUnit, table: Table[K, A]) -> None:
        self._unit = unit
        self._staged = unit.stage(table)

    async def save(self, row: A) -> A:
        return self._unit.save(self._staged, row)
