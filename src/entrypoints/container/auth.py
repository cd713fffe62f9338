"""The use cases of the context auth, with what they share."""

from __future__ import annotations

from dependency_injector import providers

from entrypoints.container.ports import Ports
from tradingcore.auth.use_cases.authenticate import (
    AuthenticateApiKey,
    IssueStreamTicket,
    RecheckCredential,
    RedeemStreamTicket,
)
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKey, ListApiKeys, RevokeApiKey


class AuthUseCases(Ports):
    create_api_key = providers.Factory(
        CreateApiKey,
        observer=Ports.observer,
        uow=Ports.auth_uow,
        clock=Ports.clock,
        ids=Ports.ids,
        secrets=Ports.secrets,
        environment=providers.Callable(lambda name: "live" if name == "production" else "dev", Ports.environment),
    )
    list_api_keys = providers.Factory(ListApiKeys, observer=Ports.observer, uow=Ports.auth_uow)
    revoke_api_key = providers.Factory(RevokeApiKey, observer=Ports.observer, uow=Ports.auth_uow, clock=Ports.clock)
    authenticate_api_key = providers.Factory(AuthenticateApiKey, observer=Ports.observer, keys=Ports.api_keys, clock=Ports.clock)
    recheck_credential = providers.Factory(RecheckCredential, observer=Ports.observer, keys=Ports.api_keys, clock=Ports.clock)
    issue_stream_ticket = providers.Factory(
        IssueStreamTicket, observer=Ports.observer, tickets=Ports.tickets, clock=Ports.clock, secrets=Ports.secrets
    )
    redeem_stream_ticket = providers.Factory(
        RedeemStreamTicket, observer=Ports.observer, tickets=Ports.tickets, keys=Ports.api_keys, clock=Ports.clock
    )
