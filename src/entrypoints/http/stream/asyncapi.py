"""The AsyncAPI 3 document of the stream, made from the frames of ``protocol``."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import getdoc
from typing import Any

import msgspec
from msgspec import Struct

from entrypoints.http.stream import protocol, sse, websocket
from entrypoints.http.stream.limits import CloseCode
from entrypoints.http.stream.protocol import CLIENT_FRAMES, EVENT_FRAMES, SOCKET_FRAMES

_FRAMES: tuple[type[Struct], ...] = tuple(dict.fromkeys((*CLIENT_FRAMES, *SOCKET_FRAMES, *EVENT_FRAMES)))


def frame_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas of every frame and of what they are made of, by name; references point into ``#/components/schemas``."""
    _, schemas = msgspec.json.schema_components(_FRAMES, ref_template="#/components/schemas/{name}")
    return schemas


def asyncapi_document(version: str) -> dict[str, Any]:
    """Return the document of an API of ``version``. The described application is the server: it receives what clients send."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tradingcore stream",
            "version": version,
            "description": "Signals and candles as they happen, over WebSocket and as Server-Sent Events. "
            "A position is (epoch, offset) in a topic; who comes back with one gets what was missed, or a reset.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": websocket.PATH,
                "description": f"WebSocket, subprotocol {protocol.SUBPROTOCOL}. Close codes: "
                + ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in CloseCode)
                + ". After 1012 the reason says reconnect_after_ms.",
                "messages": _references("#/components/messages", (*CLIENT_FRAMES, *SOCKET_FRAMES)),
                "bindings": {"ws": {"method": "GET"}},
            },
            "events": {
                "address": sse.PATH,
                "description": "Server-Sent Events: each event is named after the op of its frame.",
                "messages": _references("#/components/messages", EVENT_FRAMES),
                "bindings": {"http": {}},
            },
        },
        "operations": {
            "receiveFromClient": _operation("receive", "stream", CLIENT_FRAMES),
            "sendToClient": _operation("send", "stream", SOCKET_FRAMES),
            "sendEvents": _operation("send", "events", EVENT_FRAMES),
        },
        "components": {"messages": {_op(frame): _message(frame) for frame in _FRAMES}, "schemas": frame_schemas()},
    }


def _op(frame: type[Struct]) -> str:
    return str(frame.__struct_config__.tag)


def _references(folder: str, frames: Sequence[type[Struct]]) -> dict[str, Any]:
    return {_op(frame): {"$ref": f"{folder}/{_op(frame)}"} for frame in frames}


def _operation(action: str, channel: str, frames: Sequence[type[Struct]]) -> dict[str, Any]:
    messages = _references(f"#/channels/{channel}/messages", frames)
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": list(messages.values())}


def _message(frame: type[Struct]) -> dict[str, Any]:
    summary, _, description = (getdoc(frame) or "").partition("\n\n")
    message = {"name": _op(frame), "summary": summary, "payload": {"$ref": f"#/components/schemas/{frame.__name__}"}}
    return message | ({"description": description} if description else {})
