"""The only way a session is opened, whatever proved who somebody is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from tradingcore.auth.errors import AccountDisabled, CredentialRefused
from tradingcore.auth.events import SessionEnded, SignedIn
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.challenge import ChallengePurpose, FactorKind
from tradingcore.auth.model.session import MOST_SESSIONS, AuthMethod, EndReason, Session, longest_session
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.auth.use_cases.device_trust import DeviceTrust, NewTrustedDevice
from tradingcore.auth.use_cases.mailing import Announcing, Mailer
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, SecondFactors
from tradingcore.auth.use_cases.token_issuing import TokenIssuer, TokenPair, refresh_token_of
from tradingcore.kernel.authz import Actor, Assurance
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.kernel.ports import Clock, IdGenerator, UnitOfWorkFactory


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """``trusted_device`` is set when the device asked to be trusted just now."""

    session: Session
    tokens: TokenPair
    trusted_device: NewTrustedDevice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRequired:
    """Nobody is signed in yet: ``challenge`` is to be answered with one of ``factors`` first."""

    challenge: str = field(repr=False)
    factors: frozenset[FactorKind]
    expires_at: datetime


SignInOutcome: TypeAlias = OpenedSession | FactorRequired


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpener:
    """Opens sessions for people whose first factor is proven. Not a use case: whoever calls it has proven that."""

    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    factors: SecondFactors
    devices: DeviceTrust
    issuer: TokenIssuer
    mailer: Mailer
    sealer: Sealer
    clock: Clock
    ids: IdGenerator

    async def open(self, actor: Actor, account: UserAccount, *, method: AuthMethod, caller: Caller) -> SignInOutcome:
        """Open a session of one factor, or ask for the second one where the account has one and the device is not trusted.

        Opens a unit of work of its own. Raises `AccountDisabled`, and `CredentialRefused` when the account's rights have changed
        since ``account`` was read.
        """
        require_enabled(account)
        device = await self.devices.find(caller.trusted_device, account.id)
        is_trusted = device is not None and self.factors.policy.trusts_devices(account.roles)
        async with self.uow(actor.acting_for(account.id)) as unit:
            if not is_trusted:
                asked = await self.factors.ask(unit, account.id, ChallengePurpose.SIGN_IN, methods=(method,))
                if asked is not None:
                    return FactorRequired(challenge=asked.token, factors=asked.factors, expires_at=asked.expires_at)
            methods = (method, AuthMethod.TRUSTED_DEVICE) if is_trusted else (method,)
            return await self.open_in(unit, account, methods=methods, assurance=Assurance.AAL1, caller=caller)

    async def open_in(
        self,
        unit: CredentialUnitOfWork,
        account: UserAccount,
        *,
        methods: tuple[AuthMethod, ...],
        assurance: Assurance,
        caller: Caller,
    ) -> OpenedSession:
        """Open a session inside a unit of work of the owner. Raises as `open` does."""
        require_enabled(account)
        now, secret = self.clock.now(), self.issuer.new_secret()
        seen = await unit.sessions.seen_from(account.id)
        session = Session.open(
            id=SessionId(self.ids.new_id()),
            user_id=account.id,
            methods=methods,
            assurance=assurance,
            device_label=caller.device_label,
            network=network_index(self.sealer, caller.network),
            longest=longest_session(is_staff=account.is_staff),
            at=now,
        )
        session = await unit.sessions.open(session, refresh_token_of(session, secret, at=now, expires_at=session.expires_at))
        # Read again, now that nobody else can change it: a password that was right a moment ago may have been reset since.
        current = await unit.accounts.get(account.id)
        if current.rights_version != account.rights_version or not current.may_sign_in:
            raise CredentialRefused("the account has changed meanwhile: sign in again")
        await self._end_oldest(unit, account, now)
        if seen and _is_new(session, seen) and AuthMethod.TRUSTED_DEVICE not in methods:
            values = {"device": caller.device_label, "network": caller.network.text, "at": now.isoformat()}
            self._notify(unit, account, "new_device", values)
        unit.announce(SignedIn(occurred_at=now, user_id=account.id, session_id=session.id, methods=methods))
        return OpenedSession(session=session, tokens=self.issuer.pair(session, account, secret, at=now))

    async def _end_oldest(self, unit: CredentialUnitOfWork, account: UserAccount, now: datetime) -> None:
        live = await unit.sessions.list_live(account.id, at=now)
        for excess in live[MOST_SESSIONS:]:
            oldest = await unit.sessions.get(excess.id)
            await unit.sessions.save(oldest.ended(EndReason.TOO_MANY_SESSIONS, at=now))
            ended = SessionEnded(occurred_at=now, user_id=account.id, session_id=oldest.id, reason=EndReason.TOO_MANY_SESSIONS)
            unit.announce(ended)
            self._notify(unit, account, "session_cap_reached", {"device": oldest.device_label, "at": now.isoformat()})

    def _notify(self, unit: CredentialUnitOfWork, account: UserAccount, template: str, values: dict[str, str]) -> None:
        notify_owner(self.mailer, unit, account, template, values)


def notify_owner(mailer: Mailer, unit: Announcing, account: UserAccount, template: str, values: dict[str, str]) -> None:
    """Mail the owner of an account. An address that nobody has proven may be a stranger's: it gets nothing."""
    if account.is_verified and account.email is not None:
        mailer.request(unit, template, to=account.email, locale=account.profile.locale, values=values)


def require_enabled(account: UserAccount) -> None:
    """Raise `AccountDisabled` for an account that is suspended or closed: only whoever has proven to be its owner may hear it."""
    if not account.may_sign_in:
        raise AccountDisabled("this account is suspended or closed: write to support")


def require_proven(account: UserAccount) -> None:
    """Raise `PermissionDenied` for an account that claims an address which nobody has proven.

    Its maker may be a stranger: a way in that is no password would outlive the moment when the owner of the address takes it.
    """
    if account.email is not None and not account.is_verified:
        raise PermissionDenied("prove the address of the account first: open the link in the mail that was sent to it")


def network_index(sealer: Sealer, network: NetworkPrefix) -> bytes:
    """What a network is compared by: equal for equal prefixes, and nothing else can be read from it."""
    return sealer.blind_index(network.text, purpose="network")


def _is_new(session: Session, seen: frozenset[tuple[bytes, str]]) -> bool:
    networks, devices = {network for network, _ in seen}, {label for _, label in seen}
    return session.network not in networks or session.device_label not in devices
