"""What happens when a provider has proven who somebody is: the rules against takeover through a foreign address.

An account is never handed over because two addresses look alike: an address counts only where somebody has proven to receive mail
there, and even then an account that has proven it too is asked first.
"""

from __future__ import annotations

from enum import StrEnum

from tradingcore.auth.model.identity import EmailTrust


class LocalState(StrEnum):
    """What is known here of the address that the provider names."""

    NONE = "none"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"


class Linking(StrEnum):
    """What to do with a proven identity."""

    SIGN_IN = "sign_in"
    """It is linked: its account signs in, second factor included."""
    LINK = "link"
    """Whoever is signed in gets it as another way to sign in."""
    KEEP = "keep"
    """It is linked to the account that is signed in: nothing to do."""
    REFUSE = "refuse"
    """It is linked to an account other than the one that is signed in."""
    PROVE = "prove"
    """The address is that of an account that has proven it: whoever asks proves to own that account, and links then."""
    TAKE_OVER = "take_over"
    """The address waits unproven at an account that anybody may have made: all its credentials go before its owner takes it."""
    CREATE = "create"
    """A new account with a verified address."""
    CREATE_UNVERIFIED = "create_unverified"
    """A new account whose contact, if any, is still to be verified."""


def decide(*, is_known: bool, trust: EmailTrust, local: LocalState, is_signed_in: bool, is_own: bool = False) -> Linking:
    """Decide over one of the 36 cells.

    Args:
        is_known: (provider, subject) is linked to some account; ``is_own`` says that this is the one that is signed in.
        trust: how far the provider vouches for the address.
        local: what is known here of the same address.
        is_signed_in: whether somebody asked for the link from within an account.
    """
    if is_known:
        if not is_signed_in:
            return Linking.SIGN_IN
        return Linking.KEEP if is_own else Linking.REFUSE
    if is_signed_in:
        return Linking.LINK
    if trust is not EmailTrust.VERIFIED:
        return Linking.CREATE_UNVERIFIED
    return {
        LocalState.NONE: Linking.CREATE,
        LocalState.UNVERIFIED: Linking.TAKE_OVER,
        LocalState.VERIFIED: Linking.PROVE,
    }[local]


def may_unlink(*, other_identities: int, has_password: bool, has_passkey: bool) -> bool:
    """Whether an account keeps a way to sign in when one identity goes."""
    return other_identities > 0 or has_password or has_passkey
