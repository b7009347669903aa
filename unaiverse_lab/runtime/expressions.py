"""Conditions written as text, such as ``value > 0.9 and node == 'Ada'``: a small part of Python, nothing else."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection
from typing import Any

from unaiverse_lab.core.errors import LabError, did_you_mean

Values = Callable[[str], Any]
Expression = Callable[[Values], Any]
"""Computes its value from the values of its names."""

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda part, whole: part in whole,
    ast.NotIn: lambda part, whole: part not in whole,
}
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "bool": bool, "float": float, "int": int, "len": len, "lower": lambda text: str(text).lower(),
    "max": max, "min": min, "round": round, "starts": lambda text, start: str(text).startswith(start), "str": str,
}  # fmt: skip
LONGEST = 1000
USABLE = (
    "and, or, not, comparisons, in, numbers, texts, + - * / // %, [ ] to look into a value, and the functions "
    + ", ".join(FUNCTIONS)
)


class ExpressionError(LabError, ValueError):
    """A condition cannot be used; the message says what is wrong with it and what can be used."""


def compile_expression(text: str, names: Collection[str]) -> Expression:
    """Read a condition.

    Args:
        text: the condition.
        names: the names that it may use.

    Returns:
        A function of a function that gives the value of a name.

    Raises:
        ExpressionError: it is not Python, uses something else than the small part allowed, or an unknown name.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} characters")
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(f"the condition {text!r} cannot be read: {message}") from None
    return _Reader(text, names).read(tree.body)


def holds(expression: Expression, thing: object) -> bool:
    """Whether a condition is true of a thing's attributes. Where one is missing or cannot be compared, it is not."""
    try:
        return bool(expression(lambda name: getattr(thing, name)))
    except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError):
        return False


class _Reader:
    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text = text
        self._names = names

    def _refuse(self, problem: str) -> ExpressionError:
        return ExpressionError(f"the condition {self._text!r} {problem}")

    def read(self, node: ast.expr) -> Expression:
        if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool | int | float | str)):
            value = node.value
            return lambda values: value
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "record":
            return self._name(node.attr)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            parts = [self.read(part) for part in node.elts]
            return lambda values: [part(values) for part in parts]
        if isinstance(node, ast.BoolOp):
            return self._bool(node)
        if isinstance(node, ast.UnaryOp) and type(node.op) in UNARY:
            unary, operand = UNARY[type(node.op)], self.read(node.operand)
            return lambda values: unary(operand(values))
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            return self._binary(node)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.Subscript):
            whole, key = self.read(node.value), self.read(node.slice)
            return lambda values: whole(values)[key(values)]
        if isinstance(node, ast.Call):
            return self._call(node)
        raise self._refuse(f"uses {ast.unparse(node)!r}, which cannot be used here. Usable: {USABLE}.")

    def _name(self, name: str) -> Expression:
        if name not in self._names:
            hint = did_you_mean(name, self._names)
            raise self._refuse(f"uses the name {name!r}, which no record it looks at has.{hint}")
        return lambda values: values(name)

    def _bool(self, node: ast.BoolOp) -> Expression:
        parts, needs_all = [self.read(part) for part in node.values], isinstance(node.op, ast.And)

        def value(values: Values) -> bool:
            found = (bool(part(values)) for part in parts)
            return all(found) if needs_all else any(found)

        return value

    def _binary(self, node: ast.BinOp) -> Expression:
        left, right, combine = self.read(node.left), self.read(node.right), ARITHMETIC[type(node.op)]
        only_numbers = not isinstance(node.op, ast.Add)

        def value(values: Values) -> Any:
            one, other = left(values), right(values)
            if only_numbers and not (isinstance(one, int | float) and isinstance(other, int | float)):
                raise TypeError("not numbers")
            return combine(one, other)

        return value

    def _compare(self, node: ast.Compare) -> Expression:
        parts = [self.read(part) for part in (node.left, *node.comparators)]
        operations = [COMPARE[type(one)] for one in node.ops]

        def value(values: Values) -> bool:
            left = parts[0](values)
            for operation, part in zip(operations, parts[1:], strict=True):
                right = part(values)
                if not operation(left, right):
                    return False
                left = right
            return True

        return value

    def _call(self, node: ast.Call) -> Expression:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS or node.keywords:
            raise self._refuse(f"calls {name!r}, which cannot be called here.{did_you_mean(name, FUNCTIONS)}")
        function, arguments = FUNCTIONS[name], [self.read(one) for one in node.args]
        return lambda values: function(*[one(values) for one in arguments])
