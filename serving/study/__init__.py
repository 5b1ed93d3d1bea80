"""The configuration of a study: what `trialtwin run` reads, checked before anything is run."""

from .historical import HistoricalScoreStudy
from .loading import Study, load_study, parse_study
from .trial import TrialStudy

__all__ = ["HistoricalScoreStudy", "Study", "TrialStudy", "load_study", "parse_study"]
