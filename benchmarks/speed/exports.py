"""Exports of the size of a large company, written as each CRM's API writes them: deals, and a history of their changes.

Salesforce writes a whole state a row of history, HubSpot a row a changed property, Dynamics a row a changed column with
what stood there before. All three hold the same deals; a change of a deal happens within 150 days of its creation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

STAMP = "%Y-%m-%dT%H:%M:%S.000Z"
_OUTCOMES = ("Closed Won", "Closed Lost", "Prospecting", "Proposal")
_STAGES = ("Prospecting", "Proposal", "Negotiation")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What is drawn: n deals (created, close : days and times; amount; outcome : the stage today) and m changes.

    deal : (m,) the deal of each change, ascending. at : (m,) when. stage : (m,) the stage after it.
    """

    random: np.random.Generator
    created: pd.DatetimeIndex
    close: pd.DatetimeIndex
    amount: np.ndarray
    outcome: np.ndarray
    deal: np.ndarray
    at: pd.DatetimeIndex
    stage: np.ndarray


def draw(*, opportunities: int, history: int, seed: int = 0) -> Drawn:
    """Draw deals and changes."""
    random = np.random.default_rng(seed)
    created = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 1_600 * 86_400, opportunities), unit="s")
    outcome = random.choice(_OUTCOMES, opportunities, p=[0.3, 0.5, 0.1, 0.1])
    close = created + pd.to_timedelta(random.integers(5, 200, opportunities), unit="D")
    amount = np.round(random.lognormal(9, 1, opportunities), 2)
    deal = np.sort(random.integers(0, opportunities, history))
    later = np.round(random.random(history) * 86_400 * 150).astype(int)
    return Drawn(
        random=random,
        created=created,
        close=close,
        amount=amount,
        outcome=outcome,
        deal=deal,
        at=created[deal] + pd.to_timedelta(later, unit="s"),
        stage=random.choice(_STAGES, history),
    )


def write_salesforce(folder: Path, drawn: Drawn) -> None:
    """Write Opportunity.csv and OpportunityHistory.csv."""
    random, count, history = drawn.random, len(drawn.amount), len(drawn.deal)
    ids = np.array([f"006{number:012d}AAA" for number in range(count)])
    closed = np.char.startswith(drawn.outcome.astype(str), "Closed")
    pd.DataFrame(
        {
            "Id": ids,
            "IsDeleted": "false",
            "StageName": drawn.outcome,
            "Amount": drawn.amount,
            "CloseDate": drawn.close.strftime("%Y-%m-%d"),
            "CreatedDate": drawn.created.strftime(STAMP),
            "IsClosed": np.where(closed, "true", "false"),
            "IsWon": np.where(drawn.outcome == "Closed Won", "true", "false"),
            "OwnerId": np.array([f"005{number:012d}AAA" for number in random.integers(0, 200, count)]),
            "Type": random.choice(["New Business", "Existing Business"], count),
            "LeadSource": random.choice(["Web", "Event", "Partner"], count),
            "LastModifiedDate": (drawn.close + pd.Timedelta(hours=9)).strftime(STAMP),
        }
    ).to_csv(folder / "Opportunity.csv", index=False)
    pd.DataFrame(
        {
            "Id": np.array([f"008{number:012d}AAA" for number in range(history)]),
            "OpportunityId": ids[drawn.deal],
            "CreatedDate": drawn.at.strftime(STAMP),
            "StageName": drawn.stage,
            "Amount": drawn.amount[drawn.deal],
            "CloseDate": drawn.close[drawn.deal].strftime("%Y-%m-%d"),
            "Probability": random.choice([10, 40, 80], history),
            "ForecastCategory": random.choice(["Pipeline", "BestCase", "Forecast"], history),
        }
    ).to_csv(folder / "OpportunityHistory.csv", index=False)


