"""A company in which much happens late, what of it was recorded by an evening, and other futures from there on.

`eventful` makes the tables; `known_by` cuts them to what the records held at the end of a day; `another_future` grows
records of later days onto that, by a seed. Whatever is forecast as of that day must be the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from forecast.simulation.company import simulate

CLOSING = {"Closed won": "won", "Closed lost": "lost"}
OPEN_STAGES = ("Qualification", "Needs analysis", "Proposal")
OF_A_DEAL = ("stage", "amount", "expected_close_on")
Tables = dict[str, pd.DataFrame]


def eventful(*, seed: int, opportunities: int = 2000, carry: bool = False) -> tuple[Tables, dict[str, object]]:
    """Return tables of a simulated company of 36 months and what company.toml says.

    Closures are recorded up to 6 days late; some deals are reopened, change hands, have no history, or a history that
    never says they closed; one column in ten is in dollars; starts of joint planning and events are announced before,
    on the day, later, or never. `carry` : history carries closed_on and segment too.
    Without it a reopened deal's first closure is recorded on its day: nothing else tells when it took effect.
    """
    made = simulate(opportunities=opportunities, months=36, seed=seed, segments=3)
    rng = np.random.default_rng([seed, 31])
    tables = {name: frame.copy() for name, frame in made.tables.items()}
    deals, history = tables["opportunities"], tables["opportunity_history"]
    zone, end = str(made.company["timezone"]), pd.Timestamp(made.company["extracted_on"])
    deals["currency"] = pd.Series(np.where(rng.random(len(deals)) < 0.1, "USD", "EUR"), dtype="str")
    tables["currencies"] = pd.DataFrame({"currency": ["EUR", "USD"], "plan_rate": [1.0, 0.9]})
    tables["joint_planning"], tables["events"] = (
        starts_of(sorted(deals["segment"].unique())),
        events_of(tables["events"]),
    )
    deals["region_size"] = rng.integers(1, 5, len(deals)).astype(float)
    deals["close_value"] = deals["amount"].where(deals["outcome"] != "open") * (deals["outcome"] == "won")
    if carry:
        ids = deals.set_index("opportunity_id")
        closing = history["stage"].isin(list(CLOSING))
        history["closed_on"] = history["opportunity_id"].map(ids["closed_on"]).where(closing)
        history["segment"] = history["opportunity_id"].map(ids["segment"])

    # Reopened some weeks after they closed: closed again, or open to this day.
    closed = history[history["stage"].isin(list(CLOSING))].merge(
        deals[["opportunity_id", "closed_on"]].rename(columns={"closed_on": "ended_on"}), on="opportunity_id"
    )
    on_time = local_days(closed["recorded_at"], zone).to_numpy() == closed["ended_on"].to_numpy()
    again = closed[(on_time | carry) & (rng.random(len(closed)) < 0.08)]
    rows = []
    for row in again.to_dict("records"):
        back = row["recorded_at"] + pd.Timedelta(days=int(rng.integers(3, 90)))
        state = {name: row[name] for name in history.columns} | {"stage": "Proposal", "recorded_at": back}
        if carry:
            state["closed_on"] = pd.NaT
        rows.append(dict(state))
        if rng.random() < 0.7:
            stage = str(rng.choice(list(CLOSING)))
            state |= {"stage": stage, "recorded_at": back + pd.Timedelta(days=int(rng.integers(1, 80)))}
            state["amount"] = float(np.round(row["amount"] * rng.lognormal(0, 0.3)))
            if carry:
                state["closed_on"] = local_day(state["recorded_at"], zone) - pd.Timedelta(days=int(rng.integers(0, 2)))
            rows.append(dict(state))
    more = pd.DataFrame(rows, columns=history.columns)
    more = more[local_days(more["recorded_at"], zone) <= end]
    history = pd.concat([history, more]).sort_values(["opportunity_id", "recorded_at"], ignore_index=True)
    reopened = set(more["opportunity_id"])

    without = set(deals.loc[rng.random(len(deals)) < 0.02, "opportunity_id"]) - reopened
    silent = set(deals.loc[rng.random(len(deals)) < 0.02, "opportunity_id"]) - reopened
    drop = history["opportunity_id"].isin(without)
    drop |= history["opportunity_id"].isin(silent) & history["stage"].isin(list(CLOSING))
    tables["opportunity_history"] = history[~drop].reset_index(drop=True)
    touched = deals["opportunity_id"].isin(reopened)
    tables["opportunities"] = _today(deals, tables["opportunity_history"], touched, zone)
    company = dict(made.company) | {"fixed_at_creation": ["region_size"]}
    return tables, company


def starts_of(segments: list[str]) -> pd.DataFrame:
    """Return starts of joint planning: one known on its day, one announced half a year ahead, one in between."""
    starts = pd.DataFrame({"segment": pd.Series(segments[:3], dtype="str")})
    starts["adopted_on"] = pd.to_datetime(["2025-08-20", "2026-04-01", "2026-03-01"]).astype("datetime64[us]")
    starts["announced_on"] = pd.to_datetime([None, "2025-09-25", "2026-01-10"]).astype("datetime64[us]")
    return starts


def events_of(made: pd.DataFrame) -> pd.DataFrame:
    """Return the events made, and others with every order of first day, last day and announcement around two years."""
    days = pd.to_datetime(["2025-09-10", "2025-11-05", "2026-01-20", "2026-03-15", "2026-06-01"])
    rows = [
        {"from": first, "to": last, "announced_on": told, "segment": None, "product": product}
        for first in days
        for last in (None, first, first + pd.Timedelta(days=95))
        for told in (None, first - pd.Timedelta(days=80), first, first + pd.Timedelta(days=70))
        for product in (None, "Core")
    ]
    more = pd.DataFrame(rows).reindex(columns=made.columns)
    more["kind"] = [("campaign", "price change", "reorganisation")[number % 3] for number in range(len(more))]
    more["text"] = [f"What happened, number {number}" for number in range(len(more))]
    return pd.concat([made, more.astype(made.dtypes.to_dict())], ignore_index=True)


def local_days(moments: pd.Series, zone: str) -> pd.Series:
    return pd.to_datetime(moments, utc=True).dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()


def local_day(moment: pd.Timestamp, zone: str) -> pd.Timestamp:
    return moment.tz_convert(zone).tz_localize(None).normalize()


def known_by(tables: Tables, day: str, zone: str) -> Tables:
    """Return the tables as an extraction on the evening of `day` would have written them."""
    cut = pd.Timestamp(day)
    out = {name: frame.copy() for name, frame in tables.items()}
    deals, history = out["opportunities"], out["opportunity_history"]
    has_rows = deals["opportunity_id"].isin(history["opportunity_id"])
    says = deals["opportunity_id"].isin(history.loc[history["stage"].isin(list(CLOSING)), "opportunity_id"])
    history = history[(local_days(history["recorded_at"], zone) <= cut).to_numpy()].reset_index(drop=True)
    seen = deals["opportunity_id"].isin(history["opportunity_id"])
    there = seen | (~has_rows & (deals["created_on"] <= cut))
    deals, has_rows, says = deals[there], has_rows[there], says[there]
    unsaid = ~says & (deals["closed_on"] <= cut)  # closed, as only `opportunities` tells
    not_yet = ~says & ~unsaid
    deals.loc[not_yet, ["stage", "outcome"]] = ["Qualification", "open"]
    deals.loc[not_yet, "closed_on"] = pd.NaT
    deals.loc[not_yet & ~has_rows, "amount"] = 1.0  # nothing tells the amount of that day
    deals.loc[not_yet & ~has_rows, "expected_close_on"] = pd.NaT
    deals = _today(deals, history, (has_rows & ~unsaid).to_numpy(), zone)
    kept = deals["outcome"] != "open"
    deals["lost_reason"] = deals["lost_reason"].where(deals["outcome"] == "lost")
    for name in ("promised_on", "delivered_on"):
        deals[name] = deals[name].where(kept & (deals[name] <= cut))
    deals["close_value"] = deals["close_value"].where(kept)
    out["opportunities"], out["opportunity_history"] = deals.reset_index(drop=True), history
    leads = out["leads"][out["leads"]["created_on"] <= cut].reset_index(drop=True)
    for name in ("worked_on", "qualified_on", "rejected_on"):
        leads[name] = leads[name].where(leads[name] <= cut)
    leads["opportunity_id"] = leads["opportunity_id"].where(leads["opportunity_id"].isin(deals["opportunity_id"]))
    out["leads"] = leads
    said = out["submitted_forecasts"]
    out["submitted_forecasts"] = said[said["submitted_on"] <= cut].reset_index(drop=True)
    last = _last_ended(cut)
    for name in ("marketing", "costs"):
        out[name] = out[name][out[name]["period"] <= last].reset_index(drop=True)
    starts = out["joint_planning"]
    announced = starts["announced_on"] <= cut
    starts["adopted_on"] = starts["adopted_on"].where(announced | (starts["adopted_on"] <= cut))
    starts["announced_on"] = starts["announced_on"].where(announced)
    events = out["events"]
    events = events[events["announced_on"].fillna(events["from"]) <= cut].reset_index(drop=True)
    out["events"] = events.assign(to=events["to"].where(events["announced_on"].notna() | (events["to"] <= cut)))
    placed = out["hierarchy"][out["hierarchy"]["from"] <= cut].reset_index(drop=True)
    out["hierarchy"] = placed.assign(to=placed["to"].where(placed["to"] <= cut))
    for name in ("delivered_on_time", "satisfaction"):
        out["delivery"][name] = out["delivery"][name].where(out["delivery"]["period"] <= last)
    return out


def another_future(
    tables: Tables, day: str, company: dict[str, object], *, seed: int, carry: bool = False, wild: bool = True
) -> Tables:
    """Return `known_by(tables, day)` with other records after it, up to the company's last day.

    Open deals move on, change hands and amounts, close (also on a day before the cut, recorded after it); closed ones
    are corrected or reopened; deals are created, or entered late under an old creation date; leads, marketing,
    submissions, starts of joint planning and events follow, events also backdated. `wild` : with segments, levels and
    amounts never seen before.
    """
    rng = np.random.default_rng([seed, 47])
    zone, end = str(company["timezone"]), pd.Timestamp(company["extracted_on"])  # type: ignore[arg-type]
    cut = pd.Timestamp(day)
    out = known_by(tables, day, zone)
    deals, history = out["opportunities"], out["opportunity_history"]
    span = (end - cut).days
    owners = [*deals["owner"].dropna().unique()[:4], *(["Aaron", "Zoe"] if wild else [])]
    segments = [*sorted(deals["segment"].unique()), *(["Aaland", "Zealand"] if wild else [])]
    last = history.groupby("opportunity_id").tail(1).set_index("opportunity_id")
    ever = set(history["opportunity_id"])
    said = set(history.loc[history["stage"].isin(list(CLOSING)), "opportunity_id"])
    since = _closure_recorded(history, zone)
    lost = set(deals.loc[deals["outcome"] == "lost", "opportunity_id"])
    rows: list[dict[str, object]] = []
    today: dict[str, dict[str, object]] = {}

    def moment(after: pd.Timestamp, before: int = span) -> pd.Timestamp:
        """Return a moment of a later day, the first minute and the last among them."""
        left = max((end - after).days, 1)
        later = after + pd.Timedelta(days=int(rng.integers(1, min(left, before) + 1)))
        minute = int(rng.choice([0, 1439, int(rng.integers(0, 1440))]))
        return (later + pd.Timedelta(minutes=minute)).tz_localize(zone, nonexistent="shift_forward", ambiguous=True)

    def go_on(deal: str, state: dict[str, object], *, first: pd.Timestamp, changes: int) -> None:
        # Closed not before it was created, and where it is reopened not before that: nothing else would tell the date
        # of its first closure.
        floor = pd.Timestamp(state["created_on"]) if state["closed_on"] is pd.NaT else cut + pd.Timedelta(days=1)  # type: ignore[arg-type]
        at = first
        for _ in range(changes):
            when = moment(at, 60)
            at = local_day(when, zone)
            stage = str(rng.choice([*OPEN_STAGES, *CLOSING]))
            amount = float(rng.choice([0.0, 1e9, 12_345.0])) if wild else float(np.round(rng.lognormal(10, 1)))
            state = state | {"stage": stage, "amount": amount, "owner": str(rng.choice(owners))}
            state["expected_close_on"] = (
                pd.NaT if rng.random() < 0.2 else at + pd.Timedelta(days=int(rng.integers(-90, 200)))
            )
            state |= {"probability": float(rng.random()), "forecast_category": "Pipeline"}
            closed = at - pd.Timedelta(days=int(rng.integers(0, 12))) if stage in CLOSING else pd.NaT
            closed = max(closed, floor) if stage in CLOSING else closed
            state["closed_on"] = closed
            if carry:
                state["segment"] = str(rng.choice(segments))
            rows.append(state | {"opportunity_id": deal, "recorded_at": when.tz_convert("UTC")})
            today[deal] = dict(state)
            if at >= end:
                break

    for known in deals.to_dict("records"):
        deal, outcome = known["opportunity_id"], known["outcome"]
        if deal not in ever:
            if outcome == "open" and rng.random() < 0.6:  # closes without a row that says so
                today[deal] = dict(known) | {
                    "stage": "Closed won",
                    "amount": 7e5,
                    "closed_on": moment(cut).tz_localize(None).normalize(),
                }
            continue
        state = {**known, **last.loc[deal].to_dict()} | {"closed_on": known["closed_on"]}
        if outcome == "open" and rng.random() < 0.85:
            go_on(deal, state, first=cut, changes=int(rng.integers(1, 5)))
        elif deal not in said:  # closed, and history does not say so: today's values may still be anything
            today[deal] = dict(known) | {"amount": 99.0, "expected_close_on": pd.NaT}
        elif outcome != "open" and (carry or since.get(deal) == known["closed_on"]) and rng.random() < 0.15:
            go_on(deal, state, first=cut, changes=int(rng.integers(1, 4)))
        elif outcome != "open" and rng.random() < 0.1:  # the amount is corrected, the closure stands
            when = moment(cut).tz_convert("UTC")
            rows.append(state | {"amount": 5e6, "opportunity_id": deal, "recorded_at": when})
            today[deal] = dict(state) | {"amount": 5e6}

    pattern = deals.iloc[0].to_dict()
    for number in range(150):
        deal = f"{'A' if number % 2 else 'Z'}-{seed}-{number:03d}"
        backdated = number % 5 == 0
        born = (
            cut - pd.Timedelta(days=int(rng.integers(0, 300)))
            if backdated
            else moment(cut, 90).tz_localize(None).normalize()
        )
        state = pattern | {"opportunity_id": deal, "created_on": born, "segment": str(rng.choice(segments))}
        state |= {
            "stage": "Qualification",
            "amount": 1e9 if wild else 30_000.0,
            "closed_on": pd.NaT,
            "lost_reason": None,
        }
        state |= {"promised_on": pd.NaT, "delivered_on": pd.NaT, "close_value": np.nan, "region_size": 9.0}
        state |= {"currency": "USD", "lead_score": 100.0, "units": 1e6}
        if wild:
            state |= {"lead_source": "Podcast", "product": "Omega", "type": "partner", "owner": "Zoe"}
        if number % 7 == 1 and not backdated:
            deals = pd.concat([deals, pd.DataFrame([state])], ignore_index=True)  # without a row of history
            continue
        when = moment(max(born - pd.Timedelta(days=1), cut), 20)
        state |= {
            "expected_close_on": born + pd.Timedelta(days=90),
            "probability": 0.1,
            "forecast_category": "Pipeline",
        }
        rows.append(state | {"recorded_at": when.tz_convert("UTC")})
        deals = pd.concat([deals, pd.DataFrame([state])], ignore_index=True)[deals.columns]
        today[deal] = dict(state)
        if local_day(when, zone) < end:
            go_on(deal, state, first=local_day(when, zone), changes=int(rng.integers(0, 4)))

    more = pd.DataFrame(rows)[list(history.columns)]
    more = more.drop_duplicates(["opportunity_id", "recorded_at"], keep="last")
    history = pd.concat([history, more]).sort_values(["opportunity_id", "recorded_at"], ignore_index=True)
    out["opportunity_history"] = history
    changed = deals["opportunity_id"].isin(list(today))
    for name in (*OF_A_DEAL, "owner", "closed_on", *(["segment"] if carry else [])):
        values = deals["opportunity_id"].map({deal: state[name] for deal, state in today.items()})
        deals[name] = deals[name].mask(changed, values.astype(deals[name].dtype))
    deals["outcome"] = deals["stage"].map(CLOSING).fillna("open").astype("str")
    unknown = changed & (deals["outcome"] == "lost") & ~deals["opportunity_id"].isin(lost)
    deals["lost_reason"] = deals["lost_reason"].mask(unknown, "Nobody knows")
    deals["close_value"] = deals["close_value"].mask(changed & (deals["outcome"] == "won"), 1e12)
    out["opportunities"] = deals
    _later_of_the_rest(out, cut, end, segments, sorted(today), rng)
    return out


def _later_of_the_rest(
    out: Tables, cut: pd.Timestamp, end: pd.Timestamp, segments: list[str], ids: list[str], rng: np.random.Generator
) -> None:
    """Add later leads, marketing, costs, submissions and dates to the tables."""

    def later(n: int) -> pd.Series:
        return pd.Series(cut + pd.to_timedelta(rng.integers(1, (end - cut).days + 1, n), unit="D")).astype(
            "datetime64[us]"
        )

    leads = out["leads"]
    for name in ("worked_on", "qualified_on", "rejected_on"):
        some = leads[name].isna() & (rng.random(len(leads)) < 0.4)
        leads[name] = leads[name].mask(some, later(len(leads)))
    some = leads["opportunity_id"].isna() & (rng.random(len(leads)) < 0.1)
    unknown = [deal for deal in ids if deal.startswith(("A-", "Z-"))]
    leads["opportunity_id"] = leads["opportunity_id"].mask(
        some, pd.Series(rng.choice(unknown, len(leads)), dtype="str")
    )
    new = leads.sample(400, random_state=int(rng.integers(1000))).reset_index(drop=True)
    new["lead_id"] = [f"N-{number}" for number in range(len(new))]
    new["created_on"] = later(len(new))
    for name in ("worked_on", "qualified_on", "rejected_on"):
        new[name] = pd.NaT
    new["opportunity_id"] = None
    new["segment"] = pd.Series(rng.choice(segments, len(new)), dtype="str")
    out["leads"] = pd.concat([leads, new.astype(leads.dtypes.to_dict())], ignore_index=True)
    months = [str(month) for month in pd.period_range(_last_ended(cut), end, freq="M")][1:]
    grid = pd.MultiIndex.from_product([months, segments, ["Events", "Podcast"]]).to_frame(index=False)
    grid.columns = ["period", "segment", "channel"]
    grid[["leads", "lead_score", "spend"]] = rng.integers(0, 100_000, (len(grid), 3)).astype(float)
    out["marketing"] = pd.concat([out["marketing"], grid], ignore_index=True)
    costs = pd.MultiIndex.from_product([months, segments, ["sales", "marketing"]]).to_frame(index=False)
    costs.columns = ["period", "segment", "function"]
    out["costs"] = pd.concat([out["costs"], costs.assign(amount=1e7)], ignore_index=True)
    said = pd.MultiIndex.from_product(
        [later(8).drop_duplicates(), sorted({str(cut)[:7], *months}), segments, ["sales", "marketing", "prophet"]]
    ).to_frame(index=False)
    said.columns = ["submitted_on", "target_period", "segment", "submitter"]
    said = said.assign(category="commit", amount=rng.integers(0, 10**8, len(said)).astype(float))
    said["submitted_on"] = said["submitted_on"].astype("datetime64[us]")
    out["submitted_forecasts"] = pd.concat([out["submitted_forecasts"], said], ignore_index=True)
    starts = out["joint_planning"]
    set_later = starts["adopted_on"].isna()
    starts["adopted_on"] = starts["adopted_on"].fillna(cut + pd.Timedelta(days=int(rng.integers(30, 100))))
    told = cut + pd.Timedelta(days=int(rng.integers(1, 30)))
    starts["announced_on"] = starts["announced_on"].mask(set_later & (rng.random(len(starts)) < 0.5), told)
    out["events"] = _later_events(out["events"], cut, later, segments, rng)
    out["hierarchy"] = _later_places(out["hierarchy"], later)
    for name in ("delivered_on_time", "satisfaction"):
        coming = out["delivery"]["period"].isin(months)
        out["delivery"][name] = out["delivery"][name].mask(coming, 0.5)


def _later_places(hierarchy: pd.DataFrame, later: Callable[[int], pd.Series]) -> pd.DataFrame:
    """Return what belonged where by a day, with an end of a later day where none was known, and another place since."""
    lasting = hierarchy[hierarchy["to"].isna()].reset_index(drop=True)
    ends = later(len(lasting))
    before = pd.concat([hierarchy[hierarchy["to"].notna()], lasting.assign(to=ends)])
    moves = (ends + pd.Timedelta(days=1)).astype("datetime64[us]")
    after = lasting.assign(**{"from": moves, "to": pd.NaT, "parent": "Elsewhere"})
    after["to"] = after["to"].astype("datetime64[us]")
    return pd.concat([before, after], ignore_index=True)


def _later_events(
    events: pd.DataFrame,
    cut: pd.Timestamp,
    later: Callable[[int], pd.Series],
    segments: list[str],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the events known by a day with ends of later days where none was announced, and 40 more events: half of
    them announced later, also of before the day, the others without announcement."""
    unknown = events["to"].isna() & events["announced_on"].isna()
    events = events.assign(to=events["to"].mask(unknown & (rng.random(len(events)) < 0.7), later(len(events))))
    first = later(40)
    told = first.where(np.arange(40) % 2 == 0)
    backdated = told - pd.to_timedelta(rng.integers(0, 400, 40), unit="D")
    more = pd.DataFrame({"from": first.mask(told.notna(), backdated), "announced_on": told, "text": "Another future"})
    more["to"] = more["from"] + pd.Timedelta(days=30)
    more["segment"] = pd.Series(rng.choice([*segments, ""], 40), dtype="str").replace("", None)
    more["kind"] = rng.choice(["campaign", "price change", "aaa: never heard of", "zzz"], 40)
    assert ((more["from"] > cut) | told.notna()).all()
    return pd.concat([events, more.reindex(columns=events.columns).astype(events.dtypes.to_dict())], ignore_index=True)


