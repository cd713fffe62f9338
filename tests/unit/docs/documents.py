"""The Markdown of the project, as its readers follow it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.unit.architecture.source import ROOT, tracked_files

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```\s*$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")


def documents() -> Sequence[Path]:
    """Every tracked Markdown file, relative to the project."""
    return [path for path in tracked_files() if path.suffix == ".md"]


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def code_blocks(text: str, language: str) -> list[str]:
    return [body for marked, body in FENCE.findall(text) if marked == language]


def links(text: str) -> Iterator[str]:
    """The targets of links outside of code."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    return (match.group(1) for match in LINK.finditer(prose))


def anchors(text: str) -> set[str]:
    """The anchors that a forge makes of the headings."""
    headings = re.findall(r"^#+\s+(.+?)\s*$", FENCE.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
