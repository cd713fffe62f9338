from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from entrypoints.http.stream.asyncapi import asyncapi_document
from entrypoints.http.stream.limits import CloseCode


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def find(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = asyncapi_document("1.2.3")
    found = set(references(document))
    assert found
    for reference in found:
        assert find(document, reference)


def test_every_message_has_a_summary_of_its_own_and_a_valid_schema() -> None:
    document = asyncapi_document("1.2.3")
    messages = document["components"]["messages"]
    assert len({message["summary"] for message in messages.values()}) == len(messages)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_document_names_the_version_and_every_close_code() -> None:
    document = asyncapi_document("1.2.3")
    assert (document["asyncapi"], document["info"]["version"]) == ("3.0.0", "1.2.3")
    for code in CloseCode:
        assert str(code.value) in document["channels"]["stream"]["description"]
