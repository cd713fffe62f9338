"""How a process watches itself: log lines, and what is counted of every use case."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from entrypoints.http.logs import LoggingObserver, Pseudonyms, exceptions_by_type, keep_allowed
from entrypoints.http.metrics import Metrics
from entrypoints.secret_files import secret_of
from entrypoints.settings import Settings
from tradingcore.kernel.ports import Observer


def configure_logging(settings: Settings, *, level: str | None = None) -> None:
    """Logs go to stderr: one JSON object per line, or lines for people on a terminal. ``level`` overrides the settings.

    The standard library's loggers, the server's own among them, go the same way.
    """
    section = settings.log
    threshold = logging.getLevelNamesMapping()[(level or section.level).upper()]
    is_console = section.format == "console" or (section.format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_console else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exceptions_by_type,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[keep_allowed, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def observed(settings: Settings) -> tuple[Observer, Metrics]:
    """The observer that logs and counts every use case, and the metrics that it counts into."""
    metrics = Metrics()
    return LoggingObserver(Pseudonyms(secret_of(settings, "pseudonym_key")), metrics), metrics
