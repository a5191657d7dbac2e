"""One report and one browser for all tests of pages: Debian's Chromium, driven by Playwright, without a network."""

import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from heatproof.report import build
from tests.unit.report.synthetic_run import write_synthetic_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WITH_MAPS = 2
"""Methods of which the run stores maps: few, so that a row of the gallery has room to spare."""


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a synthetic run: twelve methods, four metrics and ten images, which suffice for a test."""
    run = write_synthetic_run(tmp_path_factory.mktemp("browser") / "run", images=10, size=24)
    manifest = run.manifest()
    kept = {method.key for method in manifest.methods[:WITH_MAPS]}
    for entry in manifest.units:
        for unit in () if entry.method in kept else entry.keys.split():
            for file in (run.path / "maps").glob(f"{unit}*"):
                file.unlink()
    return build(run.path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser; its tests are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: `apt-get install chromium` brings it, and `make test` does so where it may")
    api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test` installs it")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def show(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens the report in a window, once for each width and colour scheme, with all sections unfolded."""
    pages: dict[tuple[Any, ...], Any] = {}
    contexts = []

    def opened(width: int, dark: bool = False, scripts: bool = True) -> Any:
        key = (width, dark, scripts)
        if key not in pages:
            context = browser.new_context(
                viewport={"width": width, "height": 844},
                color_scheme="dark" if dark else "light",
                has_touch=width < 600,
                java_script_enabled=scripts,
                reduced_motion="reduce",
                offline=True,
            )
            contexts.append(context)
            page = context.new_page()
            page.asked, page.complaints = [], []
            page.on("request", lambda request: page.asked.append(request.url))
            page.on("console", lambda message: page.complaints.append(message.text))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.goto(report.as_uri())
            if scripts:
                page.locator(".chart:not(:has(svg))").first.wait_for(state="detached")
                page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
            pages[key] = page
        return pages[key]

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which checks a page for readers who see, hear or point differently."""
    pytest.importorskip("axe_playwright_python", reason="no axe-core: `make test` installs it")
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
