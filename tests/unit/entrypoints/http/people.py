"""People who use the application: their accounts, their sessions, and what is mailed to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from adapters.memory.outbox import MemoryOutbox
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.events import MailRequested
from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.mail_payload import MAIL_PURPOSE, MailPayload
from tradingcore.auth.model.session import AuthMethod
from tradingcore.kernel.authz import Assurance
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import MailOrder, MailTemplate, mail_locale
from tradingcore.testing.auth.builders import PASSWORD, an_account, an_address
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import an_actor, an_id


async def an_owner(world: World, name: str | None = None, **overrides: Any) -> UserAccount:
    """A stored, active account whose password is `PASSWORD`; its address is a fresh one unless it is named."""
    password = await world.container.password_hasher().hash(PASSWORD)
    account = an_account(email=an_address(name), password=password, **overrides)
    async with world.container.auth_uow()(an_actor()) as unit:
        saved: UserAccount = await unit.accounts.save(account)
        return saved


async def signed_in(
    world: World, account: UserAccount, *, age: timedelta = timedelta(0), assurance: Assurance = Assurance.AAL1
) -> httpx.AsyncClient:
    """A client in a session of the account, which was opened ``age`` ago, with the password alone unless said otherwise."""
    now = world.clock.now().replace(microsecond=0)
    session = a_session(account.id, created_at=now - age, authenticated_at=now - age, expires_at=now + timedelta(days=1))
    async with world.container.auth_uow()(an_actor()) as unit:
        await unit.sessions.open(session, a_refresh_token(session, a_secret()))
    claims = AccessClaims(
        session_id=session.id,
        user_id=account.id,
        token_id=an_id(),
        issued_at=now,
        expires_at=now + timedelta(minutes=15),
        authenticated_at=now - age,
        methods=(AuthMethod.PASSWORD,) if assurance is Assurance.AAL1 else (AuthMethod.PASSWORD, AuthMethod.TOTP),
        assurance=assurance,
        rights_version=account.rights_version,
    )
    return world.client(authorization=f"Bearer {world.container.access_tokens().issue(claims)}")


async def settle(world: World) -> list[tuple[str, MailPayload]]:
    """Do what the relay does with what was asked, and return (template, mail) of what would be sent, oldest first."""
    outbox = MemoryOutbox(world.database)
    reactions = {reaction.reacts_to: reaction for reaction in world.container.reactions() if reaction.name.startswith("auth.")}
    mails = []
    while claimed := await outbox.claim(limit=100, lease=timedelta(minutes=1)):
        for one in claimed:
            event = one.recorded.event
            if type(event) in reactions:
                await reactions[type(event)].react(an_actor(), event, one.recorded)
            if isinstance(event, MailRequested):
                content = world.container.purpose_sealer().open(event.sealed, purpose=MAIL_PURPOSE, about=str(event.mail_id))
                payload = MailPayload.from_bytes(content)
                order = MailOrder(
                    template=MailTemplate(event.template), to=payload.to, locale=mail_locale(payload.locale), values=payload.values
                )
                if order.template is not MailTemplate.NONE:
                    world.container.mail_composer().compose(order, mail_id=MailId(event.mail_id))  # which needs every value
                mails.append((event.template, payload))
        await outbox.settle(claimed)
    return mails
