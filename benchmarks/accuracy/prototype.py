"""A plain forecast by the formulas of the first prototype: the floor that `pipeline` is compared with.

    python -m benchmarks.accuracy.prototype --sizes 20000 --seeds 2,3,4 [--record]

Two landmark logistic regressions with the prototype's terms (`analyst_quick`), its calibration of the value, and what
is not yet created as  sum over j <= h and g of N[r,g,j] K[g,h-j,quarter position] rho[r,g] m[g,h-j]:  creation forecast
x conversion by age x region factor x mean won amount by age. Creation is a twelve-month mean; of marketing's deals a
non-negative regression on leads at lags 0 to 2. Means only. Companies, origins and ends are those of `accuracy`.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from scipy.optimize import nnls

import forecast
from benchmarks.accuracy.bookings import closed, jackknife, wape
from benchmarks.accuracy.ends import cached_ends, origins_of
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import REPORT
from benchmarks.speed import analyst_quick as quick
from benchmarks.speed.analyst_quick import STEPS
from forecast.simulation.company import simulate

CALIBRATED, COHORTS, WINS_PRIOR, SPREAD = 18, 36, 20.0, 0.01


def forecasts(log: forecast.Log, origins: list[pd.Timestamp]) -> pd.DataFrame:
    """Return origin, segment, horizon, mean at month ends that follow one another."""
    work = quick.prepare(dict(log.tables), log.company.timezone)
    names = list(work.deals["segment"].cat.categories)
    chances: dict[int, tuple[pd.DataFrame, np.ndarray, np.ndarray]] = {}
    parts = []
    for origin in pd.date_range(end=origins[-1], periods=len(origins) + CALIBRATED, freq="ME"):
        month = origin.year * 12 + origin.month - 1
        known = work.history[work.history["day"] <= origin]
        now, chance = open_deals(work, known, origin, month)
        if origin >= origins[0]:
            wins = work.wins[work.wins["recorded"] <= origin]
            growth = wins["amount"].sum() / wins["before"].sum()
            value = chance * now["amount"].to_numpy()[:, None] * growth
            value *= calibration(work, known, chances, month, growth)
            code = now["segment"].to_numpy()
            opened = np.stack([np.bincount(code, each, minlength=len(names)) for each in value.T], axis=1)
            mean = opened + not_yet_created(work, known, log.tables.get("marketing"), month)
            table = pd.DataFrame(mean, index=names, columns=range(1, STEPS + 1)).stack().rename("mean").reset_index()
            table.columns = ["segment", "horizon", "mean"]
            parts.append(table.assign(origin=origin))
        chances[month] = (now, chance, (chance * now["amount"].to_numpy()[:, None] ** 2).sum(axis=0))
    return pd.concat(parts, ignore_index=True)


def open_deals(
    work: quick.Work, known: pd.DataFrame, origin: pd.Timestamp, month: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the deals open at an origin and P_h = w_h prod_{k<h} (1 - w_k - l_k), (n, 6), refitted there."""
    ends = pd.date_range(end=origin, periods=quick.LOOKBACK + 1, freq="ME")[:-1]
    past = quick.with_outcomes(work, known, quick.landmark_states(work, known, ends), month)
    rows = quick.by_step(past, won_code=work.won_code)
    encoder = quick.Encoder(work)
    design = encoder.fit_transform(rows)
    models = {cause: quick.fit(work, cause, design, rows[cause].to_numpy()) for cause in ("won", "lost")}
    now = quick.landmark_states(work, known, pd.DatetimeIndex([origin]))
    ahead = quick.by_step(now.assign(event=STEPS, observed=STEPS, closed_as=-1), won_code=work.won_code)
    coded = encoder.transform(ahead)
    won, lost = (model.predict_proba(coded)[:, 1].reshape(len(now), STEPS) for model in models.values())
    stay = np.clip(1 - won - lost, 0, 1)
    return now, won * np.column_stack([np.ones(len(now)), np.cumprod(stay, axis=1)[:, :-1]])


def calibration(
    work: quick.Work,
    known: pd.DataFrame,
    chances: dict[int, tuple[pd.DataFrame, np.ndarray, np.ndarray]],
    month: int,
    growth: float,
) -> np.ndarray:
    """Return c_h: log c_h = s log(sum won / sum P A), s = .01 / (.01 + sum P A^2 / (sum P A)^2), over 18 origins."""
    last = known.drop_duplicates("deal", keep="last").set_index("deal")["stage"]
    won = last.reindex(work.deals.index, fill_value=-1).to_numpy() == work.won_code
    closed_month = work.deals["closed_month"].to_numpy()
    got, meant, square = np.zeros(STEPS), np.zeros(STEPS), np.zeros(STEPS)
    for then, (now, chance, squares) in chances.items():
        deal, amount = now["deal"].to_numpy(), now["amount"].to_numpy() * growth
        for h in range(STEPS):
            if then >= month - CALIBRATED - h and then + 1 + h <= month:
                here = won[deal] & (np.maximum(closed_month[deal] - then - 1, 0) == h)
                got[h] += work.deals["amount"].to_numpy()[deal[here]].sum()
                meant[h] += (chance[:, h] * amount).sum()
                square[h] += squares[h] * growth**2
    share = SPREAD / (SPREAD + square / np.maximum(meant, 1e-9) ** 2)
    return np.where((got > 0) & (meant > 0), np.exp(share * np.log(np.maximum(got, 1e-9) / np.maximum(meant, 1e-9))), 1)


