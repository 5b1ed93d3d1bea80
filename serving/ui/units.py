"""Units as people write them."""

UNITS = {"a": "years", "mo": "months", "wk": "weeks", "d": "days", "kg/m2": "kg/m²", "Cel": "°C",
         "mm[Hg]": "mmHg", "[lb_av]": "lb", "[degF]": "°F", "/min": "per minute", "%": "%"}


def beside(title: str, unit: str | None) -> str:
    """Return a unit in words to stand beside a title, nothing where the title says it already."""
    words = readable(unit) if unit else ""
    return "" if words.lower() in title.lower() else words


def readable(unit: str) -> str:
    """Return a UCUM code as people write it; curly brackets hold words already."""
    return UNITS.get(unit, unit.strip("{}").replace("10*9/L", "10⁹/L"))
