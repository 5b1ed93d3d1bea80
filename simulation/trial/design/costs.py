"""What a trial costs, from its patients, candidates and time."""

from typing import Any, final

from pydantic import Field

from simulation.trial.plan import Name, NotNegative, Plan


@final
class Costs(Plan):
    """Amounts in one currency; each replicate's cost follows from what it used."""

    fixed: NotNegative = Field(default=0.0, description="whatever the trial's size")
    per_patient: NotNegative = Field(default=0.0, description="of each patient randomised")
    per_screened: NotNegative = Field(default=0.0, description="of each candidate screened")
    per_time: NotNegative = Field(default=0.0, description="of each time unit until the stop")
    currency: Name = Field(default="money units", description="for labels")

    def of(self, n: Any, screened: Any, duration: Any) -> Any:
        """Cost of trials with so many patients, candidates and time units (arrays that match)."""
        patients = self.per_patient * n + self.per_screened * screened
        time = self.per_time * duration if self.per_time else 0.0
        return self.fixed + patients + time

    def words(self, unit: str) -> str:
        """The amounts that are not 0, in a sentence."""
        amounts = (
            (self.fixed, "in any case"),
            (self.per_patient, "for each patient"),
            (self.per_screened, "for each candidate screened"),
            (self.per_time, f"for each {unit}"),
        )
        told = ", ".join(f"{amount:,g} {what}" for amount, what in amounts if amount)
        return f"In {self.currency}: {told or 'nothing'}."
