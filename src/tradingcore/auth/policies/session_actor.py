"""What somebody in a session may do now: less than the roles give while something is still to be proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.kernel.authz import Actor, Assurance, Permission, TraceId

UNVERIFIED: Final = "the address of the account is not verified yet, open the link in the mail that was sent to it"
NO_ADDRESS: Final = "the account has no address yet, ask for one and open the link in the mail that is sent to it"
_WHILE_RESTRICTED: Final = frozenset({Permission.ACCOUNT_OWN})


def actor_in_session(account: UserAccount, claims: AccessClaims, policy: FactorPolicy, *, at: datetime, trace_id: TraceId) -> Actor:
    """The person behind a token that holds: with the rights that the account has now, as surely as the token says."""
    actor = Actor.of_user(
        trace_id=trace_id,
        user_id=account.id,
        roles=account.roles,
        plan=account.plan,
        name=str(account.id),
        scopes=claims.scopes,
        credential_id=claims.session_id,
    )
    restriction = restriction_of(account, claims.assurance, policy)
    return replace(
        actor,
        permissions=actor.permissions if restriction is None else actor.permissions & _WHILE_RESTRICTED,
        session_id=claims.session_id,
        assurance=claims.assurance,
        authentication_age=at - claims.authenticated_at,
        restriction=restriction,
        valid_until=claims.expires_at,
    )


def restriction_of(account: UserAccount, assurance: Assurance, policy: FactorPolicy) -> str | None:
    """Why a session may only look after its own account for now, or ``None`` when it may act."""
    if account.status is AccountStatus.UNVERIFIED:
        return NO_ADDRESS if account.email is None else UNVERIFIED
    return policy.restriction(account.roles, assurance)
