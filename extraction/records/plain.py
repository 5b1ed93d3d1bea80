"""Pydantic's faults in plain words: one place for every configuration, mapping and request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .errors import nearest

_LIST, _NUMBER, _WHOLE = "must be a list", "must be a number", "must be a whole number"
_MAPPING, _TRUTH = "must be a mapping of names to values", "must be true or false"
_TEXT = "must be text; put it in quotes if it is a number, yes or no"
_WORDS: Mapping[str, str] = {
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "dict_attributes_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "none_required": "must be empty",
    "missing": "missing; this field is needed",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing; this field is needed",
}
_BRANCH = re.compile(
    r"constrained-\w+|int|float|str|bool|(?:tuple|list|dict|literal|function)\S*\[.*"
)


def plain_words(item: Mapping[str, Any], known: Iterable[str] = ()) -> str:
    """Say one fault of ``ValidationError.errors()`` in a user's words, without the value.

    Parameters
    ----------
    item
        The fault: its type, place, context and message.
    known
        Names of fields, for the nearest one to an unknown field.
    """
    if item["type"] == "extra_forbidden":
        name = str(item["loc"][-1])
        return f"field {name} is not known{nearest(name, {*known} - {name})}"
    words = _WORDS.get(item["type"])
    if words is None:
        return str(item["msg"]).removeprefix("Value error, ")
    told = words.format(**item.get("ctx", {}))
    if item["type"] == "literal_error":
        return told + str(item["ctx"].get("nearest", ""))
    choices = str(item.get("ctx", {}).get("expected_tags", ""))
    if item["type"] == "union_tag_invalid":
        return told + nearest(str(item["ctx"]["tag"]), choices.replace("'", "").split(", "))
    if item["type"] == "union_tag_not_found" and choices:
        return f"{told}: one of {choices}"
    return told


def plain_faults(
    items: Iterable[Mapping[str, Any]], known: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Place and words of each fault; the branches of one "this or that" are one fault.

    Returns
    -------
    list of (str, str)
        The place as ``variables[2].unit`` ("" for the whole), and what is wrong there.
    """
    names = tuple(known)
    found: dict[str, list[str]] = {}
    single: list[tuple[str, str]] = []
    for item in items:
        steps = tuple(item["loc"])
        kept = [s for k, s in enumerate(steps) if not (k and _is_branch(s))]
        place = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in kept).lstrip(".")
        words = plain_words(item, names)
        if len(kept) == len(steps):
            single.append((place, words))
            continue
        if place not in found:
            single.append((place, ""))
        found.setdefault(place, []).append(words)
    either = {place: ", or ".join(dict.fromkeys(words)) for place, words in found.items()}
    return [(place, words or either[place]) for place, words in single]


def faults_of(error: ValidationError) -> list[dict[str, Any]]:
    """Faults of an error without values; a misspelt choice has its nearest beside it."""
    items: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)]
    places = [item["loc"] for item in items]
    for item in items:
        given = item.pop("input", None)
        if item["type"] == "literal_error" and isinstance(given, str):
            choices = re.findall(r"'([^']*)'", item["ctx"]["expected"])
            item["ctx"] = {**item["ctx"], "nearest": nearest(given, choices)}
    # Entries at fault are not counted by pydantic, so that a list of them alone seems too short.
    return [
        item
        for item in items
        if item["type"] != "too_short" or not any(_inside(place, item["loc"]) for place in places)
    ]


def _inside(place: tuple[str | int, ...], whole: tuple[str | int, ...]) -> bool:
    return len(place) > len(whole) and place[: len(whole)] == whole


def untagged(item: Mapping[str, Any], values: Any) -> Mapping[str, Any]:
    """A fault whose place has only what was typed: without the kinds of parts on the way."""
    held, kept = values, []
    for number, step in enumerate(item["loc"]):
        fields: Mapping[str, Any] = held if isinstance(held, Mapping) else {}
        known = step in fields
        tag = step in (fields.get("kind"), fields.get("family"))
        if tag and not (known and number == len(item["loc"]) - 1):
            continue
        kept.append(step)
        entry = isinstance(held, list | tuple) and isinstance(step, int) and step < len(held)
        if known or entry:
            held = held[step]
    return {**item, "loc": tuple(kept)}


def with_choices(item: Mapping[str, Any], model: type[BaseModel] | None) -> Mapping[str, Any]:
    """A fault of a missing tag (a `kind` or `family`), with the tags that its place takes."""
    if item["type"] != "union_tag_not_found" or model is None:
        return item
    name = str(item["ctx"]["discriminator"]).strip("'")
    held = _models(model)
    for step in item["loc"]:
        inside = [kind.model_fields[step].annotation for kind in held if step in kind.model_fields]
        # A step that is no field is a place in a list, a key, or the tag of a branch.
        tagged = [kind for kind in held if isinstance(step, str) and step in _tags(kind)]
        held = _models(*inside) if inside else tagged or held
    tags = dict.fromkeys(tag for kind in held for tag in _tags(kind, name))
    if not tags:
        return item
    return {**item, "ctx": {**item["ctx"], "expected_tags": ", ".join(map(repr, tags))}}


def _models(*kinds: Any) -> list[type[BaseModel]]:
    """Models among the parts of annotations, in order."""
    found: list[type[BaseModel]] = []
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        elif get_origin(kind) is not Literal:
            found += _models(*get_args(kind))
    return found


def _tags(kind: type[BaseModel], *names: str) -> list[str]:
    """What a model's fixed fields of these names say (of all names, if none is given)."""
    fields = kind.model_fields
    literals = [f.annotation for n, f in fields.items() if not names or n in names]
    return [
        str(tag)
        for held in literals
        if get_origin(held) is Literal and len(get_args(held)) == 1
        for tag in get_args(held)
    ]


def _is_branch(step: str | int) -> bool:
    return isinstance(step, str) and _BRANCH.fullmatch(step) is not None


def field_names(model: type[BaseModel]) -> set[str]:
    """Names of a model's fields and of those of every model inside it."""
    found: set[str] = set()
    seen: set[Any] = set()
    left: list[Any] = [model]
    while left:
        kind = left.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind not in seen:
                seen.add(kind)
                found.update(kind.model_fields)
                left += [field.annotation for field in kind.model_fields.values()]
        else:
            left += get_args(kind)
    return found
