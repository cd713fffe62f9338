"""Contracts of the storage of identities and of sign-ins under way at a provider."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest

from tradingcore.auth.errors import IdentityNotFound
from tradingcore.auth.ids import IdentityId, SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.identity import EmailTrust, Identity, Provider
from tradingcore.auth.model.oauth_flow import FlowPurpose, FlowStage, OAuthFlow
from tradingcore.auth.ports.accounts import AccountRepository
from tradingcore.auth.ports.identities import IdentityLookup, IdentityUnitOfWork
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import Conflict, PermissionDenied, StaleVersion, TradingCoreError
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.auth.builders import an_account, an_address, the_owner_of
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME, Abandoned, outcomes

NOBODY = Actor.anonymous(TraceId("0" * 32))


class IdentityStorage(IdentityUnitOfWork, Protocol):
    """What the suites need of a unit of work."""

    @property
    def accounts(self) -> AccountRepository: ...


Units = UnitOfWorkFactory[IdentityStorage]


def an_identity(account: UserAccount, **overrides: Any) -> Identity:
    """At Google, with a verified address."""
    fields: dict[str, Any] = {
        "id": IdentityId(an_id()),
        "user_id": account.id,
        "provider": Provider.GOOGLE,
        "subject": an_id().hex,
        "email": an_address(),
        "email_trust": EmailTrust.VERIFIED,
        "name": "Ana Pérez",
        "linked_at": MONDAY,
    }
    return Identity(**(fields | overrides))


def a_flow(**overrides: Any) -> OAuthFlow:
    """Nobody's sign-in at Google, waiting until an hour after Monday began."""
    fields: dict[str, Any] = {
        "key_hash": hash_of(an_id().hex),
        "browser_hash": hash_of("browser"),
        "stage": FlowStage.ASKED,
        "provider": Provider.GOOGLE,
        "purpose": FlowPurpose.SIGN_IN,
        "next": "/",
        "user_id": None,
        "session_id": None,
        "sealed": None,
        "expires_at": MONDAY + HOUR,
    }
    return OAuthFlow(**(fields | overrides))


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def stored_account(units: Units) -> UserAccount:
    async with units(an_actor()) as unit:
        return await unit.accounts.save(an_account())


@pytest.mark.asyncio
class IdentityUnitOfWorkContract:
    """Fixtures: ``units`` (of the platform) and ``units_of_users``, on one empty store."""

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the factory under test")

    @pytest.fixture
    def units_of_users(self, units: Units) -> Units:
        """The same as ``units`` unless users come in through another door, as a database role of their own."""
        return units

    async def test_unit_commits_whole_or_not_at_all(self, units: Units, units_of_users: Units) -> None:
        account = await stored_account(units)
        flow = a_flow(purpose=FlowPurpose.LINK, user_id=account.id)

        async def link_and_fail() -> None:
            async with units_of_users(the_owner_of(account)) as unit:
                await unit.oauth_flows.add(flow)
                await unit.identities.save(an_identity(account))
                raise Abandoned

        with pytest.raises(Abandoned):
            await link_and_fail()
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.identities.list_of(account.id) == []
            assert await unit.oauth_flows.find(flow.key_hash, flow.stage, browser_hash=flow.browser_hash, at=MONDAY) is None


