"""A real browser for the tests of the page: Debian's Chromium, without a screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Tab:
    """A page of the browser, and what it complained of or asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]


class Browser:
    """Chromium, in which each tab starts anew."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    @contextmanager
    def tab(self, path: Path, width: int = 1280, **options: Any) -> Iterator[Tab]:
        with self._chromium.new_context(viewport={"width": width, "height": 900}, **options) as context:
            tab = Tab(context.new_page())
            tab.page.on("console", lambda message: tab.complaints.append(message.text))
            tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
            tab.page.on("dialog", lambda dialog: (tab.complaints.append(dialog.message), dialog.dismiss()))
            tab.page.on("request", lambda request: tab.requests.append(request.url))
            tab.page.goto(path.as_uri())
            yield tab


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        yield Browser(chromium)
        chromium.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """Find the script that judges how accessible a page is."""
    if not AXE.exists():
        pytest.skip("there is no axe-core; in the repository: npm install --no-save --no-package-lock axe-core")
    return AXE.read_text(encoding="utf-8")
