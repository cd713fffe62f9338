"""Every answer that is no success: RFC 9457 problem details, from one table of categories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import UNSET, Meta, UnsetType

from entrypoints.http.logs import origin_of
from entrypoints.http.trace import call_of
from tradingcore.auth.errors import WorkRequired
from tradingcore.kernel.errors import (
    Conflict,
    FieldError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RuleViolation,
    StepUpRequired,
    TooManyAttempts,
    TradingCoreError,
    Unauthenticated,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
REALM: Final = 'Bearer realm="tradingcore"'


class PreconditionRequired(InvalidInput):
    """A change that does not name what it is a change of (RFC 6585)."""

    code = "precondition_required"
    title = "Precondition required"


class PreconditionFailed(Conflict):
    """A change of something that was changed meanwhile (RFC 9110, 13.1.1)."""

    code = "precondition_failed"
    title = "Precondition failed"


STATUS_BY_CATEGORY: Final[dict[type[TradingCoreError], HTTPStatus]] = {
    PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    RuleViolation: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""An error's status is that of its nearest category; one without a category is a fault of ours."""

_log = structlog.get_logger("http")


class ProblemField(msgspec.Struct, frozen=True):
    """One wrong value: where (JSON pointer; ``/name`` for a query parameter), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class WorkToDo(msgspec.Struct, frozen=True):
    """Find a ``nonce`` for which SHA-256 of ``<puzzle>:<nonce>`` begins with ``bits`` zero bits; send the request again with it."""

    puzzle: str
    bits: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457). ``code`` is stable; ``title`` belongs to it; ``detail`` is about this request alone."""

    type: Annotated[str, Meta(description="urn:tradingcore:problem: and the code")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    instance: Annotated[str, Meta(description="the id of the request, as in X-Request-Id")]
    code: str
    errors: list[ProblemField] | UnsetType = UNSET
    checks: dict[str, str] | UnsetType = UNSET
    work: WorkToDo | UnsetType = UNSET


class Refused(Exception):
    """A request that HTTP itself refuses, before any use case."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, *, checks: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.checks = checks


_TITLES: Final[dict[str, str]] = {
    "bad_request": "Bad request",
    "malformed_json": "Malformed JSON",
    "not_found": NotFound.title,
    "method_not_allowed": "Method not allowed",
    "content_too_large": "Content too large",
    "head_too_large": "Head too large",
    "unsupported_media_type": "Unsupported media type",
    "origin_refused": "Origin refused",
    "deadline_exceeded": "Deadline exceeded",
    "not_ready": "Not ready",
    "internal": TradingCoreError.title,
}
_HTTP_FAULTS: Final[dict[int, tuple[str, str]]] = {
    400: ("bad_request", "the request cannot be read"),
    404: ("not_found", "nothing is served at this path"),
    405: ("method_not_allowed", "this path does not answer to this method; the Allow header names those that it does"),
    413: ("content_too_large", "the body is larger than this path takes"),
    415: ("unsupported_media_type", "send the body as application/json"),
}


def status_of(error: type[TradingCoreError]) -> HTTPStatus:
    """The status that answers an error of this class."""
    found = (STATUS_BY_CATEGORY[cls] for cls in error.__mro__ if cls in STATUS_BY_CATEGORY)
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: TradingCoreError, *, instance: str) -> Problem:
    """Render an error of the core. One without a category says nothing about itself."""
    status = status_of(type(error))
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_problem(instance)
    wrong: tuple[FieldError, ...] = error.errors if isinstance(error, InvalidInput) else ()
    return _problem(
        status,
        error.code,
        error.title,
        str(error),
        instance,
        errors=[ProblemField(item.pointer, item.code, item.detail) for item in wrong] or UNSET,
        work=WorkToDo(error.puzzle, error.bits) if isinstance(error, WorkRequired) else UNSET,
    )


def internal_problem(instance: str) -> Problem:
    """The answer to a fault of ours: it names the request and nothing else."""
    return _problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        _TITLES["internal"],
        "this is a fault of the server; the request's id leads to it in the logs",
        instance,
    )


def refusal(refused: Refused, *, instance: str) -> Problem:
    return _problem(
        refused.status,
        refused.code,
        _TITLES[refused.code],
        str(refused),
        instance,
        checks=UNSET if refused.checks is None else dict(refused.checks),
    )


def _problem(status: HTTPStatus, code: str, title: str, detail: str, instance: str, **more: Any) -> Problem:
    return Problem(
        type=f"urn:tradingcore:problem:{code}",
        title=title,
        status=status.value,
        detail=detail,
        instance=instance,
        code=code,
        **more,
    )


def problem_headers(
    problem: Problem, *, had_credential: bool, retry_after: float | None = None, step_up: StepUpRequired | None = None
) -> dict[str, str]:
    """The headers that go with a problem's status; ``step_up`` says how the caller has to sign in again (RFC 9470)."""
    headers = {"content-type": MEDIA_TYPE}
    if step_up is not None:
        wanted = f'acr_values="{step_up.assurance}", max_age="{step_up.max_age_seconds}"'
        headers["WWW-Authenticate"] = f'{REALM}, error="insufficient_user_authentication", {wanted}'
    elif problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = f'{REALM}, error="invalid_token"' if had_credential else REALM
    elif problem.status == HTTPStatus.FORBIDDEN:
        headers["WWW-Authenticate"] = f'{REALM}, error="insufficient_scope"'
    elif problem.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = str(max(1, math.ceil(RETRY_AFTER_SECONDS if retry_after is None else retry_after)))
    return headers


def _answer(request: Request[Any, Any, Any], problem: Problem, **headers: Any) -> Response[bytes]:
    had_credential = "authorization" in request.headers
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem_headers(problem, had_credential=had_credential, **headers),
    )


def _on_core_error(request: Request[Any, Any, Any], error: TradingCoreError) -> Response[bytes]:
    problem = problem_of(error, instance=call_of(request.scope).request_id)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _on_fault(request, error)
    # Errors of several categories know when another try may pass.
    step_up = error if isinstance(error, StepUpRequired) else None
    return _answer(request, problem, retry_after=getattr(error, "retry_after_seconds", None), step_up=step_up)


def _on_refusal(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    return _answer(request, refusal(refused, instance=call_of(request.scope).request_id))


def _on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _on_fault(request, error)
    code, detail = _HTTP_FAULTS.get(error.status_code, _HTTP_FAULTS[400])
    status = HTTPStatus(error.status_code) if error.status_code in _HTTP_FAULTS else HTTPStatus.BAD_REQUEST
    response = _on_refusal(request, Refused(status, code, detail))
    if status is HTTPStatus.METHOD_NOT_ALLOWED and error.headers:
        response.headers["Allow"] = error.headers["allow"]
    return response


def _on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    # The message of an unexpected error may hold what a user sent: log where it came from, not what it says.
    _log.error("request_failed", error_type=type(error).__qualname__, error_at=origin_of(error))
    return _answer(request, internal_problem(call_of(request.scope).request_id))


EXCEPTION_HANDLERS: Final[Any] = {
    TradingCoreError: _on_core_error,
    Refused: _on_refusal,
    HTTPException: _on_http_error,
    Exception: _on_fault,
}
