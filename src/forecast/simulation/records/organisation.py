"""The simulated company's organisation: who holds which seat from when on, what belongs to what, and what happened.

Nothing here moves a deal: a seat has one skill whoever sits in it, and events are told of what the other parts drew. So
these tables can change without changing what there is to forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.simulation import parameters as par
from forecast.simulation.changes.regime import NEVER, Regime
from forecast.simulation.demand import Demand, Staff
from forecast.simulation.parameters import Clock, Settings, generator
from forecast.simulation.records.tables import dates, rep_names, texts

REGIONS = ("Northern Europe", "Central Europe", "Southern Europe")
FAMILIES = ("Applications", "Infrastructure")
FAMILY = (0, 0, 1, 1)
"""The family of each product."""
TEAM = 4
"""Seats of a team, about."""
HANDED_OVER = 0.4
"""Share of the seats that go to a new seller during the log."""
LONGEST_SERVICE = 3000
"""Days that a seller who was there at the start had sold by then, at most."""
CAMPAIGNS, CAMPAIGN_MONTHS = 8, 3
NOTICE = (20, 60)
"""Days between the announcement of an event and its first day."""


@dataclass(frozen=True, kw_only=True)
class Seats:
    """Who sells: seats (W,) and the sellers, R of them, who hold them one after the other.

    first, second : (W,), the seller at the log's start, and who took over (-1 = nobody). handed_over : (W,), the month
    that begins with the second, -1 = never. hired, seat : (R,), the day each began to sell, and where.
    """

    names: list[str]
    first: np.ndarray
    second: np.ndarray
    handed_over: np.ndarray
    hired: np.ndarray
    seat: np.ndarray
    clock: Clock

    def holder(self, seat: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return who held each seat on a day; (n,)."""
        change = np.where(self.handed_over >= 0, self.clock.month_start[np.maximum(self.handed_over, 0)], 2**31)
        return np.where(day < change[seat], self.first[seat], self.second[seat])


def make_seats(settings: Settings, clock: Clock, staff: Staff) -> Seats:
    """Draw who holds each seat: everybody stays, but in a steady company, where some seats go to a new seller."""
    rng = generator(settings, "organisation")
    seats = len(staff.owner_segment)
    first = np.arange(seats)
    month = rng.integers(6, settings.months - 3, seats)
    leaves = (rng.random(seats) < HANDED_OVER) & settings.steady
    handed_over = np.where(leaves, month, -1)
    second = np.where(leaves, seats + np.cumsum(leaves) - 1, -1)
    hired = clock.month_start[0] - rng.integers(30, LONGEST_SERVICE, seats)
    hired = np.concatenate([hired, clock.month_start[handed_over[leaves]]])
    return Seats(
        names=rep_names(len(hired)),
        first=first,
        second=second,
        handed_over=handed_over,
        hired=hired,
        seat=np.concatenate([first, first[leaves]]),
        clock=clock,
    )


def make_hierarchy(settings: Settings, clock: Clock, staff: Staff, seats: Seats) -> pd.DataFrame:
    """Return what belongs to what: seller to team to segment to region, product to family.

    In a steady company one segment moves to another region in the middle of the log.
    """
    start = int(clock.month_start[0])
    rows: list[tuple[str, str, int, str, int]] = []
    for g, name in enumerate(settings.names):
        region, moves_to = REGIONS[g % 3], REGIONS[(g + 1) % 3]
        moved = _reorganised(settings, clock) if g == 0 and settings.steady else -1
        rows.append(("segment", name, start, region, moved - 1 if moved >= 0 else -1))
        if moved >= 0:
            rows.append(("segment", name, moved, moves_to, -1))
    for product, family in zip(par.PRODUCTS, FAMILY, strict=True):
        rows.append(("product", product, start, FAMILIES[family], -1))
    first_seat = np.searchsorted(staff.owner_segment, staff.owner_segment)
    team = (np.arange(len(staff.owner_segment)) - first_seat) // TEAM + 1
    for seat, segment in enumerate(staff.owner_segment):
        name = f"{settings.names[segment]} team {team[seat]}"
        change = clock.month_start[seats.handed_over[seat]] if seats.handed_over[seat] >= 0 else 0
        first, second = seats.first[seat], seats.second[seat]
        rows.append(("owner", seats.names[first], int(seats.hired[first]), name, int(change) - 1))
        if second >= 0:
            rows.append(("owner", seats.names[second], int(seats.hired[second]), name, -1))
        if seat == first_seat[seat] or team[seat] != team[seat - 1]:
            rows.append(("owner", name, int(seats.hired.min()), settings.names[segment], -1))
    of, node, since, parent, until = (list(column) for column in zip(*sorted(rows), strict=True))
    return pd.DataFrame(
        {
            "of": pd.Series(of, dtype="str"),
            "node": pd.Series(node, dtype="str"),
            "from": dates(np.array(since)),
            "parent": pd.Series(parent, dtype="str"),
            "to": dates(np.array(until)),
        }
    )


