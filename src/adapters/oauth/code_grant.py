"""The authorization code grant with PKCE (RFC 6749 4.1, RFC 7636), as a confidential client."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]  # it ships no types
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request  # type: ignore[import-untyped]  # it ships no types
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]  # it ships no types

from adapters.oauth.calls import ProviderCalls
from adapters.oauth.client import OAuthClient
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer

AuthMethod = Literal["client_secret_basic", "client_secret_post"]

_LONGEST_CODE: Final = 2048
_LONGEST_TOKEN: Final = 16 * 1024


class CodeGrant:
    """``issuer`` is how the provider names itself to the callback (RFC 9207), where it does so."""

    def __init__(
        self,
        calls: ProviderCalls,
        client: OAuthClient,
        *,
        issuer: str,
        scope: str,
        auth_method: AuthMethod = "client_secret_post",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._calls = calls
        self._client = client
        self._issuer = issuer
        self._scope = scope
        self._auth_method = auth_method
        self._extra = dict(extra or {})

    def authorization_url(self, endpoint: str, proofs: FlowProofs, **more: str) -> str:
        url: str = prepare_grant_uri(
            endpoint,
            client_id=self._client.client_id,
            response_type="code",
            redirect_uri=self._client.redirect_uri,
            scope=self._scope,
            state=proofs.state,
            code_challenge=create_s256_code_challenge(proofs.code_verifier),
            code_challenge_method="S256",
            **self._extra,
            **more,
        )
        return url

    def code_of(self, answer: ProviderAnswer, *, names_itself: bool = False) -> str:
        """Return the code of an answer of this provider's own; ``names_itself`` says that it always sends ``iss``.

        Raises `IdentityRefused`, before anything is sent anywhere.
        """
        # Another provider's code must not be sent here: whoever runs this one could redeem it there (RFC 9700 4.4).
        if answer.issuer != self._issuer and (answer.issuer is not None or names_itself):
            raise self._calls.refused("issuer of the answer")
        if answer.error is not None:
            raise self._calls.refused("error from the provider")
        if not answer.code or len(answer.code) > _LONGEST_CODE or not answer.code.isascii() or not answer.code.isprintable():
            raise self._calls.refused("no code")
        return answer.code

    async def redeem(self, endpoint: str, code: str, proofs: FlowProofs, *, secret: str | None = None) -> Mapping[str, Any]:
        """Return the token answer, with an ``access_token`` that is a bearer token. Raises `IdentityRefused`, `Unavailable`."""
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._client.redirect_uri, code_verifier=proofs.code_verifier
        )
        auth = ClientAuth(self._client.client_id, secret or self._client.client_secret, self._auth_method)
        _, headers, body = auth.prepare("POST", endpoint, {}, body)
        answer = await self._calls.post(endpoint, body, headers=headers)
        tokens = answer.as_object()
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or tokens.get("error") == "invalid_client":
            # Ours to repair, and no fault of the person at the browser.
            raise self._calls.unavailable("does not accept the client that is configured here")
        # Some send an error with status 200.
        if not answer.is_ok or "error" in tokens:
            raise self._calls.refused("code not accepted")
        access_token, kind = tokens.get("access_token"), tokens.get("token_type")
        if not isinstance(access_token, str) or not 0 < len(access_token) <= _LONGEST_TOKEN or not access_token.isascii():
            raise self._calls.refused("no access token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise self._calls.refused("token type")
        return tokens
