"""Where values come from, which one wins, and what is said about a wrong one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from adapters.cryptography.key_ring import KeyRing
from entrypoints.settings import ConfigurationError, Environment, LoadedSettings, load, masked
from tests.asvs import asvs

STRONG = "k7Yw2pQ9zX4vB8nM1cR6tL3sD5fG0hJa"
PRODUCTION = "TRADINGCORE__ENVIRONMENT"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("TRADINGCORE__"):
            monkeypatch.delenv(name)


def toml(folder: Path, text: str) -> Path:
    file = folder / "tradingcore.toml"
    file.write_text(text, encoding="utf-8")
    return file


def fault(**how: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(**how)
    return str(error.value)


def test_defaults_need_nothing(tmp_path: Path) -> None:
    loaded = load()
    assert (loaded.values.storage, loaded.values.http.port, loaded.values.environment) == (
        "embedded",
        8000,
        Environment.DEVELOPMENT,
    )
    assert loaded.origins == {}
    assert loaded.values.data_dir.is_absolute()


def test_later_sources_win_and_each_value_knows_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = toml(tmp_path, 'storage = "memory"\n[http]\nport = 1\nhost = "0.0.0.0"\n[worker]\nconcurrency = 3\n')
    monkeypatch.setenv("TRADINGCORE__HTTP__PORT", "2")
    monkeypatch.setenv("TRADINGCORE__STORAGE", "memory")
    loaded: LoadedSettings = load(file=file, flags={"storage": "embedded", "data_dir": None})
    values = loaded.values
    assert (values.http.host, values.http.port, values.worker.concurrency, values.storage) == ("0.0.0.0", 2, 3, "embedded")
    assert loaded.origins == {
        "storage": "flag",
        "http.port": "environment TRADINGCORE__HTTP__PORT",
        "http.host": f"file {file}",
        "worker.concurrency": f"file {file}",
    }


def test_nested_flags_leave_their_neighbours_alone(tmp_path: Path) -> None:
    file = toml(tmp_path, '[http]\nport = 1\nhost = "::1"\n')
    assert (load(file=file, flags={"http": {"port": 9}}).values.http.port, load(file=file).values.http.host) == (9, "::1")


def test_wrong_value_is_named_with_its_origin_and_what_was_received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = toml(tmp_path, '[log]\nlevel = "loud"\n')
    assert fault(file=file) == f"log.level (file {file}): input should be 'debug', 'info', 'warning' or 'error', was 'loud'"
    assert fault(flags={"storage": "sqlite"}) == (
        "storage (flag): must be embedded, memory or a postgresql:// address, was 'sqlite'"
    )
    assert fault(flags={"stream": {"log": "kafka"}}).endswith("must be storage or a redis:// address, was 'kafka'")
    monkeypatch.setenv("TRADINGCORE__HTTP__PORT", "70000")
    assert fault().startswith("http.port (environment TRADINGCORE__HTTP__PORT): input should be less than or equal to 65535")


def test_every_wrong_value_is_told_at_once() -> None:
    text = fault(flags={"storage": "sqlite", "worker": {"concurrency": 0}})
    assert "storage (flag)" in text
    assert "worker.concurrency (flag)" in text


def test_misspelt_names_are_refused_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault(file=toml(tmp_path, "prot = 1\n")).startswith("prot (file ")
    assert "http.prot" in fault(file=toml(tmp_path, "[http]\nprot = 1\n"))
    monkeypatch.setenv("TRADINGCORE__HTTP__PROT", "1")
    assert "http.prot (environment TRADINGCORE__HTTP__PROT): there is no such setting" in fault()
    monkeypatch.delenv("TRADINGCORE__HTTP__PROT")
    monkeypatch.setenv("TRADINGCORE__HTPP__PORT", "1")
    assert fault().startswith("the environment variable TRADINGCORE__HTPP__PORT matches no setting")


def test_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "no.toml"
    assert fault(file=missing) == f"cannot read the configuration file {missing}: No such file or directory"
    assert fault(file=toml(tmp_path, "storage = ")).startswith(
        f"the configuration file {tmp_path / 'tradingcore.toml'} is not valid TOML"
    )
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "is not valid TOML" in fault(file=binary)
    assert "Is a directory" in fault(file=tmp_path)


@asvs("13.2.3")
@pytest.mark.parametrize(
    "section",
    [
        *("secrets.cursor_key", "secrets.pseudonym_key", "secrets.password_pepper", "secrets.index_key", "secrets.sealing_keys"),
        *("database.api_password", "database.system_password"),
    ],
)
@pytest.mark.parametrize(
    "secret",
    [
        "",
        "changeme",
        "short-but-random-9Zk",
        "a" * 64,
        "password" * 4,
        "change-me-change-me-change-me-1234",
        "tradingcore-secret-example-test-0123",
        "TradingCoreTradingCoreTradingCore",
    ],
)
def test_weak_secrets_are_refused_outside_development(section: str, secret: str) -> None:
    part, _, name = section.partition(".")
    flags: dict[str, Any] = {part: {name: secret}}
    text = fault(flags={"environment": "production", **flags})
    assert text == f"{section} is too weak: give at least 32 random characters"
    assert load(flags=flags).values.environment is Environment.DEVELOPMENT


def test_cheap_hashing_is_refused_outside_development() -> None:
    flags: dict[str, Any] = {"passwords": {"bcrypt_cost": 9}}
    assert load(flags=flags).values.passwords.bcrypt_cost == 9
    assert fault(flags={"environment": "production", **flags}) == "passwords.bcrypt_cost is 10 or more outside development"


def test_fewer_than_twelve_characters_cannot_be_configured() -> None:
    assert fault(flags={"passwords": {"shortest": 11}}).startswith("passwords.shortest (flag): input should be greater than")


def test_keys_in_the_settings_are_never_quoted() -> None:
    secret = KeyRing.fresh().to_text()
    assert secret not in fault(flags={"secrets": {"sealing_keys": {"keys": secret}}})
    assert secret not in repr(load(flags={"secrets": {"sealing_keys": secret}}).values)


def test_strong_secrets_are_taken() -> None:
    loaded = load(flags={"environment": "production", "secrets": {"cursor_key": STRONG}, "database": {"api_password": STRONG}})
    assert loaded.values.secrets.cursor_key is not None
    assert loaded.values.secrets.cursor_key.get_secret_value() == STRONG


def test_no_fault_tells_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        fault(flags={"environment": "production", "secrets": {"cursor_key": "hunter2"}}),
        fault(flags={"secrets": {"cursor_key": ["hunter2"]}}),
        fault(flags={"secrets": {"cursor_kye": "hunter2"}}),
        fault(flags={"secrets": "hunter2"}),
        fault(flags={"database": {"api_password": ["hunter2"]}}),
        fault(flags={"database": {"api_pass": "hunter2"}}),
        fault(flags={"database": ["hunter2"]}),
        fault(flags={"storage": "mysql://admin:hunter2@db/x"}),
        fault(flags={"stream": {"log": "amqp://admin:hunter2@mq"}}),
        fault(file=toml(tmp_path, '[secrets]\ncursor_key = ["hunter2"]\n')),
    ]
    monkeypatch.setenv("TRADINGCORE__SECRETS", "hunter2")
    texts.append(fault())
    assert [text for text in texts if "hunter2" in text] == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("embedded", "embedded"),
        ("postgresql://db/trading", "postgresql://db/trading"),
        ("postgresql://admin@db/trading", "postgresql://admin@db/trading"),
        ("postgresql://admin:hunter2@db:5432/trading", "postgresql://admin:***@db:5432/trading"),
        ("postgresql://admin:hun@ter/2@db/trading", "postgresql://admin:***@db/trading"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        (
            "postgresql://db/trading?user=a&password=hunter2&sslmode=require",
            "postgresql://db/trading?user=a&password=***&sslmode=require",
        ),
    ],
)
def test_addresses_are_shown_without_their_password(address: str, shown: str) -> None:
    assert masked(address) == shown


@asvs("15.2.3")
def test_api_documents_are_shown_in_development_only_unless_asked_for() -> None:
    strong = {"environment": "production"}
    assert load(flags={}).values.shows_docs
    assert not load(flags=strong).values.shows_docs
    assert load(flags={**strong, "http": {"docs": True}}).values.shows_docs


def test_mail_goes_to_a_mailbox_in_development_and_to_a_server_elsewhere() -> None:
    assert load().values.mail_sender == "mailbox"
    assert load(flags={"storage": "memory"}).values.mail_sender == "memory"
    assert load().values.shows_mailbox
    production = load(flags={"environment": "production"}).values
    assert (production.mail_sender, production.shows_mailbox) == ("smtp", False)


@asvs("15.2.3")
@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"mail": {"sender": "mailbox"}}, "for development only"),
        ({"mail": {"sender": "memory"}}, "for development only"),
        ({"mail": {"host": "mx.example", "tls": "none"}, "http": {"public_url": "https://app.example"}}, "in the clear"),
        ({"mail": {"host": "mx.example"}}, "http.public_url must be given"),
        ({"http": {"public_url": "http://app.example"}}, "must begin with https://"),
    ],
)
def test_mail_outside_development_is_fit_for_strangers(flags: dict[str, Any], sentence: str) -> None:
    assert sentence in fault(flags={"environment": "production", **flags})


def test_mails_to_other_machines_are_encrypted_unless_said_otherwise() -> None:
    elsewhere = load(flags={"mail": {"host": "mx.example"}}).values
    assert (load().values.mail.tls_mode, elsewhere.mail.tls_mode) == ("none", "starttls")


def test_sender_of_mails_is_one_address() -> None:
    assert "mail.from_address" in fault(flags={"mail": {"from_address": "a@b.example\nBcc: c@d.example"}})


def test_public_address_has_no_slash_at_its_end() -> None:
    assert load(flags={"http": {"public_url": "https://app.example/"}}).values.public_url == "https://app.example"
    assert load(flags={"http": {"host": "::1", "port": 81}}).values.public_url == "http://[::1]:81"


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*", "https://*.example.com", "null", "", "https://app.example/", "https://app.example/path", "app.example"],
)
def test_origins_are_named_exactly(origin: str) -> None:
    assert "each origin is named exactly" in fault(flags={"http": {"allowed_origins": (origin,)}})


def test_exact_origins_are_taken() -> None:
    origins = ("https://app.example", "http://127.0.0.1:5173", "https://[::1]:8443")
    assert load(flags={"http": {"allowed_origins": origins}}).values.http.allowed_origins == origins


@pytest.mark.parametrize("hops", [-1, 9, 1000, "all", "*"])
def test_there_is_no_way_to_trust_every_proxy(hops: Any) -> None:
    assert fault(flags={"http": {"trusted_hops": hops}}).startswith("http.trusted_hops")


def test_limits_are_counted_in_redis_or_nowhere_else() -> None:
    assert "must be a redis:// address" in fault(flags={"limits": {"redis": "memcached://127.0.0.1"}})
    assert load(flags={"limits": {"redis": "rediss://:secret@redis.example/0"}}).values.limits.processes == 1
