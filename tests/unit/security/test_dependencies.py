"""Third-party code comes from where it is expected, as it was when it was looked at."""

from __future__ import annotations

import re
import tomllib

from tests.asvs import asvs
from tests.unit.architecture.source import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


@asvs("15.2.4")
def test_every_package_is_pinned_to_its_files() -> None:
    entries = re.split(r"\n(?=[a-zA-Z0-9])", LOCK.strip())
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert len(entries) > 50
    form = r"[\w.\-\[\]]+==[\w.!+]+( ;.*)? \\\n +--hash=sha256:[0-9a-f]{64}"
    wrong = [entry.splitlines()[0] for entry in entries if not re.match(form, entry)]
    assert wrong == []


@asvs("15.2.4")
def test_no_package_comes_from_elsewhere() -> None:
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|git\+|https?://|@ file:", LOCK)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    optional = [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    named = [*project["project"].get("dependencies", []), *optional]
    assert [one for one in named if "@" in one or "://" in one] == []
    assert "--require-hashes" in (ROOT / "noxfile.py").read_text(encoding="utf-8")
