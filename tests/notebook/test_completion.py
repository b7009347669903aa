"""What the completer of a shell offers in the cells that define a world."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from shells import Notebook


def offered(book: Notebook, text: str) -> dict[str, str]:
    """Completions at the mark ``|``, with what they are; each stands for the whole word at the mark."""
    offset = text.index("|")
    cell = text.replace("|", "")
    with provisionalcompleter():
        found = list(book.shell.Completer.completions(cell, offset))
    completed = {}
    for one in found:
        word = cell[one.start : offset]
        assert one.text.startswith(word)
        completed[one.text] = one.type
    return completed


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("%%behavior te|", "teacher", "role"),
        ("%%behavior |", "student", "role"),
        ("%%action teacher gr|", "greet", "action"),
        ("%%role janitor --w|", "--world", "option"),
        ("%%role janitor --world S|", "School", "world"),
        ("%%behavior teacher --on-missing k|", "keep-old", "choice"),
        ("%%entity lamp --kind o|", "object", "choice"),
        ("%%world S|", "School", "world"),
        ("%lab sh|", "show", "command"),
        ("%lab show te|", "teacher", "definition"),
        ("%lab show teacher --p|", "--python", "option"),
        ("%lab rename teacher:d|", "teacher:done", "state"),
        ("%%behavior teacher\nbehav.add_transit('d|", "done", "state"),
        ('%%behavior teacher\nbehav.add_state("attic")\nbehav.add_transit("at|', "attic", "state"),
        ('%%behavior teacher\nbehav.add_transit("init", "do|', "done", "state"),
        ('%%behavior teacher\nbehav.add_transit("init", "done", "gr|', "greet", "action"),
        ('%%behavior teacher\nbehav.add_transit("init", "done", action="gr|', "greet", "action"),
        ('%%behavior teacher\nbehav.add_transit("init", "done", "greet", {"w|', "who", "argument"),
        ('%%behavior teacher\nbehav.add_transit("init", "done", "greet", {"who": "<ag|', "<agent>", "wildcard"),
        ('%%behavior teacher\nbehav.add_transit("init", "done", "send_engage", {"role": "stu|', "student", "role"),
        ('%%behavior teacher\nbehav.add_state("init", "gr|', "greet", "action"),
        ('%%behavior teacher\nbehav.set_role("te|', "teacher", "role"),
    ],
)
def test_names_are_offered_with_what_they_are(school: Notebook, text: str, expected: str, kind: str) -> None:
    found = offered(school, text)
    assert found.get(expected) == kind, found


def test_what_makes_no_sense_is_not_offered(school: Notebook) -> None:
    assert set(offered(school, "%%behavior te|")) == {"teacher"}
    assert "greet" not in offered(school, '%%behavior student\nbehav.add_transit("init", "ready", "gr|')
    assert "teacher" not in offered(school, '%%behavior teacher\nbehav.add_transit("te|')


def test_in_the_body_of_an_action_python_is_completed_as_ever(school: Notebook) -> None:
    school.run("telescope = 1")
    found = offered(school, "%%action teacher\nasync def look(self) -> bool:\n    return tele|")
    assert "telescope" in found
    assert "telescope" in offered(school, "x = tele|")


def test_the_old_way_of_asking_works_too(school: Notebook) -> None:
    _, matches = school.shell.Completer.complete(line_buffer="%%behavior te", cursor_pos=13)
    assert "teacher" in list(matches)


def test_what_was_defined_meanwhile_is_offered(school: Notebook) -> None:
    assert "tester" not in offered(school, "%%behavior te|")
    school.run("%%role tester\nx = 1\n")
    assert set(offered(school, "%%behavior te|")) == {"teacher", "tester"}


def test_help_on_a_magic_shows_its_options(school: Notebook) -> None:
    info = school.shell.object_inspect("%%behavior")
    assert "--on-missing" in (info["docstring"] or "")
