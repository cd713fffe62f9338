"""Keyset pages, newest first, each one index range scan."""

from __future__ import annotations

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
