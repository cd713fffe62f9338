from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.ports.phones import DeliveryReports, SendLedger
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPhoneDeliveryCommand:
    """A report as it came."""

    form: Mapping[str, str]
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPhoneDelivery(UseCase[RecordPhoneDeliveryCommand, None]):
    """Note what the provider says became of a message. Raises `CredentialRefused` unless it is the provider who says so.

    ``url`` is the public address of the report's route: it is signed too, and what a request calls itself proves nothing.
    """

    # The signature is the credential.
    permission: ClassVar[Permission] = Permission.PUBLIC
    reports: DeliveryReports
    ledger: SendLedger
    url: str

    async def handle(self, actor: Actor, command: RecordPhoneDeliveryCommand) -> None:
        report = self.reports.read(url=self.url, form=command.form, signature=command.signature)
        if report is not None:
            await self.ledger.record(report.reference, report.state)
