"""Keyset pages, newest first, each one index range scan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, tuple_

from tradingcore.kernel.page import PageRequest


def paged(statement: Select[Any], at: ColumnElement[Any], id_: ColumnElement[Any], page: PageRequest) -> Select[Any]:
    """Order and cut ``statement`` so that it reads the rows that `page_from` takes."""
    if page.before is not None:
        newer = tuple_(at, id_) > tuple_(page.before.at, page.before.id)
        return statement.where(newer).order_by(at, id_).limit(page.limit + 1)
    if page.after is not None:
        statement = statement.where(tuple_(at, id_) < tuple_(page.after.at, page.after.id))
    return statement.order_by(at.desc(), id_.desc()).limit(page.limit + 1)


def page_statement(select: str, where: Iterable[tuple[str, Any]], *, at: str, page: PageRequest) -> tuple[str, list[Any]]:
    """The same as text with its parameters, for `engine.fetch`; of ``where`` (a comparison, its value) those with a value count."""
    given = [(comparison, value) for comparison, value in where if value is not None]
    position, direction, order = page.after, "<", "desc"
    if page.before is not None:
        position, direction, order = page.before, ">", "asc"
    conditions = [f"{comparison} ${number}" for number, (comparison, _) in enumerate(given, 1)]
    values = [value for _, value in given]
    if position is not None:
        conditions.append(f"({at}, id) {direction} (${len(values) + 1}, ${len(values) + 2})")
        values += [position.at, position.id]
    condition = f" where {' and '.join(conditions)}" if conditions else ""
    return f"{select}{condition} order by {at} {order}, id {order} limit {page.limit + 1}", values
