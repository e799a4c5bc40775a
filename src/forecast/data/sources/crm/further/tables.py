"""All that an export holds beside its deals -> our further tables; what cannot be, and why, is said."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd

from forecast.data.sources.crm.further import campaigns, leads, quotas, submissions
from forecast.data.sources.crm.further.beside import Beside, LeftAside
from forecast.data.sources.crm.further.marketing import make_marketing
from forecast.data.sources.crm.further.quotas import make_quotas
from forecast.data.sources.crm.further.submissions import make_submissions

Tables = dict[str, pd.DataFrame]


def further_tables(beside: Beside, end: pd.Timestamp) -> Tables:
    """Return quotas, plan, submitted_forecasts, leads and marketing, each where the export has it.

    end : the day of the export.
    """
    makers: list[tuple[tuple[str, ...], Callable[[], Tables]]] = [
        ((quotas.ROLE,), partial(make_quotas, beside)),
        ((submissions.SUBMISSIONS, submissions.ITEMS), partial(make_submissions, beside, end)),
        ((campaigns.ROLE, leads.ROLE, leads.MEMBERS), partial(make_marketing, beside, end)),
    ]
    out: Tables = {}
    for roles, make in makers:
        try:
            out.update(make())
        except LeftAside as why:
            files = [beside.file(role) for role in roles if beside.export.get(role) is not None]
            beside.export.notes.append(f"{' and '.join(files)}: not brought over: {why}")
    return out
