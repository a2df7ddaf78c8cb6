"""Documents become pydantic models, or all their problems at once, in words that say the mend.

The hint of a problem is the `description` of the field it is about, which editors show as well:
both come from the model's JSON Schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from topologies.documents import Document, DocumentError, KeyPath, Problem, did_you_mean

Model = TypeVar("Model", bound=BaseModel)

Check = Callable[[Document], Iterable[Problem]]
"""A semantic check: what in a document does not go together. It must bear half-right documents,
which is what `Document.select` is for, so that a slip in one place hides none in another."""

Schema = dict[str, Any]
Location = tuple[int | str, ...]

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Count = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, StringConstraints(min_length=1)]


class Section(BaseModel):
    """A mapping of a document. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_SENTENCES = {
    "greater_than": "{input!r} is not greater than {gt:g}",
    "greater_than_equal": "{input!r} is less than {ge:g}",
    "less_than_equal": "{input!r} is more than {le:g}",
    "finite_number": "{input!r} is not a finite number",
    "float_type": "{input!r} is not a number",
    "int_type": "{input!r} is not a whole number",
    "bool_type": "{input!r} is neither true nor false",
    "int_from_float": "{input!r} is not a whole number",
    "string_type": "{input!r} is not text; put it in quotes",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "{input!r} is not a valid name",
    "dict_type": "is not a mapping of keys to values",
    "model_type": "is not a mapping of keys to values",
    "model_attributes_type": "is not a mapping of keys to values",
    "list_type": "is not a list",
    "tuple_type": "is not a list",
    "too_short": "has {actual_length} items, fewer than {min_length}",
    "too_long": "has {actual_length} items, more than {max_length}",
    "invalid_key": "this key is not text; put it in quotes",
    "literal_error": "{input!r} is not one of {expected}",
    "missing": "is missing",
}
"""By pydantic's error type, filled in from its context. Other types keep pydantic's own words."""


def validate(document: Document, model: type[Model], checks: Iterable[Check] = ()) -> Model:
    """Return the document as `model`, after its schema and all `checks` found nothing wrong.

    Raises:
        DocumentError: with every problem found, in the order of lines.
    """
    problems = list(document.problems)
    try:
        valid = model.model_validate(document.data)
    except ValidationError as error:
        problems += _explained(error, model, document)
    for check in checks:
        problems += check(document)
    if problems:
        raise DocumentError(sorted(problems, key=lambda problem: problem.line or 0))
    return valid


def _explained(
    error: ValidationError, model: type[BaseModel], document: Document
) -> Iterator[Problem]:
    schema = model.model_json_schema()
    for detail in error.errors(include_url=False):
        message, hint = _words(schema, detail)
        yield document.problem(_path(document, detail), message, hint)


def _words(schema: Schema, detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and the hint."""
    kind, context, location = detail["type"], detail.get("ctx", {}), detail["loc"]
    if kind == "extra_forbidden":
        known = _field(schema, location[:-1])["properties"]
        return "is not a key of this section", did_you_mean(location[-1], known)
    if kind.startswith("union_tag"):
        known = _field(schema, location)["discriminator"]["mapping"]
        if kind == "union_tag_not_found":
            return "is missing", f"one of {', '.join(known)}"
        return f"{context['tag']!r} is not known", did_you_mean(context["tag"], known)
    if location[-1:] == ("[key]",):
        location = location[:-2]
    hint = _hint(schema, location)
    if detail["input"] is None and kind.endswith("_type"):
        return "is empty", hint or ("write {} to take every default" if location else "")
    if kind not in _SENTENCES:
        return detail["msg"].removeprefix("Value error, "), hint
    return _SENTENCES[kind].format(**{"input": detail["input"], **context}), hint


def _path(document: Document, detail: ErrorDetails) -> KeyPath:
    """Where in the document it is: pydantic's location without the tags of its unions."""
    path: KeyPath = ()
    for part in detail["loc"]:
        if any(document.select(*path, part)):
            path = (*path, part)
    if detail["type"] == "missing":
        return (*path, detail["loc"][-1])
    if detail["type"].startswith("union_tag"):
        return (*path, detail["ctx"]["discriminator"].strip("'"))
    return path


def _hint(schema: Schema, location: Location) -> str:
    """The description of the field at `location`, or of the list that it is an item of."""
    if not location:
        return ""
    *parents, last = location
    description = _step(_field(schema, tuple(parents)), last).get("description", "")
    if not description and isinstance(last, int):
        return _hint(schema, tuple(parents))
    return str(description)


def _field(schema: Schema, location: Location) -> Schema:
    """The part of a JSON Schema that describes the value at pydantic's `location`."""
    node = schema
    for part in location:
        node = _resolved(schema, _step(node, part))
    return node


def _step(node: Schema, part: int | str) -> Schema:
    if part in node.get("properties", {}):
        return dict(node["properties"][part])
    if part in node.get("discriminator", {}).get("mapping", {}):
        return {"$ref": node["discriminator"]["mapping"][part]}
    if isinstance(part, int) and "prefixItems" in node:
        return dict(node["prefixItems"][part])
    for members in ("items", "additionalProperties"):
        if isinstance(node.get(members), dict):
            return dict(node[members])
    patterns = node.get("patternProperties", {})
    return dict(next(iter(patterns.values()), {}))


def _resolved(schema: Schema, node: Schema) -> Schema:
    """`node` with its reference followed, and without the alternative of being absent."""
    if "$ref" in node:
        return dict(schema["$defs"][node["$ref"].rpartition("/")[2]])
    present = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
    return _resolved(schema, present[0]) if present else node
