"""The collaboration: what its folder expects of it, and that it is the same run in every way of running it."""

from __future__ import annotations

import pytest

from worlds.folders import failed_checks, played


def test_it_comes_out_as_its_folder_says() -> None:
    session = played("collaboration")
    assert failed_checks(session, "collaboration") == []


@pytest.mark.parametrize("strict", [False, True])
def test_two_runs_are_one(strict: bool) -> None:
    assert played("collaboration", strict=strict).digest() == played("collaboration").digest()


def test_the_matrix_follows_from_the_seed() -> None:
    one, other = (played("collaboration", seed=seed) for seed in (1, 2))
    assert one.digest() != other.digest()
    assert failed_checks(one, "collaboration") == failed_checks(other, "collaboration") == []