def not_yet_created(work: quick.Work, known: pd.DataFrame, marketing: pd.DataFrame | None, month: int) -> np.ndarray:
    """Return what deals to come are expected to bring by segment and horizon, (R, 6)."""
    deals = work.deals.iloc[known["deal"].unique()]
    channels = [] if marketing is None else list(marketing["channel"].unique())
    group = deals["lead_source"].isin(channels).to_numpy().astype(int)
    segment = deals["segment"].cat.codes.to_numpy()
    regions = len(work.deals["segment"].cat.categories)
    born = deals["created_month"].to_numpy().astype(int)
    counts = np.zeros((regions, 2, COHORTS))
    lately = born > month - COHORTS
    np.add.at(counts, (segment[lately], group[lately], born[lately] - month + COHORTS - 1), 1)
    future = np.repeat(counts[:, :, -12:].mean(axis=2)[:, :, None], STEPS, axis=2)
    if marketing is not None:
        future[:, 1] = from_leads(work, marketing, counts[:, 1], month)
    last = known.drop_duplicates("deal", keep="last").set_index("deal")["stage"]
    won = (last.reindex(deals.index).to_numpy() == work.won_code) & lately
    target = np.where(won, deals["closed_month"].to_numpy(), 0)
    age = np.clip(target - born, 0, None)
    won &= (age < STEPS) & (target <= month)
    amount = deals["amount"].to_numpy()
    created = counts.sum(axis=0)  # group x cohort
    cohort = month - COHORTS + 1 + np.arange(COHORTS)
    rate, size = np.zeros((2, STEPS, 3)), np.zeros((2, STEPS))
    for g in range(2):
        for a in range(STEPS):
            here = won & (group == g) & (age == a)
            size[g, a] = amount[here].mean() if here.any() else 0.0
            seen = cohort + a <= month
            for q in range(3):
                wins = (here & (target % 3 == q)).sum()
                rate[g, a, q] = wins / max(created[g][seen & ((cohort + a) % 3 == q)].sum(), 1)
    expected = np.zeros((regions, 2))
    for a in range(STEPS):
        for q in range(3):
            seen = (cohort + a <= month) & ((cohort + a) % 3 == q)
            expected += counts[:, :, seen].sum(axis=2) * rate[:, a, q]
    observed = np.zeros((regions, 2))
    np.add.at(observed, (segment[won], group[won]), 1)
    rho = (observed + WINS_PRIOR) / (expected + WINS_PRIOR)
    out = np.zeros((regions, STEPS))
    for h in range(STEPS):
        for j in range(h + 1):
            converted = rate[:, h - j, (month + 1 + h) % 3] * size[:, h - j]
            out[:, h] += (future[:, :, j] * rho * converted).sum(axis=1)
    return out


def from_leads(work: quick.Work, marketing: pd.DataFrame, created: np.ndarray, month: int) -> np.ndarray:
    """Return marketing's deals to come, (R, 6): created on leads at lags 0 to 2; leads to come are a year's mean."""
    number = marketing["period"].str[:4].astype(int) * 12 + marketing["period"].str[5:7].astype(int) - 1
    code = marketing["segment"].astype(work.deals["segment"].dtype).cat.codes.to_numpy()
    leads = np.zeros((len(created), COHORTS + 2))
    place = (number - month + COHORTS + 1).to_numpy()
    inside = (place >= 0) & (place < COHORTS + 2) & (code >= 0)
    np.add.at(leads, (code[inside], place[inside]), marketing["leads"].to_numpy()[inside])
    lagged = np.stack([leads[:, 2 - lag : COHORTS + 2 - lag] for lag in range(3)], axis=-1)
    weights = nnls(lagged.reshape(-1, 3), created.ravel())[0]
    whole = np.concatenate([leads, np.repeat(leads[:, -12:].mean(axis=1)[:, None], STEPS, axis=1)], axis=1)
    first = COHORTS + 2
    return np.stack([sum(weights[lag] * whole[:, first + j - lag] for lag in range(3)) for j in range(STEPS)], axis=1)


def main() -> None:
    """Run, print and, if asked, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="20000")
    parser.add_argument("--seeds", default="2,3,4")
    parser.add_argument(
        "--report", action="store_true", help="10 of the seeds that figures of record come from (3 at 200,000)"
    )
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[tuple[str, str, float, str]] = []
    for size in [int(text) for text in options.sizes.split(",")]:
        parts = []
        for seed in (
            REPORT[: 10 if size < 200_000 else 3]
            if options.report
            else [int(text) for text in options.seeds.split(",")]
        ):
            company = simulate(opportunities=size, seed=seed)
            days = [pd.Period(label, freq="M").end_time.normalize() for label in origins_of(company)]
            table = forecasts(log_of(company), days)
            table["origin"] = table["origin"].dt.strftime("%Y-%m")
            parts.append(table.merge(cached_ends(company), on=["origin", "segment", "horizon"]).assign(seed=seed))
        every = pd.concat(parts, ignore_index=True)
        share, error = jackknife(every, closed)
        bias = (every["mean"] - every["actual"]).sum() / every["actual"].sum()
        print(f"{size:,} opportunities, {every['seed'].nunique()} companies; bias {bias:+.3f}")
        for name, values in (("oracle", wape(every, "oracle")), ("prototype", wape(every, "mean")), ("closed", share)):
            print(f"  {name:10s}", " ".join(f"{value:.3f}" for value in values))
        print("  se        ", " ".join(f"{value:.3f}" for value in error))
        case = f"{size} opportunities, {every['seed'].nunique()} companies"
        rows += [(case, f"gap closed h {h}", float(share[h - 1]), "") for h in (1, 3, 6)]
    if options.record:
        record("prototype", rows)


if __name__ == "__main__":
    main()
