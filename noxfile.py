"""Every command of the project: ``nox -s NAME``, ``nox`` alone runs ``tests``. What follows ``--`` goes to the command itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests"]

LOCK = Path("requirements.lock")
BENCHMARKS = Path("benchmarks")

# uv would fetch an interpreter from the network rather than take the one that runs nox.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
# uv does not read pip's settings: a mirror or a certificate that pip was told of must hold for it too.
for for_pip, for_uv in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_EXTRA_INDEX_URL", "UV_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
    if for_pip in os.environ:
        os.environ.setdefault(for_uv, os.environ[for_pip])


def install_locked(session: nox.Session) -> None:
    """Install exactly what the lock names; a file without its hash is refused."""
    # silent: the installer's lines go to nox's log, on stderr, so that stdout is only the command's.
    session.install("--requirement", str(LOCK), "--require-hashes", silent=True)


def install(session: nox.Session) -> None:
    """Install the lock and, editable, the project. An environment that holds them already is left alone."""
    wanted = hashlib.sha256(LOCK.read_bytes() + Path("pyproject.toml").read_bytes() + str(Path.cwd()).encode()).hexdigest()
    stamp = Path(session.virtualenv.location) / "installed.sha256"
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return
    stamp.unlink(missing_ok=True)
    session.log("installing the locked packages; this takes a while the first time")
    install_locked(session)
    session.install("--no-deps", "--no-build-isolation", "--editable", ".", silent=True)
    stamp.write_text(wanted, encoding="ascii")


def check_style(session: nox.Session) -> None:
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", "--no-logo")


def run_pytest(session: nox.Session, *arguments: str) -> None:
    # By file: fixtures that start a service or train a model are made once per file and process.
    workers = str(min(4, os.cpu_count() or 1))
    session.run("pytest", "-n", workers, "--dist", "loadfile", *arguments, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, types, unit and integration tests in one environment: the whole gate."""
    install(session)
    check_style(session)
    session.run("mypy")
    run_pytest(session, "tests/unit")
    run_pytest(session, "tests/integration")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and the direction of imports."""
    install(session)
    check_style(session)


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session)
    session.run("mypy", *session.posargs)


@nox.session
def unit(session: nox.Session) -> None:
    """Tests without I/O."""
    install(session)
    run_pytest(session, "tests/unit")


@nox.session
def integration(session: nox.Session) -> None:
    """Tests against real services, which they start themselves."""
    install(session)
    run_pytest(session, "tests/integration")


@nox.session
def security(session: nox.Session) -> None:
    """The security goals in their full size, one JSON line each; minutes to an hour."""
    install(session)
    session.run("pytest", "-m", "campaign", "-s", "--timeout", "3600", "tests", *session.posargs)


@nox.session(python=["3.12", "3.13"])
def matrix(session: nox.Session) -> None:
    """All tests on the other Pythons that this machine has."""
    install(session)
    run_pytest(session, "tests")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build dist/*.whl and prove it: its contents, the bare core on Python alone, the command with every extra."""
    install_locked(session)
    folder = Path("dist")
    for old in folder.glob("tradingcore-*.whl"):
        old.unlink()
    session.run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), silent=True)
    (built,) = folder.glob("tradingcore-*.whl")
    session.install("--no-deps", str(built), silent=True)
    session.run("tradingcore", "--help", silent=True)
    session.run("pytest", "tests/integration/packaging", env={"TRADINGCORE_WHEEL": str(built.resolve())})
    session.log(f"{built} holds what it must")


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks by name (``-- NAME ...``), all of them without one; each prints one JSON line."""
    install(session)
    known = sorted(path.stem for path in BENCHMARKS.glob("[!_]*.py"))
    for name in session.posargs or known:
        if name not in known:
            session.error(f"no benchmark {name!r}; there are {', '.join(known)}")
        session.run("python", "-m", f"{BENCHMARKS}.{name}", stderr=None)


@nox.session(reuse_venv=True)
def demo(session: nox.Session) -> None:
    """From a closed candle to a pushed signal; ``-- --once`` ends when the replay is over."""
    install(session)
    # nox would kill 0.3 s after Ctrl-C; PostgreSQL needs longer to stop. stderr=None keeps stderr out of stdout.
    session.run("tradingcore", "demo", *session.posargs, stderr=None, interrupt_timeout=30, terminate_timeout=10)


@nox.session
def docs(session: nox.Session) -> None:
    """Links between the documents, and the Python in them."""
    install(session)
    run_pytest(session, "tests/unit/docs")


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements.lock anew; pins stay unless ``-- --upgrade`` or ``-- --upgrade-package NAME`` says otherwise."""
    session.install("uv", silent=True)
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "--output-file", str(LOCK), "--quiet"),
        *("--extra", "all", "--extra", "testing", "--group", "dev"),
        *("--universal", "--python-version", "3.11", "--generate-hashes"),
        # No trace of the machine: neither its command line nor its package index.
        *("--no-header", "--no-emit-index-url", "--no-emit-find-links"),
        *session.posargs,
    )
