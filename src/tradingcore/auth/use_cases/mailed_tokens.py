from __future__ import annotations

from tradingcore.auth.errors import CodeRefused
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.opaque_token import is_opaque_token, opaque_token_hash
from tradingcore.auth.ports.accounts import AccountLookup
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import FieldError


def code_refused() -> CodeRefused:
    """The one answer to every mailed secret that does not hold."""
    sentence = "this link does not work any more: it was used, has expired, or was replaced by a newer one; ask for another"
    return CodeRefused(sentence, errors=(FieldError("/token", "refused", sentence),))


async def owner_of_token(lookup: AccountLookup, token: str, purpose: TokenPurpose) -> tuple[bytes, UserId]:
    """Return the hash of a mailed secret and whose it is, without using it up. Raises `CodeRefused`."""
    if not is_opaque_token(token):
        raise code_refused()
    token_hash = opaque_token_hash(token)
    owner = await lookup.by_one_time_token(token_hash, purpose)
    if owner is None:
        raise code_refused()
    return token_hash, owner
