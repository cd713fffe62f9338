"""The use cases of the context auth, with what they share."""

from __future__ import annotations

from dependency_injector import providers

from entrypoints.container.ports import Ports
from entrypoints.sections import FactorsSection
from tradingcore.auth.use_cases.change_address import (
    ConfirmAddressChange,
    MailAddressChange,
    RequestAddressChange,
    UndoAddressChange,
)
from tradingcore.auth.use_cases.change_password import ChangePassword
from tradingcore.auth.use_cases.close_account import CloseAccount, EraseAccount
from tradingcore.auth.use_cases.device_trust import DeviceTrust
from tradingcore.auth.use_cases.export_own_data import ExportOwnData
from tradingcore.auth.use_cases.forget_mailed_tokens import ForgetMailedTokens
from tradingcore.auth.use_cases.get_account import GetAccount
from tradingcore.auth.use_cases.list_security_events import ListSecurityEvents
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKey, ListApiKeys, RevokeApiKey
from tradingcore.auth.use_cases.new_passwords import NewPasswords
from tradingcore.auth.use_cases.register_account import OpenAccount, RegisterAccount
from tradingcore.auth.use_cases.reset_password import MailPasswordReset, RequestPasswordReset, ResetPassword
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.auth.use_cases.second_factor import SecondFactors
from tradingcore.auth.use_cases.update_profile import UpdateProfile
from tradingcore.auth.use_cases.verify_address import MailAddressVerification, RequestAddressVerification, VerifyAddress


class AuthUseCases(Ports):
    mailer = providers.Singleton(Mailer, sealer=Ports.purpose_sealer, clock=Ports.clock, ids=Ports.ids, secrets=Ports.secrets)
    factor_policy = providers.Singleton(FactorsSection.policy, Ports.factors)
    second_factors = providers.Singleton(
        SecondFactors,
        lookup=Ports.factor_lookup,
        ceremonies=Ports.passkey_ceremonies,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        policy=factor_policy,
        clock=Ports.clock,
        ids=Ports.ids,
        secrets=Ports.secrets,
    )
    device_trust = providers.Singleton(
        DeviceTrust, lookup=Ports.factor_lookup, clock=Ports.clock, ids=Ports.ids, secrets=Ports.secrets
    )
    sealed_requests = providers.Singleton(SealedRequests, sealer=Ports.purpose_sealer, clock=Ports.clock, ids=Ports.ids)
    new_passwords = providers.Singleton(
        NewPasswords, policy=Ports.password_policy, blocklist=Ports.password_blocklist, hasher=Ports.password_hasher
    )

    register_account = providers.Factory(
        RegisterAccount,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        passwords=new_passwords,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        requests=sealed_requests,
    )
    open_account = providers.Factory(
        OpenAccount,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        requests=sealed_requests,
        mailer=mailer,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    request_address_verification = providers.Factory(
        RequestAddressVerification, observer=Ports.observer, uow=Ports.auth_uow, requests=sealed_requests
    )
    mail_address_verification = providers.Factory(
        MailAddressVerification,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        requests=sealed_requests,
        mailer=mailer,
    )
    verify_address = providers.Factory(
        VerifyAddress, observer=Ports.observer, uow=Ports.auth_uow, lookup=Ports.account_lookup, mailer=mailer, clock=Ports.clock
    )
    request_password_reset = providers.Factory(
        RequestPasswordReset,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        requests=sealed_requests,
    )
    mail_password_reset = providers.Factory(
        MailPasswordReset,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        requests=sealed_requests,
        mailer=mailer,
    )
    reset_password = providers.Factory(
        ResetPassword,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        passwords=new_passwords,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        mailer=mailer,
        clock=Ports.clock,
    )
    change_password = providers.Factory(
        ChangePassword,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        passwords=new_passwords,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        mailer=mailer,
        clock=Ports.clock,
    )
    request_address_change = providers.Factory(
        RequestAddressChange, observer=Ports.observer, uow=Ports.auth_uow, requests=sealed_requests
    )
    mail_address_change = providers.Factory(
        MailAddressChange,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        requests=sealed_requests,
        mailer=mailer,
    )
    confirm_address_change = providers.Factory(
        ConfirmAddressChange,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        mailer=mailer,
        clock=Ports.clock,
    )
    undo_address_change = providers.Factory(
        UndoAddressChange,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        mailer=mailer,
        clock=Ports.clock,
    )
    get_account = providers.Factory(GetAccount, observer=Ports.observer, uow=Ports.auth_uow)
    update_profile = providers.Factory(UpdateProfile, observer=Ports.observer, uow=Ports.auth_uow)
    close_account = providers.Factory(CloseAccount, observer=Ports.observer, uow=Ports.auth_uow, mailer=mailer, clock=Ports.clock)
    erase_account = providers.Factory(EraseAccount, observer=Ports.observer, uow=Ports.auth_uow, mailer=mailer, clock=Ports.clock)
    export_own_data = providers.Factory(
        ExportOwnData, observer=Ports.observer, uow=Ports.auth_uow, trail=Ports.audit_trail, clock=Ports.clock
    )
    forget_mailed_tokens = providers.Factory(ForgetMailedTokens, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    list_security_events = providers.Factory(ListSecurityEvents, observer=Ports.observer, trail=Ports.audit_trail)

    key_environment = providers.Callable(lambda name: "live" if name == "production" else "dev", Ports.environment)
    create_api_key = providers.Factory(
        CreateApiKey,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        clock=Ports.clock,
        ids=Ports.ids,
        secrets=Ports.secrets,
        environment=key_environment,
    )
    list_api_keys = providers.Factory(ListApiKeys, observer=Ports.observer, uow=Ports.auth_uow)
    revoke_api_key = providers.Factory(RevokeApiKey, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
