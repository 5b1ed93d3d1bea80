"""What every part of a design is: frozen, bounded, and refused with all its faults at once."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extraction.records.errors import InputError
from extraction.records.schema import pydantic_faults

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
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
            where = self._where()
            told = pydantic_faults(error, where, type(self))
            # A validator of the whole tells several faults as lines.
            lines = [line for fault in told for line in fault.splitlines()]
            raise InputError(
                line if line.startswith(where) else f"{where}: {line}" for line in lines
            ) from None

    @classmethod
    def _where(cls) -> str:
        return cls.__name__
