"""The JSON Schemas of the package, made strict: a field that they do not describe is a fault as well."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator


@cache
def published(command: str) -> dict[str, Any]:
    """The schema of a command's document, as it is in the package."""
    schema: dict[str, Any] = json.loads((files("traceviz") / "schemas" / f"{command}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return schema


@cache
def validator(command: str) -> Draft202012Validator:
    """Validates strictly."""
    return Draft202012Validator(_strict(published(command)))


def faults(document: Any) -> list[str]:
    """What is wrong with a document, by the schema that it names itself; empty when all is well."""
    command = document["schema"].split("/")[1]
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(command).iter_errors(document)]


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(part) for key, part in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        strict.setdefault("additionalProperties", False)
    return strict
