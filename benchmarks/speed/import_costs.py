"""What importing costs: `import forecast`, and what each notebook imports, alone and in a kernel of a report.

CPU seconds, medians of several rounds. Alone: in a Python of its own, beyond an empty one. Forked: in a fork of a
process that has run `fork.preload`, as the kernels of a report are. The last column names the large libraries that
came with the imports, or with the preload.

    python -m benchmarks.speed.import_costs --rounds 5
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGE = ("statsmodels", "sklearn")
ALONE = """
import json, sys, time
start = time.process_time()
{imports}
print(json.dumps([time.process_time() - start, [name for name in {large!r} if name in sys.modules]]))
"""
FORKED = """
import json, os, sys, time
from forecast.reporting.run.fork import preload
start = time.process_time()
preload()
spent = time.process_time() - start
loaded = [name for name in {large!r} if name in sys.modules]
costs = {{}}
for name, imports in json.loads(sys.stdin.read()).items():
    reading, writing = os.pipe()
    if os.fork() == 0:
        start = time.process_time()
        exec(imports, {{}})
        os.write(writing, str(time.process_time() - start).encode())
        os._exit(0)
    costs[name] = float(os.read(reading, 100))
    os.wait()
print(json.dumps([spent, loaded, costs]))
"""


def imports_of(path: Path) -> str:
    """Return the import statements of a notebook's cells, a line each."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    body = [node for cell in cells if cell["cell_type"] == "code" for node in ast.parse("".join(cell["source"])).body]
    return "\n".join(ast.unparse(node) for node in body if isinstance(node, (ast.Import, ast.ImportFrom)))


def run(code: str, text: str = "") -> list:
    """Run code in a Python of its own, with compiled modules and one BLAS thread; return what it printed last."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, input=text, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    wanted = {"import forecast": "import forecast"}
    wanted |= {path.stem: imports_of(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    alone = {
        name: [run(ALONE.format(imports=lines, large=LARGE)) for _ in range(rounds)] for name, lines in wanted.items()
    }
    forked = [run(FORKED.format(large=LARGE), json.dumps(wanted)) for _ in range(rounds)]
    print(f"{'':22}{'alone':>8}{'forked':>8}  with")
    for name, measured in alone.items():
        cost = statistics.median(cpu for cpu, _ in measured)
        after = statistics.median(costs[name] for _, _, costs in forked)
        print(f"{name:22}{cost:8.2f}{after:8.3f}  {', '.join(measured[0][1]) or '-'}")
    spent = statistics.median(cpu for cpu, _, _ in forked)
    print(f"{'preload':22}{spent:8.2f}{'':8}  {', '.join(forked[0][1]) or '-'}")


if __name__ == "__main__":
    main()
