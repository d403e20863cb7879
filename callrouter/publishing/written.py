"""A flow as a person reads and changes it: the YAML of a flow file, with its subflows written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ivr.flow import Flow

_FIRST, _LAST = ("action", "fact", "what"), ("note", "intent", "exits")
_WIDTH = 110


class _Dumper(yaml.SafeDumper):
    """Lists of words, and where exits and keys lead, stand on one line each, as in the flows that ship."""


def as_yaml(flow: Flow) -> str:
    """The text of ``flow``: what differs from the defaults, steps in their order. Read again it is the same flow."""
    return _text(_plain(flow))


def steps_as_yaml(flow: Flow) -> dict[str, str]:
    """The text of each step, and of what stands before them under the name ``start and facts``."""
    data = _plain(flow)
    rest: dict[str, Any] = {name: data[name] for name in ("start", "facts", "languages") if name in data}
    return {"start and facts": _text(rest), **{name: _text(node) for name, node in data["nodes"].items()}}


def _plain(flow: Flow) -> dict[str, Any]:
    data = flow.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"sounds"})
    return {**data, "nodes": {name: _ordered(node) for name, node in data["nodes"].items()}}


def _text(data: Mapping[str, Any]) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _ordered(node: Mapping[str, Any]) -> dict[str, Any]:
    """What it does comes first, where it leads last."""
    rest = [name for name in node if name not in (*_FIRST, *_LAST)]
    return {name: node[name] for name in (*_FIRST, *rest, *_LAST) if name in node}


def _on_one_line(values: Any) -> bool:
    return all(not isinstance(each, list | dict) for each in values)


def _sequence(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=_on_one_line(data))


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    short = _on_one_line(data.values()) and not data.keys() & {"action", "flow", "start"}
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=short)


_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(dict, _mapping)
