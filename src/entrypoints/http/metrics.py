"""Prometheus families of the HTTP side and of the use cases. Labels are names from the code; never an id, never a raw path."""

from __future__ import annotations

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

# The framework adds the charset.
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.partition("; charset")[0]
UNMATCHED: Final = "(none)"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class Metrics:
    """One registry per process, so that two applications in one test never meet."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        if registry is None:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "tradingcore_http_requests", "answered requests", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "tradingcore_http_request_seconds",
            "from the first byte of the request to the last of the answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("tradingcore_http_requests_in_flight", "requests under way", registry=self.registry)
        self.limited = Counter(
            "tradingcore_http_requests_limited", "requests and sockets over the general limit", registry=self.registry
        )
        self._calls = Counter(
            "tradingcore_use_case_calls", "calls by how they ended", ("use_case", "outcome"), registry=self.registry
        )
        self._call_seconds = Histogram(
            "tradingcore_use_case_seconds", "how long calls took", ("use_case",), buckets=_SECONDS, registry=self.registry
        )

    def request_answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._request_seconds.labels(known, route).observe(seconds)

    def use_case_ended(self, *, use_case: str, outcome: str, seconds: float) -> None:
        self._calls.labels(use_case, outcome).inc()
        self._call_seconds.labels(use_case).observe(seconds)

    def exposition(self) -> bytes:
        """What a scrape gets."""
        return generate_latest(self.registry)
