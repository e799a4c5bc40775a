"""How the tests start Chromium, offline, quiet, and by its own path; and look at pages with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def browser(executable: str) -> Iterator[Any]:
    """Yield a playwright browser running the Chromium at `executable`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def open_page(chrome, path: Path, *, width: int = 1280, dark: bool = False, scripts: bool = True, free: bool = False):
    """Return a page, offline; `free` of its policy, which forbids the script of axe as it forbids every other."""
    context = chrome.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        offline=True,
        bypass_csp=free,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    page.goto(path.as_uri())
    return page


def each_page(chrome, paths: list[Path], **look: Any) -> Iterator[tuple[Path, Any]]:
    """Yield pages as `open_page` returns them, one after another in one tab: each tab begins a process of its own."""
    page = open_page(chrome, paths[0], **look)
    for path in paths:
        if path != paths[0]:
            page.goto(path.as_uri())
        yield path, page
        page.mouse.move(0, 0)
    page.context.close()


def axe_faults(pages: Iterable[tuple[Path, Any]], *, below: Path) -> str:
    """Return what axe finds on pages as `each_page` yields them, all of them unfolded, one a line.

    below : the folder from which they are named.
    """
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for path, page in pages:
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        for rule in Axe().run(page).response["violations"]:
            where = [node["target"] for node in rule["nodes"]][:3]
            found.append(f"{path.relative_to(below)}: {rule['id']} ({rule['impact']}) {rule['help']} {where}")
    return "\n".join(found)
