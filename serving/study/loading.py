"""Reading a study's YAML file; every fault at once, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from extraction.records.errors import InputError, nearest
from extraction.records.plain import plain_words

from .historical import HistoricalScoreStudy
from .trial import TrialStudy

Study = Annotated[TrialStudy | HistoricalScoreStudy, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[TrialStudy | HistoricalScoreStudy] = TypeAdapter(Study)


def load_study(path: str | Path) -> TrialStudy | HistoricalScoreStudy:
    """Read and check a study's configuration.

    Parameters
    ----------
    path
        A YAML file. Paths inside it count from the folder it lies in.

    Raises
    ------
    InputError
        With every fault: file, line, place and what is allowed.
    """
    path = Path(path)
    values, lines = read_yaml(path)
    return parse_study(values, path.name, lines)


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple[Any, ...], int]]:
    """Content of a YAML file and the line of each place in it (1-based)."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a YAML file") from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name}: not a readable UTF-8 text file") from None
    try:
        values = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InputError(f"{path.name}: not valid YAML{_mark(error)}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path.name}: empty or not a mapping; a study has named sections")
    return values, dict(_lines(node, ()))


def _mark(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "check its form"
    return f" (line {mark.line + 1}, column {mark.column + 1}): {problem}" if mark else ""


def _lines(node: Any, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    if node is None:
        return
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            for inner in _lines(value, (*place, key.value)):
                if inner[0] != (*place, key.value):
                    yield inner
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _lines(value, (*place, i))


def parse_study(
    values: Mapping[str, Any],
    where: str = "study",
    lines: Mapping[tuple[Any, ...], int] | None = None,
) -> TrialStudy | HistoricalScoreStudy:
    """Check a study's configuration given as a dictionary.

    Raises
    ------
    InputError
        With every fault.
    """
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        faults = [_fault(item, values, where, lines or {}) for item in _causes(error)]
        raise InputError(faults) from None


def _causes(error: ValidationError) -> list[Any]:
    """Faults without those that only follow from another: a list is short when its item fails."""
    items = error.errors()
    places = [tuple(item["loc"]) for item in items]
    return [
        item
        for item, place in zip(items, places, strict=True)
        if item["type"] != "too_short"
        or not any(len(p) > len(place) and p[: len(place)] == place for p in places)
    ]


def _fault(
    item: Any, values: Mapping[str, Any], where: str, lines: Mapping[tuple[Any, ...], int]
) -> str:
    place = _place(item["loc"], values)
    name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")
    line = next((lines[place[:k]] for k in range(len(place), 0, -1) if place[:k] in lines), None)
    at = f" (line {line})" if line else ""
    head = f"{where}: {name}{at}: " if name else f"{where}: "
    return head + _message(item, str(place[-1]) if place else "")


def _message(item: Any, last: str) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        return f"unknown field{nearest(last, _field_names())}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tags = (
            str(item["ctx"].get("expected_tags", "")).replace("'", "") or "trial, historical_score"
        )
        return f"kind is missing or unknown; allowed: {tags}"
    text = plain_words(item)
    given = item.get("input")
    if kind != "value_error" and isinstance(given, str | int | float | bool):
        return f"{str(given)[:40]!r} came; {_it(text)}"
    return text


def _it(text: str) -> str:
    return f"it {text}" if text.startswith("must") else f"{text[0].lower()}{text[1:]}"


def _place(loc: tuple[Any, ...], values: Any) -> tuple[Any, ...]:
    """Drop the tags of unions, which pydantic puts into a place, from it."""
    place: list[Any] = []
    node = values
    tagged = False
    for step in loc:
        if not tagged and isinstance(node, Mapping) and node.get("kind") == step:
            tagged = True
            continue
        if not isinstance(node, Mapping | list | tuple) and place:
            continue
        place.append(step)
        tagged = False
        if isinstance(node, Mapping):
            node = node.get(step)
        elif isinstance(node, list | tuple) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            node = None
    return tuple(place)


def _field_names() -> set[str]:
    found: set[str] = set()

    def walk(kind: type[BaseModel]) -> None:
        for sub in kind.__subclasses__():
            found.update(sub.model_fields)
            walk(sub)

    from .parts import Section

    walk(Section)
    return found
