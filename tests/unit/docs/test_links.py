from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.architecture.source import ROOT
from tests.unit.docs.documents import anchors, documents, links, text_of


def broken_links(path: Path, text: str) -> list[str]:
    broken = []
    for link in links(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = Path(os.path.normpath(path.parent / file)) if file else path
        if not (ROOT / target).exists():
            broken.append(f"{path}: {link} leads nowhere")
        elif anchor and anchor not in anchors(text if target == path else text_of(target)):
            broken.append(f"{path}: {link} names no heading of {target}")
    return broken


@pytest.mark.parametrize("path", documents(), ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path, text_of(path)) == []


@pytest.mark.parametrize("text", ["[a](missing.md)", "[a](README.md#no-such-heading)", "# Title\n[a](#other)"])
def test_a_broken_link_is_seen(text: str) -> None:
    assert broken_links(Path("sample.md"), text) != []


def test_links_in_code_are_no_links() -> None:
    assert broken_links(Path("sample.md"), "```\n[a](missing.md)\n```\n`[b](missing.md)`") == []


def test_every_document_is_reached_from_the_readme() -> None:
    reached, open_ends = set(), [Path("README.md")]
    while open_ends:
        path = open_ends.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        for link in links(text_of(path)):
            target = Path(os.path.normpath(path.parent / link.partition("#")[0]))
            target = target / "README.md" if (ROOT / target).is_dir() else target
            if "://" not in link and (ROOT / target).is_file():
                open_ends.append(target)
    lost = [path for path in documents() if path not in reached and path.parts[0] not in {"migrations", "deploy", "tests"}]
    assert lost == []
