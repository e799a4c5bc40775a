"""Build a data folder from the Maven Analytics CRM export (fictitious teaching data, final states only).

`python tests/maven.py ../shared/data/maven_crm OUT` does the same from the command line. The steps:

1. `products.csv` writes `GTX Pro`, the pipeline `GTXPro` (1,480 rows): the pipeline is mended, so that the price joins.
2. amount = the list price of the product (`sales_price`). It is known from the start, hence `fixed_at_creation`.
   `close_value`, what was paid, is 0 for every loss: it stays a column of its own, empty while open, and must not
   reach a model.
3. stage = `deal_stage`; outcome = won, lost, or else open.
4. created_on = `engage_date`, closed_on = `close_date`, both written m/d/Y. 500 deals at Prospecting have no start
   date; they stay in, and reading leaves them out with a note.
5. segment = the regional office of the sales agent (`sales_teams.csv`), owner = the agent, account_id = the account.
6. There is no expected close date (the column is empty), no history, no marketing, no submitted forecasts, no plan.
7. company.toml: the name, extracted_on = 2017-12-31 (the last close date), fixed_at_creation = ["amount"].
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

COMPANY = """\
name = "Maven CRM"
currency = "USD"
extracted_on = 2017-12-31
fixed_at_creation = ["amount"]
"""


def build(source: Path, out: Path) -> Path:
    """Write opportunities.csv and company.toml of the export in `source` into `out`; return `out`."""
    deals = pd.read_csv(source / "sales_pipeline.csv", dtype="str")
    products = pd.read_csv(source / "products.csv").set_index("product")["sales_price"]
    offices = pd.read_csv(source / "sales_teams.csv").set_index("sales_agent")["regional_office"]
    product = deals["product"].replace({"GTXPro": "GTX Pro"})
    outcome = deals["deal_stage"].map({"Won": "won", "Lost": "lost"}).fillna("open")
    table = pd.DataFrame(
        {
            "opportunity_id": deals["opportunity_id"],
            "created_on": _day(deals["engage_date"]),
            "segment": deals["sales_agent"].map(offices),
            "stage": deals["deal_stage"],
            "amount": product.map(products),
            "expected_close_on": "",
            "closed_on": _day(deals["close_date"]),
            "outcome": outcome,
            "product": product,
            "owner": deals["sales_agent"],
            "account_id": deals["account"],
            "close_value": deals["close_value"].where(outcome != "open"),
        }
    )
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "opportunities.csv", index=False)
    (out / "company.toml").write_text(COMPANY, encoding="utf-8")
    return out


def _day(text: pd.Series) -> pd.Series:
    return pd.to_datetime(text, format="%m/%d/%Y").dt.strftime("%Y-%m-%d")


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])))
