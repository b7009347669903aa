"""Events: what a delivery costs, what telling everybody costs, how long a request and its answer take; trace on."""

from __future__ import annotations

import statistics
import time

from report import Result, at_least, at_most, cpu_of, main

from unaiverse_lab.events import BaseWorld, Event, Object, Run, User, action

CROWDS = (10, 100)
FLOOR = 50_000
LATENCY = 3.0
GROWTH = 1.5


class Noise(Event):
    """Heard by everybody."""

    event_type = "noise"
    n: int


class Ask(Event):
    """A question."""

    event_type = "ask"
    n: int


class Answer(Event):
    """Its answer."""

    event_type = "answer"
    n: int


class Ear(Object):
    """Hears noise, and answers."""

    @action(on=Noise)
    def hear(self, event: Noise) -> None:
        self.heard = event.n

    @action(on=Ask)
    def tell(self, event: Ask) -> None:
        self.send_event(Answer(target_id=event.sender_id, n=event.n))


def crowd(size: int) -> tuple[User, Run]:
    """A world of so many objects and a user, in which everybody has arrived."""
    world, you = BaseWorld(id="w", objects=[Ear(id=f"ear{number}") for number in range(size)]), User()
    world.add(you)
    run = world.launch(history=False)
    run.step(3)
    return you, run


def deliveries(size: int, total: int) -> float:
    """Deliveries per second of CPU, every one of them handled by an action and recorded."""
    you, run = crowd(size)
    rounds = total // size

    def work() -> None:
        for n in range(rounds):
            you.send(Noise(n=n))
            run.step()
        run.step()

    return rounds * (size + 1) / cpu_of(work)


def per_broadcast(size: int, rounds: int) -> float:
    """CPU microseconds of a delivery when everybody is told."""
    return 1e6 / deliveries(size, rounds * size)


def answers(size: int, rounds: int) -> tuple[float, set[int]]:
    """Milliseconds from a question to its answer with so many bystanders (median), and the ticks it took."""
    you, run = crowd(size)
    times, ticks = [], set()
    for n in range(rounds):
        begin, before, tick = time.perf_counter(), len(you.received), run.tick
        you.send(Ask(target_id="ear0", n=n))
        while len(you.received) == before:
            run.step()
        times.append((time.perf_counter() - begin) * 1000)
        ticks.add(run.tick - tick)
    return statistics.median(times), ticks


def measure(quick: bool) -> list[Result]:
    """Deliveries, broadcasts, requests and answers."""
    rounds, total = (3, 6_000) if quick else (7, 20_000)
    results = []
    for size in CROWDS:
        best = max(deliveries(size, total) for _ in range(rounds))
        results.append(at_least(f"deliveries, {size} entities", best, "/s of CPU", FLOOR))
    small, large = (min(per_broadcast(size, total // size) for _ in range(rounds)) for size in (100, 400))
    results.append(at_most("a delivery among 400, against 100", large / small, "x", GROWTH))
    for size in CROWDS:
        latency, ticks = answers(size, 200)
        results.append(at_most(f"request and answer, {size} entities", latency, "ms", LATENCY))
        results.append(at_most(f"request and answer, {size} entities", max(ticks), "ticks", 2))
    return results


if __name__ == "__main__":
    main(measure)
