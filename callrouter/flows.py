"""Flow files: read, checked, and offered to callers by the number that they dialled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from callrouter.errors import ConfigurationError
from infra.yamlfile import YamlFile, YamlFileError, read_yaml
from ivr.check import World, check, defects_of_part, proven
from ivr.errors import Defect, FlowDefect
from ivr.export.part import leaves, with_exits
from ivr.flow import Flow, read_flow
from ivr.proof.prove import Proof
from ivr.subflows import ReadFile, WrittenOut, write_out
from ivr.voices import in_voice

_MARKUP = re.compile(r"[<>&]")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class FlowFileError(ConfigurationError):
    """A flow file with defects; ``problems`` are lines of the form ``FILE:LINE: what is wrong``."""

    error_id = "flow_file"

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def load_flow(path: Path, world: World | None = None) -> Flow:
    """A flow that passed every check, its subflows written out; raises :class:`FlowFileError` with every problem."""
    return load_proof(path, world).flow


def load_proof(path: Path, world: World | None = None) -> Proof:
    """As :func:`load_flow`, with the proof that it may be used."""
    files: dict[str, YamlFile] = {}
    written, flow = _read(path, files)
    try:
        return proven(flow, world)
    except FlowDefect as error:
        raise FlowFileError(_name(files, written, error.defects)) from error


def load_part(path: Path, world: World) -> Flow | None:
    """A subflow's own file, its nodes checked one by one; None for a whole flow. Raises :class:`FlowFileError`."""
    files: dict[str, YamlFile] = {}
    written, part = _read(path, files)
    if not leaves(part):
        return None
    if defects := defects_of_part(with_exits(part), world):
        raise FlowFileError(_name(files, written, defects))
    return part


def load_written_out(path: Path, world: World | None = None) -> Flow:
    """As :func:`load_flow`, of a file in which the steps of subflows stand already, under their names with dots."""
    try:
        file = read_yaml(path)
        flow = read_flow(file.data)
    except YamlFileError as error:
        raise FlowFileError([str(error)]) from error
    except FlowDefect as error:
        raise FlowFileError(f"{file.locate(each.where)}: {each}" for each in error.defects) from error
    if defects := check(flow, world):
        raise FlowFileError(f"{file.locate(each.where)}: {each}" for each in defects)
    return flow


def unchecked_flow(path: Path) -> Flow:
    """A flow as its file says it, for what is no caller: a test, a bench. Raises :class:`FlowFileError`."""
    return _read(path, {})[1]


def _read(path: Path, files: dict[str, YamlFile]) -> tuple[WrittenOut, Flow]:
    written = WrittenOut(None, {})
    try:
        files[""] = read_yaml(path)
        written = write_out(files[""].data, _reader(path, files))
        return written, read_flow(written.data)
    except YamlFileError as error:
        raise FlowFileError([str(error)]) from error
    except FlowDefect as error:
        raise FlowFileError(_name(files, written, error.defects)) from error


def _reader(path: Path, files: dict[str, YamlFile]) -> ReadFile:
    """Reads a subflow's file, named from that of the file which names it; nothing outside the first one's folder."""
    top = path.parent.resolve()

    def read(name: str, of: str) -> tuple[str, Any]:
        file = ((top / of).parent if of else top).joinpath(name.replace("\0", "?")).resolve()
        if not file.is_relative_to(top) or not file.is_file():
            raise FlowDefect([Defect((), "schema", f"there is no file {name} here")])
        called = str(file.relative_to(top))
        files[called] = read_yaml(file)
        return called, files[called].data

    return read


def _name(files: Mapping[str, YamlFile], written: WrittenOut, defects: Iterable[Defect]) -> list[str]:
    return [_in_its_file(files, each, *written.locate(each.where)) for each in defects]


def _in_its_file(files: Mapping[str, YamlFile], defect: Defect, file: str, where: tuple[str, ...]) -> str:
    return f"{files[file].locate(where)}: {_shown(str(defect))}"


def _shown(text: str) -> str:
    """Without characters that would order a terminal about: an author's names stand in what we say of them."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def load_prompts(path: Path) -> dict[str, str]:
    """Prompt texts by key, those of other languages under their voice (``pl/menu``).

    ``path`` is the file of the first language; files beside it that are named for a language (``pl.yaml``) are the
    others. Raises :class:`ConfigurationError`.
    """
    others = path.parent.glob("*.yaml") if _LANGUAGE.fullmatch(path.stem) else ()
    texts = read_texts(path)
    for other in sorted(file for file in others if file != path and _LANGUAGE.fullmatch(file.stem)):
        texts |= {in_voice(other.stem, key): text for key, text in read_texts(other).items()}
    return texts


def read_texts(path: Path) -> dict[str, str]:
    """One file of prompt texts by key; raises :class:`ConfigurationError`, naming file and line."""
    try:
        file = read_yaml(path)
    except YamlFileError as error:
        raise ConfigurationError(str(error)) from error
    data: Any = file.data
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise ConfigurationError(f"{path}: must map prompt keys to texts")
    # an engine that speaks would read markup as orders: from a text that somebody typed, none is taken
    marked = [key for key, text in data.items() if _MARKUP.search(text)]
    if marked:
        lines = (f"{file.locate((str(key),))}: {key}: a prompt is plain text, without markup" for key in marked)
        raise ConfigurationError("\n".join(lines))
    return {str(key): str(text) for key, text in data.items()}
