from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.puzzle import LONGEST_NONCE, LONGEST_PUZZLE, SolvedPuzzle
from tradingcore.auth.use_cases.second_factor import FactorAnswer
from tradingcore.auth.use_cases.sign_in import AnswerChallengeCommand, SignInCommand
from tradingcore.auth.use_cases.step_up import StepUpByPasswordCommand

OpaqueToken: TypeAlias = Annotated[str, Meta(min_length=43, max_length=43)]
LONGEST_PASSWORD = 1024
"""In code points: far beyond what is ever right, and cheap to refuse."""

Delivery: TypeAlias = Literal["body", "cookie"]
DELIVERY = Meta(description="where the refresh token goes: cookie keeps it out of the reach of scripts")
_PASSWORD = Meta(min_length=1, max_length=LONGEST_PASSWORD)
_PROOF = Meta(min_length=1, max_length=8192, description="six digits, a backup code, or the JSON of a passkey's assertion")


class SolvedPuzzleBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The answer to a problem with ``work``: SHA-256 of ``<puzzle>:<nonce>`` begins with ``bits`` zero bits."""

    puzzle: Annotated[str, Meta(min_length=1, max_length=LONGEST_PUZZLE)]
    nonce: Annotated[str, Meta(min_length=1, max_length=LONGEST_NONCE)]


class SignInRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    email: Annotated[str, Meta(min_length=1, max_length=320)]
    password: Annotated[str, _PASSWORD]
    delivery: Annotated[Delivery, DELIVERY] = "body"
    trusted_device: Annotated[OpaqueToken, Meta(description="of an earlier sign-in, where no cookie holds it")] | None = None
    work: SolvedPuzzleBody | None = None

    def command(self, caller: Caller) -> SignInCommand:
        solved = None if self.work is None else SolvedPuzzle(puzzle=self.work.puzzle, nonce=self.work.nonce)
        return SignInCommand(email=self.email, password=self.password, caller=caller, solved=solved)


class ChallengeAnswer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    challenge: OpaqueToken
    factor: FactorKind
    proof: Annotated[str, _PROOF]
    trusts_device: Annotated[bool, Meta(description="do not ask this device again for 30 days")] = False
    delivery: Annotated[Delivery, DELIVERY] = "body"

    def command(self, caller: Caller) -> AnswerChallengeCommand:
        answer = FactorAnswer(challenge=self.challenge, kind=self.factor, proof=self.proof)
        return AnswerChallengeCommand(answer=answer, caller=caller, trusts_device=self.trusts_device)


class RefreshRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``{}`` where a cookie holds the token."""

    refresh_token: OpaqueToken | None = None


class SignOutRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``{}`` with an access token as the bearer token, or where a cookie holds the refresh token."""

    refresh_token: OpaqueToken | None = None


class PasswordAgain(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    password: Annotated[str, _PASSWORD]

    def command(self) -> StepUpByPasswordCommand:
        return StepUpByPasswordCommand(password=self.password)


class FactorAgain(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    challenge: OpaqueToken
    factor: FactorKind
    proof: Annotated[str, _PROOF]


class EndSessionsQuery(msgspec.Struct, kw_only=True):
    keep: Annotated[Literal["none", "current"], Meta(description="current: stay signed in here")] = "none"


class AccessTokenBody(Response):
    """Send ``access_token`` as a bearer token until ``expires_at``."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_at: TimeText


class TokensBody(Response):
    """``refresh_token`` is ``null`` where a cookie holds it. It works once: keep the new one."""

    session_id: IdText
    access_token: str
    token_type: Literal["Bearer"]
    expires_at: TimeText
    refresh_token: str | None
    refresh_expires_at: TimeText


class ChallengeBody(Response):
    """Answer it with one of ``factors``: five tries, until ``expires_at``."""

    challenge: str
    factors: list[FactorKind]
    expires_at: TimeText


class KnownDeviceBody(Response):
    """Shown once. ``token`` is ``null`` where a cookie holds it."""

    token: str | None
    expires_at: TimeText


class SignInBody(Response):
    """``signed_in`` comes with ``tokens``; ``factor_required`` with a ``challenge`` to answer first."""

    status: Literal["signed_in", "factor_required"]
    tokens: TokensBody | None
    challenge: ChallengeBody | None
    trusted_device: KnownDeviceBody | None


class SessionBody(Response):
    """``device`` is what its browser calls itself. ``assurance``: by one factor, or by two."""

    id: IdText
    device: str
    created_at: TimeText
    last_seen_at: TimeText
    authenticated_at: TimeText
    expires_at: TimeText
    assurance: Literal["aal1", "aal2"]
    is_current: bool


class SessionList(Response):
    """Newest first."""

    data: list[SessionBody]
