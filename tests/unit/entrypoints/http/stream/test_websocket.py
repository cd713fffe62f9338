from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient, WebSocketTestSession

from adapters.memory.stream_log import MemoryStreamLog
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import StreamLimits
from entrypoints.http.stream.protocol import SUBPROTOCOL
from tests.asvs import asvs
from tests.unit.entrypoints.http.stream.builders import Tickets, a_log, an_app, checked
from tradingcore.testing.notifications import BITCOIN, EURO, a_message

PATH = "/api/v1/stream"


class Client:
    """A socket whose frames, in both directions, are validated against the AsyncAPI document."""

    def __init__(self, session: WebSocketTestSession) -> None:
        self.session = session

    def send(self, frame: dict[str, Any]) -> None:
        text = json.dumps(frame)
        checked(text, operation="receiveFromClient")
        self.session.send_text(text)

    def receive(self) -> dict[str, Any]:
        return checked(self.session.receive_text(timeout=5))

    def authenticate(self, ticket: str = "trader-1") -> None:
        self.send({"op": "auth", "ticket": ticket})
        assert self.receive() == {"op": "ack"}

    def close_code(self) -> int:
        with pytest.raises(WebSocketDisconnect) as closed:
            self._receive_forever()
        assert len(closed.value.detail.encode()) <= 123
        return closed.value.code

    def _receive_forever(self) -> None:
        while True:
            self.receive()


class Stage:
    """An application over a memory log, and the sockets of its clients."""

    def __init__(self, limits: StreamLimits = StreamLimits()) -> None:  # noqa: B008 - frozen
        self.log: MemoryStreamLog = a_log()
        self.tickets = Tickets()
        self.hub = Hub(self.log, limits)
        self.client = TestClient(an_app(self.hub, self.tickets))

    @contextmanager
    def socket(self, **headers: str) -> Iterator[Client]:
        with self.client.websocket_connect(PATH, subprotocols=[SUBPROTOCOL], headers=headers) as session:
            yield Client(session)

    def publish(self, *numbers: int, **options: Any) -> None:
        self.client.blocking_portal.call(self.log.publish, [a_message(number, **options) for number in numbers])


@contextmanager
def a_stage(**limits: Any) -> Iterator[Stage]:
    stage = Stage(StreamLimits(**limits))
    with stage.client:
        yield stage


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with a_stage() as stage:
        yield stage


def test_a_signal_reaches_its_subscriber(stage: Stage) -> None:
    with stage.socket() as client:
        client.authenticate()
        client.send({"op": "subscribe", "id": "s", "topics": [{"topic": "signals:ETH/USDT:4h"}]})
        ack = client.receive()
        assert (ack["op"], ack["id"], ack["topic"], ack["offset"], ack["recovered"]) == (
            "ack",
            "s",
            "signals:ETH/USDT:4h",
            0,
            False,
        )
        stage.publish(1, topic="signals:ETH/USDT:4h")
        assert client.receive()["data"] == {"number": 1}


def test_a_client_resumes_where_it_was(stage: Stage) -> None:
    stage.publish(1, 2, 3)
    with stage.socket() as client:
        client.authenticate()
        client.send({"op": "subscribe", "id": 1, "topics": [{"topic": BITCOIN}]})
        epoch = client.receive()["epoch"]
    with stage.socket() as client:
        client.authenticate()
        client.send({"op": "subscribe", "id": 2, "topics": [{"topic": BITCOIN, "since": {"epoch": epoch, "offset": 1}}]})
        assert client.receive()["recovered"] is True
        assert [client.receive()["offset"] for _ in range(2)] == [2, 3]


def test_the_negotiated_subprotocol_is_ours(stage: Stage) -> None:
    with stage.socket() as client:
        assert client.session.accepted_subprotocol == SUBPROTOCOL


def test_a_client_that_does_not_speak_the_subprotocol_is_closed(stage: Stage) -> None:
    with stage.client.websocket_connect(PATH) as session:
        assert Client(session).close_code() == 4400


@asvs("4.4.2")
def test_an_origin_that_is_not_listed_is_refused_before_the_handshake(stage: Stage) -> None:
    with pytest.raises(WebSocketDisconnect), stage.socket(origin="https://evil.example"):
        pass
    with stage.socket(origin="https://app.example") as client:
        client.authenticate()


def test_the_page_of_the_server_itself_may_open_a_socket(stage: Stage) -> None:
    with stage.socket(origin="http://testserver.local") as client:
        client.authenticate()
    for origin in (
        "http://testserver.local:81",
        "http://testserver.local.evil.example",
        "null",
        "file://testserver.local",
        "http://",
    ):
        with pytest.raises(WebSocketDisconnect), stage.socket(origin=origin):
            pass


def test_nothing_within_the_deadline_is_closed() -> None:
    with a_stage(authentication_seconds=0.05) as stage, stage.socket() as client:
        assert client.close_code() == 4408


@pytest.mark.parametrize("ticket", ["unknown", "trader", "x" * 128])
def test_a_wrong_ticket_is_closed(stage: Stage, ticket: str) -> None:
    with stage.socket() as client:
        client.send({"op": "auth", "ticket": ticket})
        assert client.close_code() == 4401


def test_another_first_frame_is_closed_whatever_it_asks(stage: Stage) -> None:
    with stage.socket() as client:
        client.send({"op": "subscribe", "id": 1, "topics": [{"topic": BITCOIN}]})
        assert client.close_code() == 4401


