from __future__ import annotations

import html as markup
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pdesurrogate.report import write_report
from tests.evaluation.mock_evaluation import mock_evaluation
from tests.report.conftest import Mock, Write

_VOID = {"meta", "link", "img", "input", "source", "br", "line", "path"}
_LOADING = {("img", "src"), ("source", "srcset"), ("link", "href"), ("script", "src")}


class _Page(HTMLParser):
    """Collects elements and checks that every one that opens also closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(html: str) -> _Page:
    return _Page(html)


def test_page_says_what_it_is(parsed: _Page) -> None:
    assert parsed.all("html") == [{"lang": "en"}]
    assert any(meta.get("name") == "viewport" for meta in parsed.all("meta"))
    assert len(parsed.all("title")) == len(parsed.all("h1")) == 1
    assert "Resolution transfer on kolmogorov" in parsed.words


def test_every_picture_is_in_the_page_and_in_words(parsed: _Page) -> None:
    images = parsed.all("img")
    assert len(images) > 40
    for image in images:
        assert image["src"].startswith("data:image/")
        assert len(image["alt"]) > 15


def test_nothing_is_loaded_from_elsewhere(parsed: _Page, html: str) -> None:
    for tag, attrs in parsed.elements:
        for key, value in attrs.items():
            if (tag, key) in _LOADING:
                assert value.startswith("data:"), f"{tag} {key}"
    assert not parsed.all("script")
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_to_sections(parsed: _Page) -> None:
    ids = {attrs["id"] for _, attrs in parsed.elements if "id" in attrs}
    for link in parsed.all("a"):
        assert link["href"].removeprefix("#") in ids


def test_names_are_text_not_markup(parsed: _Page, html: str) -> None:
    assert not parsed.all("b")
    assert "<b>" not in html
    assert any("<b>bold & \"quoted\" 'network'</b>" in words for words in parsed.words)


def test_motion_yields_to_a_still_picture(parsed: _Page) -> None:
    (source,) = parsed.all("source")
    assert "prefers-reduced-motion: reduce" in source["media"]
    assert source["srcset"].startswith("data:image/webp")


def test_tables_name_their_rows_and_columns(parsed: _Page) -> None:
    assert len(parsed.all("caption")) == len(parsed.all("table")) == 6
    assert all("scope" in attrs for attrs in parsed.all("th"))


def test_page_tells_how_to_repeat_it(html: str) -> None:
    assert "pdesurrogate generate kolmogorov --out data/kolmogorov" in html
    assert "pdesurrogate report " in html


def test_page_names_itself_in_the_last_command(page: Path, html: str) -> None:
    evaluation = page.with_name("evaluation.nc")
    assert f"pdesurrogate report {evaluation} --out {page}</code>" in html


def test_a_name_with_a_blank_is_one_word_of_the_command(write: Write, tmp_path: Path) -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0,))
    small = root.sel(protocol=["native"], resolution=[32])
    page = write_report([write((small, {}), "a b.nc")], tmp_path / "c d.html")
    command = re.findall(r"pdesurrogate report .*(?=</code>)", page.read_text("utf-8"))[-1]
    words = ["pdesurrogate", "report", str(tmp_path / "a b.nc"), "--out", str(page)]
    assert shlex.split(markup.unescape(command)) == words


def test_without_pictures_the_page_says_so(mock: Mock, write: Write, tmp_path: Path) -> None:
    root, _ = mock
    bare = root.sel(resolution=[64], field=["velocity_y"]).isel(lead_time=[0]).drop_attrs()
    bare.attrs = {"Conventions": root.attrs["Conventions"], "dataset_sha256": "0" * 64}
    page = write_report([write((bare, {}), "bare.nc")], tmp_path / "deep" / "er" / "page.html")
    parsed = _Page(page.read_text(encoding="utf-8"))
    assert "The evaluation holds no pictures." in parsed.words
    assert "The evaluation holds no pictures at the finest grid." in parsed.words
    assert not parsed.all("picture")


def test_seeds_are_told(write: Write, tmp_path: Path) -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0, 1))
    small = root.sel(protocol=["native"], resolution=[32])
    page = write_report([write((small, {}), "seeds.nc")], tmp_path / "seeds.html")
    assert "mean over 2 trajectories and all seeds" in page.read_text(encoding="utf-8")


def test_an_existing_page_is_kept_unless_asked(page: Path) -> None:
    evaluation = page.with_name("evaluation.nc")
    kept = page.with_name("kept.html")
    kept.write_text("mine")
    with pytest.raises(ValueError, match=r"kept\.html exists; pass --overwrite to replace it"):
        write_report([evaluation], kept)
    with pytest.raises(ValueError, match="is a directory"):
        write_report([evaluation], page.parent)
    with pytest.raises(FileNotFoundError, match=r"absent\.nc"):
        write_report([page.with_name("absent.nc")], kept, overwrite=True)
    assert kept.read_text() == "mine"
    write_report([evaluation], kept, overwrite=True)
    same = page.read_text("utf-8").replace(str(page), str(kept))
    assert kept.read_text("utf-8") == same  # the same file makes the same page but for its name
    assert not list(page.parent.glob(".*"))