def write_hubspot(folder: Path, drawn: Drawn) -> None:
    """Write deals.csv and deal_property_history.csv: three changes in five are of the stage."""
    random, count = drawn.random, len(drawn.amount)
    ids = 7_000_000_000 + np.arange(count)
    stages = {
        "Closed Won": "closedwon",
        "Closed Lost": "closedlost",
        "Prospecting": "appointmentscheduled",
        "Proposal": "presentationscheduled",
        "Negotiation": "contractsent",
    }
    stage = pd.Series(drawn.outcome).map(stages).to_numpy()
    closed = np.char.startswith(drawn.outcome.astype(str), "Closed")
    pd.DataFrame(
        {
            "hs_object_id": ids,
            "dealname": [f"Deal {number}" for number in range(count)],
            "dealstage": stage,
            "pipeline": "default",
            "amount": drawn.amount,
            "closedate": drawn.close.strftime(STAMP),
            "createdate": drawn.created.strftime(STAMP),
            "hs_is_closed": np.where(closed, "true", "false"),
            "hs_is_closed_won": np.where(drawn.outcome == "Closed Won", "true", "false"),
            "hubspot_owner_id": random.integers(50_000_000, 50_000_200, count),
            "dealtype": random.choice(["newbusiness", "existingbusiness"], count),
            "hs_lastmodifieddate": (drawn.close + pd.Timedelta(hours=9)).strftime(STAMP),
        }
    ).to_csv(folder / "deals.csv", index=False)
    what = random.choice(["dealstage", "amount", "closedate"], len(drawn.deal), p=[0.6, 0.2, 0.2])
    values = {
        "dealstage": pd.Series(drawn.stage).map(stages).to_numpy(),
        "amount": drawn.amount[drawn.deal].astype(str),
        "closedate": drawn.close[drawn.deal].strftime(STAMP).to_numpy(),
    }
    pd.DataFrame(
        {
            "deal_id": ids[drawn.deal],
            "name": what,
            "value": np.select([what == name for name in values], list(values.values()), default=""),
            "timestamp": drawn.at.strftime(STAMP),
            "source": "CRM_UI",
        }
    ).to_csv(folder / "deal_property_history.csv", index=False)


def write_dynamics(folder: Path, drawn: Drawn) -> None:
    """Write opportunity.csv and audit.csv: three changes in five are of the stage."""
    random, count = drawn.random, len(drawn.amount)
    ids, owners = _guids(random, count), _guids(random, 200)
    closed = np.char.startswith(drawn.outcome.astype(str), "Closed")
    day = drawn.close.strftime("%Y-%m-%d").to_numpy()
    stages = {name: f"{number}-{name}" for number, name in enumerate(_STAGES, start=1)}
    pd.DataFrame(
        {
            "opportunityid": ids,
            "name": [f"Deal {number}" for number in range(count)],
            "statecode": np.where(closed, np.where(drawn.outcome == "Closed Won", 1, 2), 0),
            "stepname": pd.Series(drawn.outcome).map(stages).fillna("3-Negotiation").to_numpy(),
            "estimatedvalue": drawn.amount,
            "actualvalue": np.where(drawn.outcome == "Closed Won", drawn.amount.astype(str), ""),
            "estimatedclosedate": day,
            "actualclosedate": np.where(closed, day, ""),
            "createdon": drawn.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "modifiedon": (drawn.close + pd.Timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "_ownerid_value": owners[random.integers(0, len(owners), count)],
        }
    ).to_csv(folder / "opportunity.csv", index=False)
    what = random.choice(["stepname", "estimatedvalue", "estimatedclosedate"], len(drawn.deal), p=[0.6, 0.2, 0.2])
    before = random.choice(list(stages.values()), len(drawn.deal))
    old = {"stepname": before, "estimatedvalue": "1000.5", "estimatedclosedate": "2026-01-31"}
    new = {
        "stepname": pd.Series(drawn.stage).map(stages).to_numpy(),
        "estimatedvalue": drawn.amount[drawn.deal].astype(str),
        "estimatedclosedate": day[drawn.deal],
    }
    chosen = [what == name for name in new]
    pd.DataFrame(
        {
            "auditid": _guids(random, len(drawn.deal)),
            "_objectid_value": ids[drawn.deal],
            "createdon": drawn.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "operation": 2,
            "attributename": what,
            "oldvalue": np.select(chosen, list(old.values()), default=""),
            "newvalue": np.select(chosen, list(new.values()), default=""),
        }
    ).to_csv(folder / "audit.csv", index=False)


WRITERS = {"salesforce": write_salesforce, "hubspot": write_hubspot, "dynamics": write_dynamics}


def _guids(random: np.random.Generator, count: int) -> np.ndarray:
    """Return identifiers as Dataverse gives them."""
    text = random.bytes(16 * count).hex()
    parts = [text[32 * number : 32 * number + 32] for number in range(count)]
    return np.array([f"{part[:8]}-{part[8:12]}-{part[12:16]}-{part[16:20]}-{part[20:]}" for part in parts])
