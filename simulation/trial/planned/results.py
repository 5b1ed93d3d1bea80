"""Results as a table: one row a question, figures with all their digits."""

from __future__ import annotations

import pandas as pd

from simulation.trial.planned.analysing import Analysed


def results_table(done: Analysed) -> pd.DataFrame:
    """One row a question.

    Returns
    -------
    DataFrame
        ``scale_estimate`` is the estimate on the analysis's own scale (the logarithm of a ratio),
        ``model_se`` the standard error there; of repeated measures the model-based one, before
        Kenward and Roger's correction.
    """
    rows = []
    for told, answer in zip(done.to_dict()["analyses"], done.answers, strict=True):
        decision = told["decision"] or {}
        rows.append(
            {
                "id": told["id"],
                "name": told["name"],
                "role": told["role"],
                "status": told["status"],
                "endpoint": told["endpoint"],
                "arm": told["arm"],
                "control": told["control"],
                "method": told["method"],
                "summary": told["estimand"]["summary"],
                **{k: told[k] for k in ("estimate", "se", "low", "high", "p_value", "n", "df")},
                "p_one_sided": told["p_one_sided"],
                "adjusted_p": decision.get("adjusted_p"),
                "rejected": decision.get("rejected"),
                "scale_estimate": answer.fit.estimate[0],
                "model_se": answer.estimate.extra.get("naive_se", told["se"]),
            }
        )
    return pd.DataFrame(rows)
