"""What it costs to explain why an agent is stuck: one answer from an index, against reading the whole trace."""

from __future__ import annotations

import statistics

from report import Result, at_most, cpu_of, main

from unaiverse_lab import Agent, HybridStateMachine, Session, World, action
from unaiverse_lab.view import Past, why

RECORDS, ANSWERS = 100_000, 50


class Guest(Agent):
    """Never gets what it waits for."""

    @action
    async def ask(self) -> bool:
        return self.because("not yet")


class Hall(World):
    """One role."""

    def assign_role(self, profile: object, is_world_master: bool) -> str:
        return "guest"


def measure(quick: bool) -> list[Result]:
    """One explanation of a run of 100,000 records, with an index that follows the trace and without."""
    machine = HybridStateMachine(Guest())
    machine.add_transit("ready", "done", action="ask")
    session = Session(Hall(roles={"guest": Guest}, behaviors={"guest": machine}), history=False)
    for number in range(10):
        session.add(Agent(), f"Guest{number}")
    session.step((RECORDS // 4 if quick else RECORDS) // 10)
    records = list(session.trace)
    past = Past().follow(session.trace)
    with_index = statistics.median(cpu_of(lambda: why(past, "Guest3")) for _ in range(ANSWERS))
    without = cpu_of(lambda: why(records, "Guest3"))
    return [
        Result("records in the trace", float(len(records)), ""),
        at_most("an answer, the index at hand", with_index * 1e3, "ms", 20.0),
        Result("an answer from the records alone", without * 1e3, "ms"),
        Result("the index saves", without / with_index, "x"),
    ]


if __name__ == "__main__":
    main(measure)
