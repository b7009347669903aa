"""A fresh shell for each test."""

from __future__ import annotations

import pytest
from shells import SCHOOL, SESSION, Notebook


@pytest.fixture
def book(capsys: pytest.CaptureFixture[str]) -> Notebook:
    return Notebook(capsys)


@pytest.fixture
def school(book: Notebook) -> Notebook:
    """A school, defined."""
    book.run(*SCHOOL)
    return book


@pytest.fixture
def lesson(school: Notebook) -> Notebook:
    """The same, with a session ``s`` that runs: Tina teaches, Ann learns."""
    school.run(SESSION)
    return school