def _reorganised(settings: Settings, clock: Clock) -> int:
    """Return the day a segment moves to another region: the first January after the middle of the log."""
    middle = settings.start_period + settings.months // 2
    return int(clock.month_start[-(-middle // 12) * 12 - settings.start_period])


def make_events(settings: Settings, clock: Clock, demand: Demand, regime: Regime | None = None) -> pd.DataFrame:
    """Return what happened: campaigns where leads surged most, a reorganisation, a price list, a move of the CRM.

    The campaigns are the names of surges that the leads had anyway; the rest leaves no trace in the deals, except
    other prices where the company changes them.
    """
    usual, prices = _usual_events(settings, clock, demand), _price_event(regime)
    if prices is None:
        return usual
    return pd.concat([usual, prices]).sort_values("from", kind="stable", ignore_index=True)


def _usual_events(settings: Settings, clock: Clock, demand: Demand) -> pd.DataFrame:
    """Return what happens in every company."""
    rng = generator(settings, "organisation").spawn(1)[0]
    segment, channel, month = _surges(settings, demand)
    n = len(segment)
    first = clock.month_start[month]
    last = clock.month_start[month + CAMPAIGN_MONTHS] - 1
    others = [_reorganised(settings, clock), int(clock.month_start[settings.months // 3])]
    others.append(int(clock.month_start[2 * settings.months // 3]) + 14)
    names = [f"{par.CHANNELS[c]} campaign in {settings.names[g]}" for g, c in zip(segment, channel, strict=True)]
    begin = np.concatenate([first, others])
    order = np.argsort(begin, kind="stable")
    place = np.concatenate([segment, [0, -1, -1]])
    product = np.concatenate([np.full(n, -1), [-1, par.PRODUCTS.index("Service"), -1]])
    words = [
        *names,
        f"{settings.names[0]} reports to another region",
        "New price list for Service; running offers keep their prices",
        "The CRM moved to another server; no record was changed",
    ]
    kinds = [*["campaign"] * n, "reorganisation", "price change", "migration"]
    return pd.DataFrame(
        {
            "from": dates(begin[order]),
            "to": dates(np.concatenate([last, [-1, -1, others[-1]]])[order]),
            "segment": texts(settings.names, place[order]),
            "product": texts(par.PRODUCTS, product[order]),
            "kind": pd.Series(np.array(kinds, dtype=object)[order], dtype="str"),
            "text": pd.Series(np.array(words, dtype=object)[order], dtype="str"),
            "announced_on": dates((begin - rng.integers(*NOTICE, len(begin)))[order]),
        }
    )


def _price_event(regime: Regime | None) -> pd.DataFrame | None:
    """Return the row of events that tells of other prices; None where there are none."""
    shift = None if regime is None else regime.shift("price")
    if shift is None:
        return None
    place = int(np.argmax(shift.begins < NEVER))
    day, known_from = int(shift.begins[place]), int(shift.known_from[place])
    share = round(100 * shift.change.amount)
    return pd.DataFrame(
        {
            "from": dates(np.array([day])),
            "to": dates(np.array([-1])),
            "segment": pd.Series([shift.change.segment], dtype="str"),
            "product": pd.Series([None], dtype="str"),
            "kind": pd.Series(["price change"], dtype="str"),
            "text": pd.Series([f"New prices for new offers: {share:+d} %"], dtype="str"),
            "announced_on": dates(np.array([known_from if shift.change.announced else -1])),
        }
    )


def _surges(settings: Settings, demand: Demand) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return segment, channel and first month of the strongest quarters of leads, one a segment at most; (n,) each."""
    state = demand.lead_state[:, :, par.MAX_LAG : par.MAX_LAG + settings.months]
    steps = settings.months - CAMPAIGN_MONTHS + 1
    strength = np.stack([state[:, :, t : t + CAMPAIGN_MONTHS].mean(axis=2) for t in range(1, steps - 1)], axis=2)
    best = strength.reshape(settings.segments, -1).argmax(axis=1)
    channel, month = np.unravel_index(best, strength.shape[1:])
    strongest = np.argsort(-strength.reshape(settings.segments, -1).max(axis=1), kind="stable")[:CAMPAIGNS]
    return strongest, channel[strongest], month[strongest] + 1
