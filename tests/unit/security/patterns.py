"""The regular expressions of the sources, and whether one of them can take exponential time."""

from __future__ import annotations

import ast
import re
import re._parser as parser  # type: ignore[import-not-found] # part of Python, and without stubs
from collections.abc import Iterator
from typing import Any

from tests.unit.architecture.source import Source

FUNCTIONS = {f"re.{name}" for name in ("compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")}
MANY = 1000
"""What may repeat that often is as good as unbounded."""


def patterns_of(source: Source) -> Iterator[tuple[int, str | None, str]]:
    """Line, pattern and source text of every pattern; the pattern is ``None`` when it is put together from something unknown."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func) in FUNCTIONS
        ):
            yield node.lineno, _text(node.args[0]), ast.unparse(node.args[0])
        elif isinstance(node, ast.keyword) and node.arg == "pattern":
            if isinstance(node.value, ast.Constant):
                yield node.value.lineno, str(node.value.value), repr(node.value.value)
        elif isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant):
            name = ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])
            if name.endswith("PATTERN"):
                yield node.lineno, str(node.value.value), name


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=bytes(text)):
            return text.decode("latin-1")
        case ast.JoinedStr():
            # A constant in braces stands for one letter here.
            if not all(isinstance(part, ast.Constant) or _is_constant(part) for part in node.values):
                return None
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        case _:
            return None


def _is_constant(part: ast.expr) -> bool:
    inside = part.value if isinstance(part, ast.FormattedValue) else part
    return isinstance(inside, ast.Name) and inside.id.isupper()


def is_explosive(pattern: str) -> bool:
    """Whether something that repeats without end repeats without end: ``(a+)*``. A bounded inside, or a fixed one, is harmless."""
    return any(_nests(item, inside=False) for item in parser.parse(pattern))


def _nests(item: Any, *, inside: bool) -> bool:
    kind, value = item
    if kind in (parser.MAX_REPEAT, parser.MIN_REPEAT):
        _, most, body = value
        is_open = most is parser.MAXREPEAT or most >= MANY
        return (is_open and inside) or any(_nests(one, inside=inside or (is_open and not _is_led(body))) for one in body)
    return any(_nests(one, inside=inside) for one in _below(value))


def _is_led(body: Any) -> bool:
    """Whether each round begins with a letter that cannot end the round before it: ``(-[a-z]+)*`` reads in one way only."""
    first = body[0]
    while first[0] is parser.SUBPATTERN:
        body = first[1][-1]
        first = body[0]
    if first[0] is not parser.LITERAL or len(body) < 2:
        return False
    rest = re.escape(chr(first[1]))
    return not any(_takes(one, rest) for one in list(body)[1:])


def _takes(item: Any, letter: str) -> bool:
    kind, value = item
    literal = ord(letter[-1])
    if kind is parser.LITERAL:
        return bool(value == literal)
    if kind is parser.IN:
        return any(
            (one == parser.RANGE and part[0] <= literal <= part[1]) or (one is parser.LITERAL and part == literal)
            for one, part in value
        ) or any(one in (parser.NEGATE, parser.CATEGORY) for one, _ in value)
    if kind in (parser.ANY, parser.NOT_LITERAL):
        return True
    return any(_takes(one, letter) for one in _below(value))


def _below(value: Any) -> Iterator[Any]:
    parts = value if isinstance(value, list | tuple) else ()
    for part in parts:
        if isinstance(part, parser.SubPattern):
            yield from part
        elif isinstance(part, list):
            for one in part:
                if isinstance(one, parser.SubPattern):
                    yield from one
