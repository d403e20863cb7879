"""Conditions of a branch: small, typed and total.

::

    plan in {asserted, confirmed} and not stale
    tries < 3 or reason == dental
    known(birth_date)

A condition is read by Python's own parser and may hold nothing but facts, their values, ``and``, ``or``, ``not``,
``==``, ``!=``, ``in``, ``not in``, ``<``, ``<=``, ``>``, ``>=`` and ``known(fact)``. Every condition has an answer: a
comparison with a fact that is not known yet does not hold (``!=`` and ``not in`` do).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ivr.facts import Fact
from ivr.model import FactValue

LONGEST = 300  # characters: more than anybody reads in one piece
_ORDER: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
}
_EQUAL = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
_SHOWN = 20  # characters of what could not be read
_SHAPE = "a condition compares a fact with its values: fact == value, fact in {a, b}, number < 3, known(fact)"


class ExpressionError(ValueError):
    """The text is no condition; it says where and why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read. ``names``: the facts whose values it looks at; ``known``: those it only asks for."""

    text: str
    names: frozenset[str]
    known: frozenset[str]
    _root: ast.expr

    def holds(self, facts: Mapping[str, FactValue]) -> bool:
        """Whether it is true of these facts. Never fails: a fact that is missing is not known."""
        return _holds(self._root, facts)

    def faults(self, declared: Mapping[str, Fact]) -> list[str]:
        """What is wrong with it for facts declared so: unknown names, wrong types, values that never come."""
        return list(_faults(self._root, declared))


_LONE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Read a condition; raises :class:`ExpressionError`."""
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters: use two branches")
    try:
        root = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        hint = "is equal to is ==" if _LONE_EQUALS.search(text) else _SHAPE
        raise ExpressionError(f"cannot be read at {_place(error)}: {hint}") from None
    tests = list(_tests(root))
    names = frozenset(name for kind, name in tests if kind == "value")
    return Expression(text, names, frozenset(name for kind, name in tests if kind == "known"), root)


def _place(error: Exception) -> str:
    """Where reading ended, in the author's own characters: Python's words are about Python, and change with it."""
    line, offset = getattr(error, "text", None) or "", getattr(error, "offset", None) or 0
    rest = line[offset - 1 :].strip() if offset else ""
    return f'"{rest[:_SHOWN]}"' if rest else "its end"


def _tests(node: ast.expr) -> Iterator[tuple[str, str]]:
    """Every fact that is looked at; raises :class:`ExpressionError` for what no condition may hold."""
    match node:
        case ast.BoolOp(values=values):
            for each in values:
                yield from _tests(each)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _tests(operand)
        case ast.Name(id=name):
            yield "value", name
        case ast.Call(func=ast.Name(id="known"), args=[ast.Name(id=name)], keywords=[]):
            yield "known", name
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[right]) if _is_value(op, right):
            yield "value", name
        case _:
            raise ExpressionError(_SHAPE)


def _is_value(op: ast.cmpop, right: ast.expr) -> bool:
    if isinstance(op, ast.In | ast.NotIn):
        return isinstance(right, ast.Set | ast.Tuple | ast.List) and all(_is_word(each) for each in right.elts)
    return isinstance(op, (ast.Eq, ast.NotEq, *_ORDER)) and _is_word(right)


def _is_word(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and type(node.operand.value) is int
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and type(node.value) in (int, str))


def _word(node: ast.expr) -> FactValue:
    match node:
        case ast.Name(id=word):
            return {"true": True, "false": False}.get(word, word)
        case ast.Constant(value=value):
            return value if isinstance(value, int | str) else None
        case ast.UnaryOp(operand=ast.Constant(value=int() as value)):
            return -value
        case _:
            return None


def _words(right: ast.expr) -> list[FactValue]:
    elements = right.elts if isinstance(right, ast.Set | ast.Tuple | ast.List) else [right]
    return [_word(each) for each in elements]


def _same(one: FactValue, other: FactValue) -> bool:
    return type(one) is type(other) and one == other


def _holds(node: ast.expr, facts: Mapping[str, FactValue]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_holds(each, facts) for each in values)
        case ast.BoolOp(values=values):
            return any(_holds(each, facts) for each in values)
        case ast.UnaryOp(operand=operand):
            return not _holds(operand, facts)
        case ast.Name(id=name):
            return facts.get(name) is True
        case ast.Call(args=[ast.Name(id=name)]):
            return facts.get(name) is not None
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[right]):
            return _compares(facts.get(name), op, _words(right))
        case _:
            return False


def _compares(value: FactValue, op: ast.cmpop, words: list[FactValue]) -> bool:
    if isinstance(op, _EQUAL):
        among = any(_same(value, word) for word in words)
        return among if isinstance(op, ast.Eq | ast.In) else not among
    limit = words[0]
    return type(value) is int and type(limit) is int and _ORDER[type(op)](value, limit)


def _faults(node: ast.expr, declared: Mapping[str, Fact]) -> Iterator[str]:
    match node:
        case ast.BoolOp(values=values):
            for each in values:
                yield from _faults(each, declared)
        case ast.UnaryOp(operand=operand):
            yield from _faults(operand, declared)
        case ast.Call(args=[ast.Name(id=name)]):
            yield from _undeclared(name, declared)
        case ast.Name(id=name):
            yield from _undeclared(name, declared)
            if name in declared and declared[name].type != "bool":
                yield f"{name} is not a yes or no: compare it with a value"
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[right]):
            yield from _undeclared(name, declared)
            if name in declared:
                yield from _comparison_faults(name, declared[name], op, _words(right))
        case _:
            yield _SHAPE


def _undeclared(name: str, declared: Mapping[str, Fact]) -> Iterator[str]:
    if name not in declared:
        yield f"{name} is not declared under facts"


def _comparison_faults(name: str, fact: Fact, op: ast.cmpop, words: list[FactValue]) -> Iterator[str]:
    if fact.is_opaque:
        yield f"{name} is a {fact.type}: only known({name}) can be asked"
    elif not isinstance(op, _EQUAL) and fact.type != "int":
        yield f"{name} is not a whole number: it has no order"
    else:
        for word in words:
            if word is None or not fact.allows(word):
                yield f"{name} is never {word}"
