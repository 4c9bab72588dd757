"""Headless Chromium, and what a page must not do: speak on the console, ask elsewhere, open a dialog."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

__all__ = ["Watched", "chromium"]


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium, or Playwright's own. Skips where neither is."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip: playwright)")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        try:
            made = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except sync_api.Error:
            pytest.skip("Chromium cannot be started (Debian: chromium; else: playwright install chromium)")
        try:
            yield made
        finally:
            made.close()


class Watched:
    """A page of its own profile, watched from its first request on."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.url = url
        self.said: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        asked = urlsplit(request.url)
        if asked.scheme != "data" and f"{asked.scheme}://{asked.netloc}" != self.url:
            self.elsewhere.append(request.url)

    def quiet(self) -> None:
        """Nothing was said, asked or run that should not be."""
        assert (self.said, self.elsewhere) == ([], [])
        assert self.page.evaluate("typeof window.owned") == "undefined"
