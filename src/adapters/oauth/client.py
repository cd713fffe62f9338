"""What we are to a provider: the registered client."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """``redirect_uri`` is registered there, whole, and comes from the configuration: never from a request."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
