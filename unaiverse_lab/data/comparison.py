"""How far answers are from what was expected: samples of equal tag are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data.props import read_rule
from unaiverse_lab.data.values import describe, is_tensor


class Compared(NamedTuple):
    """One line of a comparison; ``answer`` is None if it is missing."""

    tag: int
    reference: Any
    answer: Any
    score: float


class Comparison(NamedTuple):
    """Result of :func:`compare`.

    ``error`` is the mean score (0: perfect; infinite: too little to judge), ``compared`` how many references had an
    answer, ``table`` one line per reference.
    """

    error: float
    compared: int
    table: list[Compared]


def compare(
    reference: Iterable[tuple[int, Any]],
    answer: Iterable[tuple[int, Any]],
    how: str,
    steps: int,
    re_offset: bool = False,
) -> Comparison:
    """Compare answers with the first ``steps`` samples of a reference.

    Pairs are made by tag; a tag that does not grow counts as the one before plus one. Texts score 0 if equal and 1 if
    not, tensors of different shapes 1, integers the fraction that differ, and other tensors by ``how``. A missing
    answer scores 1, or the mean square of the reference for ``"mse"``; one with NaN scores 1, or infinity.

    Args:
        reference, answer: ``(tag, value)`` in order.
        how: ``"mse"``: mean squared error; ``"max"``: fraction of rows whose largest component is another one;
            ``"geq<number>"``: fraction of components on the other side of the number.
        steps: how many samples of the reference.
        re_offset: count tags from the first one of each.

    Returns:
        The error, how many were compared, and the table. For ``"mse"`` the error is infinite if fewer than half of the
        ``steps`` were answered.

    Raises:
        StreamError: unknown ``how``, a reference with fewer samples than ``steps``, or values that cannot be compared.
    """
    if how != "mse" and how != "max" and not how.startswith("geq"):
        raise StreamError(f"samples are compared by 'mse', 'max' or 'geq<number>', not {how!r}")
    threshold = None if how == "mse" else read_rule(how, "comparison")
    if steps < 1:
        raise StreamError(f"compare at least one sample, not {steps}")
    expected = _by_tag(islice(reference, steps), re_offset)
    if len(expected) < steps:
        raise StreamError(f"the reference has {len(expected)} samples, {steps} are to be compared: lower steps")
    answers = _by_tag(answer, re_offset)
    table = [
        Compared(tag, value, answers.get(tag), _score(value, answers.get(tag), how, threshold))
        for tag, value in expected.items()
    ]
    compared = sum(line.answer is not None for line in table)
    error = math.fsum(line.score for line in table) / steps
    if how == "mse" and 2 * compared < steps:
        error = math.inf
    return Comparison(error, compared, table)


def _by_tag(samples: Iterable[tuple[int, Any]], re_offset: bool) -> dict[int, Any]:
    values: dict[int, Any] = {}
    first: int | None = None
    last = 0
    for tag, value in samples:
        if first is None:
            first = tag if re_offset else 0
            last = tag - first
        else:
            last = max(tag - first, last + 1)
        values[last] = value
    return values


def _score(reference: Any, answer: Any, how: str, threshold: float | None) -> float:
    if isinstance(reference, str) and (answer is None or isinstance(answer, str)):
        return float(answer != reference)
    if not is_tensor(reference) or not (answer is None or is_tensor(answer)):
        raise StreamError(f"texts and tensors can be compared, not {describe(reference)} with {describe(answer)}")
    if answer is None:
        return float(reference.double().square().mean()) if how == "mse" and reference.is_floating_point() else 1.0
    if answer.shape != reference.shape:
        return 1.0
    if not reference.numel():
        return 0.0
    if not (reference.is_floating_point() or answer.is_floating_point()):
        return float((reference != answer).double().mean())
    expected, given = reference.double(), answer.double()
    if bool(given.isnan().any()):
        return math.inf if how == "mse" else 1.0
    if how == "mse":
        return float((expected - given).square().mean())
    if threshold is not None:
        return float(((expected >= threshold) != (given >= threshold)).double().mean())
    rows = len(expected) if expected.ndim > 1 else 1
    best, chosen = (tensor.reshape(rows, -1).argmax(dim=1) for tensor in (expected, given))
    return float((best != chosen).double().mean())
