"""Units as people write them."""

UNITS = {"a": "years", "mo": "months", "wk": "weeks", "d": "days", "kg/m2": "kg/m²", "Cel": "°C",
         "mm[Hg]": "mmHg", "[lb_av]": "lb", "[degF]": "°F", "/min": "per minute", "%": "%"}


def readable(unit: str) -> str:
    """Return a UCUM code as people write it; curly brackets hold words already."""
    return UNITS.get(unit, unit.strip("{}").replace("10*9/L", "10⁹/L"))
