from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from entrypoints.http.schemas.accounts import LocaleText
from entrypoints.http.schemas.sessions import AccessTokenBody, ChallengeBody, Delivery, OpaqueToken, TokensBody
from entrypoints.http.schemas.values import IdText, Response, TimeText

ProviderText: TypeAlias = Literal["google", "apple", "facebook", "x", "github", "local"]
HandleText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=8192, description="from our page's address, after #handle=")]


class ProviderBody(Response):
    """An identity provider that is switched on here."""

    name: ProviderText
    title: str
    can_step_up: Annotated[bool, Meta(description="it can be made to ask the person again")]


class ProviderList(Response):
    data: list[ProviderBody]


class ProviderBeginning(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``link`` and ``step_up`` need an access token; ``link`` a recent sign-in as well."""

    purpose: Literal["sign_in", "link", "step_up"] = "sign_in"
    next: Annotated[str, Meta(max_length=200, description="one of our own paths, told again at the end")] = "/"


class BegunBody(Response):
    """Send the browser to ``authorization_url``; the cookie that comes with this answer must still be there when it is back."""

    authorization_url: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    expires_at: TimeText


class ProviderCompletion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    handle: HandleText
    delivery: Annotated[Delivery, Meta(description="where the refresh token goes")] = "body"
    locale: Annotated[LocaleText, Meta(description="of an account that is made now")] = "en"


class IdentityBody(Response):
    """A way to sign in. Name and address are what the provider said when it was linked."""

    id: IdText
    provider: ProviderText
    email: str | None
    name: str | None
    linked_at: TimeText


class IdentityList(Response):
    data: list[IdentityBody]


class PendingLinkBody(Response):
    """The address belongs to an account. Sign in there and send ``ticket``, or have a proof mailed to the address."""

    ticket: str
    provider: ProviderText
    expires_at: TimeText


class CompletionBody(Response):
    """``status`` says which of the others is set; ``next`` is the path that was asked for at the beginning."""

    status: Literal["signed_in", "factor_required", "proof_required", "linked", "stepped_up"]
    next: str
    tokens: TokensBody | None = None
    challenge: ChallengeBody | None = None
    proof: PendingLinkBody | None = None
    identity: IdentityBody | None = None
    access: AccessTokenBody | None = None


class LinkTicket(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    ticket: OpaqueToken


class DeletionBody(Response):
    """As Facebook reads it: where to look what became of the request, and by which code."""

    url: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    confirmation_code: str


class DeletionStatusBody(Response):
    """What the provider had told of the person is deleted since ``deleted_at``."""

    provider: ProviderText
    status: Literal["deleted"]
    deleted_at: TimeText
