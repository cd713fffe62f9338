"""Logs go to stderr: one JSON object per line, or lines for people on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from entrypoints.settings import LogSection


def configure_logging(section: LogSection, *, level: str | None = None) -> None:
    """Set structlog up for this process. ``level`` overrides the configured one."""
    is_console = section.format == "console" or (section.format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[(level or section.level).upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