@pytest.mark.asyncio
class IdentityRepositoryContract(IdentityUnitOfWorkContract):
    async def test_identity_round_trip(self, units: Units, units_of_users: Units) -> None:
        account = await stored_account(units)
        full = an_identity(account)
        bare = an_identity(
            account, provider=Provider.X, email=None, email_trust=EmailTrust.NONE, name=None, linked_at=MONDAY + HOUR
        )
        async with units_of_users(the_owner_of(account)) as unit:
            for identity in (bare, full):
                assert await unit.identities.save(identity) == replace(identity, version=1)
            assert await unit.identities.get(full.id) == replace(full, version=1)
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.identities.list_of(account.id) == [replace(full, version=1), replace(bare, version=1)]

    async def test_another_users_identity_does_not_exist(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored_account(units), await stored_account(units)
        identity = an_identity(theirs)
        async with units_of_users(the_owner_of(theirs)) as unit:
            identity = await unit.identities.save(identity)
        for stranger in (the_owner_of(mine), NOBODY):
            async with units_of_users(stranger) as unit:
                assert await unit.identities.list_of(theirs.id) == []
                assert await unit.identities.delete_all(theirs.id) == 0
                with pytest.raises(IdentityNotFound):
                    await unit.identities.get(identity.id)
                with pytest.raises(IdentityNotFound):
                    await unit.identities.delete(identity)
        async with units_of_users(the_owner_of(theirs)) as unit:
            assert await unit.identities.list_of(theirs.id) == [identity]

    async def test_nobody_links_for_another_user(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored_account(units), await stored_account(units)
        with pytest.raises(TradingCoreError):
            async with units_of_users(the_owner_of(mine)) as unit:
                await unit.identities.save(an_identity(theirs))
        async with units_of_users(the_owner_of(theirs)) as unit:
            assert await unit.identities.list_of(theirs.id) == []

    async def test_one_subject_belongs_to_one_account(self, units: Units, units_of_users: Units) -> None:
        first, second = await stored_account(units), await stored_account(units)
        async with units_of_users(the_owner_of(first)) as unit:
            held = await unit.identities.save(an_identity(first, subject="1234"))
        with pytest.raises(StaleVersion):
            async with units_of_users(the_owner_of(second)) as unit:
                await unit.identities.save(an_identity(second, subject="1234"))
        async with units_of_users(the_owner_of(second)) as unit:
            # The same subject at another provider is somebody else.
            await unit.identities.save(an_identity(second, subject="1234", provider=Provider.GITHUB))
        async with units_of_users(the_owner_of(first)) as unit:
            await unit.identities.delete(held)
        async with units_of_users(the_owner_of(second)) as unit:
            await unit.identities.save(an_identity(second, subject="1234"))

    async def test_of_concurrent_links_one_wins(self, units: Units, units_of_users: Units) -> None:
        accounts = [await stored_account(units) for _ in range(4)]

        async def link(account: UserAccount) -> None:
            async with units_of_users(the_owner_of(account)) as unit:
                await unit.identities.save(an_identity(account, subject="contested"))

        won, errors = await outcomes(*(link(account) for account in accounts * (AT_A_TIME // 4)))
        assert won == 1
        assert all(isinstance(error, Conflict) for error in errors)

    async def test_all_of_one_user_go_at_once(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored_account(units), await stored_account(units)
        for account in (mine, mine, theirs):
            async with units_of_users(the_owner_of(account)) as unit:
                await unit.identities.save(an_identity(account))
        async with units_of_users(the_owner_of(mine)) as unit:
            assert await unit.identities.delete_all(mine.id) == 2
            assert await unit.identities.list_of(mine.id) == []
        async with units_of_users(the_owner_of(theirs)) as unit:
            assert len(await unit.identities.list_of(theirs.id)) == 1


@pytest.mark.asyncio
class IdentityLookupContract(IdentityUnitOfWorkContract):
    """Fixtures besides: ``lookup`` on the same store."""

    @pytest.fixture
    def lookup(self) -> IdentityLookup:
        raise NotImplementedError("supply the look-up under test")

    async def test_owner_is_found_by_provider_and_subject(self, lookup: IdentityLookup, units: Units) -> None:
        account = await stored_account(units)
        async with units(an_actor()) as unit:
            identity = await unit.identities.save(an_identity(account, subject="1234"))
        assert await lookup.owner_of(Provider.GOOGLE, "1234") == account.id
        assert await lookup.owner_of(Provider.GITHUB, "1234") is None
        assert await lookup.owner_of(Provider.GOOGLE, "12345") is None
        async with units(an_actor()) as unit:
            await unit.identities.delete(identity)
        assert await lookup.owner_of(Provider.GOOGLE, "1234") is None


@pytest.mark.asyncio
class OAuthFlowRepositoryContract(IdentityUnitOfWorkContract):
    async def asked(self, units: Units, actor: Actor = NOBODY, **overrides: Any) -> OAuthFlow:
        flow = a_flow(**overrides)
        async with units(actor) as unit:
            await unit.oauth_flows.add(flow)
        return flow

    async def taken(self, units: Units, key: bytes, **changes: Any) -> OAuthFlow | None:
        arguments: dict[str, Any] = {"stage": FlowStage.ASKED, "browser_hash": hash_of("browser"), "at": MONDAY} | changes
        async with units(NOBODY) as unit:
            return await unit.oauth_flows.take(key, **arguments)

    async def test_looking_does_not_take(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users)
        for browser, expected in (("browser", flow), ("another", None), ("browser", flow)):
            async with units_of_users(NOBODY) as unit:
                found = await unit.oauth_flows.find(flow.key_hash, flow.stage, browser_hash=hash_of(browser), at=MONDAY)
            assert found == expected

    async def test_flow_is_taken_once_and_whole(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users, next="/account")
        assert await self.taken(units_of_users, flow.key_hash) == flow
        assert await self.taken(units_of_users, flow.key_hash) is None

    async def test_another_browser_gets_nothing_and_ends_nothing(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users)
        assert await self.taken(units_of_users, flow.key_hash, browser_hash=hash_of("another")) is None
        assert await self.taken(units_of_users, flow.key_hash) is not None

    async def test_stages_are_not_skipped(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users)
        assert await self.taken(units_of_users, flow.key_hash, stage=FlowStage.UNPROVEN) is None
        assert await self.taken(units_of_users, flow.key_hash) is not None

    async def test_flow_ends_with_its_time(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users)
        assert await self.taken(units_of_users, flow.key_hash, at=flow.expires_at) is None
        in_time = flow.expires_at - timedelta(microseconds=1)
        assert await self.taken(units_of_users, flow.key_hash, at=in_time) is not None

    async def test_flow_that_is_rolled_back_is_still_there(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users)

        async def take_and_fail() -> None:
            async with units_of_users(NOBODY) as unit:
                await unit.oauth_flows.take(flow.key_hash, flow.stage, browser_hash=flow.browser_hash, at=MONDAY)
                raise Abandoned

        with pytest.raises(Abandoned):
            await take_and_fail()
        assert await self.taken(units_of_users, flow.key_hash) == flow

    async def test_of_concurrent_takers_one_wins(self, units_of_users: Units) -> None:
        flow = await self.asked(units_of_users)
        won: list[OAuthFlow] = []

        async def take() -> None:
            if (found := await self.taken(units_of_users, flow.key_hash)) is not None:
                won.append(found)

        _, errors = await outcomes(*(take() for _ in range(AT_A_TIME)))
        assert won == [flow]
        assert all(isinstance(error, Conflict) for error in errors)

    async def test_users_flow_names_its_user_and_session(self, units: Units, units_of_users: Units) -> None:
        account = await stored_account(units)
        fields = {"purpose": FlowPurpose.LINK, "user_id": account.id, "session_id": SessionId(an_id())}
        asked = await self.asked(units_of_users, the_owner_of(account), **fields)
        assert await self.taken(units_of_users, asked.key_hash) == asked
        waiting = await self.asked(units_of_users, the_owner_of(account), **fields, stage=FlowStage.UNPROVEN, sealed="sealed")
        assert await self.taken(units_of_users, waiting.key_hash, stage=FlowStage.UNPROVEN) == waiting

    async def test_nobody_begins_a_flow_for_somebody_else(self, units: Units, units_of_users: Units) -> None:
        account, other = await stored_account(units), await stored_account(units)
        for actor in (NOBODY, the_owner_of(other)):
            with pytest.raises(PermissionDenied):
                await self.asked(units_of_users, actor, purpose=FlowPurpose.LINK, user_id=account.id)

    async def test_platform_forgets_what_expired(self, units: Units, units_of_users: Units) -> None:
        old = await self.asked(units_of_users, expires_at=MONDAY)
        young = await self.asked(units_of_users)
        async with units_of_users(NOBODY) as unit:
            assert await unit.oauth_flows.forget_expired(at=MONDAY) == 0
        async with units(an_actor()) as unit:
            assert await unit.oauth_flows.forget_expired(at=MONDAY) == 1
        assert await self.taken(units_of_users, old.key_hash, at=MONDAY - HOUR) is None
        assert await self.taken(units_of_users, young.key_hash) is not None
