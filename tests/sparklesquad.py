"""Build a data folder from the `sparklesquad` CRM export (fictitious), with its marketing clicks.

1. amount = the list price of the product (`Sales_Price`), known from the start; `Close_Value` stays an extra column.
2. stage = `Deal_Stage`; outcome = won, lost, or else open. created_on = `Created_On`, closed_on = `Close_Date`.
3. segment = the regional office of the sales agent. account_id = `Account`, which is missing only where a deal was not
   won: its missingness knows the outcome.
4. marketing: clicks a month and source. They belong to no office, so each office is given the clicks in proportion to
   its share of the deals created in all (a choice of this recipe, not of the data).
5. company.toml: extracted_on = 2017-12-31, fixed_at_creation = ["amount"].
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

COMPANY = """\
name = "Sparklesquad CRM"
currency = "USD"
extracted_on = 2017-12-31
fixed_at_creation = ["amount"]
"""


def build(source: Path, out: Path) -> Path:
    """Write opportunities.csv, marketing.csv and company.toml of the export in `source` into `out`; return `out`."""
    deals = pd.read_csv(source / "sales-pipeline.csv", dtype="str")
    prices = pd.read_csv(source / "products.csv").set_index("Product")["Sales_Price"]
    offices = pd.read_csv(source / "sales-teams.csv").set_index("Sales_Agent")["Regional_Office"]
    table = pd.DataFrame(
        {
            "opportunity_id": deals["Opportunity_ID"],
            "created_on": deals["Created_On"],
            "segment": deals["Sales_Agent"].map(offices),
            "stage": deals["Deal_Stage"],
            "amount": deals["Product"].map(prices),
            "expected_close_on": "",
            "closed_on": deals["Close_Date"],
            "outcome": deals["Deal_Stage"].map({"Won": "won", "Lost": "lost"}).fillna("open"),
            "product": deals["Product"],
            "owner": deals["Sales_Agent"],
            "account_id": deals["Account"],
            "close_value": deals["Close_Value"],
        }
    )
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "opportunities.csv", index=False)
    _marketing(source, table["segment"]).to_csv(out / "marketing.csv", index=False)
    (out / "company.toml").write_text(COMPANY, encoding="utf-8")
    return out


def _marketing(source: Path, segment: pd.Series) -> pd.DataFrame:
    clicks = pd.read_csv(source / "clicks.csv", dtype="str")
    months = clicks.groupby([clicks["Created_On"].str[:7], "Source"]).size().rename("clicks").reset_index()
    months.columns = ["period", "channel", "clicks"]
    shares = segment.value_counts(normalize=True).rename("share").rename_axis("segment").reset_index()
    table = months.merge(shares, how="cross")
    table["leads"] = (table["clicks"] * table["share"]).round(2)
    return table[["period", "segment", "channel", "leads"]]


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])))
