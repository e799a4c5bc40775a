"""The simulated company's records as canonical tables: opportunities, history, stages, leads, marketing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.simulation import parameters as par
from forecast.simulation.demand import Demand, Leads
from forecast.simulation.parameters import Clock, Settings, generator
from forecast.simulation.pipeline import Deals
from forecast.simulation.records.crm import Records

_WON_STAGE = len(par.OPEN_STAGES)


def texts(names: Sequence[str], code: np.ndarray) -> pd.Series:
    """Return names by code as a text column; empty where the code is negative."""
    labels = np.array([*names, None], dtype=object)
    return pd.Series(labels[np.asarray(code)], dtype="str")


def dates(day: np.ndarray) -> pd.Series:
    """Return days since 1970-01-01 as dates; empty where negative."""
    moments = np.asarray(day, dtype=np.int64).astype("datetime64[D]").astype("datetime64[us]")
    return pd.Series(np.where(np.asarray(day) < 0, np.datetime64("NaT", "us"), moments))


def numbered(prefix: str, number: np.ndarray, *, width: int) -> pd.Series:
    """Return texts such as `Rep 017`, with at least `width` digits."""
    number = np.asarray(number)
    return pd.Series(np.char.add(prefix, np.char.zfill(number.astype(str), width)).astype(object), dtype="str")


def rep_names(owners: int) -> list[str]:
    """Return the names of all sellers."""
    return list(numbered("Rep ", np.arange(1, owners + 1), width=3))


class Holders(Protocol):
    """Who holds each seat: see `forecast.simulation.records.organisation.Seats`."""

    @property
    def names(self) -> list[str]:
        """Names of all sellers."""

    def holder(self, seat: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return who held each seat on a day; (n,)."""


def make_opportunity_tables(
    settings: Settings, clock: Clock, deals: Deals, records: Records, seats: Holders
) -> dict[str, pd.DataFrame]:
    """Return opportunities, opportunity_history and stages as the CRM had them at the end of the log.

    A deal shows the seller who held its seat when it was last touched.
    """
    known = records.chosen(records.day <= clock.last_day)
    moment = known.day.astype("datetime64[D]").astype("datetime64[us]") + known.second.astype("timedelta64[s]")
    holder = seats.holder(known.owner, known.day)
    history = pd.DataFrame(
        {
            "opportunity_id": pd.Series(opportunity_ids(deals)[known.deal], dtype="str"),
            "recorded_at": pd.Series(moment).dt.tz_localize(par.TIMEZONE).dt.tz_convert("UTC"),
            "stage": texts(par.STAGES, known.stage),
            "amount": known.amount,
            "expected_close_on": dates(known.expected),
            "probability": np.array(par.STAGE_PROBABILITY)[known.stage],
            "forecast_category": texts(par.CATEGORIES, _category(known)),
            "owner": texts(seats.names, holder),
        }
    )
    return {
        "opportunities": _opportunities(settings, clock, deals, known, texts(seats.names, holder)),
        "opportunity_history": history,
        "stages": _stages(),
    }


def opportunity_ids(deals: Deals) -> np.ndarray:
    """Return the ids of all deals, in order of creation; object array."""
    return numbered("O-", np.arange(1, len(deals.segment) + 1), width=5).to_numpy(dtype=object)


