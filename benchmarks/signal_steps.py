"""Learning sample by sample: what the engine adds to a step of signal_school's model, the samples' way included."""

from __future__ import annotations

import gc
import shutil
import statistics
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from report import Result, at_most, cpu_of, main

from unaiverse_lab import Agent, Session, StreamType, load
from unaiverse_lab.world.folder import find_world, isolated_imports

LESSONS, EXAMS = 21, 8
SAMPLES = 100
"""Samples of a lesson or an exam: 29 x 100 steps a course, so that ten courses are the 29,000 steps of one real one."""


def sources(folder: Path) -> tuple[ModuleType, ModuleType]:
    """The modules of the world and of its student's model."""
    with isolated_imports(folder):
        from src import models, world

        return world, models


def student(models: ModuleType) -> tuple[torch.nn.Module, Any]:
    """The model of run_2.py and its optimizer."""
    model = models.OscillatorBank(d_dim=6, h_dim=1000, seed=42)
    return model, models.HL(model.parameters(), theta=0.2, beta=0.01)


def course(folder: Path, world: ModuleType, models: ModuleType) -> Session:
    """The school with the student engaged: all that is left to do is lessons and exams, which everybody passes."""
    model, optimizer = student(models)
    signal, descriptor = (
        StreamType(data_type="tensor", tensor_shape=(1, width), tensor_dtype=torch.float32) for width in (1, 6)
    )
    pupil = Agent(
        model,
        [signal, descriptor],
        [StreamType(data_type="tensor", tensor_shape=(1, 1), tensor_dtype=torch.float32)],
        {"optimizer": optimizer, "losses": [torch.nn.functional.mse_loss]},
    )
    teacher = Agent(merge_flat_stream_labels=True, buffer_generated_by_others="all")
    session = Session(world.WWorld(str(folder / "src"), steps=SAMPLES, threshold=9.0), delta=0.01)
    session.add(teacher, "Teacher", master=True)
    session.add(pupil, "Student")
    session.run("student:teacher_engaged", max_cycles=2000)
    return session


def engine_course(session: Session) -> float:
    """CPU seconds of the whole course in the engine; the trace is on."""
    spent = cpu_of(lambda: session.run("very_good", max_cycles=40 * SAMPLES))
    assert session.states_of("teacher") == ["very_good"], session.status()
    return spent


def bare_course(models: ModuleType, samples: list[list[torch.Tensor]]) -> tuple[float, float]:
    """CPU seconds of the same lessons and exams in a plain loop over samples that are there already."""
    model, optimizer = student(models)
    descriptor = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    loss = torch.nn.functional.mse_loss

    def learn() -> None:
        for lesson in range(LESSONS):
            for number, signal in enumerate(samples[lesson % 7]):
                error = loss(model(signal, descriptor, first=number == 0), signal)
                optimizer.zero_grad()
                error.backward()
                optimizer.step()

    def answer() -> None:
        for exam in range(EXAMS):
            for number, signal in enumerate(samples[exam]):
                model(signal, descriptor, first=number == 0)

    return cpu_of(learn), cpu_of(answer)


def measure(quick: bool) -> list[Result]:
    """Benchmarks of multi-step learning: one student, one sample a tick, one thread, trace on."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "signal_school"
        shutil.copytree(find_world("signal_school"), folder, ignore=shutil.ignore_patterns("__pycache__"))
        world, models = sources(folder)
        teacher = load("signal_school")
        teacher.step(3)
        owned = teacher.agent("Test1").owned_streams
        samples = [
            [sample.value for sample in owned[f"signal@{name}"].take(SAMPLES)]  # type: ignore[attr-defined]
            for name in world.SIGNALS
        ]
        engine, learning, answering = [], [], []
        for _ in range(4 if quick else 10):
            session = course(folder, world, models)
            gc.collect()
            engine.append(engine_course(session))
            learned, answered = bare_course(models, samples)
            learning.append(learned)
            answering.append(answered)
    steps = (LESSONS + EXAMS) * SAMPLES
    overhead = statistics.median((e - l - a) / (l + a) for e, l, a in zip(engine, learning, answering, strict=True))
    return [
        Result("a step of a lesson, the model alone", statistics.median(learning) / LESSONS / SAMPLES * 1e6, "us"),
        Result("a step of an exam, the model alone", statistics.median(answering) / EXAMS / SAMPLES * 1e6, "us"),
        Result(f"a step in the school ({len(engine)} courses of {steps:,})", statistics.median(engine) / steps * 1e6, "us"),
        at_most("what the engine adds, against the model", overhead, "x", 1.0),
    ]


if __name__ == "__main__":
    main(measure)
