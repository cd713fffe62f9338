"""Whoever asks about an address is answered at once and alike; what is known of the address decides here, and only mail tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.events import (
    AddressChangeRequested,
    PasswordResetRequested,
    RegistrationRequested,
    VerificationRequested,
)
from tradingcore.auth.use_cases.change_address import MailAddressChange, MailAddressChangeCommand
from tradingcore.auth.use_cases.register_account import OpenAccount, OpenAccountCommand
from tradingcore.auth.use_cases.reset_password import MailPasswordReset, MailPasswordResetCommand
from tradingcore.auth.use_cases.verify_address import MailAddressVerification, MailAddressVerificationCommand
from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.processes.reaction import Reaction


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenRegistrationRequestedOpenAccount(Reaction[RegistrationRequested]):
    name: ClassVar[str] = "auth.open_account"
    reacts_to: ClassVar[type[DomainEvent]] = RegistrationRequested
    open_account: OpenAccount

    async def react(self, actor: Actor, event: RegistrationRequested, recorded: RecordedEvent) -> None:
        await self.open_account(actor, OpenAccountCommand(request=event))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenVerificationRequestedMail(Reaction[VerificationRequested]):
    name: ClassVar[str] = "auth.mail_verification"
    reacts_to: ClassVar[type[DomainEvent]] = VerificationRequested
    mail_verification: MailAddressVerification

    async def react(self, actor: Actor, event: VerificationRequested, recorded: RecordedEvent) -> None:
        await self.mail_verification(actor, MailAddressVerificationCommand(request=event))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenPasswordResetRequestedMail(Reaction[PasswordResetRequested]):
    name: ClassVar[str] = "auth.mail_password_reset"
    reacts_to: ClassVar[type[DomainEvent]] = PasswordResetRequested
    mail_reset: MailPasswordReset

    async def react(self, actor: Actor, event: PasswordResetRequested, recorded: RecordedEvent) -> None:
        await self.mail_reset(actor, MailPasswordResetCommand(request=event))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenAddressChangeRequestedMail(Reaction[AddressChangeRequested]):
    name: ClassVar[str] = "auth.mail_address_change"
    reacts_to: ClassVar[type[DomainEvent]] = AddressChangeRequested
    mail_change: MailAddressChange

    async def react(self, actor: Actor, event: AddressChangeRequested, recorded: RecordedEvent) -> None:
        await self.mail_change(actor, MailAddressChangeCommand(request=event))
