"""The use cases that open, prove, renew and end sessions."""

from __future__ import annotations

from dependency_injector import providers

from entrypoints.container.factors import FactorUseCases
from entrypoints.container.ports import Ports
from tradingcore.auth.use_cases.authenticate import (
    AuthenticateBearer,
    Credentials,
    IssueStreamTicket,
    RecheckCredential,
    RedeemStreamTicket,
)
from tradingcore.auth.use_cases.manage_sessions import EndSession, EndSessions, LeaveSession, ListSessions
from tradingcore.auth.use_cases.passkey_sign_in import FinishPasskeySignIn, StartPasskeySignIn, StartPasskeySignInAnswer
from tradingcore.auth.use_cases.refresh_session import RefreshSession
from tradingcore.auth.use_cases.session_opening import SessionOpener
from tradingcore.auth.use_cases.sign_in import AnswerChallenge, Puzzles, SignIn
from tradingcore.auth.use_cases.step_up import AskForStepUp, Renewal, StepUpByFactor, StepUpByPassword
from tradingcore.auth.use_cases.token_issuing import TokenIssuer


class SessionUseCases(FactorUseCases):
    stored_credentials = providers.Singleton(Credentials, sessions=Ports.session_lookup, keys=Ports.api_keys)
    remembered_credentials = providers.Singleton(Credentials, sessions=Ports.remembered_sessions, keys=Ports.remembered_api_keys)
    token_issuer = providers.Singleton(TokenIssuer, access_tokens=Ports.access_tokens, ids=Ports.ids, secrets=Ports.secrets)
    puzzles = providers.Singleton(
        Puzzles, sealer=Ports.purpose_sealer, attempts=Ports.attempts, limits=Ports.attempt_policy, clock=Ports.clock
    )
    session_opener = providers.Singleton(
        SessionOpener,
        uow=Ports.auth_uow,
        factors=FactorUseCases.second_factors,
        devices=FactorUseCases.device_trust,
        issuer=token_issuer,
        mailer=FactorUseCases.mailer,
        sealer=Ports.sealer,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    session_renewal = providers.Singleton(Renewal, issuer=token_issuer, clock=Ports.clock)

    sign_in = providers.Factory(
        SignIn,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        accounts=Ports.account_lookup,
        passwords=Ports.password_hasher,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        puzzles=puzzles,
        devices=FactorUseCases.device_trust,
        opener=session_opener,
        clock=Ports.clock,
    )
    start_passkey_sign_in = providers.Factory(
        StartPasskeySignIn,
        observer=Ports.observer,
        factors=FactorUseCases.second_factors,
        tokens=FactorUseCases.passkey_tokens,
    )
    finish_passkey_sign_in = providers.Factory(
        FinishPasskeySignIn,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.passkey_lookup,
        factors=FactorUseCases.second_factors,
        tokens=FactorUseCases.passkey_tokens,
        opener=session_opener,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
    )
    start_passkey_sign_in_answer = providers.Factory(
        StartPasskeySignInAnswer, observer=Ports.observer, uow=Ports.auth_uow, factors=FactorUseCases.second_factors
    )
    answer_challenge = providers.Factory(
        AnswerChallenge,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        factors=FactorUseCases.second_factors,
        devices=FactorUseCases.device_trust,
        opener=session_opener,
    )
    refresh_session = providers.Factory(
        RefreshSession,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        sessions=Ports.session_lookup,
        issuer=token_issuer,
        mailer=FactorUseCases.mailer,
        sealer=Ports.sealer,
        clock=Ports.clock,
    )
    list_sessions = providers.Factory(ListSessions, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    end_session = providers.Factory(EndSession, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    end_sessions = providers.Factory(EndSessions, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    leave_session = providers.Factory(
        LeaveSession, observer=Ports.observer, uow=Ports.auth_uow, sessions=Ports.session_lookup, clock=Ports.clock
    )
    step_up_by_password = providers.Factory(
        StepUpByPassword,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        passwords=Ports.password_hasher,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        renewal=session_renewal,
        clock=Ports.clock,
    )
    ask_for_step_up = providers.Factory(
        AskForStepUp, observer=Ports.observer, uow=Ports.auth_uow, factors=FactorUseCases.second_factors
    )
    step_up_by_factor = providers.Factory(
        StepUpByFactor,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        factors=FactorUseCases.second_factors,
        renewal=session_renewal,
        mailer=FactorUseCases.mailer,
    )

    authenticate_bearer = providers.Factory(
        AuthenticateBearer,
        observer=Ports.observer,
        stored=stored_credentials,
        remembered=remembered_credentials,
        access_tokens=Ports.remembered_access_tokens,
        policy=FactorUseCases.factor_policy,
        clock=Ports.clock,
    )
    recheck_credential = providers.Factory(
        RecheckCredential,
        observer=Ports.observer,
        stored=stored_credentials,
        remembered=remembered_credentials,
        clock=Ports.clock,
    )
    issue_stream_ticket = providers.Factory(
        IssueStreamTicket, observer=Ports.observer, tickets=Ports.tickets, clock=Ports.clock, secrets=Ports.secrets
    )
    redeem_stream_ticket = providers.Factory(
        RedeemStreamTicket, observer=Ports.observer, tickets=Ports.tickets, stored=stored_credentials, clock=Ports.clock
    )
