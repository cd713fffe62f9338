"""What every change of a factor brings with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tradingcore.auth.events import FactorAdded, FactorRemoved
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.session import EndReason
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, SecondFactors, forget_trust
from tradingcore.auth.use_cases.session_opening import require_proven
from tradingcore.kernel.authz import Actor, Assurance, Permission, StepUp, UserId, authorize
from tradingcore.kernel.errors import Unauthenticated

SURE: StepUp = StepUp(assurance=Assurance.AAL2)
"""Asked of whoever changes the factors of an account that has one: a stolen password must not be enough to take it away."""


def owner_of(actor: Actor) -> UserId:
    """Raises `Unauthenticated` for an operator, who has no factors of its own."""
    if actor.user_id is None:
        raise Unauthenticated("second factors belong to a person who has signed in")
    return actor.user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorChanges:
    """Call it in the unit that changes the factor: everything commits together."""

    factors: SecondFactors
    mailer: Mailer

    async def demand(self, actor: Actor, unit: CredentialUnitOfWork) -> None:
        """Raise `StepUpRequired` unless a recent second factor was shown, where the account has one.

        Raises `PermissionDenied` while the address of the account is not proven.
        """
        require_proven(await unit.accounts.get(owner_of(actor)))
        if await self.factors.kinds(unit, owner_of(actor)):
            authorize(actor, Permission.ACCOUNT_OWN, SURE)

    async def added(self, actor: Actor, unit: CredentialUnitOfWork, kind: FactorKind) -> None:
        """The device in hand has just shown the new factor, which makes its session as sure as one can be."""
        event = FactorAdded(occurred_at=self.now(), user_id=owner_of(actor), kind=kind)
        unit.announce(event)
        await self._settle(actor, unit, kind, template="factor_added")
        if actor.session_id is not None:
            session = await unit.sessions.get(SessionId(actor.session_id))
            await unit.sessions.save(session.renewed(methods=(kind.method,), assurance=Assurance.AAL2, at=event.occurred_at))

    async def removed(self, actor: Actor, unit: CredentialUnitOfWork, kind: FactorKind) -> None:
        """Without any factor left nothing rests on two of them: not backup codes, and not the present session."""
        user_id = owner_of(actor)
        unit.announce(FactorRemoved(occurred_at=self.now(), user_id=user_id, kind=kind))
        await self._settle(actor, unit, kind, template="factor_removed")
        if not await self.factors.kinds(unit, user_id):
            await unit.backup_codes.replace(user_id, ())
            if actor.session_id is not None:
                session = await unit.sessions.get(SessionId(actor.session_id))
                await unit.sessions.save(replace(session, assurance=Assurance.AAL1))

    async def _settle(self, actor: Actor, unit: CredentialUnitOfWork, kind: FactorKind, *, template: str) -> None:
        now, user_id = self.now(), owner_of(actor)
        but = None if actor.session_id is None else SessionId(actor.session_id)
        account = await unit.accounts.save((await unit.accounts.get(user_id)).with_new_rights())
        await unit.sessions.end_all(user_id, EndReason.CREDENTIAL_CHANGED, at=now, but=but)
        await forget_trust(unit, user_id, at=now)
        self.tell(unit, account, template, factor=kind.value)

    def tell(self, unit: CredentialUnitOfWork, account: UserAccount, template: str, *, factor: str) -> None:
        """Write to the owner, who may not be the one who did it."""
        values = {"factor": factor, "at": self.now().isoformat()}
        self.mailer.request(unit, template, to=account.email, locale=account.profile.locale, values=values)

    def now(self) -> datetime:
        return self.factors.clock.now()