def _opportunities(settings: Settings, clock: Clock, deals: Deals, known: Records, owner: pd.Series) -> pd.DataFrame:
    """Return the table of opportunities: what is fixed of each deal, and the last row known of it.

    owner : (n,), the seller of each row known.
    """
    rng = generator(settings, "labels")
    last = np.flatnonzero(np.append(known.deal[1:] != known.deal[:-1], True))
    deal = known.deal[last]
    stage = known.stage[last]
    won, lost = stage == _WON_STAGE, stage == _WON_STAGE + 1
    segment, product = deals.segment[deal], deals.product[deal]
    n = len(deal)
    price = par.UNIT_PRICE[product] * np.exp(0.2 * rng.standard_normal(n))
    units = np.maximum(1.0, np.round(deals.amount[deal] / price))
    reason = _lost_reasons(rng, deals, deal, stage_before(known, last))
    closed = np.where(won | lost, known.effective[last], -1)
    promised = np.where(won, closed + np.round(30 + 60 * rng.random(n)).astype(np.int64), -1)
    delay = np.round(rng.gumbel(-6.0, 9.0, n)).astype(np.int64)
    delivered = np.where(won, np.maximum(promised + delay, closed + 3), -1)
    account_label = rng.permutation(int(deals.account.max()) + 1)
    currency = [par.CURRENCY.get(name, "EUR") for name in settings.names]
    return pd.DataFrame(
        {
            "opportunity_id": pd.Series(opportunity_ids(deals)[deal], dtype="str"),
            "created_on": dates(deals.day[deal]),
            "segment": texts(settings.names, segment),
            "stage": texts(par.STAGES, stage),
            "amount": known.amount[last],
            "expected_close_on": dates(known.expected[last]),
            "closed_on": dates(closed),
            "outcome": texts(("open", "won", "lost"), np.where(won, 1, np.where(lost, 2, 0))),
            "type": texts(("new", "existing"), (deals.source[deal] == par.EXISTING).astype(int)),
            "lead_source": texts(
                (*par.SOURCES, par.RENEWAL), np.where(deals.due >= 0, par.N_SOURCES, deals.source)[deal]
            ),
            "product": texts(par.PRODUCTS, product),
            "owner": owner.iloc[last].reset_index(drop=True),
            "account_id": numbered("Account ", account_label[deals.account[deal]] + 1, width=4),
            "lead_score": deals.score[deal],
            "currency": texts(currency, segment),
            "units": units,
            "lost_reason": texts(par.LOST_REASONS, np.where(lost, reason, -1)),
            "promised_on": dates(promised),
            "delivered_on": dates(np.where(delivered <= clock.last_day, delivered, -1)),
        }
    )


def stage_before(known: Records, last: np.ndarray) -> np.ndarray:
    """Return the stage in the row before the last one of each deal (the last one's where it is the only one)."""
    before = np.maximum(last - 1, 0)
    return np.where(known.deal[before] == known.deal[last], known.stage[before], known.stage[last])


def _lost_reasons(rng: np.random.Generator, deals: Deals, deal: np.ndarray, stage: np.ndarray) -> np.ndarray:
    """Return why a deal was lost: early losses for want of a decision, late ones on price or to a competitor."""
    late = (stage >= 2)[:, None]
    weight = np.where(late, [[0.38, 0.28, 0.12, 0.12, 0.10]], [[0.14, 0.12, 0.36, 0.22, 0.16]])
    weight = weight * np.where((deals.size[deal] > 1.0)[:, None], [[1.4, 1.1, 1.0, 1.0, 0.9]], 1.0)
    edge = np.cumsum(weight, axis=1)
    return (rng.random(len(deal))[:, None] * edge[:, -1:] > edge).sum(axis=1)


def _category(known: Records) -> np.ndarray:
    """Return the forecast category, a position in CATEGORIES: by stage, and by whether it closes this quarter."""
    month = known.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    due = known.expected.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    this_quarter = due // 3 <= month // 3
    by_stage = np.array([0, 0, 1, 1, 3, 4])[known.stage]
    return np.where((known.stage == 3) & this_quarter, 2, by_stage)


def _stages() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stage": pd.Series(par.STAGES, dtype="str"),
            "position": np.arange(1.0, len(par.STAGES) + 1),
            "outcome": pd.Series(["open"] * len(par.OPEN_STAGES) + ["won", "lost"], dtype="str"),
            "probability": np.array(par.STAGE_PROBABILITY),
            "is_proposal": pd.Series(["true" if s == "Proposal" else "false" for s in par.STAGES], dtype="str"),
        }
    )


