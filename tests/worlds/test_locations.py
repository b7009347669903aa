"""The house with two rooms: what its folder expects of it, and that it is the same run in every way of running it."""

from __future__ import annotations

import pytest

from worlds.folders import failed_checks, played


def test_it_comes_out_as_its_folder_says() -> None:
    session = played("locations")
    assert failed_checks(session, "locations") == []


@pytest.mark.parametrize("strict", [False, True])
def test_two_runs_are_one(strict: bool) -> None:
    assert played("locations", strict=strict).digest() == played("locations").digest()
