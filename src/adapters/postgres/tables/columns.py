"""Column types that the tables share."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, DateTime, Double, MetaData, Numeric, Text, Uuid

METADATA: Final = MetaData()


def text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def moment(name: str, *, nullable: bool = False, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable, **options)


def number(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Double, nullable=nullable)


def decimal(name: str) -> Column[Any]:
    return Column(name, Numeric, nullable=False)


def uuid(name: str, *arguments: Any, nullable: bool = False, **options: Any) -> Column[Any]:
    return Column(name, Uuid, *arguments, nullable=nullable, **options)