def make_marketing_tables(
    settings: Settings, clock: Clock, demand: Demand, leads: Leads, deals: Deals
) -> dict[str, pd.DataFrame]:
    """Return leads, one row each, and marketing by month, segment and channel."""
    rng = generator(settings, "labels").spawn(1)[0]
    shown = np.flatnonzero((leads.month >= 0) & (leads.month < settings.months))
    month, segment, channel = leads.month[shown], leads.segment[shown], leads.channel[shown]
    n = len(shown)
    start, length = clock.month_start[month], np.diff(clock.month_start)[month]
    created = start + (rng.random(n) * length).astype(np.int64)
    became = np.full(len(leads.month), -1)
    has_lead = deals.lead >= 0
    became[deals.lead[has_lead]] = np.flatnonzero(has_lead)
    deal = became[shown]
    converted = np.where(deal >= 0, deals.day[deal], -1)
    qualified = _earlier_in_month(rng, converted, days=5)
    lag = np.maximum(leads.rejected[shown], 0)
    target = np.minimum(month + lag, settings.simulated_months - 1)
    low = np.maximum(clock.month_start[target], created)
    rejected = low + (rng.random(n) * (clock.month_start[target + 1] - low)).astype(np.int64)
    rejected = np.where(leads.rejected[shown] >= 0, rejected, -1)
    decided = np.maximum(qualified, rejected)
    patience = np.where(decided >= 0, decided - created, 40)
    worked = created + (patience * rng.random(n) ** 2).astype(np.int64)
    worked = np.where((decided < 0) & (rng.random(n) < 0.45), -1, worked)
    order = np.argsort(created, kind="stable")
    ids = opportunity_ids(deals)
    label = np.where((converted >= 0) & (converted <= clock.last_day), deal, len(ids))

    def until_the_end(day: np.ndarray) -> pd.Series:
        return dates(np.where(day <= clock.last_day, day, -1)[order])

    table = pd.DataFrame(
        {
            "lead_id": numbered("L-", np.arange(1, n + 1), width=6),
            "created_on": dates(created[order]),
            "segment": texts(settings.names, segment[order]),
            "channel": texts(par.CHANNELS, channel[order]),
            "worked_on": until_the_end(worked),
            "qualified_on": until_the_end(qualified),
            "rejected_on": until_the_end(rejected),
            "opportunity_id": pd.Series(np.array([*ids, None], dtype=object)[label[order]], dtype="str"),
        }
    )
    seen = par.SCORE_RELIABILITY * leads.quality[shown] + np.sqrt(1 - par.SCORE_RELIABILITY**2) * rng.standard_normal(n)
    score = np.clip(np.round(50.0 + 17.0 * seen), 0.0, 100.0)
    cell = np.ravel_multi_index((month, segment, channel), (settings.months, settings.segments, par.N_CHANNELS))
    return {"leads": table, "marketing": _marketing(rng, settings, demand, cell, score)}


def _marketing(
    rng: np.random.Generator, settings: Settings, demand: Demand, cell: np.ndarray, score: np.ndarray
) -> pd.DataFrame:
    """Return the table of marketing, by month, segment and channel.

    cell, score : (leads,), the place in (months, segments, channels) and the lead score of each lead.
    """
    shape = (settings.months, settings.segments, par.N_CHANNELS)
    count = np.bincount(cell, minlength=int(np.prod(shape)))
    total = np.bincount(cell, score, minlength=int(np.prod(shape)))
    expected = np.moveaxis(demand.lead_base, -1, 0)[par.MAX_LAG : par.MAX_LAG + settings.months].ravel()
    price = np.tile(np.array([55.0, 35.0, 140.0, 70.0]), settings.months * settings.segments)
    # Spend follows leads less than one for one: a good campaign is cheap per lead.
    spend = price * expected**0.4 * np.maximum(count, 0.5) ** 0.6 * np.exp(0.15 * rng.standard_normal(len(count)))
    months, segments, channels = np.unravel_index(np.arange(len(count)), shape)
    with np.errstate(invalid="ignore"):
        mean_score = np.round(total / count, 1)
    return pd.DataFrame(
        {
            "period": texts(period_labels(settings.start_period + np.arange(settings.months)), months),
            "segment": texts(settings.names, segments),
            "channel": texts(par.CHANNELS, channels),
            "leads": count.astype(float),
            "lead_score": mean_score,
            "spend": np.round(spend),
        }
    )


def _earlier_in_month(rng: np.random.Generator, day: np.ndarray, *, days: int) -> np.ndarray:
    """Return a day up to `days` earlier within the same month; -1 stays -1."""
    first = np.maximum(day, 0).astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    earlier = np.maximum(day - rng.integers(0, days + 1, len(day)), first)
    return np.where(day < 0, -1, earlier)
