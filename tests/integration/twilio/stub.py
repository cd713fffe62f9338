"""A stand-in for Twilio on a free loopback port: Messages, Verify, and signed reports. It checks what the provider checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

ACCOUNT = "AC" + "0" * 32
TOKEN = "t" * 32
SERVICE = "VA" + "1" * 32
TEMPLATE = "HX" + "2" * 32


@dataclass(kw_only=True)
class Answer:
    """An answer in place of the ordinary one; ``body`` may be no JSON at all."""

    status: int = 200
    code: int | None = None
    body: str | None = None
    hang_seconds: float = 0.0
    drop: bool = False


@dataclass
class TwilioStub:
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    checks: dict[str, int] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stub.answer(self, dict(parse_qsl(body.decode())))

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if handler.headers["Authorization"] != f"Basic {expected}":
            self._send(handler, 401, {"code": 20003, "message": "Authenticate", "status": 401})
            return
        self.requests.append((handler.path, form))
        if self.answers:
            self._misbehave(handler, self.answers.pop(0))
            return
        match handler.path.split("/"):
            case ["", "2010-04-01", "Accounts", sid, "Messages.json"] if sid == ACCOUNT:
                self._message(handler, form)
            case ["", "v2", "Services", sid, "Verifications"] if sid == SERVICE:
                self._verification(handler, form)
            case ["", "v2", "Services", sid, "VerificationCheck"] if sid == SERVICE:
                self._check(handler, form)
            case _:
                self._send(handler, 404, {"code": 20404, "message": "not found", "status": 404})

    def _misbehave(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        time.sleep(answer.hang_seconds)
        if answer.drop:
            handler.connection.close()
            return
        body: Any = {"code": answer.code, "message": "to +34612345678 refused", "status": answer.status}
        self._send(handler, answer.status, body if answer.body is None else answer.body)

    def _message(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        if "To" not in form or not ({"Body", "ContentSid"} & form.keys()) or not ({"From", "MessagingServiceSid"} & form.keys()):
            self._send(handler, 400, {"code": 21602, "message": "incomplete", "status": 400})
            return
        if form["To"].startswith("whatsapp:") != form.get("From", "").startswith("whatsapp:"):
            self._send(handler, 400, {"code": 63007, "message": "channel not found", "status": 400})
            return
        self._send(handler, 201, {"sid": f"SM{len(self.requests):032x}", "status": "queued", "to": form["To"]})

    def _verification(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        sid = f"VE{len(self.requests):032x}"
        self.codes[sid] = f"{len(self.requests) + 100000:06}"
        self._send(handler, 201, {"sid": sid, "status": "pending", "to": form["To"], "channel": form["Channel"]})

    def _check(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        sid = form["VerificationSid"]
        if sid not in self.codes or sid in self.approved:
            self._send(handler, 404, {"code": 20404, "message": "not found", "status": 404})
            return
        self.checks[sid] = self.checks.get(sid, 0) + 1
        if self.checks[sid] > 5:
            self._send(handler, 429, {"code": 60202, "message": "max check attempts", "status": 429})
            return
        is_right = hmac.compare_digest(self.codes[sid], form["Code"])
        if is_right:
            self.approved.add(sid)
        self._send(handler, 201, {"sid": sid, "status": "approved" if is_right else "pending", "valid": is_right})

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def report(message_sid: str, status: str, **more: str) -> dict[str, str]:
    """The form of a status callback."""
    return {"AccountSid": ACCOUNT, "MessageSid": message_sid, "MessageStatus": status, "To": "+34612345678", **more}


def signature(url: str, form: Mapping[str, str], *, token: str = TOKEN) -> str:
    """As the provider documents it, written apart from its SDK: HMAC-SHA-1 over the address and the sorted fields."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
