"""The page, the docs and what they load: read once from the package, served with the least policy that lets them work."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# No inline script or style, nothing from elsewhere; 'self' covers the WebSocket of the same host.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    content: bytes
    media_type: str
    etag: str
    headers: Mapping[str, str]


class StaticFiles:
    """The files of the package's ``static`` folder, by name: no path ever reaches the file system."""

    def __init__(self, *, with_docs: bool = True) -> None:
        self._files = {
            entry.name: _loaded(entry.name, entry.read_bytes())
            for entry in files("entrypoints.http").joinpath("static").iterdir()
            if _suffix(entry.name) in MEDIA_TYPES and (with_docs or not entry.name.startswith("docs."))
        }

    def find(self, name: str) -> StaticFile | None:
        return self._files.get(name)


def _loaded(name: str, content: bytes) -> StaticFile:
    is_page = name.endswith(".html")
    policy = {"Content-Security-Policy": PAGE_POLICY, "Cross-Origin-Opener-Policy": "same-origin"} if is_page else {}
    return StaticFile(
        content=content,
        media_type=MEDIA_TYPES[_suffix(name)],
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        headers=policy,
    )


def _suffix(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""
