"""The file of a trained model: a zip of JSON and UBJ members and a manifest (ml.md S12), and every reason to refuse one.

Members are stored, not compressed, at fixed times and in name order: equal models are equal bytes, and no member can be larger than
the file. Nothing here or later runs code from a bundle; there is no pickle in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from tradingcore.ml.errors import BundleRefused
from tradingcore.ml.ids import BundleDigest
from tradingcore.ml.model.features import FeatureSpec
from tradingcore.ml.model.model_version import BASELINES

FORMAT: Final = 1
MAX_BYTES: Final = 256 * 1024 * 1024
MANIFEST: Final = "manifest.json"
JSON_MEMBERS: Final = (
    "calibrator.json",
    "conformal.json",
    "feature_spec.json",
    "har.json",
    "metrics.json",
    "reference_bins.json",
    "target_spec.json",
)
TREE_MEMBERS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "range": {
        "ensemble": tuple(
            f"range_{side}_{part}.ubj" for side in ("high", "low") for part in ("quantiles", "mean", "har_quantiles")
        ),
        "har_w": (),
    },
    "barrier": {"trees": ("barrier.ubj",), "companion": ()},
}
"""Which members hold trees, by part and kind of model."""

_FIRST_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OSError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that passed every check."""

    manifest: Mapping[str, Any]
    members: Mapping[str, bytes]
    spec: FeatureSpec

    @property
    def kinds(self) -> Mapping[str, str]:
        """What serves each part: ``range`` and ``barrier``, keys of `TREE_MEMBERS`."""
        kinds: Mapping[str, str] = self.manifest["kinds"]
        return kinds

    def json(self, name: str) -> Any:
        return json.loads(self.members[name])


def digest_of(content: bytes) -> BundleDigest:
    """The name of a bundle: the SHA-256 of its bytes."""
    return BundleDigest(hashlib.sha256(content).hexdigest())


def json_member(value: Any) -> bytes:
    """Canonical JSON. Floats keep every bit; NaN and infinities raise ``ValueError``."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def pack(
    members: Mapping[str, bytes],
    *,
    kinds: Mapping[str, str],
    library_version: str,
    kernel_version: str,
    training: Mapping[str, Any],
) -> bytes:
    """Return the bytes of a bundle: ``members`` and the manifest with the hash of each.

    Args:
        kinds: as in `Bundle.kinds`.
        library_version: of the library that wrote the trees.
        training: lineage for people: what the model was trained on and how. No times, no paths.
    """
    manifest = {
        "format": FORMAT,
        "kinds": dict(kinds),
        "library_version": library_version,
        "kernel_version": kernel_version,
        "training": dict(training),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
    }
    return _zip({**members, MANIFEST: json_member(manifest)})


def open_bundle(content: bytes, *, digest: BundleDigest, library_version: str, knows: Callable[[FeatureSpec], bool]) -> Bundle:
    """Return the members of a bundle after all checks. Raises `BundleRefused`, saying which one failed.

    Args:
        digest: what the registry says the SHA-256 of ``content`` is.
        library_version: of the library that is going to load the trees.
        knows: whether this installation computes exactly these features.
    """
    if digest_of(content) != digest:
        raise BundleRefused(f"bundle {digest[:12]}: its bytes have changed since it was stored, restore or retrain the model")
    refuse = _Refusal(digest)
    members = _unzip(content, refuse)
    manifest = _parsed(members, MANIFEST, refuse)
    _check_manifest(manifest, members, refuse)
    _check_library(manifest["library_version"], library_version, refuse)
    _check_metrics(_parsed(members, "metrics.json", refuse), refuse)
    try:
        spec = FeatureSpec.from_json(_parsed(members, "feature_spec.json", refuse))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise refuse("feature_spec.json is not a feature spec") from None
    if not knows(spec):
        raise refuse(
            f"this version does not compute its features (kernel {spec.kernel_version}, spec {spec.hash[:12]}), retrain the model"
        )
    return Bundle(manifest, members, spec)


class _Refusal:
    def __init__(self, digest: BundleDigest) -> None:
        self._name = digest[:12]

    def __call__(self, reason: str) -> BundleRefused:
        return BundleRefused(f"bundle {self._name}: {reason}")


def _zip(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _FIRST_ZIP_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])
    return target.getvalue()


def _unzip(content: bytes, refuse: _Refusal) -> dict[str, bytes]:
    if len(content) > MAX_BYTES:
        raise refuse(f"it is {len(content):,} bytes large, at most {MAX_BYTES:,} are allowed")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise refuse("a member is compressed, members must be stored as they are")
            if sum(entry.file_size for entry in entries) > len(content):
                raise refuse("its members claim to be larger than the file")
            members = {entry.filename: archive.read(entry) for entry in entries}
    except _UNREADABLE as error:
        raise refuse(f"it is not a readable zip file ({error})") from None
    if _zip(members) != content:
        raise refuse("it holds bytes outside its members or was not written by this program")
    return members


def _parsed(members: Mapping[str, bytes], name: str, refuse: _Refusal) -> dict[str, Any]:
    if name not in members:
        raise refuse(f"{name} is missing")
    try:
        value = json.loads(members[name])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise refuse(f"{name} is not a JSON object")
    return value


def _check_manifest(manifest: dict[str, Any], members: Mapping[str, bytes], refuse: _Refusal) -> None:
    if manifest.get("format") != FORMAT:
        raise refuse(f"its format is {manifest.get('format')!r}, this version reads {FORMAT}")
    kinds, hashes = manifest.get("kinds"), manifest.get("sha256")
    if (
        not isinstance(kinds, dict)
        or set(kinds) != set(TREE_MEMBERS)
        or any(kinds[part] not in TREE_MEMBERS[part] for part in kinds)
    ):
        raise refuse(f"it holds models of unknown kinds, {kinds!r}")
    expected = {MANIFEST, *JSON_MEMBERS, *(name for part, kind in kinds.items() for name in TREE_MEMBERS[part][kind])}
    if missing := expected - set(members):
        raise refuse(f"{', '.join(sorted(missing))} is missing")
    if extra := set(members) - expected:
        raise refuse(f"{', '.join(sorted(extra))} does not belong into it")
    if not isinstance(hashes, dict) or set(hashes) != expected - {MANIFEST}:
        raise refuse("its manifest does not list exactly its members")
    for name, stated in hashes.items():
        if hashlib.sha256(members[name]).hexdigest() != stated:
            raise refuse(f"{name} has changed since the manifest was written")
    for name in expected - {MANIFEST}:
        if name.endswith(".json"):
            _parsed(members, name, refuse)
        elif not members[name].startswith(b"{"):
            raise refuse(f"{name} is not UBJ")


def _check_library(writer: Any, reader: str, refuse: _Refusal) -> None:
    try:
        written_by = int(str(writer).split(".")[0])
    except ValueError:
        raise refuse(f"its library version is {writer!r}") from None
    if int(reader.split(".")[0]) < written_by:
        raise refuse(f"it was written by version {writer} of the tree library, this is {reader}: upgrade or retrain the model")


def _check_metrics(metrics: dict[str, Any], refuse: _Refusal) -> None:
    skill = metrics.get("skill")
    skill = skill if isinstance(skill, dict) else {}
    lacking = [name for name in BASELINES if not isinstance(skill.get(name), (int, float)) or not isfinite(skill[name])]
    if lacking:
        raise refuse(f"it was not measured against {', '.join(lacking)}, retrain the model")
