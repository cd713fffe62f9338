"""The use cases of second factors and trusted devices."""

from __future__ import annotations

from dependency_injector import providers

from entrypoints.container.auth import AuthUseCases
from entrypoints.container.ports import Ports
from tradingcore.auth.use_cases.factor_changes import FactorChanges
from tradingcore.auth.use_cases.get_factors import GetFactors
from tradingcore.auth.use_cases.manage_passkeys import CreatePasskey, RemovePasskey, RenamePasskey, StartPasskey
from tradingcore.auth.use_cases.manage_totp import ConfirmTotp, EnrolTotp, RemoveTotp
from tradingcore.auth.use_cases.manage_trusted_devices import ListTrustedDevices, RevokeTrustedDevice
from tradingcore.auth.use_cases.passkey_tokens import PasskeyTokens
from tradingcore.auth.use_cases.regenerate_backup_codes import RegenerateBackupCodes


class FactorUseCases(AuthUseCases):
    factor_changes = providers.Singleton(FactorChanges, factors=AuthUseCases.second_factors, mailer=AuthUseCases.mailer)

    get_factors = providers.Factory(GetFactors, observer=Ports.observer, uow=Ports.auth_uow, policy=AuthUseCases.factor_policy)
    enrol_totp = providers.Factory(
        EnrolTotp,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        changes=factor_changes,
        qr_codes=Ports.qr_codes,
        secrets=Ports.secrets,
        issuer=Ports.factors.provided.issuer,
    )
    confirm_totp = providers.Factory(ConfirmTotp, observer=Ports.observer, uow=Ports.auth_uow, changes=factor_changes)
    remove_totp = providers.Factory(RemoveTotp, observer=Ports.observer, uow=Ports.auth_uow, changes=factor_changes)
    regenerate_backup_codes = providers.Factory(
        RegenerateBackupCodes, observer=Ports.observer, uow=Ports.auth_uow, changes=factor_changes
    )
    passkey_tokens = providers.Singleton(PasskeyTokens, sealer=Ports.purpose_sealer, secrets=Ports.secrets, clock=Ports.clock)
    start_passkey = providers.Factory(
        StartPasskey, observer=Ports.observer, uow=Ports.auth_uow, changes=factor_changes, tokens=passkey_tokens
    )
    create_passkey = providers.Factory(
        CreatePasskey,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        changes=factor_changes,
        tokens=passkey_tokens,
        ids=Ports.ids,
    )
    rename_passkey = providers.Factory(RenamePasskey, observer=Ports.observer, uow=Ports.auth_uow)
    remove_passkey = providers.Factory(RemovePasskey, observer=Ports.observer, uow=Ports.auth_uow, changes=factor_changes)
    list_trusted_devices = providers.Factory(ListTrustedDevices, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    revoke_trusted_device = providers.Factory(RevokeTrustedDevice, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
