"""Phone numbers and the codes that prove them."""

from __future__ import annotations

from dependency_injector import providers

from entrypoints.container.ports import Ports, lazily
from entrypoints.container.staff import StaffUseCases
from entrypoints.phone_gateways import delivery_reports, messages_gateway, status_url, verify_gateway
from entrypoints.phones_section import PhonesSection
from tradingcore.auth.policies.phones import PhonePolicy
from tradingcore.auth.ports.phones import NO_GATEWAY
from tradingcore.auth.use_cases.manage_phones import ConfirmPhone, GetPhone, RemovePhone, StartPhoneProof
from tradingcore.auth.use_cases.record_phone_delivery import RecordPhoneDelivery
from tradingcore.auth.use_cases.steer_phones import SetPhoneSwitch, ShowPhoneSpend


def _policy(section: PhonesSection, attempts_key: bytes) -> PhonePolicy:
    return section.policy(attempts_key)


class PhoneUseCases(StaffUseCases):
    phones = providers.Dependency(instance_of=PhonesSection, default=PhonesSection())
    phone_kind = providers.Dependency(instance_of=str, default="mailbox")

    phone_numbering = providers.Singleton(lazily("adapters.phonenumbers.numbering:MetadataPhoneNumbering"))
    phone_policy = providers.Singleton(_policy, phones, Ports.attempt_policy.provided.key)
    send_ledger = providers.Selector(
        Ports.storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.phones:MemorySendLedger")),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.phone_budgets:PostgresSendLedger"), Ports.engine),
    )
    phone_gateway = providers.Selector(
        phone_kind,
        off=providers.Object(NO_GATEWAY),
        mailbox=providers.Singleton(lazily("adapters.local.phone_codes:MailboxPhoneGateway"), Ports.mail_sender, Ports.ids),
        verify=providers.Singleton(verify_gateway, phones),
        messages=providers.Singleton(messages_gateway, phones, Ports.public_url),
    )
    delivery_reports = providers.Singleton(delivery_reports, phones)

    start_phone_proof = providers.Factory(
        StartPhoneProof,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        numbering=phone_numbering,
        gateway=phone_gateway,
        ledger=send_ledger,
        attempts=Ports.attempts,
        policy=phone_policy,
        sealer=Ports.sealer,
        clock=Ports.clock,
        ids=Ports.ids,
        secrets=Ports.secrets,
    )
    confirm_phone = providers.Factory(
        ConfirmPhone,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        gateway=phone_gateway,
        ledger=send_ledger,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        sealer=Ports.sealer,
        mailer=StaffUseCases.mailer,
        clock=Ports.clock,
    )
    get_phone = providers.Factory(GetPhone, observer=Ports.observer, uow=Ports.auth_uow)
    remove_phone = providers.Factory(RemovePhone, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    record_phone_delivery = providers.Factory(
        RecordPhoneDelivery,
        observer=Ports.observer,
        reports=delivery_reports,
        ledger=send_ledger,
        url=providers.Callable(status_url, Ports.public_url),
    )
    show_phone_spend = providers.Factory(ShowPhoneSpend, observer=Ports.observer, ledger=send_ledger, clock=Ports.clock)
    set_phone_switch = providers.Factory(
        SetPhoneSwitch, observer=Ports.observer, uow=Ports.auth_uow, ledger=send_ledger, clock=Ports.clock
    )
