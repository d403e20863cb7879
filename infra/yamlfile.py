"""YAML files that people write: read with the line of every value, so that an error can say where.

Booleans are ``true`` and ``false`` only (YAML 1.2): a caller who may say *yes* or *no* is not a boolean. A key
given twice is an error, not a silent last one.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

from infra.plain_text import HIDDEN

MOST_VALUES = 100_000  # in a file, aliases written out: far above any flow, far below what would fill the memory


MOST_DEEP = 50  # lists in lists: far above any flow, far below what the reader can hold
MOST_OCTETS = 4 * 1024 * 1024  # of a file: ten times a flow of the most nodes


class YamlFileError(Exception):
    """The file cannot be read as YAML. The text names file, line and cause."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """Plain data, and where in the file each path of keys stands (lines count from 1)."""

    path: Path
    data: Any
    lines: dict[tuple[str, ...], int] = field(repr=False)

    def locate(self, where: Sequence[str]) -> str:
        """``FILE:LINE`` of ``where``, or of the nearest parent that the file has."""
        for end in range(len(where), -1, -1):
            if (line := self.lines.get(tuple(where[:end]))) is not None:
                return f"{self.path}:{line}"
        return str(self.path)


_BRACKETS = frozenset("[]{}")


class _Words:
    """Values as the files mean them: without YAML 1.1's yes, no, on and off; no deeper than :data:`MOST_DEEP`.

    One that only looks like a number or a day is an error with its line, as every other.
    """

    deep = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.deep += 1
        if parent is not None and self.deep > MOST_DEEP:
            raise yaml.MarkedYAMLError(problem=f"nested more than {MOST_DEEP} deep", problem_mark=parent.start_mark)
        try:
            found: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[misc]
            return found
        finally:
            self.deep -= 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except ValueError as error:  # the 13th month; !!int of a word; a number of more digits than are read
            problem = f"not the {node.tag.rpartition(':')[2]} that it looks like"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


class _Loader(_Words, yaml.SafeLoader):
    """PyYAML's own reader, whose words say what is wrong."""


def _quick() -> type[Any]:
    """libyaml's parser, where PyYAML has it: the same in a third of the time.

    Its events are put together by PyYAML, which counts how deep they are; libyaml does not, and ends the process.
    """
    if not yaml.__with_libyaml__:
        return _Loader

    class _Quick(_Words, Composer, yaml.CSafeLoader):
        def __init__(self, text: str) -> None:
            Composer.__init__(self)
            yaml.CSafeLoader.__init__(self, text)

    return _Quick


_Quick = _quick()

for _loader in (_Loader, _Quick):
    _loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_yaml(path: Path) -> YamlFile:
    """Read one document; raises :class:`YamlFileError` for a file that is missing or is not YAML."""
    try:
        if path.stat().st_size > MOST_OCTETS:
            raise YamlFileError(f"{path}: larger than {MOST_OCTETS} octets")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise YamlFileError(f"{path}: not a text file in UTF-8 (octet {error.start})") from error
    except OSError as error:
        raise YamlFileError(f"{path}: {error.strerror}") from error
    if hidden := HIDDEN.search(text):
        line = text.count("\n", 0, hidden.start()) + 1
        raise YamlFileError(
            f"{path}:{line}: a character that is not shown, or turns the line round (U+{ord(hidden[0]):04X})"
        )
    if _readers_differ(text):
        return _read_or_say(path, text)
    try:
        return _read(path, text, _Quick)
    except yaml.YAMLError:
        return _read_or_say(path, text)


def _readers_differ(text: str) -> bool:
    """Whether libyaml may take what PyYAML's own reader refuses. The stricter then reads it, everywhere."""
    if "\t" in text or "!" in text:
        return True
    return "?" in text and any("?" in line and not _BRACKETS.isdisjoint(line) for line in text.splitlines())


def _read_or_say(path: Path, text: str) -> YamlFile:
    """As :func:`_read`, slowly, and with what is wrong in the words that people know."""
    try:
        return _read(path, text, _Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlFileError(f"{path}:{line}: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlFileError(f"{path}:{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise YamlFileError(f"{path}: {error}") from error


def _read(path: Path, text: str, loader_class: type[Any]) -> YamlFile:
    loader = loader_class(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise YamlFileError(f"{path}: the file is empty")
        lines: dict[tuple[str, ...], int] = {}
        _note_lines(path, node, (), lines, ())
        return YamlFile(path, loader.construct_document(node), lines)
    finally:
        loader.dispose()


def _note_lines(
    path: Path, node: yaml.Node, where: tuple[str, ...], lines: dict[tuple[str, ...], int], above: tuple[yaml.Node, ...]
) -> None:
    line = node.start_mark.line + 1
    if any(node is each for each in above):
        raise YamlFileError(f"{path}:{line}: a value that holds itself")
    if len(lines) > MOST_VALUES:
        raise YamlFileError(f"{path}:{line}: more than {MOST_VALUES} values")
    lines.setdefault(where, line)
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise YamlFileError(f"{path}:{key.start_mark.line + 1}: {name} is given twice")
            seen.add(name)
            lines[(*where, name)] = key.start_mark.line + 1
            _note_lines(path, value, (*where, name), lines, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note_lines(path, value, (*where, str(number)), lines, (*above, node))
