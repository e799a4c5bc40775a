"""A simulated company whose truth is known: `simulate` makes it, `write` puts it into a folder that `read` accepts.

See docs/methods/simulation.md for the process, what its oracle means, and how hard its defaults are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.errors import MachineError
from forecast.simulation import parameters as par
from forecast.simulation.changes.contracts import make_contracts, with_contracts
from forecast.simulation.changes.kinds import Change
from forecast.simulation.changes.regime import make_regime
from forecast.simulation.demand import make_demand, make_leads, make_staff
from forecast.simulation.parameters import Settings, make_clock
from forecast.simulation.pipeline import run_pipeline
from forecast.simulation.records.business import announced_on, make_business_tables
from forecast.simulation.records.crm import make_records, with_renewals
from forecast.simulation.records.edits import edit
from forecast.simulation.records.organisation import make_events, make_hierarchy, make_seats
from forecast.simulation.records.submitted import bookings, make_submitted
from forecast.simulation.records.tables import make_marketing_tables, make_opportunity_tables
from forecast.simulation.truth import Truth

PARQUET = ("opportunities", "opportunity_history", "leads", "submitted_forecasts")
"""Tables written as Parquet; the others are small and written as CSV, to be read by eye."""
CHANGES = ("kind", "segment", "size", "begins", "known_from")


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A simulated company: its tables, what company.toml says, the settings, and the truth that no table shows.

    changes : what changes in it: kind, segment (empty = all), size, begins, known_from (when the oracle knows it).
    """

    tables: dict[str, pd.DataFrame]
    company: dict[str, object]
    settings: Settings
    truth: Truth
    changes: pd.DataFrame

    @property
    def effect(self) -> float:
        """The share by which joint planning lowers the official forecast's error."""
        return float(self.settings.effect)


def simulate(
    *,
    opportunities: int = 20_000,
    months: int = 60,
    end: str = "2026-10",
    seed: int = 1,
    effect: float = 0.3,
    giant: bool = False,
    steady: bool = False,
    segments: int = 8,
    changes: Change | Iterable[Change] = (),
) -> Simulation:
    """Simulate a company.

    Parameters
    ----------
    opportunities : expected number of opportunities created within the log, 100 to 5,000,000; the number is drawn.
    months : months of the log, 24 to 240. end : its last month, such as `2026-10`.
    seed : 0 to 2**32 - 1; the same seed gives the same company.
    effect : share, 0 to 1, by which joint planning lowers the error of the official forecast. It touches the amounts
        of `joint` in submitted_forecasts and nothing else: `effect=0` is the zero-effect twin.
    giant : sizes with a Pareto tail of index 1 cut at 1,000 times the median instead of index 2.5.
    steady : a company of many middling deals, whose late stages mostly win and whose people miss a month by a fifth to
        a third: the kind of `data/sample` (docs/methods/simulation.md).
    segments : 2 to 20; a quarter of them, and at least one, never adopts joint planning.
    changes : what changes in the company, one or several of different kinds, such as `Change(kind="break")`; by
        default nothing does (docs/methods/simulation.md lists the kinds).

    Raises ParameterError where a value is out of range.
    """
    settings = Settings(
        opportunities=opportunities,
        months=months,
        end=end,
        seed=seed,
        effect=effect,
        giant=giant,
        steady=steady,
        segments=segments,
        changes=(changes,) if isinstance(changes, Change) else tuple(changes),
    )
    return _make(settings)


def _make(settings: Settings) -> Simulation:
    """Run the company and write its tables."""
    clock = make_clock(settings)
    staff = make_staff(settings)
    announced = announced_on(settings, clock, staff)
    regime = make_regime(settings, clock, adopted=staff.adopted, announced_on=announced, weight=staff.weight)
    course = None if regime is None else regime.actual
    demand = make_demand(settings, staff)
    leads = make_leads(settings, demand, course)
    pipeline = run_pipeline(settings, clock, staff, demand, leads, course)
    records = make_records(settings, clock, staff, pipeline, None if regime is None else regime.shift("adopt"))
    contracts = make_contracts(settings, clock, pipeline.deals)
    if contracts is not None:
        pipeline = replace(pipeline, deals=with_contracts(settings, clock, staff, pipeline.deals, contracts))
        records = with_renewals(settings, records, pipeline.deals, contracts)
    seats = make_seats(settings, clock, staff)
    tables = make_opportunity_tables(settings, clock, pipeline.deals, records, seats)
    tables |= make_marketing_tables(settings, clock, demand, leads, pipeline.deals)
    tables["submitted_forecasts"] = make_submitted(settings, clock, staff, pipeline.deals)
    actual = bookings(settings, pipeline.deals)
    shape = (settings.months, settings.segments, par.N_CHANNELS)
    spend = tables["marketing"]["spend"].to_numpy().reshape(shape).sum(axis=2).T
    tables |= make_business_tables(settings, clock, staff, seats, actual, spend, tables["opportunities"])
    tables["events"] = make_events(settings, clock, demand, regime)
    tables["hierarchy"] = make_hierarchy(settings, clock, staff, seats)
    truth = Truth(
        clock=clock,
        staff=staff,
        demand=demand,
        leads=leads,
        pipeline=pipeline,
        actual=actual,
        settings=settings,
        regime=regime,
        contracts=contracts,
    )
    parts = [edit(tables, truth)] if regime is None else [regime.table(), edit(tables, truth)]
    return Simulation(
        tables=tables,
        company=_company(clock.last_day),
        settings=settings,
        truth=truth,
        changes=pd.concat(parts, ignore_index=True).reindex(columns=CHANGES),
    )


def write(simulation: Simulation, folder: str | os.PathLike[str]) -> None:
    """Write the tables and company.toml into a folder, made where it is not there.

    The large tables are Parquet, the others CSV; files of the same names are replaced. Raises MachineError where the
    folder cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, table in simulation.tables.items():
            if name in PARQUET:
                table.to_parquet(target / f"{name}.parquet", index=False, compression="zstd")
            else:
                # Exact decimals and plain dates, so that reading gives back the same values.
                table.to_csv(target / f"{name}.csv", index=False, date_format="%Y-%m-%d", lineterminator="\n")
        (target / "company.toml").write_text(company_toml(simulation), encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{target}: cannot be written ({error.strerror or error})") from error


def company_toml(simulation: Simulation) -> str:
    """Return the text of company.toml."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in simulation.company.items())


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d")
    return str(value) if isinstance(value, int) else f'"{value}"'


def _company(last_day: int) -> dict[str, object]:
    return {
        "name": "Sample Company",
        "currency": "EUR",
        "timezone": par.TIMEZONE,
        "fiscal_year_start": 1,
        "calendar": "month",
        "extracted_on": pd.Timestamp(np.datetime64(last_day, "D")).as_unit("us"),
        "settle_days": par.SETTLE_DAYS,
        "fixed_at_creation": [],
    }
