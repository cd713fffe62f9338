"""Calls of Twilio's SDK, which is synchronous, from asynchronous code; its errors end here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from adapters.twilio.breaker import Breaker
from tradingcore.auth.errors import PhoneRefused, PhoneUnavailable
from tradingcore.kernel.errors import FieldError, Unavailable

T = TypeVar("T")

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
AT_A_TIME: Final = 8

# Codes of api errors: no such number, no mobile number, opted out, not reachable from here, a landline.
_NUMBER_REFUSED: Final = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614, 60200, 60205, 63003, 63024})

_SILENT: Final = logging.getLogger(f"{__name__}.silent")
_SILENT.disabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """``api_url`` replaces scheme and host of every address, for a stand-in of the provider; the SDK's own settings cannot."""

    account_sid: str
    auth_token: str = field(repr=False)
    api_url: str | None = None
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    def __init__(self, account: TwilioAccount) -> None:
        super().__init__(logger=_SILENT, max_retries=0)  # a message that may have been sent is not sent again
        self._target = None if account.api_url is None else urlsplit(account.api_url)
        self._limits = (account.connect_seconds, account.answer_seconds)
        if self.session is not None:
            self.session.trust_env = False

    def request(self, method: str, url: str, **options: Any) -> Any:
        if self._target is not None:
            url = urlunsplit(urlsplit(url)._replace(scheme=self._target.scheme, netloc=self._target.netloc))
        return super().request(method, url, **{**options, "timeout": _Limits(self._limits), "allow_redirects": False})


class _Limits(tuple[float, float]):
    """(connect, answer), which requests takes; the SDK only asks whether it is above zero."""

    def __le__(self, other: object) -> bool:
        return False


class TwilioCalls:
    """At most eight at a time, and none while the provider fails."""

    def __init__(self, account: TwilioAccount, *, breaker: Breaker | None = None) -> None:
        self._client = Client(
            account.account_sid,
            account.auth_token,
            http_client=_HttpClient(account),
            environment={"TWILIO_REGION": ""},  # never the process' own, which settings alone may read
        )
        self._breaker = breaker or Breaker()
        self._free = asyncio.Semaphore(AT_A_TIME)

    async def run(self, call: Callable[[Client], T]) -> T:
        """Run ``call`` in a thread.

        Raises `PhoneRefused` for a number that cannot be reached, `PhoneUnavailable` when certainly nothing was sent, `Unavailable`
        when nobody knows, and `CodeGone` for what the provider does not know any more.
        """
        async with self._free:
            if not self._breaker.lets_pass():
                raise _nothing_sent()
            try:
                result = await asyncio.to_thread(call, self._client)
            except TwilioRestException as error:
                raise self._judged(error) from None
            except (requests.ConnectTimeout, requests.ConnectionError) as error:
                self._breaker.failed()
                # A connection that broke later may have carried the message.
                raise (_nothing_sent() if _never_connected(error) else _unknown()) from None
            except (TwilioException, requests.RequestException, ValueError):
                self._breaker.failed()
                raise _unknown() from None
            self._breaker.succeeded()
            return result

    def _judged(self, error: TwilioRestException) -> Exception:
        if error.status >= 500:
            self._breaker.failed()
            return _unknown()
        if error.status == 404 or error.code == 60202:
            self._breaker.succeeded()
            return CodeGone("the provider does not know this code any more")
        if error.code in _NUMBER_REFUSED:
            self._breaker.succeeded()
            sentence = "no code can be sent to this number: it is not a mobile number, or its owner does not want messages"
            return PhoneRefused(sentence, errors=(FieldError("/number", "phone", sentence),))
        self._breaker.failed()
        return _nothing_sent()


class CodeGone(Exception):
    """Expired, used, or asked for too often. Stays in this folder."""


def _never_connected(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return type(cause).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")


def _nothing_sent() -> PhoneUnavailable:
    return PhoneUnavailable("codes cannot be sent at the moment: try again shortly")


def _unknown() -> Unavailable:
    return Unavailable("nobody can say whether the code was sent: wait for it a minute, then ask for another")
