"""Comparison of answers with a reference, aligned by tag."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data.comparison import compare


def tagged(*values: Any, start: int = 0) -> list[tuple[int, Any]]:
    return list(enumerate(values, start))


# ------------------------------------------------------------------ pairs


def test_texts_and_the_table() -> None:
    result = compare(tagged("a", "b", "c", "d"), tagged("a", "x", "c", "d"), "max", 4)
    assert (result.error, result.compared) == (0.25, 4)
    assert result.table[1] == (1, "b", "x", 1.0)
    assert [line.score for line in result.table] == [0, 1, 0, 0]


def test_only_the_first_steps_of_the_reference_count() -> None:
    assert compare(tagged("a", "b", "c"), tagged("a", "b", "x"), "max", 2).error == 0


def test_a_missing_answer_scores_one_wherever_it_is_missing() -> None:
    reference = tagged("a", "b", "c", "d")
    for lost in range(4):
        answer = [sample for sample in reference if sample[0] != lost]
        result = compare(reference, answer, "max", 4)
        assert (result.error, result.compared) == (0.25, 3)
        assert result.table[lost].answer is None


def test_an_answer_that_is_behind_or_not_asked_for_aborts_nothing() -> None:
    reference = tagged("a", "b", start=5)
    assert compare(reference, [(1, "x"), (5, "a"), (6, "b"), (9, "y")], "max", 2).error == 0


def test_tags_can_be_counted_from_the_first() -> None:
    reference, answer = tagged("a", "b", start=100), tagged("a", "b", start=7)
    assert compare(reference, answer, "max", 2).error == 1
    result = compare(reference, answer, "max", 2, re_offset=True)
    assert (result.error, [line.tag for line in result.table]) == (0, [0, 1])


def test_tags_that_do_not_grow_are_made_to() -> None:
    reference = [(3, "a"), (3, "b"), (0, "c"), (9, "d")]
    result = compare(reference, [(3, "a"), (4, "b"), (5, "c"), (9, "d")], "max", 4)
    assert (result.error, [line.tag for line in result.table]) == (0, [3, 4, 5, 9])
    assert compare(reference, reference, "max", 4).error == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc")), min_size=1), st.booleans())
def test_a_reference_is_its_own_perfect_answer(samples: list[tuple[int, str]], re_offset: bool) -> None:
    result = compare(samples, samples, "max", len(samples), re_offset)
    assert (result.error, result.compared) == (0, len(samples))


# ------------------------------------------------------------------ scores


def test_mean_squared_error() -> None:
    reference = tagged(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]))
    answer = tagged(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]))
    assert compare(reference, answer, "mse", 2).error == 1.0


def test_a_missing_answer_costs_what_silence_is_worth() -> None:
    """However small the error so far, and also if it is the first one that is lost."""
    reference = tagged(*(torch.tensor([[2.0]]) for _ in range(4)))
    for lost in range(4):
        answer = [sample for sample in reference if sample[0] != lost]
        assert compare(reference, answer, "mse", 4).error == 1.0


def test_silence_is_no_perfect_mark() -> None:
    reference = tagged(*(torch.tensor([[0.01]]) for _ in range(4)))
    assert compare(reference, reference[:2], "mse", 4).error == pytest.approx(0.00005)
    result = compare(reference, reference[:1], "mse", 4)
    assert (result.error, result.compared) == (math.inf, 1)
    assert compare(reference, [], "mse", 4).error == math.inf
    assert compare(reference, [], "max", 4).error == 1


def test_the_largest_component_row_by_row() -> None:
    reference, answer = torch.eye(4), torch.eye(4)
    answer[0] = torch.tensor([0.0, 9.0, 0.0, 0.0])
    assert compare(tagged(reference), tagged(answer), "max", 1).error == 0.25
    flat = torch.tensor([0.0, 1.0])
    assert compare(tagged(flat), tagged(2 * flat), "max", 1).error == 0


def test_sides_of_a_threshold() -> None:
    reference, answer = torch.tensor([[0.0, 1.0, 0.5, 0.4]]), torch.tensor([[0.6, 0.9, 0.5, 0.0]])
    assert compare(tagged(reference), tagged(answer), "geq0.5", 1).error == 0.25


@pytest.mark.parametrize("how", ["mse", "max", "geq0.5"])
def test_integers_are_compared_entry_by_entry(how: str) -> None:
    reference, answer = torch.tensor([1, 2, 3, 4]), torch.tensor([1, 2, 3, 9])
    assert compare(tagged(reference), tagged(answer), how, 1).error == 0.25


@pytest.mark.parametrize("how", ["mse", "max", "geq0.5"])
def test_shapes_that_differ_and_nan(how: str) -> None:
    reference = torch.tensor([[0.0, 0.0]])
    assert compare(tagged(reference), tagged(torch.zeros(1, 3)), how, 1).error == 1
    nan = compare(tagged(reference), tagged(torch.tensor([[math.nan, 0.0]])), how, 1).error
    assert nan == (math.inf if how == "mse" else 1)


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize("how", ["rmse", "", "geq", "geqx"])
def test_an_unknown_comparison(how: str) -> None:
    with pytest.raises(StreamError, match=r"'max'.*'geq<number>'"):
        compare(tagged("a"), tagged("a"), how, 1)


def test_too_short_a_reference() -> None:
    with pytest.raises(StreamError, match="the reference has 1 samples, 2 are to be compared"):
        compare(tagged("a"), tagged("a", "b"), "max", 2)
    with pytest.raises(StreamError, match="at least one"):
        compare(tagged("a"), tagged("a"), "max", 0)


def test_what_cannot_be_compared() -> None:
    for reference, answer in (("a", torch.zeros(1)), (torch.zeros(1), "a"), (b"a", b"a"), (None, "a")):
        with pytest.raises(StreamError, match="texts and tensors can be compared, not"):
            compare(tagged(reference), tagged(answer), "max", 1)
