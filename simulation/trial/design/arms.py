"""Arms of a trial and the ratio in which patients are randomised to them."""

from typing import final

from pydantic import Field

from simulation.trial.plan import Name, Plan


@final
class Arm(Plan):
    """One arm.

    `allocation` counts parts of the randomisation ratio: 2 beside 1 is two to one. A control arm
    with none stands for external controls alone.
    """

    name: Name
    allocation: int = Field(default=1, ge=0, le=20, description="parts of the randomisation ratio")
    control: bool = False


def arm_faults(arms: tuple[Arm, ...]) -> list[str]:
    """Say what is wrong with the arms together."""
    faults = []
    if len(arms) < 2:
        faults.append(f"arms: {len(arms)} came; a comparison needs two or more; add one")
    controls = [arm.name for arm in arms if arm.control]
    if len(controls) != 1:
        faults.append(
            f"arms: {len(controls)} arms with control: true; exactly one is the control; mark it"
        )
    names = [arm.name for arm in arms]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [f"arms: the name {name!r} stands twice; names must differ" for name in twice]
    return faults
