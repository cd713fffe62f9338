"""Processes: one reaction to one event, found by its file name, known to stored rows by a name that never changes."""

from __future__ import annotations

from typing import Any

from tests.unit.architecture.source import imported_core, snake_case
from tradingcore.processes.reaction import Reaction

STORED_NAMES = {
    "auth.mail_address_change",
    "auth.mail_password_reset",
    "auth.mail_verification",
    "auth.open_account",
    "ml.make_forecast",
    "notifications.publish_candle",
    "notifications.publish_series_stale",
    "notifications.publish_signal_issued",
    "notifications.publish_signal_resolved",
    "notifications.send_mail",
    "trading.decide_on_forecast",
    "trading.decide_without_forecast",
}
"""Handled events are recorded under these: a changed name would have every old event handled again."""


def reactions() -> list[type[Reaction[Any]]]:
    modules = [module for module in imported_core() if module.__name__.startswith("tradingcore.processes.when_")]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and Reaction in value.__mro__ and value.__module__ == module.__name__
    ]


def test_names_of_reactions_never_change() -> None:
    names = [reaction.name for reaction in reactions()]
    assert sorted(names) == sorted(STORED_NAMES)


def test_a_file_is_named_after_its_reaction() -> None:
    for reaction in reactions():
        assert snake_case(reaction.__name__).startswith("when_")
    files = {module.__name__.rpartition(".")[2] for module in imported_core() if ".processes.when_" in module.__name__}
    named = {reaction.__module__.rpartition(".")[2] for reaction in reactions()}
    assert files == named
