"""A company of any size, simulated in parts and written as partitions of Parquet, so that it is never held whole.

    python -m benchmarks.scale.company /tmp/company --opportunities 10000000

Simple case: one part, which is the company that `forecast simulate` makes. More parts are companies of the same
settings, simulated with the seeds that follow, whose deals, sellers, accounts and leads get names of their own. What
they share is what one company has once:

- segments, stages, currencies, joint planning, events and the hierarchy of segments and products are the first part's;
- plan, costs, marketing and delivery are summed by month, shares and scores averaged by what they are shares of;
- submitted forecasts are the first part's, scaled in each segment and month by all bookings over those of that part:
  people err by as many per cent as they did there, so that a forecast of 40 companies is no better than that of one.

opportunities, opportunity_history and leads get one file a part; memory is that of one part and the sums.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.simulation.company import company_toml, simulate

PART = 200_000
"""Opportunities simulated at once: about 0.8 GB."""

PARTED = ("opportunities", "opportunity_history", "leads")
_SUMS: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]] = {
    "plan": (("period", "segment"), ("amount",), {}),
    "costs": (("period", "segment", "function"), ("amount",), {}),
    "marketing": (("period", "segment", "channel"), ("leads", "spend"), {"lead_score": "leads"}),
    "delivery": (
        ("period", "segment"),
        ("capacity",),
        {"delivered_on_time": "capacity", "satisfaction": "capacity"},
    ),
}
"""Key, columns that are summed, and columns that are averaged with the weight of another."""


def make(folder: Path, *, opportunities: int, seed: int = 1, part: int = PART) -> int:
    """Write a company of about so many opportunities into a new folder; return how many it has.

    The same arguments give the same company. part : opportunities simulated at once, at most.
    """
    parts = max(round(opportunities / part), 1)
    folder.mkdir(parents=True)
    for name in PARTED:
        (folder / name).mkdir()
    tables: dict[str, pd.DataFrame] = {}
    order: dict[str, list[str]] = {}
    booked: list[pd.Series] = []
    count = 0
    for number in range(parts):
        company = simulate(opportunities=round(opportunities / parts), seed=seed + number)
        own = _named_apart(company.tables, number) if parts > 1 else company.tables
        for name in PARTED:
            file = folder / name / f"part-{number:03d}.parquet"
            own[name].to_parquet(file, index=False, compression="zstd")
        count += len(own["opportunities"])
        booked.append(_bookings(own["opportunities"]))
        if not tables:
            order = {name: list(table.columns) for name, table in own.items()}
            (folder / "company.toml").write_text(company_toml(company), encoding="utf-8")
        _add(tables, own)
    if parts > 1:
        tables["submitted_forecasts"] = _scaled(tables["submitted_forecasts"], booked)
    for name, table in tables.items():
        _written(name, _rounded(name, _averaged(name, table))[order[name]], folder)
    return count


# -- a part -----------------------------------------------------------------------------------------------


def _named_apart(tables: dict[str, pd.DataFrame], number: int) -> dict[str, pd.DataFrame]:
    """Return the tables of a part with names of deals, leads, accounts and sellers that no other part has."""
    renamings: dict[str, Callable[[pd.Series], pd.Series]] = {
        "opportunity_id": lambda ids: f"O-{number:03d}" + ids.str[2:].str.zfill(6),
        "lead_id": lambda ids: f"L-{number:03d}" + ids.str[2:].str.zfill(7),
        "account_id": lambda ids: ids.str.replace("Account ", f"Account {number:03d}-", regex=False),
        "owner": lambda names: _sellers(names, number),
    }
    found = {}
    for name, table in tables.items():
        given = {column: rename(table[column]) for column, rename in renamings.items() if column in table}
        found[name] = table.assign(**given)
    hierarchy = found["hierarchy"]
    found["hierarchy"] = hierarchy.assign(node=_sellers(hierarchy["node"], number))
    return found


def _sellers(names: pd.Series, number: int) -> pd.Series:
    return names.str.replace(r"^Rep (?=\d)", f"Rep {number:03d}-", regex=True)


def _bookings(deals: pd.DataFrame) -> pd.Series:
    """Return what was won by period and segment."""
    won = deals[deals["outcome"] == "won"]
    return won.groupby([won["closed_on"].dt.strftime("%Y-%m").rename("period"), "segment"])["amount"].sum()


# -- all parts --------------------------------------------------------------------------------------------


def _add(tables: dict[str, pd.DataFrame], own: dict[str, pd.DataFrame]) -> None:
    """Add a part's small tables to those of the parts before it."""
    first = not tables
    for name, table in own.items():
        if name in _SUMS:
            key, sums, means = _SUMS[name]
            weighted = table.assign(**{column: table[column] * table[by] for column, by in means.items()})
            both = [weighted] if first else [tables[name], weighted]
            columns = [*sums, *means]
            tables[name] = pd.concat(both).groupby(list(key), sort=False)[columns].sum(min_count=1).reset_index()
        elif name == "quotas":
            tables[name] = table if first else pd.concat([tables[name], table], ignore_index=True)
        elif name == "hierarchy":
            new = table if first else table[~table["node"].isin(tables[name]["node"])]
            tables[name] = new if first else pd.concat([tables[name], new], ignore_index=True)
        elif name not in PARTED and first:
            tables[name] = table


def _averaged(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose weighted columns are averages again."""
    means = _SUMS[name][2] if name in _SUMS else {}
    averages = {column: table[column] / table[by].where(table[by] > 0) for column, by in means.items()}
    return table.assign(**averages)


def _rounded(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with as many decimals as the simulated company writes."""
    digits = {"delivered_on_time": 3, "satisfaction": 2, "lead_score": 1}
    return table.round({column: digits[column] for column in digits if column in table and name in _SUMS})


def _scaled(submitted: pd.DataFrame, booked: list[pd.Series]) -> pd.DataFrame:
    """Return the first part's forecasts at the size of all parts: by all bookings over its own, month by month.

    Where a target has no bookings yet, or the part had none, by those of the whole log in the segment.
    """
    whole = pd.concat(booked).groupby(level=[0, 1]).sum()
    first = booked[0].reindex(whole.index)
    overall = whole.groupby(level="segment").sum() / first.groupby(level="segment").sum()
    ratio = (whole / first).where(first > 0)
    last = whole.index.get_level_values("period").max()
    place = pd.MultiIndex.from_arrays([submitted["target_period"], submitted["segment"]])
    factor = pd.Series(ratio.reindex(place).to_numpy()).where(submitted["target_period"].to_numpy() <= last)
    factor = factor.fillna(submitted["segment"].map(overall)).to_numpy()
    return submitted.assign(
        amount=np.round(submitted["amount"] * factor, 2), base=np.round(submitted["base"] * factor, 2)
    )


def _written(name: str, table: pd.DataFrame, folder: Path) -> None:
    if name in ("submitted_forecasts", "quotas"):
        table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    else:
        table.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d", lineterminator="\n")


def main() -> None:
    """Make the company and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--opportunities", type=int, default=1_000_000)
    parser.add_argument("--part", type=int, default=PART)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = make(options.folder, opportunities=options.opportunities, seed=options.seed, part=options.part)
    print(f"data: {options.folder} ({count:,} opportunities)")


if __name__ == "__main__":
    main()
