"""Accounts in memory, with everything around them that a test wants to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from adapters.cryptography.key_ring import fixed_ring
from adapters.cryptography.sealing import AesGcmPurposeSealer
from adapters.memory.auth.accounts import MemoryAccountLookup
from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.auth.passwords import MemoryPasswordBlocklist, MemoryPasswordHasher
from adapters.memory.database import MemoryDatabase
from adapters.memory.limits import MemoryAttemptLimiter
from adapters.memory.outbox import MemoryOutbox
from tradingcore.auth.events import (
    AddressChangeRequested,
    MailRequested,
    PasswordResetRequested,
    RegistrationRequested,
    VerificationRequested,
)
from tradingcore.auth.model.account import Profile, UserAccount
from tradingcore.auth.model.mail_payload import MAIL_PURPOSE, MailPayload
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.password import PasswordPolicy
from tradingcore.auth.model.session import Session
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.use_cases.change_address import (
    ConfirmAddressChange,
    MailAddressChange,
    RequestAddressChange,
    UndoAddressChange,
)
from tradingcore.auth.use_cases.change_password import ChangePassword
from tradingcore.auth.use_cases.close_account import CloseAccount
from tradingcore.auth.use_cases.mailing import DECOY, Mailer
from tradingcore.auth.use_cases.new_passwords import NewPasswords
from tradingcore.auth.use_cases.register_account import OpenAccount, RegisterAccount, RegisterAccountCommand
from tradingcore.auth.use_cases.reset_password import MailPasswordReset, RequestPasswordReset, ResetPassword
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.auth.use_cases.verify_address import (
    MailAddressVerification,
    RequestAddressVerification,
    VerifyAddress,
    VerifyAddressCommand,
)
from tradingcore.kernel.aggregate import AuditedEvent, RecordedEvent
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.processes.reaction import Reaction
from tradingcore.processes.when_sealed_request_answer import (
    WhenAddressChangeRequestedMail,
    WhenPasswordResetRequestedMail,
    WhenRegistrationRequestedOpenAccount,
    WhenVerificationRequestedMail,
)
from tradingcore.testing.auth.builders import PASSWORD, an_account, an_address
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import FakeClock, FakeSecrets, SequentialIds

NETWORK = NetworkPrefix.of("203.0.113.7")


@dataclass(frozen=True)
class SentMail:
    template: str
    to: str
    locale: str
    values: dict[str, str]


class AccountsWorld:
    """``settle`` does what the relay does in a running system."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        ids, secrets = SequentialIds(1 << 40), FakeSecrets()
        self.database = MemoryDatabase(self.clock)
        self.outbox = MemoryOutbox(self.database)
        self.uow = MemoryAuthUnits(self.database, ids)
        self.lookup = MemoryAccountLookup(self.database)
        self.attempts = MemoryAttemptLimiter(self.clock)
        self.limits = AttemptPolicy(key=b"k" * 32)
        self.sealer = AesGcmPurposeSealer(fixed_ring())
        self.hasher = MemoryPasswordHasher()
        self.passwords = NewPasswords(
            policy=PasswordPolicy(), blocklist=MemoryPasswordBlocklist({"password1234"}), hasher=self.hasher
        )
        self.requests = SealedRequests(sealer=self.sealer, clock=self.clock, ids=ids)
        self.mailer = Mailer(sealer=self.sealer, clock=self.clock, ids=ids, secrets=secrets)
        asking: dict[str, Any] = {"uow": self.uow, "requests": self.requests}
        counted: dict[str, Any] = {"attempts": self.attempts, "limits": self.limits}
        mailing: dict[str, Any] = {"uow": self.uow, "lookup": self.lookup, "mailer": self.mailer, "requests": self.requests}
        redeeming: dict[str, Any] = {"uow": self.uow, "lookup": self.lookup, "clock": self.clock}
        self.register = RegisterAccount(**asking, **counted, passwords=self.passwords)
        self.ask_verification = RequestAddressVerification(**asking)
        self.ask_reset = RequestPasswordReset(**asking, **counted)
        self.ask_change = RequestAddressChange(**asking)
        self.verify = VerifyAddress(**redeeming, mailer=self.mailer)
        self.reset = ResetPassword(**redeeming, **counted, passwords=self.passwords, mailer=self.mailer)
        self.change_password = ChangePassword(
            uow=self.uow, clock=self.clock, **counted, passwords=self.passwords, mailer=self.mailer
        )
        self.confirm_change = ConfirmAddressChange(**redeeming, mailer=self.mailer)
        self.undo_change = UndoAddressChange(**redeeming, mailer=self.mailer)
        self.close = CloseAccount(uow=self.uow, mailer=self.mailer, clock=self.clock)
        self._reactions: dict[type, Reaction[Any]] = {
            RegistrationRequested: WhenRegistrationRequestedOpenAccount(
                open_account=OpenAccount(**mailing, **counted, clock=self.clock, ids=ids)
            ),
            VerificationRequested: WhenVerificationRequestedMail(mail_verification=MailAddressVerification(**mailing, **counted)),
            PasswordResetRequested: WhenPasswordResetRequestedMail(mail_reset=MailPasswordReset(**mailing)),
            AddressChangeRequested: WhenAddressChangeRequestedMail(mail_change=MailAddressChange(**mailing, **counted)),
        }

    def nobody(self) -> Actor:
        return Actor.anonymous(an_actor().trace_id)

    async def settle(self) -> list[SentMail]:
        """React to what was asked, and return the mails that go out, oldest first."""
        mails: list[SentMail] = []
        while claimed := await self.outbox.claim(limit=100, lease=timedelta(minutes=1)):
            for one in claimed:
                event = one.recorded.event
                await self.react(an_actor(), one.recorded)
                if isinstance(event, MailRequested) and event.template != DECOY:
                    mails.append(self._opened(event))
            await self.outbox.settle(claimed)
        return mails

    async def react(self, actor: Actor, recorded: RecordedEvent) -> None:
        reaction = self._reactions.get(type(recorded.event))
        if reaction is not None:
            await reaction.react(actor, recorded.event, recorded)

    def _opened(self, event: MailRequested) -> SentMail:
        payload = MailPayload.from_bytes(self.sealer.open(event.sealed, purpose=MAIL_PURPOSE, about=str(event.mail_id)))
        return SentMail(event.template, payload.to, payload.locale, dict(payload.values))

    async def registered(self, name: str = "ana", *, password: str = PASSWORD) -> SentMail:
        """Register and return the mail that this sends."""
        await self.register(self.nobody(), a_registration(name, password=password))
        (mail,) = await self.settle()
        return mail

    async def an_owner(self, name: str = "ana", **overrides: Any) -> UserAccount:
        """A stored active account whose password is `PASSWORD`."""
        password = await self.hasher.hash(PASSWORD)
        account = an_account(email=an_address(name), password=password, **overrides)
        async with self.uow(an_actor()) as unit:
            return await unit.accounts.save(account)

    async def verified(self, name: str = "ana") -> UserAccount:
        mail = await self.registered(name)
        await self.verify(self.nobody(), VerifyAddressCommand(token=mail.values["token"]))
        await self.settle()
        return self.account_of(name)

    def account_of(self, name: str) -> UserAccount:
        """The account that has proven the address, else the newest that claims it."""
        claims = [one for one in self.accounts if one.email is not None and one.email.comparable == f"{name}@example.org"]
        return max(claims, key=lambda one: (one.is_verified, one.created_at, one.id))

    @property
    def accounts(self) -> Sequence[UserAccount]:
        return list(self.database.user_accounts.rows.values())

    def account(self, user_id: UserId) -> UserAccount:
        return self.database.user_accounts.rows[user_id]

    def live_sessions(self, user_id: UserId) -> Sequence[Session]:
        return [one for one in self.database.sessions.rows.values() if one.user_id == user_id and one.is_live(self.clock.now())]

    def open_tokens(self, user_id: UserId) -> Sequence[TokenPurpose]:
        """What the mailed secrets that nobody has used are for."""
        rows = [row.value for row in self.database.one_time_tokens.rows.values()]
        return [row.token.purpose for row in rows if row.token.user_id == user_id and row.used_at is None]

    def audited(self, user_id: UserId) -> Sequence[str]:
        events = [recorded.event for recorded, _, _ in self.database.audit]
        return [event.type for event in events if isinstance(event, AuditedEvent) and event.user_id == user_id]


def a_registration(
    name: str = "ana",
    *,
    password: str = PASSWORD,
    display_name: str = "Ana",
    locale: str = "es",
    time_zone: str = "America/Mexico_City",
) -> RegisterAccountCommand:
    profile = Profile(display_name=display_name, locale=locale, time_zone=time_zone)
    return RegisterAccountCommand(email=f"{name}@example.org", password=password, profile=profile, network=NETWORK)
