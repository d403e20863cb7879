"""Flow files: read, checked, and offered to callers by the number that they dialled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from callrouter.errors import ConfigurationError
from infra.yamlfile import YamlFile, YamlFileError, read_yaml
from ivr.check import World, check
from ivr.errors import Defect, FlowDefect
from ivr.flow import Flow, read_flow


class FlowFileError(ConfigurationError):
    """A flow file with defects; ``problems`` are lines of the form ``FILE:LINE: what is wrong``."""

    error_id = "flow_file"

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def load_flow(path: Path, world: World | None = None) -> Flow:
    """A flow that passed every check; raises :class:`FlowFileError` with every problem found."""
    try:
        file = read_yaml(path)
        flow = read_flow(file.data)
    except YamlFileError as error:
        raise FlowFileError([str(error)]) from error
    except FlowDefect as error:
        raise FlowFileError(_name(file, error.defects)) from error
    if defects := check(flow, world):
        raise FlowFileError(_name(file, defects))
    return flow


def _name(file: YamlFile, defects: Iterable[Defect]) -> list[str]:
    return [f"{file.locate(each.where)}: {each}" for each in defects]


def load_prompts(path: Path) -> dict[str, str]:
    """Prompt texts by key; raises :class:`ConfigurationError`."""
    try:
        data: Any = read_yaml(path).data
    except YamlFileError as error:
        raise ConfigurationError(str(error)) from error
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise ConfigurationError(f"{path}: must map prompt keys to texts")
    return {str(key): str(text) for key, text in data.items()}


class LoadedFlows:
    """The flows of this process: one for every dialled number that has its own, a default for all others."""

    def __init__(self, default: Flow, by_dialled: Mapping[str, Flow] | None = None) -> None:
        self._default = default
        self._by_dialled = dict(by_dialled or {})
        self._versions = {(f.flow, f.version): f for f in (default, *self._by_dialled.values())}

    def for_dialled(self, dialled: str, call_ref: str) -> Flow:
        del call_ref
        return self._by_dialled.get(dialled, self._default)

    def version(self, name: str, version: str) -> Flow | None:
        return self._versions.get((name, version))

    def is_recalled(self, version: str) -> bool:
        del version
        return False
