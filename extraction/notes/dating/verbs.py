"""Words that say whether a drug or problem began, ended or changed at a time."""

from __future__ import annotations

from ..lexicon import word_set

STARTS = word_set(
    "started start starts starting began begun begin beginning initiated initiate initiating "
    "commenced commence added add adding restarted restart resumed resume prescribed placed put "
    "loaded onset given received receiving administered introduced trialled dosed"
)
STOPS = word_set(
    "stopped stop stopping discontinued discontinue discontinuing dc'd dc'ed c'd ceased completed "
    "complete finished finish quit held withdrawn ended ending tapered weaned removed off "
    "discontinuation cessation"
)
OVER = word_set("resolved ended stopped gone cleared healed recovered subsided abated disappeared "
                 "remitted until till through thru")  # fmt: skip
HOLDS = word_set("hold holding held holds withhold withheld pause paused")
LAST = word_set("took taken dose dosed received given used had")  # `last took`
SWITCHES = word_set("switched changed transitioned converted replaced switch change")
CHANGES = word_set(
    "increased increase decreased decrease uptitrated titrated reduced reduce doubled halved "
    "adjusted raised lowered"
)
TAKING = word_set("been taking takes maintained uses using")