BAD_FRAMES = [
    "",
    "garbage",
    "[]",
    "null",
    "1e999",
    '"\\ud800"',
    "[" * 10_000,
    "{}",
    '{"op": "order"}',
    '{"op": "subscribe"}',
    '{"op": "subscribe", "id": 1, "topics": []}',
    '{"op": "subscribe", "id": 1, "topics": [{"topic": "signals:*", "since": 4}]}',
    '{"op": "subscribe", "id": 1, "topics": [{"topic": "signals:*", "since": {"epoch": "a", "offset": -1}}]}',
    '{"op": "subscribe", "id": 1, "topics": [{"topic": "signals:*", "since": {"epoch": "a", "offset": 1e30}}]}',
    '{"op": "subscribe", "id": 1, "topics": [{"topic": "signals:*"}], "more": true}',
    '{"op": "subscribe", "id": null, "topics": [{"topic": "signals:*"}]}',
    json.dumps({"op": "subscribe", "id": 1, "topics": [{"topic": "signals:*"}] * 65}),
    json.dumps({"op": "unsubscribe", "id": "x" * 65, "topics": ["signals:*"]}),
    '{"op": "pong"}' + " " * 33_000,
]


@pytest.mark.parametrize("text", BAD_FRAMES)
def test_a_bad_frame_is_closed_before_and_after_authentication(stage: Stage, text: str) -> None:
    with stage.socket() as client:
        client.session.send_text(text)
        assert client.close_code() == 4400
    with stage.socket() as client:
        client.authenticate()
        client.session.send_text(text)
        assert client.close_code() == 4400


def test_a_binary_frame_is_closed(stage: Stage) -> None:
    with stage.socket() as client:
        client.session.send_bytes(b'{"op": "pong"}')
        assert client.close_code() == 4400


def test_too_many_frames_are_closed() -> None:
    with a_stage(frames_per_second=5) as stage, stage.socket() as client:
        client.authenticate()
        for _ in range(5):
            client.send({"op": "pong"})
        assert client.close_code() == 4429


def test_a_sixth_stream_of_a_user_is_closed() -> None:
    with a_stage(sockets_per_user=1) as stage, stage.socket() as first, stage.socket() as second, stage.socket() as other:
        first.authenticate("trader-1")
        other.authenticate("trader-2")
        second.send({"op": "auth", "ticket": "trader-1"})
        assert second.close_code() == 4409


@pytest.mark.parametrize(
    ("ticket", "topic", "status", "code"),
    [
        ("student-1", "signals:BTC/USDT:1h", 403, "permission_denied"),
        ("student-1", "candles:BTC/USDT:1h", 403, "permission_denied"),
        ("trader-1", "orders:mine", 400, "notifications.unknown_topic"),
        ("trader-1", "signals:BTC/USDT:7h", 400, "notifications.unknown_topic"),
    ],
)
def test_a_topic_that_cannot_be_had_is_refused_and_the_socket_stays(
    stage: Stage, ticket: str, topic: str, status: int, code: str
) -> None:
    with stage.socket() as client:
        client.authenticate(ticket)
        client.send({"op": "subscribe", "id": 7, "topics": [{"topic": topic}]})
        error = client.receive()
        assert (error["op"], error["id"], error["topic"], error["status"], error["code"]) == ("error", 7, topic, status, code)
        client.send({"op": "unsubscribe", "id": 8, "topics": [topic]})
        assert client.receive()["status"] == 404


def test_one_refused_topic_does_not_hold_back_the_others(stage: Stage) -> None:
    with stage.socket() as client:
        client.authenticate()
        client.send(
            {"op": "subscribe", "id": 1, "topics": [{"topic": BITCOIN}, {"topic": "nonsense"}, {"topic": EURO}, {"topic": EURO}]}
        )
        answers = [client.receive() for _ in range(4)]
        assert [answer["op"] for answer in answers] == ["ack", "error", "ack", "error"]
        assert answers[3]["status"] == 409


def test_unsubscribing_is_acknowledged_and_ends_the_events(stage: Stage) -> None:
    with stage.socket() as client:
        client.authenticate()
        client.send({"op": "subscribe", "id": 1, "topics": [{"topic": EURO}]})
        client.receive()
        client.send({"op": "unsubscribe", "id": 2, "topics": [EURO]})
        assert client.receive() == {"op": "ack", "id": 2, "topic": EURO}
        stage.publish(77, topic=EURO)
        client.send({"op": "subscribe", "id": 3, "topics": [{"topic": EURO}]})
        assert client.receive()["id"] == 3


def test_pings_come_and_silence_is_closed() -> None:
    with a_stage(ping_seconds=0.02, silence_seconds=0.3, frames_per_second=1000) as stage, stage.socket() as client:
        client.authenticate()
        for _ in range(20):
            assert client.receive() == {"op": "ping"}
            client.send({"op": "pong"})
        assert client.close_code() == 4408


def test_a_revoked_credential_is_closed() -> None:
    with a_stage(recheck_seconds=0.02) as stage, stage.socket() as client, stage.socket() as other:
        client.authenticate("trader-1")
        other.authenticate("trader-2")
        stage.tickets.revoke(1)
        assert client.close_code() == 4401
        other.send({"op": "subscribe", "id": 1, "topics": [{"topic": BITCOIN}]})
        assert other.receive()["op"] == "ack"


def test_a_socket_authenticates_again_in_place(stage: Stage) -> None:
    with stage.socket() as client:
        client.authenticate("trader-1")
        client.send({"op": "subscribe", "id": 1, "topics": [{"topic": BITCOIN}]})
        client.receive()
        client.send({"op": "auth", "id": 2, "ticket": "student-1"})
        assert client.receive() == {"op": "ack", "id": 2}
        refused = client.receive()
        assert (refused["op"], refused["topic"], refused["status"]) == ("error", BITCOIN, 403)
        client.send({"op": "auth", "ticket": "trader-2"})
        assert client.close_code() == 4403
