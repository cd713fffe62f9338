"""What somebody between two browsers, two providers or two flows may try, against the real adapters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from tests.integration.oauth.fake_provider import Person
from tests.integration.oauth.kits import PROVIDERS, Kit
from tests.unit.core.auth.provider_world import ProviderWorld
from tradingcore.auth.errors import IdentityRefused, ProviderFlowUnknown, ProviderNotFound
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import ProviderAnswer
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.auth.use_cases.provider_flows import BegunFlow, PendingLink
from tradingcore.auth.use_cases.receive_provider_answer import ReceiveProviderAnswerCommand
from tradingcore.auth.use_cases.session_opening import OpenedSession

MINUTE: Final = timedelta(minutes=1)


class Scene:
    """A world whose providers are the real adapters, each with its fake behind it."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.world = ProviderWorld()
        self.kits = {name: Kit(name, clock=self.world.clock) for name in PROVIDERS}
        self.world.flows.providers.update({name: kit.adapter for name, kit in self.kits.items()})  # type: ignore[attr-defined]  # a dict

    async def begun(self, provider: Provider | None = None) -> BegunFlow:
        return await self.world.begun(provider or self.provider)

    def approved(self, begun: BegunFlow, person: Person | None = None) -> tuple[str, ProviderAnswer]:
        return self.kits[self.provider].fake.approve(begun.authorization_url, person)

    async def handle(self, state: str, answer: ProviderAnswer, *, at: Provider | None = None) -> str:
        command = ReceiveProviderAnswerCommand(provider=at or self.provider, state=state, answer=answer)
        return await self.world.receive(self.world.nobody(), command)

    async def is_refused(self, handle: str, browser: str) -> bool:
        try:
            await self.world.completed(handle, browser)
        except (ProviderFlowUnknown, IdentityRefused):
            return True
        return False


FlowCase = Callable[[Scene], Awaitable[bool]]
FLOW_CASES: dict[str, FlowCase] = {}
"""By name; each returns whether the attempt failed, and everything that was right before still is."""


def flow_case(attempt: FlowCase) -> FlowCase:
    FLOW_CASES[attempt.__name__] = attempt
    return attempt


@flow_case
async def state_of_the_attackers_flow_with_the_victims_answer(scene: Scene) -> bool:
    victim, attacker = await scene.begun(), await scene.begun()
    _, answer = scene.approved(victim)
    state, _ = scene.approved(attacker)
    return await scene.is_refused(await scene.handle(state, answer), attacker.browser)


@flow_case
async def victim_is_made_to_finish_the_attackers_sign_in(scene: Scene) -> bool:
    victim, attacker = await scene.begun(), await scene.begun()
    handle = await scene.handle(*scene.approved(attacker))
    return await scene.is_refused(handle, victim.browser) and not await scene.is_refused(handle, attacker.browser)


@flow_case
async def answer_is_played_twice(scene: Scene) -> bool:
    begun = await scene.begun()
    state, answer = scene.approved(begun)
    first = await scene.handle(state, answer)
    return not await scene.is_refused(first, begun.browser) and await scene.is_refused(
        await scene.handle(state, answer), begun.browser
    )


@flow_case
async def handle_is_played_twice(scene: Scene) -> bool:
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun))
    return not await scene.is_refused(handle, begun.browser) and await scene.is_refused(handle, begun.browser)


@flow_case
async def browser_without_a_cookie(scene: Scene) -> bool:
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun))
    return await scene.is_refused(handle, "") and not await scene.is_refused(handle, begun.browser)


@flow_case
async def browser_with_a_cookie_of_its_own_making(scene: Scene) -> bool:
    begun = await scene.begun()
    return await scene.is_refused(await scene.handle(*scene.approved(begun)), opaque_token(b"x" * 32))


@flow_case
async def answer_after_ten_minutes(scene: Scene) -> bool:
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun))
    scene.world.wait(10 * MINUTE)
    return await scene.is_refused(handle, begun.browser)


@flow_case
async def answer_at_the_callback_of_every_other_provider(scene: Scene) -> bool:
    refused = []
    for other in PROVIDERS:
        if other is not scene.provider:
            begun = await scene.begun()
            handle = await scene.handle(*scene.approved(begun), at=other)
            refused.append(await scene.is_refused(handle, begun.browser))
    return all(refused)


@flow_case
async def flow_of_another_provider_with_this_ones_code(scene: Scene) -> bool:
    # Mix-up: the attacker's provider gets nothing to redeem, and this code is worth nothing there.
    other = next(name for name in PROVIDERS if name is not scene.provider)
    begun, theirs = await scene.begun(), await scene.begun(other)
    _, answer = scene.approved(begun)
    state, _ = scene.kits[other].fake.approve(theirs.authorization_url)
    return await scene.is_refused(await scene.handle(state, answer, at=other), theirs.browser)


@flow_case
async def issuer_of_another_provider(scene: Scene) -> bool:
    begun = await scene.begun()
    state, answer = scene.approved(begun)
    named = replace(answer, issuer="https://attacker.example")
    return await scene.is_refused(await scene.handle(state, named), begun.browser)


@flow_case
async def state_that_nobody_was_given(scene: Scene) -> bool:
    begun = await scene.begun()
    _, answer = scene.approved(begun)
    return await scene.is_refused(await scene.handle(opaque_token(b"i" * 32), answer), begun.browser)


@flow_case
async def handle_with_one_letter_changed(scene: Scene) -> bool:
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun))
    changed = handle[:-5] + ("A" if handle[-5] != "A" else "B") + handle[-4:]
    return await scene.is_refused(changed, begun.browser)


@flow_case
async def code_that_was_redeemed_elsewhere(scene: Scene) -> bool:
    begun = await scene.begun()
    state, answer = scene.approved(begun)
    scene.kits[scene.provider].fake.grants.clear()
    return await scene.is_refused(await scene.handle(state, answer), begun.browser)


@flow_case
async def provider_that_was_switched_off_meanwhile(scene: Scene) -> bool:
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun))
    del scene.world.flows.providers[scene.provider]  # type: ignore[attr-defined]  # a dict
    try:
        await scene.world.completed(handle, begun.browser)
    except ProviderNotFound:
        return True
    return False


@flow_case
async def claimed_address_of_an_account(scene: Scene) -> bool:
    """An address that nobody verified opens no account, whoever has proven it."""
    victim = await scene.world.an_owner("victim")
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun, Person(email="victim@example.org", is_verified=False)))
    outcome = await scene.world.completed(handle, begun.browser)
    return isinstance(outcome, OpenedSession) and outcome.session.user_id != victim.id


@flow_case
async def verified_address_of_an_account(scene: Scene) -> bool:
    """Even a verified one opens none that has proven it as well: its owner is asked first."""
    victim = await scene.world.an_owner("maria")
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun))
    outcome = await scene.world.completed(handle, begun.browser)
    is_asked = isinstance(outcome, PendingLink)
    # The Graph API does not say that an address was verified.
    is_stranger = isinstance(outcome, OpenedSession) and outcome.session.user_id != victim.id
    return (is_stranger if scene.provider is Provider.FACEBOOK else is_asked) and not scene.world.live_sessions(victim.id)


@flow_case
async def person_without_an_address(scene: Scene) -> bool:
    """Must work, and gives an account that may do nothing with money yet."""
    begun = await scene.begun()
    handle = await scene.handle(*scene.approved(begun, Person(email=None)))
    outcome = await scene.world.completed(handle, begun.browser)
    return isinstance(outcome, OpenedSession) and not scene.world.account(outcome.session.user_id).is_verified
