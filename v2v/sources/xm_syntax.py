# SPDX-License-Identifier: LGPL-2.1-or-later
"""The values that a Python configuration of Xen assigns, found by looking at its syntax tree.

Nothing is run. Known are literals, names that were assigned before, sums, products and ``%`` of
them, and ``str``, ``int`` and ``len``. All else makes a value unknown; so does an assignment in a
branch or a loop. Only who asks for an unknown value gets an error.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import TypeAlias

from v2v.errors import SourceError
from v2v.sources import xl_syntax
from v2v.sources.xl_syntax import Config, Setting, Value

Literal: TypeAlias = "str | int | float | bool | list[Literal] | None"

_MAX_SIZE = 64 * 1024  # of a string, and of all items of a list
_MAX_DEPTH = 50  # of an expression
_MAX_DIGITS = 20  # of a number
# Width and precision of a format fill a string up to any length; * takes it from a value.
_LONG_FORMAT = re.compile(r"%[^%a-zA-Z]*(?:[0-9]{4,}|\*)")


class _UnknownValue(Exception):
    """What an expression is cannot be told without running it."""


def is_python_only(text: str) -> bool:
    """Tell whether a text is Python and not what xl takes, which a simple one is too."""
    try:
        xl_syntax.parse(text, "")
    except SourceError:
        try:
            _tree(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True
    return False


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():  # of escapes that Python 2 had
        warnings.simplefilter("ignore")
        return ast.parse(text.replace("\r\n", "\n"))


def parse(text: str, where: str) -> Config:
    """Return what a program assigns. ``where`` names the file in errors. Raises SourceError."""
    try:
        tree = _tree(text)
    except SyntaxError as error:
        raise SourceError(
            "E-XM-SYNTAX",
            f"{where}: line {error.lineno or 1}: {error.msg}",
            hint="write its values out as numbers, strings and lists (xl.cfg(5))",
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError("E-XM-SYNTAX", f"{where}: no configuration: {error}") from error
    values = _Values()
    for statement in tree.body:
        values.run(statement)
    return values.config(where)


class _Values:
    """What is known of each name, statement by statement."""

    def __init__(self) -> None:
        self._known: dict[str, Literal] = {}
        self._lines: dict[str, int] = {}  # of the last assignment
        self._repeated: dict[str, None] = {}

    def run(self, statement: ast.stmt) -> None:
        """Take a statement for done."""
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    again = target.id in self._lines and not _names(statement.value, target.id)
                    self._repeated |= {target.id: None} if again else {}
                    self._assign(target.id, statement.value, statement.lineno)
                else:
                    self._forget(target)
        elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            target = statement.target
            joined = ast.BinOp(target, statement.op, statement.value)
            self._assign(target.id, joined, statement.lineno)
        elif (appended := _appended(statement)) is not None:
            target, item = appended
            joined = ast.BinOp(target, ast.Add(), ast.List([item]))
            self._assign(target.id, joined, statement.lineno)
        elif not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            self._forget(statement)

    def _assign(self, name: str, expression: ast.expr, line: int) -> None:
        self._lines[name] = line
        try:
            self._known[name] = self._value(expression, 0)
        except (_UnknownValue, TypeError, ValueError, KeyError, ArithmeticError):
            self._forget(expression)
            self._known.pop(name, None)

    def _forget(self, tree: ast.AST) -> None:
        """Count as unknown what a statement may assign, and the lists that it may change."""
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name):
                continue
            if isinstance(node.ctx, ast.Store | ast.Del):
                self._lines[node.id] = node.lineno
                self._known.pop(node.id, None)
            elif isinstance(self._known.get(node.id), list):
                del self._known[node.id]

    def _value(self, node: ast.expr, depth: int) -> Literal:
        if depth > _MAX_DEPTH:
            raise _UnknownValue
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
            return node.value
        if isinstance(node, ast.Name) and node.id in self._known:
            return self._known[node.id]
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(item, depth + 1) for item in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self._value(node.operand, depth + 1)
            if isinstance(number, int | float):
                return -number
        if isinstance(node, ast.BinOp):
            left, right = (self._value(side, depth + 1) for side in (node.left, node.right))
            return _checked(_operate(node.op, left, right))
        if isinstance(node, ast.Call):
            return _checked(self._call(node, depth))
        raise _UnknownValue

    def _call(self, node: ast.Call, depth: int) -> Literal:
        """Return what str, int or len of one value gives, as nobody gave them another meaning."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in self._lines or len(node.args) != 1 or node.keywords:
            raise _UnknownValue
        argument = self._value(node.args[0], depth + 1)
        if name == "str" and not isinstance(argument, list):
            return str(argument)
        if name == "int" and isinstance(argument, str | int):
            return int(argument)
        if name == "len" and isinstance(argument, str | list):
            return len(argument)
        raise _UnknownValue

    def config(self, where: str) -> Config:
        """Return the values as xl's settings."""
        settings = {}
        for name, line in self._lines.items():
            known = self._known.get(name)
            if known is not None:
                settings[name] = Setting(_setting(known), line)
            elif name not in self._known:
                settings[name] = Setting(None, line)
        return Config(where, settings, tuple(self._repeated))


def _names(tree: ast.AST, name: str) -> bool:
    """Tell whether an expression has a name in it."""
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _appended(statement: ast.stmt) -> tuple[ast.Name, ast.expr] | None:
    """Return the list and the item of ``LIST.append(ITEM)``."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr != "append" or len(call.args) != 1 or call.keywords:
        return None
    target = call.func.value
    return (target, call.args[0]) if isinstance(target, ast.Name) else None


def _operate(operator: ast.operator, left: Literal, right: Literal) -> Literal:
    if isinstance(operator, ast.Add):
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, list) and isinstance(right, list):
            return left + right
        if isinstance(left, int) and isinstance(right, int):
            return left + right
    if isinstance(operator, ast.Sub) and isinstance(left, int) and isinstance(right, int):
        return left - right
    if isinstance(operator, ast.Mult):
        return _multiplied(left, right)
    if isinstance(operator, ast.Mod) and isinstance(left, str):
        return _formatted(left, right)
    raise _UnknownValue


def _multiplied(left: Literal, right: Literal) -> Literal:
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    if isinstance(right, str | list):
        left, right = right, left
    if isinstance(left, str | list) and isinstance(right, int):
        if len(left) * max(right, 0) > _MAX_SIZE:
            raise _UnknownValue
        return left * right
    raise _UnknownValue


def _formatted(text: str, values: Literal) -> str:
    if _LONG_FORMAT.search(text):
        raise _UnknownValue
    return text % (tuple(values) if isinstance(values, list) else (values,))


def _checked(value: Literal) -> Literal:
    """Return a value that is not too large to go on with."""
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:
        raise _UnknownValue
    if isinstance(value, str | list) and len(value) > _MAX_SIZE:
        raise _UnknownValue
    if isinstance(value, list) and sum(1 for _ in _leaves(value)) > _MAX_SIZE:
        raise _UnknownValue
    return value


def _leaves(values: list[Literal]) -> Iterator[Literal]:
    for value in values:
        if isinstance(value, list):
            yield from _leaves(value)
        else:
            yield value


def _setting(value: Literal) -> Value:
    """Return a value as xl knows it: numbers are texts, and so is truth."""
    if isinstance(value, list):
        return tuple(_setting(item) for item in value)
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)
