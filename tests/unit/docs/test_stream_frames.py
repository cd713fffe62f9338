"""The frames that the guide to the stream shows are frames of the protocol."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from entrypoints.http.stream.limits import CloseCode
from entrypoints.http.stream.protocol import ServerFrame, decode_client_frame
from tests.unit.docs.documents import text_of

GUIDE = text_of(Path("docs/stream.md"))
FRAMES = [line for line in GUIDE.splitlines() if line.startswith(("→ ", "← "))]
decode_server_frame = msgspec.json.Decoder(ServerFrame).decode


@pytest.mark.parametrize("line", FRAMES)
def test_frame_is_one_of_the_protocol(line: str) -> None:
    decode = decode_client_frame if line.startswith("→") else decode_server_frame
    decode(line[2:].encode())


def test_every_kind_of_frame_was_found() -> None:
    shown = {line[2:].split('"')[3] for line in FRAMES}
    assert shown >= {"auth", "subscribe", "unsubscribe", "pong", "ack", "event", "reset", "ping", "error"}


@pytest.mark.parametrize("code", CloseCode)
def test_close_code_is_explained(code: CloseCode) -> None:
    assert f"\n| {code.value} | " in GUIDE
