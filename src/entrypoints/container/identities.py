"""The use cases of identity providers and of what they have proven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dependency_injector import providers

from entrypoints.container.ports import Ports, lazily
from entrypoints.container.sessions import SessionUseCases
from entrypoints.identity_providers import deletion_requests, identity_providers, local_provider
from entrypoints.oauth_section import OAuthSection
from tradingcore.auth.use_cases.begin_provider import BeginProviderLink, BeginProviderSignIn, BeginProviderStepUp
from tradingcore.auth.use_cases.complete_provider_sign_in import CompleteProviderSignIn
from tradingcore.auth.use_cases.confirm_provider_link import ConfirmProviderLink, MailProviderLink, ProveProviderLink
from tradingcore.auth.use_cases.delete_provider_data import DeleteProviderData, ShowProviderDataDeletion
from tradingcore.auth.use_cases.forget_provider_flows import ForgetProviderFlows
from tradingcore.auth.use_cases.identity_linking import IdentityLinks
from tradingcore.auth.use_cases.list_identities import ListIdentities
from tradingcore.auth.use_cases.list_providers import ListProviders
from tradingcore.auth.use_cases.provider_flows import ProviderFlows
from tradingcore.auth.use_cases.receive_provider_answer import ReceiveProviderAnswer
from tradingcore.auth.use_cases.unlink_identity import UnlinkIdentity


def _next_paths(section: OAuthSection) -> frozenset[str]:
    return frozenset(section.next_paths)


def _given(is_given: bool, make: Callable[[], Any]) -> Callable[[], Any] | None:
    return make if is_given else None


class IdentityUseCases(SessionUseCases):
    identity_lookup = providers.Selector(
        Ports.storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.identities:MemoryIdentityLookup"), Ports.memory),
        postgres=providers.Singleton(
            lazily("adapters.postgres.auth.identities:PostgresIdentityLookup"), Ports.engine, Ports.sealer
        ),
    )
    local_provider = providers.Singleton(local_provider, public_url=Ports.public_url, clock=Ports.clock)
    identity_providers = providers.Singleton(
        identity_providers,
        Ports.oauth,
        public_url=Ports.public_url,
        clock=Ports.clock,
        local=providers.Callable(_given, Ports.has_local_provider, local_provider.provider),
    )
    deletion_requests = providers.Singleton(deletion_requests, Ports.oauth, public_url=Ports.public_url)
    provider_flows = providers.Singleton(
        ProviderFlows,
        uow=Ports.auth_uow,
        providers=identity_providers,
        sealer=Ports.purpose_sealer,
        clock=Ports.clock,
        secrets=Ports.secrets,
        next_paths=providers.Callable(_next_paths, Ports.oauth),
    )
    identity_links = providers.Singleton(IdentityLinks, mailer=SessionUseCases.mailer, clock=Ports.clock, ids=Ports.ids)

    list_providers = providers.Factory(ListProviders, observer=Ports.observer, providers=identity_providers)
    begin_provider_sign_in = providers.Factory(BeginProviderSignIn, observer=Ports.observer, flows=provider_flows)
    begin_provider_link = providers.Factory(BeginProviderLink, observer=Ports.observer, flows=provider_flows)
    begin_provider_step_up = providers.Factory(BeginProviderStepUp, observer=Ports.observer, flows=provider_flows)
    receive_provider_answer = providers.Factory(ReceiveProviderAnswer, observer=Ports.observer, flows=provider_flows)
    complete_provider_sign_in = providers.Factory(
        CompleteProviderSignIn,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        flows=provider_flows,
        identities=identity_lookup,
        accounts=Ports.account_lookup,
        links=identity_links,
        opener=SessionUseCases.session_opener,
        renewal=SessionUseCases.session_renewal,
        requests=SessionUseCases.sealed_requests,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    confirm_provider_link = providers.Factory(
        ConfirmProviderLink, observer=Ports.observer, uow=Ports.auth_uow, flows=provider_flows, links=identity_links
    )
    mail_provider_link = providers.Factory(
        MailProviderLink,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        flows=provider_flows,
        attempts=Ports.attempts,
        limits=Ports.attempt_policy,
        mailer=SessionUseCases.mailer,
    )
    prove_provider_link = providers.Factory(
        ProveProviderLink,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        lookup=Ports.account_lookup,
        flows=provider_flows,
        links=identity_links,
        clock=Ports.clock,
    )
    list_identities = providers.Factory(ListIdentities, observer=Ports.observer, uow=Ports.auth_uow)
    unlink_identity = providers.Factory(UnlinkIdentity, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    delete_provider_data = providers.Factory(
        DeleteProviderData,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        requests=deletion_requests,
        identities=identity_lookup,
        clock=Ports.clock,
    )
    show_provider_data_deletion = providers.Factory(ShowProviderDataDeletion, observer=Ports.observer, requests=deletion_requests)
    forget_provider_flows = providers.Factory(ForgetProviderFlows, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
