"""The engines by name, and the doors to them: `fit` and `load_model`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from extraction.records import Cohort, InputError
from generation.artifact import read_card
from generation.engine import Model, Progress, check_trainable

ENGINES: dict[str, str] = {
    "twin": "generation.twin_model.model:TwinModel",
    "mixture": "generation.mixture.model:MixtureModel",
    "cart": "generation.cart:CartModel",
    "sdv-gaussian-copula": "generation.sdv_engines:GaussianCopulaModel",
    "sdv-ctgan": "generation.sdv_engines:CtganModel",
    "sdv-tvae": "generation.sdv_engines:TvaeModel",
    "sdv-copulagan": "generation.sdv_engines:CopulaGanModel",
    "sdv-par": "generation.sdv_engines:ParModel",
}
"""Built-in engines: name to ``module:Class``. The first is the default."""

UNLISTED: dict[str, str] = {
    "twin-private": "generation.privacy.private_twin:PrivateTwinModel",
}
"""Engines that cannot be fitted without being told more (a privacy budget, declared ranges)."""

ENTRY_POINTS = "trialtwin.engines"
"""Entry-point group under which other packages add engines."""


def engines() -> list[str]:
    """Names of every engine that can be fitted."""
    return list(_registered())


def engine_class(name: str) -> type[Model]:
    """Import an engine's class.

    Raises
    ------
    InputError
        If there is no such engine.
    """
    known = {**_registered(), **UNLISTED}
    if name not in known:
        raise InputError(f"engine: {name!r} is unknown; choose one of {', '.join(known)}")
    module, _, attribute = known[name].partition(":")
    return cast(type[Model], getattr(import_module(module), attribute))


def fit(
    cohort: Cohort,
    engine: str = "twin",
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Fit a generative model to a cohort.

    Pass controls only for a prognostic model or synthetic controls, every arm for
    forecasts under each arm; the model card records which (`ModelCard.fit`).

    Parameters
    ----------
    cohort
        At least 20 patients.
    engine
        One of :func:`engines`.
    seed
        The same cohort, seed and options give the same model on one CPU type.
    progress
        Called with what is being fitted and the fraction done.
    options
        The engine's own options; an unknown one is refused.

    Raises
    ------
    InputError
        For an unknown engine or option, or a cohort too small to learn from.
    """
    kind = engine_class(engine)
    check_trainable(cohort, engine)
    model = kind.fit(cohort, seed=seed, progress=progress, **options)
    if cohort.schema.constraints:
        model.record_constraints(cohort)
    return model


def load_model(folder: Path | str) -> Model:
    """Load a model that was saved to a folder.

    Raises
    ------
    InputError
        If the folder is not a model, was changed, its engine is unknown, or another version of
        the engine saved it.
    """
    card = read_card(folder)["card"]
    kind = engine_class(str(card.get("engine")))
    saved, ours = card.get("engine_version"), kind.engine_version
    stale = InputError(
        f"{Path(folder).name}: saved by version {saved} of engine {kind.engine!r} and not what "
        f"version {ours}, which is installed, reads; fit it again"
    )
    if saved != ours:
        raise stale
    try:
        return kind.load(folder)
    except (KeyError, TypeError):  # its parts are whole, and others than these
        raise stale from None


@cache
def _registered() -> dict[str, str]:
    """Built-in engines and those of entry points; a name given twice is an error."""
    known = dict(ENGINES)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in known:
            raise InputError(f"engine {point.name!r}: registered twice; rename the plug-in's")
        known[point.name] = point.value
    return known
