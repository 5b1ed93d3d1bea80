"""What every part of a design is: frozen, bounded, and refused with all its faults at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extraction.records.errors import InputError
from extraction.records.schema import pydantic_faults

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
OneAVisit = Annotated[tuple[Finite, ...], Field(min_length=1)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Plan(BaseModel):
    """A part of a design, as YAML gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Stated(Plan):
    """A part that people build themselves: its faults come as one `InputError`."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(
                dict.fromkeys(f"{self._where()}: {told}" for told in self._faults(values, error))
            ) from None

    # As part of a greater whole its faults are the whole's, each with its place (as pydantic marks
    # its own initialiser, which it then does not call for parts).
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def _where(cls) -> str:
        return cls.__name__

    @classmethod
    def _faults(cls, values: dict[str, Any], error: ValidationError) -> list[str]:
        """Say what is wrong, without the name of the whole."""
        where = cls._where()
        faults = pydantic_faults(error, where, cls, values)
        return [told.removeprefix(f"{where}: ") for told in faults]


class Filed(Stated):
    """A stated part that a YAML file of its own holds."""

    EXAMPLE: ClassVar[str]
    """The file that teaches its fields."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build it from a dictionary (as YAML gives it); InputError lists every fault."""
        return cls(**{str(key): value for key, value in values.items()})

    @classmethod
    def read(cls, path: str | Path, **instead: Any) -> Self:
        """Read it from a YAML file, with some values in place of the file's.

        Raises
        ------
        InputError
            If the file is missing, is not YAML, or what it states has faults; all at once.
        """
        name = Path(path).name
        try:
            # The loader is PyYAML's safe one.
            values = yaml.load(Path(path).read_text(encoding="utf-8"), _Once)  # noqa: S506
        except (FileNotFoundError, IsADirectoryError):
            raise InputError(f"{path}: there is no such file; check the path") from None
        except OSError:
            raise InputError(f"{path}: it cannot be opened; check who may read it") from None
        except yaml.MarkedYAMLError as error:
            raise InputError(f"{name}: {_told(error)}; mend the YAML there") from None
        except (yaml.YAMLError, ValueError, RecursionError):  # a day such as 2026-02-31 too
            raise InputError(f"{name}: it cannot be read as YAML; check its form") from None
        if not isinstance(values, dict):
            raise InputError(f"{name}: must be a mapping of names to values; see {cls.EXAMPLE}")
        try:
            return cls.parse(values | instead)
        except InputError as error:
            raise InputError(f"{name}: {fault}" for fault in error.faults) from None


class _Once(yaml.SafeLoader):
    """Safe YAML in which a key stands once; the last of several would be taken silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    told = f"{key.value!r} stands twice"
                    raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _told(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    if mark is None:
        return f"it cannot be read: {error.problem}"
    return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
