"""The page's pieces of HTML; whatever comes from outside is escaped."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from serving.service.control_requests import ControlArm, ControlsRequest
from serving.ui import figures
from serving.ui.comparison import Comparison, Row

HEAD = Markup(
    '<header class="tt-top"><p class="tt-eyebrow">Trialtwin</p>'
    "<h1>Synthetic control arm</h1>"
    "<p>Describe the control patients you have in mind. You get synthetic ones, see them beside "
    "the real ones, and see how many real patients stand behind the answer.</p></header>"
)
EMPTY = Markup(
    '<div class="tt-card tt-empty"><h2>Nothing sampled yet</h2><p>Set the conditions and press '
    "<b>Sample control arm</b>. Leave everything as it is for the whole control arm.</p></div>"
)
NO_MODEL = Markup(
    '<div class="tt-card tt-empty"><h2>No model yet</h2><p>Run a study first, for example '
    "<code>trialtwin run configs/quickstart.yaml</code>, and start the server again.</p></div>"
)


def behind(n_region: int, n_train: int, minimum: int) -> Markup:
    """How many real patients meet the conditions, said while they are being set."""
    if n_region >= minimum:
        return Markup('<p class="tt-behind"><b>{}</b> of {} real control patients meet these '
                      "conditions.</p>").format(n_region, n_train)
    shown = str(n_region) if n_region == 0 or n_region >= 5 else "Fewer than 5"
    return Markup(
        '<p class="tt-behind tt-few"><b>{}</b> of {} real control patients meet these conditions; '
        "at least {} are needed. Widen them.</p>"
    ).format(shown, n_train, minimum)


def refused(faults: Sequence[str]) -> Markup:
    """A refusal: the request was understood, and there is a reason not to answer it."""
    return _message("tt-warn", "Not given, and for a reason", faults)


def mistaken(faults: Sequence[str]) -> Markup:
    """A request that was not understood."""
    return _message("tt-bad", "Please change the request", faults)


def failed() -> Markup:
    """Our own fault."""
    return _message("tt-bad", "Something went wrong on our side",
                    ["Try again; the server's log names the place."])


def _message(kind: str, title: str, faults: Sequence[str]) -> Markup:
    said = Markup("").join(Markup("<p>{}</p>").format(_sentence(f)) for f in faults)
    return Markup('<div class="tt-callout {}" role="alert"><h2>{}</h2>{}</div>').format(
        kind, title, said
    )


def _sentence(fault: str) -> str:
    """Drop the technical place in front and begin with a capital letter."""
    place, colon, text = fault.partition(": ")
    said = text if colon and place in ("request", "use", "model", "conditions", "n") else fault
    return said[:1].upper() + said[1:] + ("" if said.endswith(".") else ".")


def tiles(arm: ControlArm) -> Markup:
    """The three figures that matter, and what the rows are not."""
    known = (
        (len(arm.cohort), "synthetic patients", "sampled just now"),
        (arm.n_region, "real patients meet the conditions", "all that is known about this group"),
        (arm.n_train, "real patients behind the model", "all that the model has ever seen"),
    )
    shown = Markup("").join(
        Markup('<div class="tt-tile"><b>{:,}</b><span>{}</span><small>{}</small></div>').format(*k)
        for k in known
    )
    return Markup(
        '<div class="tt-tiles">{}</div><div class="tt-callout"><p><b>Synthetic patients are not '
        "data.</b> However many you draw, they say no more than the {} real patients behind them. "
        "A test that counts them as patients is invalid.{}</p></div>"
    ).format(shown, arm.n_train, _rare(arm))


def _rare(arm: ControlArm) -> str:
    """Say when the model reached the conditions by giving few of its patients much weight."""
    if arm.ess >= 0.5 * len(arm.cohort):
        return ""
    return (
        f" These conditions are rare for the model: its {len(arm.cohort):,} patients count as "
        f"about {arm.ess:,.0f}."
    )


def results(arm: ControlArm, request: ControlsRequest, seen: Comparison) -> Markup:
    """Figures, Table 1 and the record of a control arm."""
    return Markup("").join([
        _section("Baseline", _KEY, [
            *(_figure(h.title, figures.histogram(h)) for h in seen.histograms),
            *(_figure(s.title, figures.shares(s)) for s in seen.shares),
        ], "tt-small"),
        _section("Over time", _KEY_TIME, [
            *(_figure(f"{c.title}: mean of those still observed", figures.course(c))
              for c in seen.courses),
            *(_figure(s.title, figures.survival(s)) for s in seen.survival),
        ], "tt-wide", seen.withheld),
        _table(seen.rows, arm),
        _record(arm, request),
    ])


_KEY = Markup('<p class="tt-key"><i class="tt-real"></i>real patients <i class="tt-syn"></i>'
              "synthetic patients</p>")
_KEY_TIME = Markup('<p class="tt-key"><i class="tt-real"></i>real patients, band: 95 % interval '
                   '<i class="tt-syn"></i>synthetic patients</p>')


def _section(
    title: str, key: Markup, drawn: list[Markup], kind: str, withheld: Sequence[str] = ()
) -> Markup:
    if not drawn and not withheld:
        return Markup("")
    hidden = Markup("").join(
        Markup('<p class="tt-note">{}: fewer than 5 real patients had the event; no curve is '
               "shown.</p>").format(name)
        for name in withheld
    )
    return Markup(
        '<section class="tt-card"><h2>{}</h2>{}<div class="tt-figures {}">{}</div>{}</section>'
    ).format(title, key, kind, Markup("").join(drawn), hidden)


def _figure(title: str, svg: str) -> Markup:
    data = base64.b64encode(svg.encode()).decode()
    return Markup(
        '<figure><figcaption>{}</figcaption><img alt="{}: real beside synthetic patients" '
        'src="data:image/svg+xml;base64,{}"></figure>'
    ).format(title, title, data)


_GROUP = Markup('<tr class="tt-group"><td colspan="4">{}</td></tr>')


def _table(rows: Sequence[Row], arm: ControlArm) -> Markup:
    body, last = [], None
    for row in rows:
        if row.level is not None and row.title != last:
            body.append(_GROUP.format(row.title))
        last = row.title
        body.append(_row(row))
    return Markup(
        '<section class="tt-card"><h2>Table 1</h2><p class="tt-note">Mean (SD) or number (share). '
        "SMD: standardised difference, in bold beyond ±0.1. Real numbers below 5 are hidden.</p>"
        '<div class="tt-scroll"><table><thead><tr><th></th><th class="n">Real<br>n = {}</th>'
        '<th class="n">Synthetic<br>n = {:,}</th><th class="n">SMD</th></tr></thead>'
        "<tbody>{}</tbody></table></div></section>"
    ).format(arm.n_region, len(arm.cohort), Markup("").join(body))


def _row(row: Row) -> Markup:
    shown = "–" if row.difference is None else f"{row.difference:+.2f}".replace("-", "−")
    large = row.difference is not None and abs(row.difference) > 0.1
    gap = Markup("<b>{}</b>").format(shown) if large else escape(shown)
    name, kind = (row.title, "") if row.level is None else (row.level, "tt-level")
    return Markup(
        '<tr><td class="{}">{}</td><td class="n">{}</td><td class="n">{}</td>'
        '<td class="n">{}</td></tr>'
    ).format(kind, name, row.real, row.synthetic, gap)


def _record(arm: ControlArm, request: ControlsRequest) -> Markup:
    body = json.dumps(request.model_dump(mode="json", exclude_none=True), indent=1)
    facts: list[tuple[str, Any]] = [
        ("Arm", arm.arm or "–"),
        ("Seed", request.seed),
        ("Effective number of synthetic patients", f"{arm.ess:,.0f} of {len(arm.cohort):,}"),
        ("Digest", arm.digest),
    ]
    listed = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*fact) for fact in facts)
    return Markup(
        '<details class="tt-card"><summary>For the record</summary><dl>{}</dl>'
        "<p>The same patients come again from <code>POST /v1/controls</code> with</p>"
        "<pre>{}</pre></details>"
    ).format(listed, body)
