"""Committed rows, and what one unit of work wants to change in them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.page import PageRequest

K = TypeVar("K", bound=Hashable)
A = TypeVar("A", bound=Aggregate)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Aggregate, Generic[V]):
    """A row that is no aggregate: it has a version all the same, so that of two units that change it one wins."""

    value: V


class Table(Generic[K, A]):
    """Rows of one kind by key. ``unique`` is a second key, ``group`` files rows for a look-up.

    ``listed_at`` puts the rows of a list in order; keys, which then are ids, break ties. ``on_update`` is told of every row that
    replaces another.
    """

    __slots__ = ("_ordered", "group", "groups", "key", "listed_at", "name", "on_update", "rows", "unique", "unique_rows")

    def __init__(
        self,
        name: str,
        key: Callable[[A], K],
        *,
        unique: Callable[[A], Hashable] | None = None,
        group: Callable[[A], Hashable | None] | None = None,
        listed_at: Callable[[A], datetime] | None = None,
    ) -> None:
        self.name = name
        self.key = key
        self.unique = unique
        self.group = group
        self.listed_at = listed_at
        self.on_update: Callable[[A, A], None] | None = None
        self.rows: dict[K, A] = {}
        self.unique_rows: dict[Hashable, K] = {}
        self.groups: dict[Hashable, dict[K, A]] = {}
        self._ordered: list[tuple[datetime, Any]] = []

    def put(self, key: K, row: A) -> None:
        if self.on_update is not None and (old := self.rows.get(key)) is not None:
            self.on_update(old, row)
        self.remove(key)
        self.rows[key] = row
        if self.unique is not None:
            self.unique_rows[self.unique(row)] = key
        if self.group is not None and (group := self.group(row)) is not None:
            self.groups.setdefault(group, {})[key] = row
        if self.listed_at is not None:
            entry = (self.listed_at(row), key)
            if not self._ordered or self._ordered[-1] < entry:
                self._ordered.append(entry)
            else:
                insort(self._ordered, entry)

    def remove(self, key: K) -> None:
        row = self.rows.pop(key, None)
        if row is None:
            return
        if self.unique is not None:
            del self.unique_rows[self.unique(row)]
        if self.group is not None and (group := self.group(row)) is not None:
            del self.groups[group][key]
        if self.listed_at is not None:
            del self._ordered[bisect_left(self._ordered, (self.listed_at(row), key))]

    def newest_first(self, request: PageRequest, keep: Callable[[A], bool]) -> Sequence[A]:
        """At most ``limit + 1`` rows, nearest first, as `page_from` takes them."""
        found: list[A] = []
        for index in self._indexes(request):
            row = self.rows[self._ordered[index][1]]
            if keep(row):
                found.append(row)
                if len(found) > request.limit:
                    break
        return found

    def _indexes(self, request: PageRequest) -> Iterable[int]:
        if request.before is not None:
            return range(bisect_right(self._ordered, (request.before.at, request.before.id)), len(self._ordered))
        stop = len(self._ordered)
        if request.after is not None:
            stop = bisect_left(self._ordered, (request.after.at, request.after.id))
        return range(stop - 1, -1, -1)


_NO_ROWS: Final[dict[Any, Any]] = {}
_NO_KEYS: Final[set[Any]] = set()
"""Stand in for the changes of a table that nobody has changed; nothing is ever put into them."""


class Staged(Generic[K, A]):
    """One unit's view of a table: what is committed, under what the unit changed. Nothing is shared before `apply`."""

    __slots__ = ("_changed", "_deleted", "_expected", "_put", "_table", "_unique")

    def __init__(self, table: Table[K, A], changed: list[Any]) -> None:
        """``changed`` lists what the unit has to commit; this joins it with the first change, because most tables are only read."""
        self._table = table
        self._changed = changed
        self._put: dict[K, A] = _NO_ROWS
        self._unique: dict[Hashable, K] = _NO_ROWS
        self._expected: dict[K, int] = _NO_ROWS
        self._deleted: set[K] = _NO_KEYS

    def _change(self) -> None:
        if self._put is _NO_ROWS:
            self._put, self._unique, self._expected, self._deleted = {}, {}, {}, set()
            self._changed.append(self)

    def find(self, key: K) -> A | None:
        if self._put and (row := self._put.get(key)) is not None:
            return row
        if self._deleted and key in self._deleted:
            return None
        return self._table.rows.get(key)

    def find_unique(self, value: Hashable) -> A | None:
        key = self._unique.get(value) if self._unique else None
        if key is None:
            key = self._table.unique_rows.get(value)
        row = None if key is None else self.find(key)
        return row if row is None or not self._frees(key, value) else None

    def _frees(self, key: K | None, value: Hashable) -> bool:
        """Whether this unit gave the row another unique value."""
        table = self._table
        row = self._put.get(key) if key is not None and self._put else None
        return row is not None and table.unique is not None and table.unique(row) != value

    def save(self, row: A) -> A:
        """Stage an insert (version 0) or an update. Raises `StaleVersion` when somebody was faster."""
        table = self._table
        key = table.key(row)
        current = self.find(key)
        if row.version != (0 if current is None else current.version):
            raise self._stale(key)
        if table.unique is not None:
            value = table.unique(row)
            holder = self.find_unique(value)
            if holder is not None and table.key(holder) != key:
                raise self._stale(value)
        self._change()
        if table.unique is not None:
            self._unique[value] = key
        if key not in self._put:
            self._expected[key] = row.version
        saved = row.saved()
        self._put[key] = saved
        return saved

    def delete(self, keys: Iterable[K]) -> int:
        self._change()
        count = 0
        for key in keys:
            count += 1
            row = self._put.pop(key, None)
            if row is not None and self._table.unique is not None:
                self._unique.pop(self._table.unique(row), None)
            self._expected.pop(key, None)
            self._deleted.add(key)
        return count

    def __iter__(self) -> Iterator[A]:
        for key, row in self._table.rows.items():
            if key not in self._put and key not in self._deleted:
                yield row
        yield from self._put.values()

    def in_group(self, group: Hashable) -> Sequence[A]:
        table = self._table
        committed = table.groups.get(group, {})
        if not self._put and not self._deleted:
            return list(committed.values())
        assert table.group is not None
        own = [row for row in self._put.values() if table.group(row) == group]
        return [row for key, row in committed.items() if key not in self._put and key not in self._deleted] + own

    def check(self) -> None:
        """Raise `StaleVersion` when another unit committed a row that this one was built on."""
        table = self._table
        for key, expected in self._expected.items():
            committed = None if self._deleted and key in self._deleted else table.rows.get(key)
            if (0 if committed is None else committed.version) != expected:
                raise self._stale(key)
        for value, key in self._unique.items():
            holder = table.unique_rows.get(value)
            if holder is not None and holder != key and holder not in self._deleted and not self._frees(holder, value):
                raise self._stale(value)

    def apply(self) -> None:
        for key in self._deleted:
            self._table.remove(key)
        for key, row in self._put.items():
            self._table.put(key, row)

    def _stale(self, what: object) -> StaleVersion:
        return StaleVersion(f"{self._table.name} {what} was saved by somebody else meanwhile: read it again")
