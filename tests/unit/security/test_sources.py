"""What the sources never do: run text as code, build statements from values, compare secrets carelessly, hash weakly."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.asvs import asvs
from tests.unit.architecture.source import Source, sources
from tests.unit.security.patterns import is_explosive, patterns_of

Rule = Callable[[Source], Iterator[tuple[int, str]]]

STATEMENT_METHODS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "exec_driver_sql"}
DEFINING_ONLY = {
    # Statements that define, which take no parameters: their names are constants or quoted, their numbers are our own.
    "adapters.postgres.backup",
    "adapters.postgres.migrate",
    "adapters.postgres.roles",
}
PROGRAMS = {"subprocess.run", "subprocess.Popen", "asyncio.create_subprocess_exec"}
CRYPTOGRAPHY = {"cryptography", "joserfc", "bcrypt", "argon2", "hashlib", "hmac", "secrets", "authlib", "webauthn"}
CRYPTOGRAPHERS = {
    *("adapters.cryptography", "adapters.joserfc", "adapters.passwords", "adapters.oauth", "adapters.webauthn", "adapters.system"),
}
SECRET_WORDS = re.compile(r"(^|_)(secret|token|digest|hash|signature|password|proof|mac|nonce|pepper)s?$")


@cache
def calls(source: Source) -> Sequence[tuple[ast.Call, str]]:
    return [(node, ast.unparse(node.func)) for node in ast.walk(source.tree) if isinstance(node, ast.Call)]


def runs_text(source: Source) -> Iterator[tuple[int, str]]:
    """`eval` and its kin. A module is imported by a name of ours only."""
    for node, name in calls(source):
        if name in {"eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"}:
            yield node.lineno, name
    for line, name in source.imported():
        if name.partition(".")[0] in {"code", "codeop", "runpy", "yaml", "marshal"}:
            yield line, name


def builds_statements(source: Source) -> Iterator[tuple[int, str]]:
    """SQL that is put together from anything but constants."""
    if source.name in DEFINING_ONLY:
        return
    constants = constant_names(source)
    for node, name in calls(source):
        is_text = name in {"text", "sa.text"} and "sqlalchemy.text" in {full for _, full in source.imported()}
        if (is_text or name.rpartition(".")[2] in STATEMENT_METHODS) and node.args and is_built(node.args[0], constants):
            yield node.lineno, ast.unparse(node.args[0])[:80]


def constant_names(source: Source) -> frozenset[str]:
    names = set()
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(names)


def is_built(node: ast.expr, constants: frozenset[str]) -> bool:
    """Whether a text is put together from something that is no constant."""
    match node:
        case ast.JoinedStr():
            parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            return not all(isinstance(part, ast.Name) and (part.id in constants or part.id.isupper()) for part in parts)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace")):
            return True
        case _:
            return False


def runs_shells(source: Source) -> Iterator[tuple[int, str]]:
    """Programs run from a list of arguments, never by a shell."""
    for node, name in calls(source):
        if name in {"os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput", "subprocess.call"}:
            yield node.lineno, name
        elif name in PROGRAMS:
            first = node.args[0] if node.args else None
            shell = [keyword for keyword in node.keywords if keyword.arg == "shell"]
            if shell or first is None or isinstance(first, ast.JoinedStr | ast.Constant | ast.BinOp):
                yield node.lineno, ast.unparse(node)[:80]


def formats_given_texts(source: Source) -> Iterator[tuple[int, str]]:
    """`format` of a text that is no constant of the module, which would let its writer reach into objects."""
    for node, _ in calls(source):
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "format_map"}:
            text = node.func.value
            if not isinstance(text, ast.Constant) and not (isinstance(text, ast.Name) and text.id.isupper()):
                yield node.lineno, ast.unparse(text)


def reads_markup(source: Source) -> Iterator[tuple[int, str]]:
    for line, name in source.imported():
        if name.partition(".")[0] in {"xml", "lxml", "html5lib", "bs4", "markdown", "yaml", "defusedxml"}:
            yield line, name


def hashes_weakly(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in {"md5", "sha1", "new", "blake2s"}
            and ast.unparse(node.value) == "hashlib"
        ):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in {"md5", "sha1", "sha-1"}:
            yield node.lineno, repr(node.value)
        elif isinstance(node, ast.Attribute) and node.attr in {"ECB", "CBC", "CFB", "ARC4", "TripleDES", "Blowfish", "MD5", "SHA1"}:
            yield node.lineno, ast.unparse(node)


def brings_its_own_cryptography(source: Source) -> Iterator[tuple[int, str]]:
    """Libraries for ciphers and signatures belong to the adapters that are named for them."""
    third = CRYPTOGRAPHY - {"hashlib", "hmac", "secrets"}
    for line, name in source.imported():
        top = name.partition(".")[0]
        if top in {"Crypto", "nacl", "jwt", "jose", "rsa", "ecdsa", "passlib", "pyotp"} or (
            top in third and not any(source.name.startswith(place) for place in CRYPTOGRAPHERS)
        ):
            yield line, name


def guesses_randomly(source: Source) -> Iterator[tuple[int, str]]:
    """`random` spreads load, and a simulated market has a seed; nothing else may be made with it."""
    for node, name in calls(source):
        if name.startswith("random.") and name != "random.uniform":
            yield node.lineno, name
    for line, name in source.imported():
        if name.startswith("random."):
            yield line, name


def compares_carelessly(source: Source) -> Iterator[tuple[int, str]]:
    """Secrets and their hashes compared by ``==``, which ends at the first letter that differs.

    A database finds hashes of 256 bits by an index, and so does the memory in its place: what its time tells is a hash of a guess.
    """
    if source.name.startswith(("adapters.postgres", "adapters.memory", "tradingcore.testing")):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            for side in (node.left, *node.comparators):
                name = side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""
                if SECRET_WORDS.search(name):
                    yield node.lineno, ast.unparse(node)


def follows_redirects(source: Source) -> Iterator[tuple[int, str]]:
    for node, name in calls(source):
        for keyword in node.keywords:
            if keyword.arg in {"follow_redirects", "allow_redirects"} and ast.unparse(keyword.value) != "False":
                yield node.lineno, name


def opens_connections(source: Source) -> Iterator[tuple[int, str]]:
    """The one HTTP client is the one that checks where it calls."""
    for line, name in source.imported():
        if name.partition(".")[0] in {"requests", "httpx", "aiohttp", "urllib3"} or name.startswith(
            ("urllib.request", "http.client")
        ):
            yield line, name


def writes_logs_elsewhere(source: Source) -> Iterator[tuple[int, str]]:
    for node, name in calls(source):
        if (name.startswith("logging.") and name.endswith("Handler")) or name in {
            "logging.basicConfig",
            "logging.config.dictConfig",
        }:
            yield node.lineno, name
    for line, name in source.imported():
        if name.startswith(("logging.handlers", "syslog", "logging.config")):
            yield line, name


def builds_patterns(source: Source) -> Iterator[tuple[int, str]]:
    """Regular expressions from anything but a literal with constants in it."""
    for line, pattern, text in patterns_of(source):
        if pattern is None:
            yield line, text


def explodes(source: Source) -> Iterator[tuple[int, str]]:
    for line, pattern, _ in patterns_of(source):
        if pattern is not None and is_explosive(pattern):
            yield line, pattern


def opens_sessions(source: Source) -> Iterator[tuple[int, str]]:
    """One function opens sessions, so that limits, second factors, notices and the audit trail hold for every way in."""
    for node, name in calls(source):
        if name.endswith("sessions.open") and not source.name.startswith("tradingcore.testing"):
            yield node.lineno, name


REVIEWED: dict[str, set[tuple[str, str]]] = {
    "reads_markup": {
        ("entrypoints.asvs", "xml.etree.ElementTree"),  # a result file of our own test run
        ("tradingcore.testing.auth.qr_codes", "xml.etree.ElementTree"),  # a picture that an adapter drew
    },
    "hashes_weakly": {
        ("tradingcore.auth.model.totp", "'sha1'"),  # RFC 6238
        ("adapters.passwords.breach_filter", "hashlib.sha1"),  # how published lists of breached passwords are written
    },
    "formats_given_texts": {
        ("adapters.jinja.composer", "text"),  # from the package's own file of words
        ("adapters.twilio.messages", "_TEXTS.get(message.locale.partition('-')[0], _TEXTS['en'])"),  # a table in the module
    },
    "compares_carelessly": {
        # Names of lists, features and bytes, none of which is secret.
        ("entrypoints.http.pages", "sealed_hash != list_hash"),
        ("adapters.xgboost.loader", "opened.spec.hash != version.feature_spec_hash"),
        ("adapters.xgboost.loader", "row.spec.hash != self._spec.hash"),
        ("tradingcore.ml.model.bundle", "digest_of(content) != digest"),
    },
    "opens_connections": {
        ("adapters.twilio.calls", "requests"),  # the vendor's own client
        ("entrypoints.demo.audience", "urllib.request"),  # this machine's own server
        ("entrypoints.demo.people", "urllib.request"),
    },
    "writes_logs_elsewhere": {("entrypoints.observing", "logging.StreamHandler")},
    "builds_patterns": {
        ("adapters.postgres.lint.expressions", "f'(?<![\\\\w.])(?:{names})\\\\('")
    },  # names of a list in the module
    "opens_sessions": {("tradingcore.auth.use_cases.session_opening", "unit.sessions.open")},
}
"""What was looked at and is right: the module, and what the rule says about it."""

PLANTED: Mapping[Rule, str] = {
    runs_text: "eval(text)",
    builds_statements: "connection.execute(f'select * from t where name = {name}')",
    runs_shells: "subprocess.run(f'tar x {name}', shell=True)",
    formats_given_texts: "template.format(user=user)",
    reads_markup: "from lxml import etree",
    hashes_weakly: "hashlib.md5(content)",
    brings_its_own_cryptography: "import jwt",
    guesses_randomly: "random.choice(letters)",
    compares_carelessly: "is_right = given_token == row.token",
    follows_redirects: "client.get(url, follow_redirects=True)",
    opens_connections: "import httpx",
    writes_logs_elsewhere: "handler = logging.FileHandler('log')",
    builds_patterns: "re.search(name, text)",
    explodes: "re.fullmatch(r'(a+)+b', text)",
    opens_sessions: "await unit.sessions.open(session, token)",
}


def found_by(rule: Rule) -> list[str]:
    reviewed = REVIEWED.get(rule.__name__, set())
    return [
        source.at(line, what) for source in sources("src") for line, what in rule(source) if (source.name, what) not in reviewed
    ]


@asvs("1.3.2", "1.5.2")
def test_no_text_is_run_as_code() -> None:
    assert found_by(runs_text) == []


@asvs("1.2.4")
def test_statements_hold_no_values() -> None:
    assert found_by(builds_statements) == []


@asvs("1.2.5")
def test_programs_are_started_without_a_shell() -> None:
    assert found_by(runs_shells) == []


@asvs("1.3.10")
def test_only_our_own_texts_are_formats() -> None:
    assert found_by(formats_given_texts) == []


@asvs("1.5.1")
def test_no_markup_of_others_is_read() -> None:
    assert found_by(reads_markup) == []


@asvs("11.4.1", "11.4.3")
def test_no_weak_hash_and_no_weak_cipher_is_used() -> None:
    assert found_by(hashes_weakly) == []


@asvs("11.2.1")
def test_ciphers_and_signatures_are_those_of_reviewed_libraries() -> None:
    assert found_by(brings_its_own_cryptography) == []


@asvs("11.5.1")
def test_nothing_is_guessable_because_it_came_from_a_generator_for_games() -> None:
    assert found_by(guesses_randomly) == []


@asvs("11.2.4")
def test_secrets_are_compared_in_constant_time() -> None:
    assert found_by(compares_carelessly) == []


@asvs("15.3.2")
def test_nothing_follows_redirects() -> None:
    assert found_by(follows_redirects) == []


@asvs("13.2.4", "14.2.3")
def test_only_reviewed_clients_call_out() -> None:
    assert found_by(opens_connections) == []


@asvs("16.2.3")
def test_logs_go_to_stderr_alone() -> None:
    assert found_by(writes_logs_elsewhere) == []


@asvs("1.2.9")
def test_nobody_writes_our_regular_expressions() -> None:
    assert found_by(builds_patterns) == []


@asvs("1.3.12")
def test_no_regular_expression_explodes() -> None:
    assert sum(1 for source in sources("src") for _ in patterns_of(source)) > 30
    assert found_by(explodes) == []


@asvs("6.3.4")
def test_every_way_in_opens_its_session_in_one_place() -> None:
    assert found_by(opens_sessions) == []


@pytest.mark.parametrize(("rule", "planted"), PLANTED.items(), ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_violation_is_seen(rule: Rule, planted: str) -> None:
    text = f"async def planted():\n    {planted}\n"
    source = Source(Path("planted.py"), "planted", ast.parse(text), 2)
    assert list(rule(source)) != []


def test_what_was_reviewed_is_still_there() -> None:
    rules = {rule.__name__: rule for rule in PLANTED}
    seen = {(name, source.name, what) for name in REVIEWED for source in sources("src") for _, what in rules[name](source)}
    assert [(name, *one) for name, reviewed in REVIEWED.items() for one in reviewed if (name, *one) not in seen] == []


@pytest.mark.parametrize("pattern", ["(a+)+", "(a*)*b", r"(\w+\s?)*$", "(?:a|b+)*", "((ab)+)*", "(x{1,5000})+"])
def test_an_explosive_pattern_is_seen(pattern: str) -> None:
    assert is_explosive(pattern)


@pytest.mark.parametrize("pattern", ["a+b*", "(?:[a-z0-9]{0,61}\\.)+", "(/[a-z]+)*", "[a-z]{1,64}", "(ab)*"])
def test_a_harmless_pattern_is_not(pattern: str) -> None:
    assert not is_explosive(pattern)
