"""Alternating runs of two ways to do the same work, and the one JSON line that a benchmark prints."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from statistics import median, quantiles
from time import perf_counter

Runs = list[tuple[float, float]]


def alternate(ours: Callable[[], object], theirs: Callable[[], object], *, runs: int, times: int = 1) -> Runs:
    """Return (ours, theirs) in seconds per call, ``runs`` times in turn, each the mean over ``times`` calls."""
    return [(_seconds(ours, times), _seconds(theirs, times)) for _ in range(runs)]


def report(name: str, measured: Runs, *, n: int, packages: Sequence[str], **more: object) -> None:
    """Print medians in seconds, the median ratio ours / theirs, its quartiles, and the versions."""
    ratios = [ours / theirs for ours, theirs in measured]
    low, _, high = quantiles(ratios, n=4)
    line = {
        "name": name,
        "ours": median(ours for ours, _ in measured),
        "theirs": median(theirs for _, theirs in measured),
        "ratio": round(median(ratios), 3),
        "n": n,
        "spread": [round(low, 3), round(high, 3)],
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        **more,
    }
    print(json.dumps(line), flush=True)


def _seconds(work: Callable[[], object], times: int) -> float:
    begun = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - begun) / times
