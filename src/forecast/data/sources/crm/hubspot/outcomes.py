"""Whether a HubSpot deal is won, lost or open.

Asked in this order: the deal's own columns (Is Closed Won, Is closed lost, Is Deal Closed?), the table of stages, the
probability (100 % is what HubSpot gives to won stages alone, 0 % to lost ones), a mapping file, the stage's name.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.codes import from_codes
from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.values.numbers import shares
from forecast.data.sources.crm.values.reading import Reading, flags, found, refuse_unread_flags
from forecast.data.sources.crm.values.stages import decide
from forecast.errors import DataError
from forecast.wording import plural

_CLOSING_COLUMNS = "Is Closed Won and Is Deal Closed? (hs_is_closed_won, hs_is_closed), or deal_pipeline_stage.csv"
_FLAGS = ("is_closed", "is_won", "is_lost")


def outcome_of(export: Export, frame: pd.DataFrame, declared: pd.Series, reading: Reading) -> pd.Series:
    """Return won, lost or open: from the deal's own columns, the table of stages, the stage's name, in this order."""
    called, notes = export.columns["opportunities"], export.notes
    refuse_unread_flags(frame, _FLAGS, called=called, table=reading.table)
    flagged = _flagged(frame)
    said = declared.notna()
    against = int((flagged.notna() & said & (flagged != declared)).sum()) if said.any() else 0
    if against:
        notes.append(
            f"{reading.table}: {plural(against, 'deal is', 'deals are')} flagged otherwise than the stage "
            "says: the flag counts"
        )
    outcome = flagged.fillna(declared) if flagged.hasnans else flagged
    undecided = outcome.isna() & frame["stage_id"].notna()
    if undecided.any():
        outcome[undecided] = decide(
            frame["stage"][undecided],
            declared=_at_certainty(export, frame[undecided], reading),
            mapped=export.stage_outcomes,
            table=reading.table,
            column=called["stage_id"],
            notes=notes,
            open_by_name=export.open_by_name,
            closing_columns=_CLOSING_COLUMNS,
        )
    outcome = (outcome.fillna("open") if outcome.hasnans else outcome).astype("str")
    if "is_closed" in frame:
        unclear = flags(frame["is_closed"]) & (outcome == "open") & (flagged != "open")
        if unclear.any():
            raise DataError(
                f"{called['is_closed']} says that these deals are closed, and nothing whether they are won",
                table=reading.table,
                column=called["stage_id"],
                rows=found(frame["stage_id"], frame.index[unclear]),
                count=int(unclear.sum()),
                mend=f"export {_CLOSING_COLUMNS}",
            )
    return outcome


def _flagged(frame: pd.DataFrame) -> pd.Series:
    """Return what the deal's own columns say: won, lost, open; missing where they are empty or say only half."""
    said = {name: frame[name].notna() for name in _FLAGS if name in frame}
    true = {name: flags(frame[name]) & given for name, given in said.items()}
    no = pd.Series(False, index=frame.index)
    won, lost, closed = (true.get(name, no) for name in ("is_won", "is_lost", "is_closed"))
    given_won, given_lost, given_closed = (said.get(name, no) for name in ("is_won", "is_lost", "is_closed"))
    out = np.full(len(frame), -1, dtype=np.int8)
    out[(given_won & given_lost) | (given_closed & ~closed)] = 0
    out[closed & given_won & ~won] = 1
    out[closed & given_lost & ~lost] = 2
    out[lost] = 1
    out[won] = 2
    return from_codes(out, ("open", "lost", "won")).set_axis(frame.index)


def _at_certainty(export: Export, frame: pd.DataFrame, reading: Reading) -> dict[str, str]:
    """Return stages by the probability of their deals, where all of these stand at 100 % or all at 0 %."""
    if "probability" not in frame or not frame["probability"].notna().any():
        return {}
    chance = shares(frame["probability"], reading, column=export.columns["opportunities"]["probability"])
    by_stage = chance.groupby(frame["stage"]).agg(["min", "max", "size"])
    certain = {"won": by_stage.index[by_stage["min"] >= 1], "lost": by_stage.index[by_stage["max"] <= 0]}
    for outcome, stages in certain.items():
        if len(stages):
            listed = ", ".join(f"{stage!r} ({by_stage.loc[stage, 'size']:,})" for stage in stages)
            export.notes.append(
                f"{outcome} as all their deals stand at {100 if outcome == 'won' else 0} %: the stages {listed}"
            )
    return {str(stage): outcome for outcome, stages in certain.items() for stage in stages}
