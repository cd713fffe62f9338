"""Size and names of files, and what must never be written into one."""

from __future__ import annotations

import ast
import re

from tests.asvs import asvs
from tests.unit.architecture.source import ROOT, Source, sources, tracked_files

SOURCE_LIMIT_LINES = 400
TEST_LIMIT_LINES = 500
VAGUE_NAMES = frozenset({"utils", "util", "common", "helpers", "helper", "services", "service", "managers", "manager", "misc"})
# Written in pieces, so that this file does not hold what it looks for.
REGISTRY_HOST = re.compile(
    "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)", "deb" + r"ian\.org"])
)
MACHINE_PATH = re.compile(
    r"(?<![\w./:-])/(?:" + "|".join(["home/" + r"\w+", "ro" + "ot", "wo" + "rk", "Us" + r"ers/\w+"]) + r")/\w"
)


def code() -> list[Source]:
    return [source for folder in ("src", "tests", "benchmarks") for source in sources(folder)]


def test_no_file_outgrows_its_budget() -> None:
    too_long = []
    for source in code():
        limit = TEST_LIMIT_LINES if source.path.parts[0] == "tests" else SOURCE_LIMIT_LINES
        if source.line_count > limit:
            too_long.append(source.at(1, f"{source.line_count} lines, the wall is {limit}: find the seam"))
    assert too_long == []


def test_file_names_say_what_is_inside() -> None:
    assert [str(source.path) for source in code() if VAGUE_NAMES & set(source.path.with_suffix("").parts)] == []


def test_only_settings_read_the_environment() -> None:
    reading = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    readers = []
    for source in sources("src"):
        attributes = (node for node in ast.walk(source.tree) if isinstance(node, ast.Attribute))
        readers += [source.at(node.lineno, ast.unparse(node)) for node in attributes if ast.unparse(node) in reading]
        readers += [source.at(line, name) for line, name in source.imported() if name in reading]
    allowed = "src/entrypoints/settings.py:"
    assert [reader for reader in readers if not reader.startswith(allowed)] == []


@asvs("1.5.2")
def test_nothing_loads_pickles() -> None:
    unsafe = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    assert [
        source.at(line, name) for source in sources("src") for line, name in source.imported() if name.split(".")[0] in unsafe
    ] == []


def test_files_name_no_machine_and_no_package_registry() -> None:
    found = []
    for path in tracked_files():
        content = (ROOT / path).read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), 1):
            found += [
                f"{path}:{number}: {match.group()}" for match in (REGISTRY_HOST.search(line), MACHINE_PATH.search(line)) if match
            ]
    assert found == []


def test_package_folders_hold_an_init() -> None:
    folders = {source.path.parent for source in sources("src")} - {ROOT / "src"}
    assert sorted(str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()) == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"<!-- command: test -->\n```\w*\n(.+?)\n```", readme, flags=re.DOTALL)
    assert command is not None
    assert command.group(1) in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
