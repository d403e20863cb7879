"""Whatever a page of figures says by colour it says by a word, a number, a sign or a pattern beside it, too."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from console_world import NOON, World
from test_console_wallboard import get

from callrouter.handover import Role

STYLES = Path("console/static")
PAGES = ("/", "/?window=week", "/?screen=big", "/providers/south_east", "/areas/camden")


def elements(text: str, tag: str, name: str) -> list[str]:
    """What stands in each element of a kind whose class holds a name, tags left out."""
    pattern = rf'<{tag}\b[^>]*class="[^"]*\b{name}\b[^"]*"[^>]*>(.*?)</{tag}>'
    return [re.sub(r"<[^>]+>|\s+", " ", each).strip() for each in re.findall(pattern, text, re.DOTALL)]


async def page(path: str) -> str:
    world = World(open_wallboard=True)
    world.past.until = NOON - timedelta(minutes=20)
    return (await get(world, path, Role.PUBLIC_HEALTH)).text


@pytest.mark.parametrize("path", PAGES)
async def test_every_coloured_tag_has_a_word(path: str) -> None:
    tags = elements(await page(path), "(?:strong|span)", "nhsuk-tag--[a-z]+")
    assert tags
    assert all(re.search("[A-Za-z]", each) for each in tags), tags


@pytest.mark.parametrize("path", ["/", "/?screen=big"])
async def test_a_row_or_tile_that_is_late_says_over_60_s(path: str) -> None:
    text = await page(path)
    for tag in ("tr", "div"):
        late = re.findall(rf'<{tag} class="[^"]*board-row--late.*?</{tag}>', text, re.DOTALL)
        assert late
        assert all(re.search(r"data-late\s*>Over 60 s<", each) for each in late)
    on_time = re.findall(r'<tr class="nhsuk-table__row " data-row.*?</tr>', text, re.DOTALL)
    assert on_time
    assert not any(re.search(r"data-late\s*>", each) for each in on_time), "the word only where it is so"


async def test_a_square_of_the_map_has_its_number_and_as_many_bars_as_its_shade() -> None:
    squares = re.findall(r'map__square--(\d)"(.*?)</g>', await page("/"), re.DOTALL)
    assert len({level for level, _ in squares}) > 3
    for level, square in squares:
        assert square.count("map__bar") == int(level)
        assert re.search(r'map__count"[^>]*>[^<]+<', square)


async def test_a_shaded_hour_has_its_number_and_each_shade_of_a_legend_its_words() -> None:
    text = await page("/")
    hours = elements(text, "td", r"shade--\d")
    assert len(hours) == 7 * 24
    assert all(re.search(r"\d|–", each) for each in hours)
    shades = re.findall(r'<span class="shade shade--\d"[^>]*>[^<]*</span>([^<]*)</li>', text)
    assert len(shades) > 5
    assert all(re.search(r"\d", each) for each in shades)


async def test_a_target_is_met_or_missed_in_words_beside_its_figure() -> None:
    text = await page("/")
    verdicts = elements(text, "p", "trend__figure")
    assert len(verdicts) == 4
    assert all(re.search("Met|Missed", each) for each in verdicts)


@pytest.mark.parametrize(
    ("style", "lines"),
    [("figures.css", (".trend__today {", ".trend__before {", ".trend__goal {")),
     ("figures.css", (".board-line--before {", ".board-line--target {")),
     ("console.css", (".board-line {", ".board-line--answered {", ".board-line--longest {"))],
)  # fmt: skip
def test_lines_of_one_chart_differ_without_their_colour(style: str, lines: tuple[str, ...]) -> None:
    text = (STYLES / style).read_text(encoding="utf-8")
    rules = [text.partition(line)[2].partition("}")[0] for line in lines]
    assert all(rules)
    patterns = [re.findall(r"stroke-dasharray: [\d ]+|solid|dashed|dotted", rule) for rule in rules]
    assert len({tuple(each) for each in patterns}) == len(lines)


def test_lines_that_the_browser_draws_differ_without_their_colour() -> None:
    drawn = re.findall(r"\{ scale:.*?\}", (STYLES / "chart.js").read_text(encoding="utf-8"))
    dashes = [tuple(re.findall(r"dash: (\[[^]]*\])", each)) for each in drawn if "stroke" in each]
    assert len(dashes) == len(set(dashes)) == 3
