"""P12: how long `import tradingcore` and `tradingcore --help` take, against `python -c pass`.

``python -m benchmarks.start_up``. Ours and theirs are whole processes, run in turn. The second start of the demo is measured by the
demo itself (``seconds.start`` of its summary).
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks._measure import alternate, report

RUNS = 9


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    for name, arguments, limit in (
        ("import_tradingcore", ("-c", "import tradingcore"), 0.1),
        ("tradingcore_help", ("-m", "entrypoints", "--help"), 0.3),
    ):
        run(*arguments)  # byte code is compiled once
        measured = alternate(partial(run, *arguments), partial(run, "-c", "pass"), runs=RUNS)
        report(name, measured, n=RUNS, packages=("rich-click",), must_be_at_most_seconds=limit)


if __name__ == "__main__":
    main()
