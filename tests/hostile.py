"""A company whose every name is an attack: markup, attributes, formulas, paths, marks of direction, sheer length.

`write` makes the simulated company and renames everything in it that a CRM lets people type. Each attack that a browser
could run sets `window.harm`, asks for a picture of `harm.example` or opens a dialog; none may ever happen.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pandas as pd

from forecast.simulation.company import simulate

RUNS = "window.harm=1;alert(1)"
ATTACKS = (
    f"<img src=https://harm.example/a.png onerror={RUNS}>",
    f'"><script>{RUNS}</script>',
    f"' autofocus onfocus='{RUNS}' x='",
    f"</style></script></svg></title></textarea>--><svg onload={RUNS}>",
    f"]]><iframe src=javascript:{RUNS}></iframe>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "\t=HYPERLINK(0)",
    "../../../x",
    "..\\..\\x:y*z",
    "\u202egnp.exe\u202c\u2067turned\u2069",
    f"{{{{ 7*7 }}}}{{% raw %}} ${{{RUNS}}} `{RUNS}`",
    f"[x](javascript:{RUNS}) ![x](https://harm.example/b.png) <https://harm.example/c>",
    "$\\href{javascript:alert(1)}{x}$ &lt;b&gt; &#60;i&#62; \\",
    "'; DROP TABLE deals; --",
    "x" * 500,
    "un breakable ".replace(" ", "\u00a0") * 30,
)
COMPANY = f"<script>{RUNS}</script><img src=https://harm.example/l.png onerror={RUNS}> \u202eCo"

LOGO = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


def attack(number: int, what: str) -> str:
    """Return the attack of that number, told apart from others by what it names."""
    said = ATTACKS[number % len(ATTACKS)]
    return f"{said} {what} {number}"


def _renamed(values: pd.Series, what: str, *, start: int = 0) -> dict[str, str]:
    names = sorted(values.dropna().unique())
    return {name: attack(start + number, what) for number, name in enumerate(names)}


def _with_attacks(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events and one of each attack about the company, two months apart up to the end of the log."""
    days = pd.date_range(end="2026-09-05", periods=len(ATTACKS), freq="60D")
    more = pd.DataFrame({"from": days, "to": days + pd.Timedelta(days=50)}).reindex(columns=events.columns)
    more = more.astype(events.dtypes.to_dict())
    for column in ("kind", "text"):
        more[column] = [attack(number, column) for number in range(len(more))]
    return pd.concat([events, more], ignore_index=True)


def tables() -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """Return the tables of the company and what its company.toml says."""
    made = simulate(opportunities=900, months=30, seed=3, segments=4)
    company = {**made.company, "name": COMPANY, "logo": "logo.png"}
    company["fixed_at_creation"] = ["account <b>name</b>"]
    found = {name: table.copy() for name, table in made.tables.items()}
    deals = found["opportunities"]
    names = {
        "opportunity_id": _renamed(deals["opportunity_id"], "deal"),
        "account_id": _renamed(deals["account_id"], "account"),
        "owner": _renamed(pd.concat([deals["owner"], found["quotas"]["owner"]]), "owner", start=3),
        "segment": _renamed(found["plan"]["segment"], "segment"),
        "stage": _renamed(found["stages"]["stage"], "stage", start=1),
        "product": _renamed(deals["product"], "product", start=4),
        "lead_source": _renamed(deals["lead_source"], "source", start=1),
        "lost_reason": _renamed(deals["lost_reason"], "reason", start=2),
        "type": {},
        "lead_id": _renamed(found["leads"]["lead_id"], "lead"),
        "channel": _renamed(found["marketing"]["channel"], "channel", start=5),
        "forecast_category": _renamed(found["opportunity_history"]["forecast_category"], "category"),
        "submitter": {"marketing": attack(0, "submitter")},
    }
    for table in found.values():
        for column, renamed in names.items():
            if column in table:
                table[column] = table[column].map(lambda name, new=renamed: new.get(name, name), na_action="ignore")
    found["events"] = _with_attacks(found["events"])
    found["submitted_forecasts"] = _with_a_rep(found["submitted_forecasts"], names["owner"]["Rep 003"])
    deals["account <b>name</b>"] = deals["account_id"].str[-6:] + ATTACKS[0]
    deals['"><script>window.harm=1</script>'] = deals["opportunity_id"]
    deals["=1+1"] = deals["owner"]
    found["opportunity_history"]["note"] = found["opportunity_history"]["stage"]
    return found, company


def _with_a_rep(submitted: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return submitted forecasts with those of a rep beside them."""
    own = submitted[submitted["submitter"] == "sales"].assign(submitter=name)
    return pd.concat([submitted, own], ignore_index=True)


def write(folder: Path) -> dict[str, pd.DataFrame]:
    """Write the company into a folder, with files of others beside its tables; return the tables."""
    found, company = tables()
    folder.mkdir(parents=True)
    for name, table in found.items():
        if name in ("opportunities", "leads"):
            table.to_parquet(folder / f"{name}.parquet", index=False)
        else:
            table.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d")
    history = found["opportunity_history"].assign(
        recorded_at=lambda table: table["recorded_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    history.to_csv(folder / "opportunity_history.csv", index=False, date_format="%Y-%m-%d")
    (folder / f"<img src=x onerror={RUNS}>.txt").write_text("a file of somebody's", encoding="utf-8")
    (folder / "logo.png").write_bytes(LOGO)
    (folder / "company.toml").write_text(_toml(company), encoding="utf-8")
    return found


def _toml(company: dict[str, object]) -> str:
    lines = []
    for key, value in company.items():
        text = value.strftime("%Y-%m-%d") if isinstance(value, pd.Timestamp) else json.dumps(value)
        lines.append(f"{key} = {text}\n")
    return "".join(lines)
