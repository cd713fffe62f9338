"""The phone number of an account: proven by a code, for one user and in one session."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from tradingcore.auth.errors import AddressNotVerified, CodeRefused, PhoneNotFound, PhoneUnavailable
from tradingcore.auth.events import PhoneProofStarted, PhoneProven, PhoneRemoved
from tradingcore.auth.ids import PhoneProofId, PhoneSendId
from tradingcore.auth.model.phone import (
    CODE_BYTES,
    PROOF_LIFETIME,
    Phone,
    PhoneChannel,
    PhoneProof,
    PlannedSend,
    code_from,
    is_code,
)
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.policies.phones import PhonePolicy
from tradingcore.auth.ports.phones import (
    PhoneGateway,
    PhoneMessage,
    PhoneNumbering,
    PhoneUnitOfWork,
    SendLedger,
)
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.kernel.authz import Actor, Permission, StepUp, UserId
from tradingcore.kernel.errors import InvalidInput, PermissionDenied, Unavailable
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.kernel.ports import AttemptLimiter, Clock, IdGenerator, SecretSource, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

_CODE_PURPOSE = "phone_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPhoneProofCommand:
    """``number`` in international form; ``network`` is where the call comes from."""

    number: str
    channel: PhoneChannel
    network: NetworkPrefix


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedPhoneProof:
    id: PhoneProofId
    channel: PhoneChannel
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPhoneProof(UseCase[StartPhoneProofCommand, StartedPhoneProof]):
    """Send a code to a number. Every limit and budget is reserved before the provider is called.

    Raises `PhoneRefused` for a number that is not mobile or not served, `AddressNotVerified`, `TooManyAttempts`, and
    `PhoneUnavailable` when a budget is used up or the provider is away. The answer says nothing about who else has the number.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[PhoneUnitOfWork]
    numbering: PhoneNumbering
    gateway: PhoneGateway
    ledger: SendLedger
    attempts: AttemptLimiter
    policy: PhonePolicy
    sealer: Sealer
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource

    async def handle(self, actor: Actor, command: StartPhoneProofCommand) -> StartedPhoneProof:
        user_id = _person(actor)
        number = self.numbering.parse(command.number)
        self.policy.check_country(number)
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(user_id)
        if not account.is_verified:
            raise AddressNotVerified("confirm the mail address of the account before adding a phone number")
        counted = await self.attempts.reserve(self.policy.sends(number=number, user_id=user_id, network=command.network))
        now = self.clock.now()
        planned = PlannedSend(id=PhoneSendId(self.ids.new_id()), block=number.block, price=self.policy.price_of(number), at=now)
        try:
            await self.ledger.reserve(planned, self.policy.spend)
        except PhoneUnavailable:
            await self.attempts.refund(counted)
            raise
        code = None if self.gateway.keeps_codes else code_from(self.secrets.token(CODE_BYTES))
        proof = PhoneProof(
            id=PhoneProofId(self.ids.new_id()),
            user_id=user_id,
            session_id=actor.session_id,
            number=number,
            channel=command.channel,
            send_id=planned.id,
            code_hash=None,
            created_at=now,
            expires_at=now + PROOF_LIFETIME,
        )
        if code is not None:
            proof = replace(proof, code_hash=code_hash(self.sealer, proof.id, code))
        async with self.uow(actor) as unit:
            await unit.phones.start(proof)
            unit.announce(
                PhoneProofStarted(
                    occurred_at=now, user_id=user_id, proof_id=proof.id, channel=proof.channel.value, region=number.region
                )
            )
        message = PhoneMessage(number=number, channel=proof.channel, code=code, locale=account.profile.locale)
        try:
            reference = await self.gateway.send(message)
        except (InvalidInput, PhoneUnavailable):
            # Certainly nothing was sent. After any other error it may have been: then it stays counted.
            await self.ledger.cancel(planned.id)
            raise
        await self.ledger.accepted(planned.id, reference)
        if self.gateway.keeps_codes:
            async with self.uow(actor) as unit:
                await unit.phones.refer(proof.id, reference)
        return StartedPhoneProof(id=proof.id, channel=proof.channel, expires_at=proof.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPhoneCommand:
    proof_id: PhoneProofId
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPhone(UseCase[ConfirmPhoneCommand, Phone]):
    """Prove the number with the code. Raises `CodeRefused`, the same for every reason, `TooManyAttempts` and `Unavailable`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[PhoneUnitOfWork]
    gateway: PhoneGateway
    ledger: SendLedger
    attempts: AttemptLimiter
    limits: AttemptPolicy
    sealer: Sealer
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: ConfirmPhoneCommand) -> Phone:
        user_id = _person(actor)
        if not is_code(command.code):
            raise _refused()
        keys = self.limits.code_check(user_id=user_id, challenge=str(command.proof_id))
        counted = await self.attempts.reserve(keys)
        now = self.clock.now()
        async with self.uow(actor) as unit:
            proof = await unit.phones.take_attempt(command.proof_id, session_id=actor.session_id, at=now)
        try:
            is_right = proof is not None and await self._is_right(proof, command.code)
        except Unavailable:
            await self.attempts.refund(counted)  # nobody has looked at the code
            raise
        if proof is None or not is_right:
            raise _refused()
        phone = Phone(user_id=user_id, number=proof.number, channel=proof.channel, confirmed_at=now)
        async with self.uow(actor) as unit:
            if not await unit.phones.close(proof.id, at=now):
                raise _refused()
            await unit.phones.put(phone)
            unit.announce(PhoneProven(occurred_at=now, user_id=user_id, proof_id=proof.id, region=proof.number.region))
            account = await unit.accounts.get(user_id)
            if account.email is not None:
                self.mailer.request(
                    unit,
                    "phone_added",
                    account.email,
                    account.profile.locale,
                    {"phone": proof.number.masked, "at": now.isoformat()},
                )
        # The number is proven by now: that a figure could not be noted is no fault of this call.
        with suppress(Unavailable):
            await self.ledger.converted(proof.send_id, at=now)
            await self.attempts.refund(counted)
        return phone

    async def _is_right(self, proof: PhoneProof, code: str) -> bool:
        if proof.code_hash is not None:
            return proof.matches(code_hash(self.sealer, proof.id, code))
        if proof.reference is None:
            return False
        return await self.gateway.check(proof.reference, proof.number, code)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPhoneCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPhone(UseCase[GetPhoneCommand, Phone]):
    """Return the own number. Raises `PhoneNotFound`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[PhoneUnitOfWork]

    async def handle(self, actor: Actor, command: GetPhoneCommand) -> Phone:
        async with self.uow(actor) as unit:
            phone = await unit.phones.find(_person(actor))
        if phone is None:
            raise PhoneNotFound("the account has no phone number")
        return phone


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePhoneCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePhone(UseCase[RemovePhoneCommand, None]):
    """Forget the own number and whatever proof is under way. Raises `PhoneNotFound`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[PhoneUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: RemovePhoneCommand) -> None:
        user_id = _person(actor)
        async with self.uow(actor) as unit:
            if not await unit.phones.remove(user_id):
                raise PhoneNotFound("the account has no phone number")
            unit.announce(PhoneRemoved(occurred_at=self.clock.now(), user_id=user_id))


def code_hash(sealer: Sealer, proof_id: UUID, code: str) -> bytes:
    """The keyed hash of a code: six digits alone would be guessed from a plain one."""
    return sealer.blind_index(f"{proof_id}:{code}", purpose=_CODE_PURPOSE)


def _person(actor: Actor) -> UserId:
    if actor.user_id is None:
        raise PermissionDenied("a phone number belongs to a person who has signed in")
    return actor.user_id


def _refused() -> CodeRefused:
    return CodeRefused("the code is not right, or it does not hold any more: ask for a new one")
