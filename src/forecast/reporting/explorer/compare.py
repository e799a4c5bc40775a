"""Scenarios side by side: base, best, worst, and what each lever brings of the difference.

Each is worked out from the same deals with the same random numbers, so that they differ by their levers alone. A
scenario that a day does not know - a deal of it has closed since - is left out with the reason, and has no number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.errors import ParameterError, nearest
from forecast.reporting.explorer.scenario import LEVERS, Levers, Scenario, base, scenario
from forecast.reporting.explorer.scenario_file import levers_of, read_scenario
from forecast.reporting.explorer.sentences import WITHOUT_JOINT

BASE, ALL = "base", "all"
"""The scenario that moves nothing, and the period of all months together."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Scenarios beside their base, of one segment.

    table : scenario (the base first), period (each month, and `all`), mean, q10, q90 and change, the difference of the
    mean to the base. The range of `all` is that of the sum, not the sum of the ranges.
    by_lever : scenario, lever, change; the shares of a scenario add up to its change of `all`.
    left_out : scenario -> why it has no number. remarks : scenario -> what is to be known of its numbers.
    """

    segment: str
    table: pd.DataFrame
    by_lever: pd.DataFrame
    left_out: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The scenarios compared, the base first."""
        return list(dict.fromkeys(self.table["scenario"]))

    @property
    def whole(self) -> pd.DataFrame:
        """The rows of all months together: scenario, mean, q10, q90, change."""
        return self.table[self.table["period"] == ALL].drop(columns="period").reset_index(drop=True)


def compare(
    scenarios: Mapping[str, Levers | str],
    make: Callable[[Levers], Scenario],
    *,
    segment: str = TOTAL,
    joint_offered: bool = False,
) -> Comparison:
    """Return scenarios beside their base.

    scenarios : name -> levers, in order; a text instead of levers says why there is none. make : works one out, such
    as `partial(scenario, base(snap))`. segment : whose bookings are compared. joint_offered : whether `make` starts
    joint planning where a scenario does.

    Raises DataError as `make` does; a scenario it refuses is left out with the reason.
    """
    nothing = make(Levers())
    rows, shares = [_rows(BASE, nothing, segment)], [_shares(BASE, nothing, segment)]
    left_out, remarks = dict[str, str](), dict[str, str]()
    for name, levers in scenarios.items():
        try:
            if isinstance(levers, str):
                raise ParameterError(levers)
            result = make(levers)
        except ParameterError as error:
            left_out[name] = str(error)
            continue
        if levers.joint_planning and not joint_offered:
            remarks[name] = WITHOUT_JOINT
        rows.append(_rows(name, result, segment))
        shares.append(_shares(name, result, segment))
    return Comparison(
        segment=segment,
        table=pd.concat(rows, ignore_index=True),
        by_lever=pd.concat(shares, ignore_index=True),
        left_out=left_out,
        remarks=remarks,
    )


def compare_files(
    snap: Snapshot,
    files: Sequence[str | os.PathLike[str]],
    *,
    segment: str = TOTAL,
    months: int = 6,
    seed: int = 0,
) -> Comparison:
    """Return saved scenarios beside the base as of a snapshot's day; each is called by its file's name.

    A file that cannot be read, or that names a deal which is not open on the day, is left out with the reason. Joint
    planning moves nothing here, which is remarked: the explorer offers it where the verdict of the day allows it.

    Raises
    ------
    ParameterError : the segment is not known, or two files have one name. DataError : the data are too thin.

    Example: `compare_files(snap, ["scenarios/best.json", "scenarios/worst.json"]).whole`.
    """
    known = [TOTAL, *snap.segments]
    if segment not in known:
        raise ParameterError(f"segment: there is no segment {segment!r}; {nearest(segment, known)}")
    names = [Path(file).stem for file in files]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"files: two scenarios are called {name!r}; give each a name of its own")
    given = base(snap, months=months, seed=seed)
    scenarios = {name: read_or_why(file) for name, file in zip(names, files, strict=True)}
    return compare(scenarios, lambda levers: scenario(given, levers), segment=segment)


def read_or_why(file: str | os.PathLike[str]) -> Levers | str:
    """Return the levers of a scenario's file, or why it cannot be read."""
    try:
        return levers_of(read_scenario(file))
    except ParameterError as error:
        return str(error)


def _rows(name: str, result: Scenario, segment: str) -> pd.DataFrame:
    """Return the months of one scenario, and all together."""
    months = result.table[result.table["segment"] == segment]
    whole = result.whole[result.whole["segment"] == segment].assign(period=ALL)
    both = pd.concat([months, whole], ignore_index=True)
    return pd.DataFrame(
        {
            "scenario": pd.Series([name] * len(both), dtype="str"),
            "period": both["period"].astype("str"),
            "mean": both["scenario"],
            "q10": both["q10"],
            "q90": both["q90"],
            "change": both["scenario"] - both["base"],
        }
    )


def _shares(name: str, result: Scenario, segment: str) -> pd.DataFrame:
    rows = result.shares_of(segment).set_index("lever").loc[list(LEVERS)].reset_index()
    return rows.assign(scenario=name)[["scenario", "lever", "change"]]
