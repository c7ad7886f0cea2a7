"""The page in a real browser: nothing missing, nothing complained about, nothing cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

_PHONE = {"width": 390, "height": 844}
_DESKTOP = {"width": 1280, "height": 900}


@pytest.mark.parametrize("viewport", [_PHONE, _DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_page_opens_whole(
    browser: Browser, page: Path, viewport: dict[str, int], motion: str
) -> None:
    tab = browser.new_page(viewport=viewport, reduced_motion=motion)
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(page.as_uri())
    tab.evaluate("Promise.all([...document.images].map(image => image.decode()))")
    broken = tab.evaluate("[...document.images].filter(i => i.naturalWidth === 0).map(i => i.alt)")
    width = tab.evaluate("document.documentElement.scrollWidth")
    tab.close()
    assert complaints == []
    assert broken == []
    assert width <= viewport["width"]
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []


def test_reduced_motion_gets_the_still_picture(browser: Browser, page: Path) -> None:
    shown = {}
    for motion in ("reduce", "no-preference"):
        tab = browser.new_page(reduced_motion=motion)
        tab.goto(page.as_uri())
        shown[motion] = tab.evaluate("document.querySelector('picture img').currentSrc")
        still = tab.evaluate("document.querySelector('img.still').src")
        tab.close()
    assert shown["reduce"] == still
    assert shown["no-preference"] != still


def test_the_box_stops_the_motion(browser: Browser, page: Path) -> None:
    tab = browser.new_page()
    tab.goto(page.as_uri())
    still, moving = tab.locator("img.still"), tab.locator("picture.moving")
    assert (still.is_visible(), moving.is_visible()) == (False, True)
    tab.get_by_label("Show a still picture").check()
    assert (still.is_visible(), moving.is_visible()) == (True, False)
    tab.close()
