from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.model.api_key import DEFAULT_LIFETIME, LONGEST_LIFETIME, MOST_NETWORKS
from tradingcore.auth.use_cases.manage_api_keys import CreateOwnApiKeyCommand
from tradingcore.kernel.authz import Permission


class ApiKeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``scopes`` narrows the key below what role and plan give; without it the key may what its holder may by key.

    ``networks`` are addresses or CIDR blocks that the key works from; none means all.
    """

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    days: Annotated[int, Meta(ge=1, le=LONGEST_LIFETIME.days)] = DEFAULT_LIFETIME.days
    scopes: list[Permission] | None = None
    networks: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MOST_NETWORKS)] = []

    def command(self) -> CreateOwnApiKeyCommand:
        return CreateOwnApiKeyCommand(
            name=self.name,
            scopes=None if self.scopes is None else frozenset(self.scopes),
            lifetime=timedelta(days=self.days),
            networks=self.networks,
        )


class ApiKeyBody(Response):
    """A key without its secret."""

    id: IdText
    name: str
    scopes: list[Permission] | None
    networks: list[str]
    created_at: TimeText
    expires_at: TimeText
    revoked_at: TimeText | None
    last_used_at: TimeText | None


class CreatedApiKeyBody(ApiKeyBody):
    """``token`` is shown this once."""

    token: str


class ApiKeyList(Response):
    data: list[ApiKeyBody]
