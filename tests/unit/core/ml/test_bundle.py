import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.asvs import asvs
from tradingcore.kernel.market import Calendar, Timeframe
from tradingcore.ml.errors import BundleRefused
from tradingcore.ml.model import bundle as bundles
from tradingcore.ml.model.bundle import JSON_MEMBERS, MANIFEST, TREE_MEMBERS, Bundle, digest_of, json_member, open_bundle, pack
from tradingcore.ml.model.features import FeatureSpec
from tradingcore.ml.model.model_version import BASELINES

SPEC = FeatureSpec(
    names=("a", "b"),
    w_max=10,
    horizon=4,
    timeframe=Timeframe.H1,
    calendar=Calendar.ALWAYS,
    kernel_version="1",
    constants=(("day", 24.0),),
)
KINDS = {"range": "ensemble", "barrier": "trees"}
METRICS: dict[str, Any] = {"skill": dict.fromkeys(BASELINES, 0.1)}


def members(**overrides: bytes) -> dict[str, bytes]:
    trees = {name: b"{trees" for part, kind in KINDS.items() for name in TREE_MEMBERS[part][kind]}
    documents = dict.fromkeys(JSON_MEMBERS, b"{}")
    return {
        **trees,
        **documents,
        "feature_spec.json": json_member(SPEC.to_json()),
        "metrics.json": json_member(METRICS),
        **overrides,
    }


def a_bundle(contents: dict[str, bytes] | None = None, *, kinds: dict[str, str] = KINDS, version: str = "3.2.0") -> bytes:
    return pack(contents or members(), kinds=kinds, library_version=version, kernel_version="1", training={"seed": 1})


def opened(content: bytes, *, version: str = "3.2.0", knows: Callable[[FeatureSpec], bool] = SPEC.__eq__) -> Bundle:
    """Open with the digest that the bytes have, as if the registry itself had been tampered with."""
    return open_bundle(content, digest=digest_of(content), library_version=version, knows=knows)


def refused(content: bytes, because: str, **options: Any) -> None:
    with pytest.raises(BundleRefused, match=because):
        opened(content, **options)


def without(name: str) -> dict[str, bytes]:
    return {member: content for member, content in members().items() if member != name}


def test_bundle_gives_back_its_members() -> None:
    bundle = opened(a_bundle())
    assert bundle.spec == SPEC
    assert bundle.kinds == KINDS
    assert bundle.members["barrier.ubj"] == b"{trees"
    assert bundle.manifest["training"] == {"seed": 1}


def test_equal_members_in_any_order_are_equal_bytes() -> None:
    assert a_bundle(dict(reversed(members().items()))) == a_bundle()


def test_bytes_that_the_registry_does_not_know_are_refused() -> None:
    with pytest.raises(BundleRefused, match="its bytes have changed since it was stored"):
        open_bundle(a_bundle(), digest=digest_of(b"another"), library_version="3.2.0", knows=SPEC.__eq__)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(a_bundle()) - 1), st.integers(1, 255))
@example(position=10, flip=1)  # a time in the header, which no checksum covers
@example(position=len(a_bundle()) - 1, flip=1)  # the length of the comment
def test_any_changed_byte_is_refused_even_under_its_own_digest(position: int, flip: int) -> None:
    changed = bytearray(a_bundle())
    changed[position] ^= flip
    with warnings.catch_warnings(action="ignore"):
        refused(bytes(changed), "bundle")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_anything_else_is_refused(content: bytes) -> None:
    refused(content, "it is not a readable zip file")


def test_bytes_before_or_after_the_members_are_refused() -> None:
    refused(b"#!/bin/sh\n" + a_bundle(), "bytes outside its members|not a readable zip")
    refused(a_bundle() + b"more", "bytes outside its members|not a readable zip")


@pytest.mark.parametrize("name", sorted(members()))
def test_missing_member_is_refused(name: str) -> None:
    refused(a_bundle(without(name)), f"{name} is missing")


@pytest.mark.parametrize("name", ["model.pkl", "../outside.json", "range_high_quantiles.bin"])
def test_member_that_does_not_belong_is_refused(name: str) -> None:
    refused(a_bundle(members(**{name: b"{}"})), f"{name} does not belong into it")


def test_trees_of_a_kind_that_is_not_served_do_not_belong() -> None:
    refused(a_bundle(kinds={"range": "har_w", "barrier": "trees"}), "does not belong into it")


def test_unknown_kind_is_refused() -> None:
    refused(a_bundle(kinds={"range": "oracle", "barrier": "trees"}), "models of unknown kinds")


@asvs("1.5.2", "5.2.2")
def test_pickle_under_an_honest_name_is_refused() -> None:
    refused(a_bundle(members(**{"barrier.ubj": pickle.dumps({"trees": 1})})), "barrier.ubj is not UBJ")
    refused(a_bundle(members(**{"har.json": pickle.dumps({"har": 1})})), "har.json is not a JSON object")


def test_member_that_differs_from_the_manifest_is_refused() -> None:
    honest = zipfile.ZipFile(io.BytesIO(a_bundle()))
    forged = {name: honest.read(name) for name in honest.namelist()} | {"har.json": b'{"floor":1}'}
    refused(bundles._zip(forged), "har.json has changed since the manifest was written")


def test_manifest_of_another_format_is_refused() -> None:
    honest = zipfile.ZipFile(io.BytesIO(a_bundle()))
    contents = {name: honest.read(name) for name in honest.namelist()}
    manifest = json.loads(contents[MANIFEST]) | {"format": 99}
    refused(bundles._zip(contents | {MANIFEST: json_member(manifest)}), "its format is 99")


def test_features_that_nobody_computes_are_refused() -> None:
    refused(a_bundle(), "this version does not compute its features", knows=lambda _: False)
    refused(a_bundle(members(**{"feature_spec.json": b'{"names": 3}'})), "is not a feature spec")


@pytest.mark.parametrize("name", BASELINES)
def test_model_that_was_not_measured_against_a_baseline_is_refused(name: str) -> None:
    skill = {baseline: 0.1 for baseline in BASELINES if baseline != name}
    refused(a_bundle(members(**{"metrics.json": json_member({"skill": skill})})), f"not measured against {name}")


def test_older_major_version_of_the_library_is_refused() -> None:
    refused(a_bundle(version="4.0.1"), "written by version 4.0.1 of the tree library, this is 3.2.0")
    for writer in ("3.9.0", "2.1.0"):
        assert opened(a_bundle(version=writer), version="3.2.0").manifest["library_version"] == writer
    refused(a_bundle(version="new"), "its library version is 'new'")


@asvs("5.2.3")
def test_compressed_members_are_refused_before_they_are_unpacked() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("har.json", b"0" * 50_000_000)
    refused(target.getvalue(), "a member is compressed")


@asvs("5.2.1")
def test_oversized_bundle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BYTES", 100)
    refused(a_bundle(), "at most 100 are allowed")


@asvs("5.2.3")
def test_members_that_claim_more_than_the_file_holds_are_refused() -> None:
    content = bytearray(a_bundle(members(**{"har.json": b"{" + b" " * 500 + b"}"})))
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"har.json"))
    content[entry + 20 : entry + 28] = (10**9).to_bytes(4, "little") * 2
    refused(bytes(content), "claim to be larger than the file")


def test_numbers_that_are_no_numbers_never_enter_a_bundle() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_member({"skill": float("nan")})
