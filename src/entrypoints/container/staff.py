"""The use cases of staff, and those of people's own API keys."""

from __future__ import annotations

from dependency_injector import providers

from entrypoints.container.ports import Ports, lazily
from entrypoints.container.sessions import SessionUseCases
from tradingcore.auth.use_cases.changing_rights import Rights
from tradingcore.auth.use_cases.create_user import CreateUser
from tradingcore.auth.use_cases.manage_api_keys import CreateOwnApiKey, ListOwnApiKeys, RevokeOwnApiKey
from tradingcore.auth.use_cases.manage_proposals import DecideProposal, ListProposals
from tradingcore.auth.use_cases.manage_roles import GrantRole, RevokeRole
from tradingcore.auth.use_cases.manage_users import (
    EndUserSessions,
    GetUser,
    ReinstateUser,
    ResetUserFactors,
    SearchUsers,
    SuspendUser,
)
from tradingcore.auth.use_cases.set_plan import SetPlan


class StaffUseCases(SessionUseCases):
    user_directory = providers.Selector(
        Ports.storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.directory:MemoryUserDirectory"), Ports.memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.directory:PostgresUserDirectory"), Ports.engine, Ports.sealer),
    )
    rights = providers.Singleton(Rights, mailer=SessionUseCases.mailer, clock=Ports.clock)

    create_user = providers.Factory(
        CreateUser,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        passwords=SessionUseCases.new_passwords,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    search_users = providers.Factory(SearchUsers, observer=Ports.observer, directory=user_directory)
    get_user = providers.Factory(
        GetUser, observer=Ports.observer, uow=Ports.auth_uow, factors=SessionUseCases.second_factors, clock=Ports.clock
    )
    suspend_user = providers.Factory(
        SuspendUser, observer=Ports.observer, uow=Ports.auth_uow, mailer=SessionUseCases.mailer, clock=Ports.clock
    )
    reinstate_user = providers.Factory(ReinstateUser, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    end_user_sessions = providers.Factory(EndUserSessions, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    reset_user_factors = providers.Factory(
        ResetUserFactors, observer=Ports.observer, uow=Ports.auth_uow, mailer=SessionUseCases.mailer, clock=Ports.clock
    )
    grant_role = providers.Factory(
        GrantRole, observer=Ports.observer, uow=Ports.auth_uow, rights=rights, clock=Ports.clock, ids=Ports.ids
    )
    revoke_role = providers.Factory(RevokeRole, observer=Ports.observer, uow=Ports.auth_uow, rights=rights)
    set_plan = providers.Factory(SetPlan, observer=Ports.observer, uow=Ports.auth_uow, rights=rights)
    list_proposals = providers.Factory(ListProposals, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    decide_proposal = providers.Factory(
        DecideProposal, observer=Ports.observer, uow=Ports.auth_uow, rights=rights, clock=Ports.clock
    )

    create_own_api_key = providers.Factory(
        CreateOwnApiKey,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        clock=Ports.clock,
        ids=Ports.ids,
        secrets=Ports.secrets,
        environment=SessionUseCases.key_environment,
    )
    list_own_api_keys = providers.Factory(ListOwnApiKeys, observer=Ports.observer, uow=Ports.auth_uow)
    revoke_own_api_key = providers.Factory(RevokeOwnApiKey, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
