"""A court: a world in which everybody can suggest roles and badges, for the tests of who decides about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.rooms import Room, machine

import unaiverse_lab as lab
from unaiverse_lab.core.envelope import SuggestionAnswer


class Judge(lab.Agent):
    """Does once what it is told, and notes what the world answers."""

    task: Callable[[Any], Any] | None = None

    def __init__(self, proc: Any = None, **options: Any) -> None:
        super().__init__(proc, **options)
        self.answers_heard: list[SuggestionAnswer] = []

    @lab.action
    async def judge(self) -> bool:
        task, self.task = self.task, None
        return task is not None and await task(self)

    def suggestion_answered(self, answer: SuggestionAnswer) -> None:
        self.answers_heard.append(answer)


class Clerk(Judge):
    """Another role, for whoever is given it."""


def court(kind: type[lab.World] = Room, master: bool = True, stats: Any = None, **options: Any) -> lab.Session:
    """Ann, a master, and Bob and Cyd, who are none; all of them are judges."""
    judge, clerk = machine(Judge), machine(Clerk, "filing")
    judge.add_transit("ready", "ready", action="judge")
    clerk.add_transit("filing", "filing", action="judge")
    world = kind(roles={"judge": Judge, "clerk": Clerk}, behaviors={"judge": judge, "clerk": clerk}, stats=stats)
    session = lab.Session(world, **options)
    for name in ("Ann", "Bob", "Cyd"):
        session.add(lab.Agent(), name, master=master and name == "Ann", role_preference="judge")
    session.step(3)
    return session


def do(session: lab.Session, by: str, task: Callable[[Any], Any]) -> None:
    """Let a member do something in an action, and the world answer it."""
    session.agent(by).task = task  # type: ignore[attr-defined]
    session.step(5)


def suggest(session: lab.Session, by: str, agent: Any, score: float = 1.0, **options: Any) -> None:
    """Let a member suggest a badge."""
    do(session, by, lambda me: me.suggest_badges_to_world(agent, score, **options))


def suggest_role(session: lab.Session, by: str, agent: Any, role: str) -> None:
    """Let a member suggest a role."""
    do(session, by, lambda me: me.suggest_role_to_world(agent, role))


def heard(session: lab.Session, name: str) -> list[tuple[str, str, str, bool, str | None]]:
    """What the world answered to a member: about what, for whom, wanted, accepted, reason."""
    answers: list[SuggestionAnswer] = session.agent(name).answers_heard  # type: ignore[attr-defined]
    return [(one.about, one.peer_id, one.wanted, one.accepted, one.reason) for one in answers]