def _today(deals: pd.DataFrame, history: pd.DataFrame, which: np.ndarray | pd.Series, zone: str) -> pd.DataFrame:
    """Return opportunities whose rows `which` show the last row of their history; closures on the day they took effect
    where that is the closure `closed_on` belongs to, else on the day they were recorded."""
    deals = deals.copy()
    which = pd.Series(np.asarray(which), index=deals.index)
    last = history.groupby("opportunity_id").tail(1).set_index("opportunity_id")
    was = deals["outcome"].copy()
    for name in (*OF_A_DEAL, "owner", *(["segment"] if "segment" in history else [])):
        deals[name] = deals[name].mask(which, deals["opportunity_id"].map(last[name]))
    deals["outcome"] = deals["stage"].map(CLOSING).fillna("open").astype("str")
    recorded = deals["opportunity_id"].map(_closure_recorded(history, zone))
    if "closed_on" in history:
        effective = deals["opportunity_id"].map(last["closed_on"])
    else:
        same = (
            (was == deals["outcome"])
            & (deals["closed_on"] <= recorded)
            & (recorded - deals["closed_on"] <= pd.Timedelta(days=14))
        )
        effective = deals["closed_on"].where(same, recorded)
    effective = effective.where(deals["outcome"] != "open")
    deals["closed_on"] = deals["closed_on"].mask(which, effective).astype("datetime64[us]")
    for name in ("lost_reason", "promised_on", "delivered_on"):
        deals[name] = deals[name].mask(which & (deals["outcome"] == "open"))
    deals["delivered_on"] = deals["delivered_on"].mask(deals["delivered_on"] < deals["closed_on"])
    return deals


def _closure_recorded(history: pd.DataFrame, zone: str) -> dict[str, pd.Timestamp]:
    """Return the day on which the closure a deal ends with was first recorded, by deal."""
    meaning = history["stage"].map(CLOSING).fillna("open")
    new = (history["opportunity_id"] != history["opportunity_id"].shift()) | (meaning != meaning.shift())
    starts = local_days(history["recorded_at"], zone).where(new).ffill()
    ends = history.assign(day=starts, meaning=meaning).groupby("opportunity_id").tail(1)
    ends = ends[ends["meaning"] != "open"]
    return dict(zip(ends["opportunity_id"], ends["day"], strict=True))


def _last_ended(cut: pd.Timestamp) -> str:
    """Return the last month that had ended by the evening of a day."""
    month = cut.to_period("M")
    return str(month if cut == month.end_time.normalize() else month - 1)
