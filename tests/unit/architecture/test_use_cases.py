"""Use cases: named by a verb, one permission each, and a table of who may call what that is read in review."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.architecture.access_table import access_table, use_cases
from tests.unit.architecture.source import Source, core, snake_case
from tradingcore.kernel.authz import Permission
from tradingcore.kernel.use_case import UseCase

SNAPSHOT = Path(__file__).parent / "snapshots" / "access.txt"
VERBS = frozenset(
    {
        *(
            "Add",
            "Answer",
            "Ask",
            "Authenticate",
            "Backfill",
            "Begin",
            "Change",
            "Close",
            "Complete",
            "Confirm",
            "Create",
            "Decide",
        ),
        *("Define", "Delete", "Describe", "End", "Enrol", "Erase", "Explain", "Export", "Find", "Finish", "Forget", "Get"),
        *("Grant", "Import", "Issue", "Leave", "List", "Load", "Mail", "Make", "Open", "Predict", "Prove", "Publish"),
        *(
            "Read",
            "Receive",
            "Recheck",
            "Record",
            "Redeem",
            "Refresh",
            "Regenerate",
            "Register",
            "Reinstate",
            "Remove",
            "Rename",
            "Replay",
        ),
        *("Report", "Request", "Reset", "Resolve", "Revoke", "Rewind", "Run", "Search", "Send", "Set", "Show", "Sign"),
        *("Start", "Step", "Subscribe", "Suspend", "Train", "Undo", "Unlink", "Update", "Verify", "Watch"),
    }
)
"""Extend it when a use case needs another verb."""


def modules_of_use_cases() -> list[Source]:
    return [source for source in core() if "use_cases" in source.parts and source.path.name != "__init__.py"]


def names_in_module(source: Source) -> list[str]:
    return [cls.__name__ for cls in use_cases() if cls.__module__ == source.name]


def test_every_use_case_lives_in_a_use_cases_folder() -> None:
    assert [cls.__qualname__ for cls in use_cases() if ".use_cases." not in cls.__module__] == []


def test_a_module_without_a_use_case_serves_several() -> None:
    shared = [source for source in modules_of_use_cases() if not names_in_module(source)]
    for source in shared:
        users = [
            other for other in modules_of_use_cases() if any(name.startswith(f"{source.name}.") for _, name in other.imported())
        ]
        assert len(users) > 1, f"{source.path} belongs into {[str(user.path) for user in users]}"


def test_use_cases_are_named_verb_and_noun() -> None:
    for cls in use_cases():
        verb, *noun = re.findall(r"[A-Z][a-z0-9]*", cls.__name__)
        assert verb in VERBS, f"{cls.__name__}: {verb} is not a known verb"
        assert noun, f"{cls.__name__} has no noun"


def test_a_module_is_named_after_its_use_case_or_its_family() -> None:
    for source in modules_of_use_cases():
        stem, names = source.path.stem, [snake_case(name) for name in names_in_module(source)]
        if len(names) < 2:
            assert names in ([stem], []), source.path
            continue
        subject = stem.partition("_")[2].removesuffix("s") or stem
        is_family = all(subject in name for name in names) or any(name.startswith(stem) for name in names)
        assert is_family, f"{source.path} holds {names}"


def test_commands_are_named_after_their_use_case() -> None:
    for source in modules_of_use_cases():
        commands = [node.name.removesuffix("Command") for node in source.classes() if node.name.endswith("Command")]
        assert set(commands) <= set(names_in_module(source)), source.path


def test_every_use_case_declares_its_own_permission() -> None:
    assert use_cases()
    for cls in use_cases():
        assert isinstance(cls.__dict__.get("permission"), Permission), f"{cls.__name__} inherits its permission"


def test_a_use_case_never_holds_another_one() -> None:
    names = {cls.__name__ for cls in use_cases()}
    for cls in use_cases():
        held = {str(annotation) for annotation in cls.__annotations__.values()}
        assert not held & names, f"{cls.__name__} holds {held & names}"


def test_a_use_case_without_permission_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="declares no permission"):
        type("Forgotten", (UseCase,), {})


def test_who_may_call_what_is_as_reviewed() -> None:
    expected = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.is_file() else ""
    assert access_table() == expected, f"review the difference, then: python -m {access_table.__module__} > {SNAPSHOT.name}"
