"""Stacked students: many classifiers of handwritten digits in one world, together against one by one, on one thread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from report import Result, at_least, at_most, cpu_of, main, median_ratio
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unaiverse_lab.data.learning import Learner
from unaiverse_lab.data.stacking import Stacks

BATCH = 32
TARGETS = {100: 5.0, 1000: 6.0}
EXACT = 1e-5
Lessons = list[tuple[list[Tensor], list[Tensor]]]

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


def crowd(size: int, optimizer: str) -> list[Learner]:
    """Students 64-32-10, each with its own start."""
    students = []
    for seed in range(size):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        students.append(Learner(module, OPTIMIZERS[optimizer](module.parameters()), [cross_entropy]))
    return students


def lessons(size: int) -> Iterator[Lessons]:
    """For each tick a batch of digits for each student, drawn at random."""
    digits = load_digits()
    images = torch.tensor(digits.data / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target, dtype=torch.long)
    source = torch.Generator().manual_seed(0)
    while True:
        drawn = torch.randint(len(images), (size, BATCH), generator=source)
        yield [([images[rows]], [labels[rows]]) for rows in drawn]


def one_by_one(students: list[Learner], ticks: list[Lessons]) -> None:
    for lesson in ticks:
        for student, (inputs, targets) in zip(students, lesson, strict=True):
            student.learn(inputs, targets)


def together(stacks: Stacks, students: list[Learner], ticks: list[Lessons]) -> None:
    for lesson in ticks:
        steps = [stacks.submit(student, *given) for student, given in zip(students, lesson, strict=True)]
        stacks.flush()
        for step in steps:
            _ = step.outputs, step.losses


def bare(students: list[Learner], ticks: list[Lessons]) -> None:
    """The loop that one writes by hand."""
    for lesson in ticks:
        for student, ((inputs,), (targets,)) in zip(students, lesson, strict=True):
            loss = cross_entropy(student.module(inputs), targets)
            student.optimizer.zero_grad()
            loss.backward()
            student.optimizer.step()
            loss.item()


def distance(ones: list[Learner], others: list[Learner]) -> float:
    """The largest difference between two parameters that should be equal."""
    return max(
        float((a - b).detach().abs().max())
        for one, other in zip(ones, others, strict=True)
        for a, b in zip(one.module.parameters(), other.module.parameters(), strict=True)
    )


def compare(size: int, optimizer: str, rounds: int, count: int) -> list[Result]:
    """``rounds`` of ``count`` ticks: the same lessons for three crowds that are alike."""
    alone, stacked, plain = (crowd(size, optimizer) for _ in range(3))
    stacks, source = Stacks(), lessons(size)
    warm = [next(source) for _ in range(2)]
    one_by_one(alone, warm)
    together(stacks, stacked, warm)
    bare(plain, warm)
    spent: dict[str, list[float]] = {"alone": [], "stacked": [], "plain": []}
    for _ in range(rounds):
        ticks = [next(source) for _ in range(count)]
        spent["alone"].append(cpu_of(lambda t=ticks: one_by_one(alone, t)))  # type: ignore[misc]
        spent["stacked"].append(cpu_of(lambda t=ticks: together(stacks, stacked, t)))  # type: ignore[misc]
        spent["plain"].append(cpu_of(lambda t=ticks: bare(plain, t)))  # type: ignore[misc]
    each = 1e6 / (size * count)
    name = f"{size:,} students, {optimizer}"
    ratio = median_ratio(spent["alone"], spent["stacked"])
    judged = TARGETS.get(size) if optimizer == "SGD" else None
    return [
        Result(f"{name}: one by one", statistics.median(spent["alone"]) * each, "us/step"),
        Result(f"{name}: stacked", statistics.median(spent["stacked"]) * each, "us/step"),
        at_least(f"{name}: times faster", ratio, "x", judged)
        if judged
        else Result(f"{name}: times faster", ratio, "x"),
        Result(f"{name}: than a loop by hand", median_ratio(spent["plain"], spent["stacked"]), "x"),
        at_most(f"{name}: largest difference of a parameter", distance(alone, stacked), "", EXACT),
    ]


def measure(quick: bool) -> list[Result]:
    """Benchmarks of learning: classifiers 64-32-10 on scikit-learn's digits, batches of 32, one thread, CPU time."""
    torch.set_num_threads(1)
    rounds = 5 if quick else 11
    results = []
    for size, count in ((10, 20), (100, 5), (1000, 1)):
        results += compare(size, "SGD", rounds, count)
    if not quick:
        for size, count in ((100, 5), (1000, 1)):
            results += compare(size, "Adam", rounds, count)
    return results


if __name__ == "__main__":
    main(measure)
