"""Passkeys of an account: making one, seeing them, naming them, taking one away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.errors import FactorExists, FactorNotFound
from tradingcore.auth.ids import PasskeyId
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.passkey import MOST_PASSKEYS, Passkey, passkey_challenge, passkey_label
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.auth.use_cases.factor_changes import SURE, FactorChanges, owner_of
from tradingcore.auth.use_cases.passkey_tokens import PasskeyTokens
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork
from tradingcore.kernel.authz import Actor, Permission, StepUp
from tradingcore.kernel.errors import RuleViolation
from tradingcore.kernel.ports import IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedPasskeyCeremony:
    """``options`` is JSON for the browser; ``token`` comes back with its answer, within five minutes."""

    token: str = field(repr=False)
    options: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPasskeyCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPasskey(UseCase[StartPasskeyCommand, StartedPasskeyCeremony]):
    """Begin to make a passkey. Raises `RuleViolation` when there are as many as an account may have, and `StepUpRequired`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges
    tokens: PasskeyTokens

    async def handle(self, actor: Actor, command: StartPasskeyCommand) -> StartedPasskeyCeremony:
        user_id, ceremonies = owner_of(actor), self.changes.factors.ceremonies
        async with self.uow(actor) as unit:
            await self.changes.demand(actor, unit)
            known = await unit.passkeys.list_of(user_id)
            account = await unit.accounts.get(user_id)
        if len(known) >= MOST_PASSKEYS:
            raise RuleViolation(f"an account has at most {MOST_PASSKEYS} passkeys: remove one that you do not use")
        token = self.tokens.issue(actor)
        name = str(user_id) if account.email is None else account.email.text
        challenge = passkey_challenge(token)
        options = ceremonies.creation_options(challenge=challenge, user_id=user_id, name=name, known=known)
        return StartedPasskeyCeremony(token=token, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePasskeyCommand:
    """``credential`` is the JSON that the browser made of the options."""

    token: str = field(repr=False)
    label: str
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPasskey:
    """``backup_codes`` are new with an account's first factor, else none."""

    passkey: Passkey
    backup_codes: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePasskey(UseCase[CreatePasskeyCommand, CreatedPasskey]):
    """Store the passkey that an authenticator made; it counts from now on, and other sessions end.

    Raises `ChallengeEnded` for a token that is another session's, old or used, `FactorRefused` for an answer that does not hold,
    `FactorExists` for a key that is known already, `InvalidInput` for its name, and `StepUpRequired`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges
    tokens: PasskeyTokens
    ids: IdGenerator

    async def handle(self, actor: Actor, command: CreatePasskeyCommand) -> CreatedPasskey:
        user_id, factors, now = owner_of(actor), self.changes.factors, self.changes.now()
        label = passkey_label(command.label)
        ceremony = self.tokens.read(command.token, actor)
        made = factors.ceremonies.verify_creation(command.credential, challenge=passkey_challenge(command.token))
        passkey = Passkey(
            id=PasskeyId(self.ids.new_id()),
            user_id=user_id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            label=label,
            transports=made.transports,
            is_synced=made.is_synced,
            created_at=now,
        )
        async with self.uow(actor) as unit:
            await self.changes.demand(actor, unit)
            await self.tokens.spend(unit, user_id, ceremony)
            is_first = not await factors.kinds(unit, user_id)
            if not await unit.passkeys.add(passkey):
                raise FactorExists("this passkey is known already")
            codes = await factors.new_backup_codes(unit, user_id) if is_first else ()
            await self.changes.added(actor, unit, FactorKind.PASSKEY)
        return CreatedPasskey(passkey=passkey, backup_codes=codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamePasskeyCommand:
    passkey_id: PasskeyId
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamePasskey(UseCase[RenamePasskeyCommand, None]):
    """Raises `FactorNotFound`, and `InvalidInput` for the name."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[FactorUnitOfWork]

    async def handle(self, actor: Actor, command: RenamePasskeyCommand) -> None:
        label = passkey_label(command.label)
        async with self.uow(actor) as unit:
            if not await unit.passkeys.rename(owner_of(actor), command.passkey_id, label):
                raise FactorNotFound(f"there is no passkey {command.passkey_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePasskeyCommand:
    passkey_id: PasskeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePasskey(UseCase[RemovePasskeyCommand, None]):
    """Take a passkey away, and backup codes with the last factor. Other sessions end.

    Raises `FactorNotFound` and `StepUpRequired`: a second factor must have been shown recently.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = SURE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges

    async def handle(self, actor: Actor, command: RemovePasskeyCommand) -> None:
        async with self.uow(actor) as unit:
            if not await unit.passkeys.remove(owner_of(actor), command.passkey_id):
                raise FactorNotFound(f"there is no passkey {command.passkey_id}")
            await self.changes.removed(actor, unit, FactorKind.PASSKEY)
