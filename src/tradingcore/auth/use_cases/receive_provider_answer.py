from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import ProviderAnswer
from tradingcore.auth.use_cases.provider_flows import ProviderFlows
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveProviderAnswerCommand:
    """What came to the callback of ``provider``, in the query or in a form that was posted from there."""

    provider: Provider
    state: str = field(repr=False)
    answer: ProviderAnswer = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveProviderAnswer(UseCase[ReceiveProviderAnswerCommand, str]):
    """Return a handle by which the browser brings the answer back: one that was posted across sites came without our cookie.

    The handle is the answer itself, sealed, so that nothing is stored for somebody who is nobody yet. It is worth something once,
    in the browser that asked. Raises `ProviderNotFound`, and `ProviderFlowUnknown` for what no answer to us can be.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    flows: ProviderFlows

    async def handle(self, actor: Actor, command: ReceiveProviderAnswerCommand) -> str:
        return self.flows.receive(command.provider, command.state, command.answer)
