"""The OpenAPI document: as reviewed, valid, and true. Refresh it with ``python -m tests.unit.entrypoints.http.test_openapi``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from entrypoints.http.openapi import openapi_document
from entrypoints.http.schemas.examples import EXAMPLES
from tests.unit.entrypoints.http.world import World

SNAPSHOT = Path(__file__).parent / "snapshots" / "openapi.json"


def document() -> dict[str, Any]:
    return openapi_document(World().app, version="0.1.0")


def as_text(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return document()


def operations(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in found["paths"].values() for operation in item.values()]


def test_the_document_is_as_reviewed(found: dict[str, Any]) -> None:
    assert as_text(found) == SNAPSHOT.read_text(encoding="utf-8"), f"review the difference, then: python -m {__name__}"


def test_every_reference_leads_somewhere(found: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [name for value in part.values() for name in references(value)]
        return [name for value in part for name in references(value)] if isinstance(part, list) else []

    for reference in set(references(found)):
        target: Any = found
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_schema_is_a_schema(found: dict[str, Any]) -> None:
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_is_complete(found: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(found)]
    assert len(names) == len(set(names))
    for operation in operations(found):
        assert operation["summary"]
        assert operation["tags"]
        for status, answer in operation["responses"].items():
            for media_type, content in answer.get("content", {}).items():
                assert "example" in content, (operation["operationId"], status, media_type)
                if int(status) >= 400:
                    assert media_type == "application/problem+json"
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= operation["responses"].keys()
            assert "example" in operation["requestBody"]["content"]["application/json"]


def test_every_example_fits_its_schema(found: dict[str, Any]) -> None:
    contents = [
        content
        for operation in operations(found)
        for part in (*operation["responses"].values(), operation.get("requestBody", {}))
        for content in part.get("content", {}).values()
    ]
    for content in contents:
        schema = {**content["schema"], "components": found["components"]}
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(content["example"])
    assert {kind.__name__.removesuffix("Body") for kind in EXAMPLES} <= found["components"]["schemas"].keys()


def test_unknown_fields_of_requests_are_refused_by_the_document_too(found: dict[str, Any]) -> None:
    assert found["components"]["schemas"]["PredictionRequest"]["additionalProperties"] is False


if __name__ == "__main__":
    SNAPSHOT.parent.mkdir(exist_ok=True)
    SNAPSHOT.write_text(as_text(document()), encoding="utf-8")
