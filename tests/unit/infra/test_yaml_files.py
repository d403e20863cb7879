"""YAML files that people write: what is read, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import yamlfile
from infra.yamlfile import YamlFile, YamlFileError, read_yaml
from tests.running import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str | bytes) -> YamlFile:
    path = folder / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(YamlFileError) as refused:
        read(folder, text)
    return str(refused.value).removeprefix(str(folder / "file.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("Yes", "Yes"), ("True", "True"),
        ("true", True), ("false", False), ("111", 111), ('"111"', "111"), ("2026-03-28", None), ("~", None),
    ],
)  # fmt: skip
def test_only_true_and_false_are_booleans(folder: Path, text: str, value: Any) -> None:
    data = read(folder, f"key: {text}").data["key"]

    assert data == value or text == "2026-03-28"
    assert isinstance(data, bool) == (text in ("true", "false"))


def test_every_value_knows_its_line(folder: Path) -> None:
    file = read(
        folder,
        "# a comment\nnodes:\n  menu:\n    keys: {'1': stay,\n           '2': leave}\n  list:\n    - one\n    - two\n",
    )
    path = folder / "file.yaml"

    assert file.locate(["nodes"]) == f"{path}:2"
    assert file.locate(["nodes", "menu", "keys", "1"]) == f"{path}:4"
    assert file.locate(["nodes", "menu", "keys", "2"]) == f"{path}:5"
    assert file.locate(["nodes", "list", "1"]) == f"{path}:8"


def test_place_that_is_not_there_is_named_by_its_nearest_parent(folder: Path) -> None:
    file = read(folder, "title: x\nnodes:\n  menu: {}\n")

    assert file.locate(["nodes", "menu", "exits", "stay"]).endswith(":3")
    assert file.locate(["start"]).endswith(":1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", ":3: a is given twice", id="key given twice"),
        pytest.param("a:\n  b: 1\n  b: 2\n", ":3: b is given twice", id="inner key given twice"),
        pytest.param("a: [1, 2\nb: 3\n", ":2: ", id="bracket not closed"),
        pytest.param("a: b: c\n", ":1: ", id="two colons"),
        pytest.param("a: 1\n\tb: 2\n", ":2: ", id="tab"),
        pytest.param("", ": the file is empty", id="empty"),
        pytest.param("# only a comment\n", ": the file is empty", id="only a comment"),
        pytest.param("a: 1\n---\nb: 2\n", ":2: ", id="two documents"),
        pytest.param("a: !!python/object:os.system x\n", ":1: ", id="a Python object"),
        pytest.param("? [a, b]\n: 1\n", ":1: ", id="a list for a key"),
        pytest.param(b"a: \xff\n", ": not a text file in UTF-8 (octet 3)", id="not UTF-8"),
        pytest.param("a: 1\nb: \x07\n", ":2: a character that is not shown", id="a bell"),
        pytest.param("a: &a [*a]\n", ":1: ", id="a list that holds itself"),
    ],
)
def test_mistake_is_named_with_its_line(folder: Path, text: str | bytes, says: str) -> None:
    assert refusal(folder, text).startswith(says)


def test_file_that_would_grow_without_bound_is_refused(folder: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert "values" in refusal(folder, bomb)


def test_file_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(YamlFileError, match=r"nowhere\.yaml: No such file"):
        read_yaml(folder / "nowhere.yaml")


def test_aliases_are_read(folder: Path) -> None:
    assert read(folder, "a: &same [1]\nb: *same\n").data == {"a": [1], "b": [1]}


@pytest.mark.parametrize(
    ("value", "tag"),
    [("2026-13-45", "timestamp"), ("!!int word", "int"), ("!!float word", "float"), ("9" * 5000, "int")],
)
def test_value_that_only_looks_like_a_number_or_a_day_is_named_by_its_line(folder: Path, value: str, tag: str) -> None:
    assert refusal(folder, f"title: x\nnumber: {value}\n") == f":2: not the {tag} that it looks like"


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200b", "\x1b"])
def test_character_that_a_reader_would_not_see_is_refused(folder: Path, mark: str) -> None:
    expected = f":2: a character that is not shown, or turns the line round (U+{ord(mark):04X})"
    assert refusal(folder, f"title: x\ntext: a{mark}b\n") == expected


@pytest.mark.parametrize("text", ["کراچی\u200cمیں", "👩\u200d⚕️", "zażółć"])
def test_words_of_any_script_are_taken(folder: Path, text: str) -> None:
    assert read(folder, f"text: {text}\n").data == {"text": text}


SHIPPED = sorted(
    {*ROOT.glob("ivr/**/*.yaml"), *ROOT.glob("callrouter/*.yaml"), *ROOT.glob("tests/flows/broken/*.yaml")}
)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="NO LIBYAML: one reader reads all")
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_quick_reader_reads_what_the_strict_one_does(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> tuple[object, object]:
        try:
            found = read_yaml(file)
        except YamlFileError as error:
            return str(error), None
        return found.data, found.lines

    quickly = said()
    monkeypatch.setattr(yamlfile, "_Quick", yamlfile._Loader)
    assert said() == quickly


@pytest.mark.parametrize("text", ["a:\tb", "{a: b?c}", "[a,\n b? c]", "{a: 1}\tb"])
def test_what_only_libyaml_takes_is_refused_everywhere(folder: Path, text: str) -> None:
    assert refusal(folder, text).startswith(":")


def test_a_million_brackets_are_refused_by_their_line_not_by_the_end_of_the_process(folder: Path) -> None:
    assert refusal(folder, "a: " + "[" * 1_000_000) == ":1: nested more than 50 deep"
