"""Send a browser to a provider: to sign in, to link what is proven there, or to prove again who is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import FlowPurpose
from tradingcore.auth.use_cases.provider_flows import BegunFlow, ProviderFlows
from tradingcore.kernel.authz import Actor, Permission, StepUp
from tradingcore.kernel.errors import PermissionDenied, RuleViolation
from tradingcore.kernel.use_case import UseCase

DEFAULT_NEXT = "/sign-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginProviderSignInCommand:
    """``next`` is where the browser comes back to: a path of ours."""

    provider: Provider
    next: str = DEFAULT_NEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginProviderSignIn(UseCase[BeginProviderSignInCommand, BegunFlow]):
    """Raises `ProviderNotFound`, `InvalidInput` for a path that is not ours, `Unavailable`."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    flows: ProviderFlows

    async def handle(self, actor: Actor, command: BeginProviderSignInCommand) -> BegunFlow:
        return await self.flows.begin(actor, command.provider, next=command.next, purpose=FlowPurpose.SIGN_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginProviderLinkCommand:
    provider: Provider
    next: str = DEFAULT_NEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginProviderLink(UseCase[BeginProviderLinkCommand, BegunFlow]):
    """Another way into an account is as good as its password: only who has just signed in may add one.

    Raises what `BeginProviderSignIn` raises, and `StepUpRequired`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    flows: ProviderFlows

    async def handle(self, actor: Actor, command: BeginProviderLinkCommand) -> BegunFlow:
        return await _begin_for(actor, self.flows, command.provider, command.next, FlowPurpose.LINK)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginProviderStepUpCommand:
    provider: Provider
    next: str = DEFAULT_NEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginProviderStepUp(UseCase[BeginProviderStepUpCommand, BegunFlow]):
    """Raises what `BeginProviderSignIn` raises, and `RuleViolation` for a provider that cannot be made to ask the person again."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    flows: ProviderFlows

    async def handle(self, actor: Actor, command: BeginProviderStepUpCommand) -> BegunFlow:
        if not self.flows.provider(command.provider).proves_presence:
            raise RuleViolation(f"{command.provider.value} does not say when somebody signed in there: prove it in another way")
        return await _begin_for(actor, self.flows, command.provider, command.next, FlowPurpose.STEP_UP)


async def _begin_for(
    actor: Actor,
    flows: ProviderFlows,
    provider: Provider,
    next: str,  # noqa: A002 - the field's name
    purpose: FlowPurpose,
) -> BegunFlow:
    if actor.user_id is None or actor.session_id is None:
        raise PermissionDenied("this needs a person who has signed in, an API key is not enough")
    return await flows.begin(
        actor, provider, next=next, purpose=purpose, user_id=actor.user_id, session_id=SessionId(actor.session_id)
    )
