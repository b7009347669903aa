"""Learning sample by sample: what the engine adds to a step of signal_school's model, the samples' way included."""

from __future__ import annotations

import gc
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from report import Result, at_most, cpu_of, main, median_ratio

from unaiverse_lab import Agent, Session, StreamType
from unaiverse_lab.world.folder import find_world, isolated_imports

INTERACTIONS = 21 + 8
SAMPLES = 100
"""Of a lesson or an exam. A course has 2,900 steps; ten courses are as many as one with lessons of 1,000."""


class Meter:
    """CPU seconds spent in the model itself: forward, loss, backward and step of the optimizer."""

    def __init__(self, models: ModuleType) -> None:
        self.spent = 0.0
        self.since = 0.0
        meter = self

        class Model(models.OscillatorBank):  # type: ignore[misc, name-defined]
            def forward(self, signal: torch.Tensor, descriptor: torch.Tensor, first: bool = True) -> torch.Tensor:
                start = time.process_time()
                output = super().forward(signal, descriptor, first)
                meter.spent += time.process_time() - start
                return output

        class Optimizer(models.HL):  # type: ignore[misc, name-defined]
            def zero_grad(self) -> None:
                meter.since = time.process_time()
                super().zero_grad()

            def step(self) -> None:
                super().step()
                meter.spent += time.process_time() - meter.since

        self.model = Model(d_dim=6, h_dim=1000, seed=42)
        self.optimizer = Optimizer(self.model.parameters())

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean squared error."""
        start = time.process_time()
        error = torch.nn.functional.mse_loss(output, target)
        self.spent += time.process_time() - start
        return error


def number(width: int) -> StreamType:
    """A slot for a row of so many numbers."""
    return StreamType(data_type="tensor", tensor_shape=(1, width), tensor_dtype=torch.float32)


def school(folder: Path, world: type[Any], meter: Meter) -> Session:
    """The school with its student engaged: all that is left are lessons and exams, which everybody passes."""
    options = {"optimizer": meter.optimizer, "losses": [meter.loss]}
    session = Session(world(str(folder / "src"), steps=SAMPLES, threshold=9.0), delta=0.01)
    session.add(Agent(merge_flat_stream_labels=True, buffer_generated_by_others="all"), "Teacher", master=True)
    session.add(Agent(meter.model, [number(1), number(6)], [number(1)], options), "Student")
    session.run("student:teacher_engaged", max_cycles=1000)
    return session


def course(session: Session) -> None:
    """All lessons and exams."""
    session.run("very_good", max_cycles=2 * INTERACTIONS * SAMPLES)
    assert session.states_of("teacher") == ["very_good"], session.status()


def measure(quick: bool) -> list[Result]:
    """Benchmarks of learning in many steps: one student, one sample a tick, one thread, trace on."""
    torch.set_num_threads(1)
    each = 1e6 / (INTERACTIONS * SAMPLES)
    in_all, in_model = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "signal_school"
        shutil.copytree(find_world("signal_school"), folder, ignore=shutil.ignore_patterns("__pycache__"))
        with isolated_imports(folder):
            from src import models
            from src.world import WWorld
        for _ in range(4 if quick else 10):
            meter = Meter(models)
            session = school(folder, WWorld, meter)
            gc.collect()
            in_all.append(cpu_of(lambda: course(session)) * each)  # noqa: B023
            in_model.append(meter.spent * each)
    added = [whole - model for whole, model in zip(in_all, in_model, strict=True)]
    return [
        Result(
            f"a step, the model's part ({len(in_all)} courses of 29 x {SAMPLES})", statistics.median(in_model), "us"
        ),
        Result("a step, the engine's part", statistics.median(added), "us"),
        at_most("the engine's part, against the model's", median_ratio(added, in_model), "x", 1.0),
    ]


if __name__ == "__main__":
    main(measure)
