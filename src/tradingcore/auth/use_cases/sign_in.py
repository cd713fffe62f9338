"""Sign in with a password, and answer the question for a second factor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.errors import CredentialRefused, Overloaded, Unsealable, WorkRequired
from tradingcore.auth.events import SignInRefused
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.challenge import ChallengePurpose
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.password import LONGEST, canonical_password
from tradingcore.auth.model.puzzle import DIFFICULTY_BITS, LONGEST_PUZZLE, PUZZLE_LIFETIME, PuzzleTerms, SolvedPuzzle
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.accounts import AccountLookup
from tradingcore.auth.ports.passwords import PasswordHasher
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.auth.use_cases.device_trust import DeviceTrust
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, FactorAnswer, SecondFactors
from tradingcore.auth.use_cases.session_opening import OpenedSession, SessionOpener, SignInOutcome, notify_owner, require_enabled
from tradingcore.kernel.authz import Actor, Assurance, Permission
from tradingcore.kernel.errors import StaleVersion, TooManyAttempts, Unavailable
from tradingcore.kernel.limits import Reservation
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

_REFUSED = "the address or the password is not right"
_PUZZLE = "puzzle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Puzzles:
    """Sets puzzles and checks answers; nothing is stored but that an answer was used. Not a use case."""

    sealer: PurposeSealer
    attempts: AttemptLimiter
    limits: AttemptPolicy
    clock: Clock
    bits: int = DIFFICULTY_BITS

    async def require(self, solved: SolvedPuzzle | None, *, about: str) -> None:
        """Raise `WorkRequired`, with a fresh puzzle, unless ``solved`` answers one that was set for ``about`` and not used yet."""
        if solved is None or not self._is_right(solved, about) or not await self._is_first(solved):
            terms = PuzzleTerms(bits=self.bits, expires_at=self.clock.now() + PUZZLE_LIFETIME)
            puzzle = self.sealer.seal(terms.to_bytes(), purpose=_PUZZLE, about=about)
            raise WorkRequired("solve the puzzle first, then send the same again with its nonce", puzzle=puzzle, bits=self.bits)

    def _is_right(self, solved: SolvedPuzzle, about: str) -> bool:
        if len(solved.puzzle) > LONGEST_PUZZLE:
            return False
        try:
            terms = PuzzleTerms.from_bytes(self.sealer.open(solved.puzzle, purpose=_PUZZLE, about=about))
        except Unsealable:
            return False
        return terms.are_met(solved, at=self.clock.now())

    async def _is_first(self, solved: SolvedPuzzle) -> bool:
        try:
            await self.attempts.reserve(self.limits.puzzle(solved.puzzle))
        except TooManyAttempts:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInCommand:
    """``solved`` answers the puzzle of an earlier `WorkRequired`."""

    email: str
    password: str = field(repr=False)
    caller: Caller
    solved: SolvedPuzzle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn(UseCase[SignInCommand, SignInOutcome]):
    """Open a session, or ask for the second factor.

    Raises `CredentialRefused`, the same and after the same work whether the address is unknown or the password wrong;
    `TooManyAttempts`; `WorkRequired`; `AccountDisabled` only after the right password; `InvalidInput` for what is no address;
    `Overloaded` and `Unavailable`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    accounts: AccountLookup
    passwords: PasswordHasher
    attempts: AttemptLimiter
    limits: AttemptPolicy
    puzzles: Puzzles
    devices: DeviceTrust
    opener: SessionOpener
    clock: Clock

    async def handle(self, actor: Actor, command: SignInCommand) -> SignInOutcome:
        email = EmailAddress.parse(command.email)
        account = await self.accounts.by_email(email)
        device = None if account is None else await self.devices.find(command.caller.trusted_device, account.id)
        keys = self.limits.sign_in(
            account=email.comparable, network=command.caller.network, device=None if device is None else str(device.id)
        )
        reservation = await self.attempts.reserve(keys)
        account = await self._verified(actor, command, email, account, reservation)
        await self.attempts.refund(reservation)
        require_enabled(account)
        await self.attempts.clear(reservation.consecutive)
        return await self.opener.open(actor, account, method=AuthMethod.PASSWORD, caller=command.caller)

    async def _verified(
        self, actor: Actor, command: SignInCommand, email: EmailAddress, account: UserAccount | None, reservation: Reservation
    ) -> UserAccount:
        try:
            if reservation.needs_challenge:
                await self.puzzles.require(command.solved, about=email.comparable)
            password = canonical_password(command.password[: LONGEST + 1])
            check = await self.passwords.verify(password, None if account is None else account.password)
        except BaseException:
            # Nobody looked at the password.
            await self.attempts.refund(reservation)
            raise
        if account is None or not check.is_right:
            # One transaction whether there is an account or not: it takes time.
            known = None if account is None else account.id
            async with self.uow(actor if known is None else actor.acting_for(known)) as unit:
                unit.announce(SignInRefused(occurred_at=self.clock.now(), user_id=known, method=AuthMethod.PASSWORD))
            raise CredentialRefused(_REFUSED)
        return await self._rehashed(actor, account, password) if check.is_outdated else account

    async def _rehashed(self, actor: Actor, account: UserAccount, password: str) -> UserAccount:
        try:
            better = account.with_better_hash(await self.passwords.hash(password))
            async with self.uow(actor.acting_for(account.id)) as unit:
                return await unit.accounts.save(better)
        except (Overloaded, StaleVersion, Unavailable):
            return account  # another sign-in will do it


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChallengeCommand:
    answer: FactorAnswer
    caller: Caller
    trusts_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChallenge(UseCase[AnswerChallengeCommand, OpenedSession]):
    """Open the session that waited for a second factor.

    Raises `ChallengeEnded`, `FactorRefused`, `TooManyAttempts`, `AccountDisabled`, `CredentialRefused` when the account has changed
    meanwhile, `StaleVersion` when the same answer came twice at once, and `Unavailable`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    factors: SecondFactors
    devices: DeviceTrust
    opener: SessionOpener

    async def handle(self, actor: Actor, command: AnswerChallengeCommand) -> OpenedSession:
        caller = command.caller
        async with self.factors.answered(actor, self.uow, command.answer, ChallengePurpose.SIGN_IN) as (unit, proven):
            account = await unit.accounts.get(proven.user_id)
            methods = tuple(dict.fromkeys((*proven.methods, proven.kind.method)))
            opened = await self.opener.open_in(unit, account, methods=methods, assurance=Assurance.AAL2, caller=caller)
            if proven.codes_left is not None:
                notify_owner(self.opener.mailer, unit, account, "backup_codes_low", {"left": str(proven.codes_left)})
            device = None
            if command.trusts_device and self.factors.policy.trusts_devices(account.roles):
                device = await self.devices.give(unit, account.id, caller.device_label)
        return OpenedSession(session=opened.session, tokens=opened.tokens, trusted_device=device)
