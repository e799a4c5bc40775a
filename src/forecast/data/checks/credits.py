"""Negative amounts: credits, downsell, cancellations. What is done with them is the company's choice, and is said.

By default they are kept, since bookings less credits is what the CRM's own report adds up to, and what a plan is made
of. The other choice leaves them out. On a past day it must not depend on what came later, so an opportunity is left out
that began below 0; one that fell below later, stays, and brings nothing from then on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.checks.table import problem_at
from forecast.data.codes import key_order, places, ranks
from forecast.data.schema import Company
from forecast.errors import Problem
from forecast.wording import money, plural, share

OPPS, HISTORY = "opportunities", "opportunity_history"

KEPT = "negative amounts are kept: bookings subtract them"
LEFT_OUT = "opportunities of a negative amount are left out"


def settle_credits(typed: dict[str, pd.DataFrame], company: Company) -> list[Problem]:
    """Do with negative amounts as the company says, in the typed tables, and return what was done with how many."""
    frame, history = typed[OPPS], typed.get(HISTORY)
    below = np.asarray(frame["amount"] < 0)
    before = np.zeros(0, dtype=bool) if history is None else np.asarray(history["amount"] < 0)
    if not below.any() and not before.any():
        return []
    if company.negative_amounts == "keep":
        return _told(frame, below, company, what=KEPT, mend=_OTHER) if below.any() else []
    first = _first_amounts(frame, history)
    out = first < 0
    rows = 0
    if history is not None:
        theirs = places(history["opportunity_id"], frame.loc[out, "opportunity_id"]) >= 0
        rows = int(theirs.sum())
        typed[HISTORY] = _at_least_nothing(history[~theirs])
    typed[OPPS] = _at_least_nothing(frame[~out])
    also = f", with {plural(rows, 'row')} of history" if rows else ""
    later = int((below & ~out).sum())
    if later:
        also += f"; {plural(later, 'opportunity')} that fell below 0 later {'counts' if later == 1 else 'count'} as 0"
    if out.all():
        return problem_at(frame, out, table=OPPS, column="amount", what=f"all {LEFT_OUT}", mend=_MEND_ALL)
    return _told(frame, out | below, company, what=LEFT_OUT + also, mend=_MEND)


_OTHER = 'correct the sign if they are no credits; negative_amounts = "leave-out" in company.toml leaves them out'
_MEND = "correct the sign if they are no credits; to keep them, take negative_amounts out of company.toml"
_MEND_ALL = "correct the sign, or take negative_amounts out of company.toml"


def _told(frame: pd.DataFrame, which: np.ndarray, company: Company, *, what: str, mend: str) -> list[Problem]:
    """Return that some opportunities have a negative amount, with how much that is by outcome."""
    amounts, outcome = frame["amount"][which], frame["outcome"][which]
    currency = company.currency if "currency" not in frame else ""
    parts = [
        f"{plural(int((outcome == name).sum()), name + ' opportunity')} of {money(total, currency=currency)}"
        for name in ("won", "open", "lost")
        if (outcome == name).any() and (total := float(amounts[outcome == name].sum())) is not None
    ]
    several = ", in their own currencies" if "currency" in frame else ""
    evidence = f"{', '.join(parts)}{several} ({share(int(which.sum()), len(frame))} of the opportunities)"
    return problem_at(
        frame, which, table=OPPS, column="amount", what=what, mend=mend, severity="warning", evidence=evidence
    )


def _first_amounts(frame: pd.DataFrame, history: pd.DataFrame | None) -> np.ndarray:
    """Return the first amount known of each opportunity, of history, else today's; (n,), nan where there is none."""
    first = frame["amount"].to_numpy(dtype=np.float64).copy()
    if history is None:
        return first
    rows = history[history["amount"].notna()]
    of = places(rows["opportunity_id"], frame["opportunity_id"])
    order = key_order([of, ranks(rows["recorded_at"])])
    order = np.arange(len(of)) if order is None else np.asarray(order)
    order = order[of[order] >= 0][::-1]  # the earliest comes last, and stays
    first[of[order]] = rows["amount"].to_numpy(dtype=np.float64)[order]
    return first


def _at_least_nothing(frame: pd.DataFrame) -> pd.DataFrame:
    below = frame["amount"] < 0
    return frame.assign(amount=frame["amount"].mask(below, 0.0)) if below.any() else frame
