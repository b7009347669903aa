"""Stacked students learn what they would learn one by one, whatever is done to them meanwhile."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from unaiverse_lab.core.errors import LabError, StreamError
from unaiverse_lab.data import stacking
from unaiverse_lab.data.learning import Learner
from unaiverse_lab.data.stacking import Stacks

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.3),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
    "decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.05),
    "ascent": lambda p: torch.optim.SGD(p, lr=0.001, maximize=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam with decay": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.02, betas=(0.8, 0.95)),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}


@pytest.fixture(autouse=True, scope="module")
def small():
    """One thread, and stacks of two already."""
    threads, few = torch.get_num_threads(), stacking.FEW
    torch.set_num_threads(1)
    stacking.FEW = 2
    yield few
    torch.set_num_threads(threads)
    stacking.FEW = few


def net():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def student(seed, optimizer="sgd", make=net, losses=(F.cross_entropy,), dtype=torch.float64, **named):
    torch.manual_seed(seed)
    module = make().to(dtype)
    return Learner(module, OPTIMIZERS[optimizer](module.parameters()), list(losses), **named)


def lesson(seed, rows=5, dtype=torch.float64):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 6, generator=source, dtype=dtype)
    return [x], [torch.randint(0, 3, (rows,), generator=source)]


def crowds(count, *args, **kwargs):
    return [[student(seed, *args, **kwargs) for seed in range(count)] for _ in range(2)]


def flat(learner):
    """All that was learned: parameters, buffers, optimizer state."""
    state = learner.state_dict()
    found = list(state["module"].values())
    for entry in state["optimizer"]["state"].values():
        found += [value for value in entry.values() if value is not None]
    return found


def assert_same(ones, others, tolerance=1e-9):
    for one, other in zip(ones, others, strict=True):
        for a, b in zip(flat(one), flat(other), strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, check_dtype=True)


def tick(stacks, stacked, alone, who, number, teach=lesson):
    """One tick: those of ``who`` learn, in that order."""
    given = {i: teach(1000 * number + i) for i in who}
    deferred = {i: stacks.submit(stacked[i], *given[i]) for i in who}
    stacks.flush()
    for i in who:
        outputs, losses = alone[i].learn(*given[i])
        assert deferred[i].done
        assert deferred[i].losses == pytest.approx(losses, rel=1e-9, abs=1e-12)
        for mine, other in zip(deferred[i].outputs, outputs, strict=True):
            torch.testing.assert_close(mine, other)
            assert not mine.requires_grad


def in_a_stack(stacks, learner):
    return stacks._members[learner].row >= 0


# ---------------------------------------------------------------- equality


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_equal_to_one_by_one(optimizer):
    stacked, alone = crowds(6, optimizer)
    stacks = Stacks()
    for number in range(12):
        tick(stacks, stacked, alone, range(6), number)
    assert all(in_a_stack(stacks, learner) for learner in stacked)
    assert_same(stacked, alone)


def test_equal_in_single_precision():
    stacked, alone = crowds(20, "adam", dtype=torch.float32)
    stacks = Stacks()
    for number in range(20):
        given = [lesson(100 * number + i, dtype=torch.float32) for i in range(20)]
        for learner, (inputs, targets) in zip(stacked, given, strict=True):
            stacks.submit(learner, inputs, targets)
        for learner, (inputs, targets) in zip(alone, given, strict=True):
            learner.learn(inputs, targets)
        stacks.flush()
    assert_same(stacked, alone, 1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(OPTIMIZERS)), st.integers(2, 6))
def test_any_members_in_any_order(seed, optimizer, together):
    """Some learn, in any order, with lessons of several sizes; some leave and come back; portions are small."""
    choose = random.Random(seed)
    stacked, alone = crowds(7, optimizer)
    stacks = Stacks()
    known, stacking.TOGETHER = stacking.TOGETHER, together
    try:
        for number in range(10):
            who = choose.sample(range(7), choose.randint(1, 7))
            sizes = {1000 * number + i: choose.choice((4, 4, 4, 1)) for i in who}
            tick(stacks, stacked, alone, who, number, lambda s, sizes=sizes: lesson(s, sizes[s]))
            if choose.random() < 0.3:
                stacks.release(stacked[choose.randrange(7)])
    finally:
        stacking.TOGETHER = known
    assert_same(stacked, alone)


def test_mse_two_outputs_and_missing_targets():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(6, 3), nn.Linear(6, 2)

        def forward(self, x, extra=None):
            x = x if extra is None else x + extra
            return self.a(x), self.b(x)

    def teach(seed):
        (x,), (ids,) = lesson(seed)
        return [x, None], [ids[None], x[:, :2]]

    mse = nn.MSELoss()
    stacked, alone = ([student(s, "sgd", Two, (F.cross_entropy, mse)) for s in range(4)] for _ in range(2))
    stacks = Stacks()
    for number in range(5):
        tick(stacks, stacked, alone, range(4), number, teach)
    assert in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)


def test_unsupervised_and_untaught_slots():
    class Twice(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    losses = (lambda raw: raw.square().mean(), None)
    stacked, alone = ([student(s, "adam", lambda: Twice(6, 3), losses) for s in range(3)] for _ in range(2))
    stacks = Stacks()
    for number in range(4):
        tick(stacks, stacked, alone, range(3), number, lambda seed: (lesson(seed)[0], [None, None]))
    assert in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(ignore_index=1),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)),
        nn.CrossEntropyLoss(reduction="sum"),
    ],
)
def test_all_kinds_of_cross_entropy(loss):
    stacked, alone = crowds(4, losses=(loss,))
    stacks = Stacks()
    for number in range(4):
        tick(stacks, stacked, alone, range(4), number)
    assert in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)


def test_constant_buffers_frozen_parameters_and_groups():
    class Framed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 4), nn.Linear(4, 3)
            self.register_buffer("scale", torch.rand(6))
            self.first.weight.requires_grad_(False)

        def forward(self, x):
            return self.second(F.relu(self.first(x * self.scale)))

    def make(seed):
        learner = student(seed, make=Framed)
        module = learner.module
        learner.optimizer = torch.optim.SGD(
            [
                {"params": [module.second.weight], "lr": 0.2},
                {"params": [module.second.bias, *module.first.parameters()]},
            ],
            lr=0.01,
            momentum=0.5,
        )
        return learner

    stacked, alone = ([make(seed) for seed in range(4)] for _ in range(2))
    stacks = Stacks()
    for number in range(5):
        tick(stacks, stacked, alone, range(4), number)
    assert in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)


def test_convolutions_are_stacked_while_they_are_small():
    def make():
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))

    def teach(rows):
        return lambda seed: ([lesson(seed, rows * 8 * 8)[0][0][:, 0].reshape(rows, 1, 8, 8)], lesson(seed, rows)[1])

    stacked, alone = ([student(s, make=make) for s in range(3)] for _ in range(2))
    stacks = Stacks()
    for number in range(3):
        tick(stacks, stacked, alone, range(3), number, teach(100))
    assert not in_a_stack(stacks, stacked[0])
    for number in range(3, 6):
        tick(stacks, stacked, alone, range(3), number, teach(2))
    assert in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)


def test_runs_repeat_exactly():
    def run():
        learners, stacks = [student(seed, "adam") for seed in range(9)], Stacks()
        choose = random.Random(3)
        for number in range(8):
            for i in choose.sample(range(9), choose.randint(2, 9)):
                stacks.submit(learners[i], *lesson(10 * number + i))
            stacks.flush()
        return [flat(learner) for learner in learners]

    for one, other in zip(run(), run(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# ---------------------------------------------------------------- when the step happens


def test_nothing_happens_before_somebody_looks():
    learners, stacks = [student(seed) for seed in range(3)], Stacks()
    for learner in learners:
        stacks.submit(learner, *lesson(0))
    stacks.flush()
    before = learners[1].module[0].weight.clone()
    waiting = [stacks.submit(learner, *lesson(1)) for learner in learners]
    assert not any(step.done for step in waiting)
    assert torch.equal(learners[1].module[0].weight, before)
    assert waiting[2].losses
    assert all(step.done for step in waiting)
    assert not torch.equal(learners[1].module[0].weight, before)


@pytest.mark.parametrize(
    "look",
    [
        lambda stacks, learner: learner.forward(*lesson(2)[0]),
        lambda stacks, learner: learner.state_dict(),
        lambda stacks, learner: stacks.sync(learner),
        lambda stacks, learner: stacks.release(learner),
        lambda stacks, learner: stacks.submit(learner, *lesson(2)),
    ],
)
def test_whoever_uses_a_learner_sees_its_last_step(look):
    stacked, alone = crowds(3)
    stacks = Stacks()
    tick(stacks, stacked, alone, range(3), 0)
    steps = [stacks.submit(learner, *lesson(1)) for learner in stacked]
    with torch.no_grad():
        look(stacks, stacked[0])
    assert all(step.done for step in steps)


def test_the_first_step_of_a_kind_runs_at_once_and_so_does_a_lonely_one():
    stacked, alone = crowds(2)
    stacks = Stacks()
    assert stacks.submit(stacked[0], *lesson(0)).done
    assert stacks.submit(stacked[1], *lesson(1)).done
    later = stacks.submit(stacked[1], *lesson(2))
    assert not later.done
    stacks.flush()
    assert later.done and not in_a_stack(stacks, stacked[1])
    alone[0].learn(*lesson(0))
    alone[1].learn(*lesson(1))
    alone[1].learn(*lesson(2))
    assert_same(stacked, alone)


def test_new_stacks_go_on_exactly_as_the_old_ones_would_have():
    (kept, resumed), runs = crowds(6, "adam"), []
    for learners, renewed in ((kept, False), (resumed, True)):
        stacks = Stacks()
        for number in range(6):
            if renewed and number == 3:
                stacks = Stacks()
            results = [stacks.submit(learner, *lesson(number)) for learner in learners]
            stacks.flush()
            runs.append([result.losses for result in results])
    assert runs[:6] == runs[6:]
    assert [one.digest() for one in kept] == [one.digest() for one in resumed]


# ---------------------------------------------------------------- what others do to the modules


def warm(optimizer="adam", count=4, **kwargs):
    stacked, alone = crowds(count, optimizer, **kwargs)
    stacks = Stacks()
    for number in range(3):
        tick(stacks, stacked, alone, range(count), number)
    assert all(in_a_stack(stacks, learner) for learner in stacked)
    return stacks, stacked, alone


def reassign(learner):
    learner.module[0].weight.data = learner.module[0].weight.data * 0.5


def in_place(learner):
    with torch.no_grad():
        learner.module[0].weight.mul_(0.5)


def new_parameter(learner):
    learner.module[2] = nn.Linear(8, 3).to(torch.float64)
    nn.init.constant_(learner.module[2].weight, 0.1)
    nn.init.constant_(learner.module[2].bias, 0.2)
    learner.optimizer = OPTIMIZERS["adam"](learner.module.parameters())


def new_optimizer(learner):
    learner.optimizer = OPTIMIZERS["adam"](learner.module.parameters())


def other_optimizer(learner):
    learner.optimizer = OPTIMIZERS["sgd"](learner.module.parameters())


def load_module(learner):
    learner.module.load_state_dict(student(77).module.state_dict())


def load_all(learner):
    other = student(77, "adam")
    for seed in range(5):
        other.learn(*lesson(seed))
    learner.load_state_dict(other.state_dict())


def other_rate(learner):
    learner.optimizer.param_groups[0]["lr"] = 0.003


def freeze(learner):
    learner.module[0].weight.requires_grad_(False)


def clip(learner):
    learner.module[0].weight.register_hook(lambda gradient: gradient.clamp(-1e-3, 1e-3))


def wrap(learner):
    learner.module[1] = nn.ReLU()


def watch(learner):
    learner.module.register_forward_hook(lambda module, inputs, output: output * 2)


def learn_by_hand(learner):
    learner.learn(*lesson(5))


def other_loss(learner):
    learner.losses = (nn.CrossEntropyLoss(label_smoothing=0.2),)


def widen(learner):
    learner.optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})


@pytest.mark.parametrize(
    "change",
    [
        reassign, in_place, new_parameter, new_optimizer, other_optimizer, load_module, load_all, other_rate, freeze,
        clip, wrap, watch, learn_by_hand, other_loss, widen,
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
@pytest.mark.parametrize("who", [(0,), (1, 3), (0, 1, 2, 3)], ids=str)
def test_changes_behind_our_back(change, who):
    stacks, stacked, alone = warm()
    for i in who:
        change(stacked[i])
        change(alone[i])
    for number in range(3, 7):
        tick(stacks, stacked, alone, range(4), number)
    assert_same(stacked, alone)


@pytest.mark.parametrize("who", [0, 2])
def test_a_loss_that_is_changed_in_place(who):
    stacked, alone = ([student(s, losses=(nn.CrossEntropyLoss(),)) for s in range(4)] for _ in range(2))
    stacks = Stacks()
    for number in range(3):
        tick(stacks, stacked, alone, range(4), number)
    assert all(in_a_stack(stacks, learner) for learner in stacked)
    for learner in (stacked[who], alone[who]):
        learner.losses[0].label_smoothing = 0.3
    for number in range(3, 6):
        tick(stacks, stacked, alone, range(4), number)
    assert_same(stacked, alone)


def test_a_change_of_type():
    stacks, stacked, alone = warm("sgd")
    for learner in (stacked[1], alone[1]):
        learner.module.to(torch.float32)
    for number in range(3, 6):
        tick(stacks, stacked, alone, (0, 2, 3), number)
        x, y = lesson(number, dtype=torch.float32)
        stacks.submit(stacked[1], x, y)
        alone[1].learn(x, y)
    assert stacked[1].module[0].weight.dtype == torch.float32
    assert_same(stacked, alone)


def test_schedulers():
    stacked, alone = crowds(3)
    both = [torch.optim.lr_scheduler.StepLR(learner.optimizer, 2, 0.5) for learner in stacked + alone]
    stacks = Stacks()
    for number in range(6):
        tick(stacks, stacked, alone, range(3), number)
        for scheduler in both:
            scheduler.step()
    assert in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)


# ---------------------------------------------------------------- joining and leaving


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_released_learner_continues_alone_and_comes_back(optimizer):
    stacks, stacked, alone = warm(optimizer)
    stacks.release(stacked[1])
    size = stacked[1].module[0].weight.untyped_storage().nbytes()
    assert size == 6 * 8 * 8, "its tensors are its own again"
    for seed in range(3):
        stacked[1].learn(*lesson(seed))
        alone[1].learn(*lesson(seed))
    tick(stacks, stacked, alone, (3, 0, 2), 10)
    assert_same(stacked, alone)
    assert_same([stacked[1]], [alone[1]], 1e-12)
    tick(stacks, stacked, alone, range(4), 11)
    assert in_a_stack(stacks, stacked[1])
    assert_same(stacked, alone)


def test_a_learner_that_has_learned_before_joins():
    stacks, stacked, alone = warm("momentum")
    for crowd in (stacked, alone):
        crowd.append(student(50, "momentum"))
        for seed in range(4):
            crowd[-1].learn(*lesson(seed))
    tick(stacks, stacked, alone, range(5), 20)
    tick(stacks, stacked, alone, range(5), 21)
    assert in_a_stack(stacks, stacked[4])
    assert_same(stacked, alone)


def test_checkpoints_are_interchangeable():
    stacks, stacked, alone = warm()
    fresh = student(99, "adam")
    fresh.load_state_dict(stacked[2].state_dict())
    fresh.learn(*lesson(8))
    alone[2].learn(*lesson(8))
    assert_same([fresh], [alone[2]])
    assert stacked[2].state_dict()["module"]["0.weight"].untyped_storage().nbytes() == 6 * 8 * 8


def test_two_sessions_do_not_meet():
    first, second = crowds(3)
    one, other = Stacks(), Stacks()
    for learner, twin in zip(first, second, strict=True):
        one.submit(learner, *lesson(0))
        other.submit(twin, *lesson(0))
    one.flush()
    assert not in_a_stack(other, second[2])
    other.flush()
    assert_same(first, second)


# ---------------------------------------------------------------- who is not stacked


class Forgets(nn.Module):
    """The base of modules that cannot be stacked."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 3)

    def forward(self, x):
        return self.inner(x)


class TakesFirst(Forgets):
    def forward(self, x, first=False):
        return self.inner(x)


class HasY(Forgets):
    y = None


class KeepsState(Forgets):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3, dtype=torch.float64)

    def forward(self, x):
        out = self.inner(x) + 0.1 * self.h
        self.h = out.detach().mean(0)
        return out


class StartsToKeepState(Forgets):
    def forward(self, x):
        out = self.inner(x) + getattr(self, "h", 0.0)
        self.h = out.detach().mean(0)
        return out


class Counts(Forgets):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.inner(x) * self.calls


class CountsInABuffer(Forgets):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.inner(x) * self.calls


class ReplacesABuffer(CountsInABuffer):
    def forward(self, x):
        self.calls = self.calls + 1
        return self.inner(x) * self.calls


class Branches(Forgets):
    def forward(self, x):
        out = self.inner(x)
        return out if out.sum() > 0 else -out


class LeavesOut(Forgets):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)


class Appends(Forgets):
    def __init__(self):
        super().__init__()
        self.history = []

    def forward(self, x):
        self.history.append(len(self.history))
        return self.inner(x) + len(self.history)


def with_norm():
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


@pytest.mark.parametrize(
    "make",
    [
        TakesFirst, HasY, KeepsState, StartsToKeepState, Counts, CountsInABuffer, ReplacesABuffer, Branches, LeavesOut,
        Appends, with_norm,
    ],
)  # fmt: skip
def test_modules_that_are_not_stacked_still_learn(make):
    stacked, alone = ([student(seed, "adam", make) for seed in range(4)] for _ in range(2))
    stacks = Stacks()
    for number in range(5):
        tick(stacks, stacked, alone, range(4), number)
    assert_same(stacked, alone)
    assert stacks.why_alone(stacked[0])
    for mine, other in zip(stacked, alone, strict=True):
        for name in ("calls", "history"):
            assert getattr(mine.module, name, None) == getattr(other.module, name, None)


@pytest.mark.parametrize("make", [TakesFirst, HasY, KeepsState, with_norm])
def test_the_reason_is_told(make):
    assert Stacks().why_alone(student(0, make=make))
    assert Stacks().why_alone(student(0)) is None


def test_dropout_is_stacked_only_when_it_is_off():
    def make():
        return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))

    stacked, alone = ([student(s, make=make) for s in range(3)] for _ in range(2))
    stacks = Stacks()
    assert "Dropout" in stacks.why_alone(stacked[0])
    for learner in stacked + alone:
        learner.module.eval()
    for number in range(3):
        tick(stacks, stacked, alone, range(3), number)
    assert stacks.why_alone(stacked[0]) is None and in_a_stack(stacks, stacked[0])
    assert_same(stacked, alone)
    for learner in stacked:
        learner.module.train()
        assert stacks.submit(learner, *lesson(0)).done


def test_settings_keep_learners_apart():
    class Scaled(Forgets):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def forward(self, x):
            return self.inner(x) * self.scale

    stacked, alone = ([student(s, make=lambda s=s: Scaled((1.0, 2.0, 3.0)[s % 3])) for s in range(6)] for _ in range(2))
    stacks = Stacks()
    for number in range(4):
        tick(stacks, stacked, alone, range(6), number)
    for learner in (stacked[0], alone[0]):
        learner.module.scale = 7.0
    for number in range(4, 7):
        tick(stacks, stacked, alone, range(6), number)
    assert_same(stacked, alone)


def test_learners_that_share_parameters():
    def crowd():
        shared = student(9).module
        rest = [student(seed) for seed in range(3)]
        for seed in range(2):
            module = nn.Sequential(shared[0], nn.Tanh(), student(seed).module[2])
            rest.append(Learner(module, OPTIMIZERS["sgd"](module.parameters()), [F.cross_entropy]))
        return rest

    stacked, alone = crowd(), crowd()
    stacks = Stacks()
    for number in range(5):
        tick(stacks, stacked, alone, range(5), number)
    assert "shares" in stacks.why_alone(stacked[4])
    assert_same(stacked, alone)


def test_few_and_large_ones_run_one_by_one(small, monkeypatch):
    monkeypatch.setattr(stacking, "FEW", small)
    stacked, alone = crowds(small)
    stacks = Stacks()
    for number in range(3):
        tick(stacks, stacked, alone, range(small - 1), number)
    assert not in_a_stack(stacks, stacked[0])
    tick(stacks, stacked, alone, range(small), 3)
    tick(stacks, stacked, alone, range(small), 4)
    assert in_a_stack(stacks, stacked[0])
    tick(stacks, stacked, alone, (1, 0), 5)
    assert_same(stacked, alone)
    assert "bytes" in stacks.why_alone(student(0, make=lambda: nn.Linear(6, stacking.LARGE)))


def test_one_that_changes_with_every_step_leaves_no_stacks_behind():
    learners, stacks = [student(seed, make=Counts) for seed in range(4)], Stacks()
    for number in range(40):
        for learner in learners:
            stacks.submit(learner, *lesson(number))
        stacks.flush()
    assert [learner.module.calls for learner in learners] == [40] * 4
    assert len(stacks._stacks) < 10


def test_other_optimizers_and_values_that_are_no_tensors():
    class Words(Forgets):
        def forward(self, text):
            return self.inner(torch.full((1, 6), float(len(text)), dtype=torch.float64))

    words = student(0, make=Words)
    assert Stacks().submit(words, ["hello"], [torch.tensor([1])]).done
    odd = student(0)
    odd.optimizer = torch.optim.RMSprop(odd.module.parameters())
    assert "RMSprop" in Stacks().why_alone(odd)
    assert Stacks().submit(odd, *lesson(0)).done


# ---------------------------------------------------------------- errors


def test_what_does_not_fit_is_told_to_who_submits_it():
    stacks, stacked, alone = warm()
    steps = [stacks.submit(stacked[i], *lesson(50)) for i in (0, 1)]
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        stacks.submit(stacked[2], [torch.ones(5, 7, dtype=torch.float64)], lesson(50)[1])
    with pytest.raises(LabError, match="proc_output_0"):
        stacks.submit(stacked[2], lesson(50)[0], [torch.tensor([1, 2])])
    with pytest.raises(StreamError, match="targets"):
        stacks.submit(stacked[2], lesson(50)[0], [])
    with pytest.raises(LabError, match="no optimizer"):
        stacks.submit(Learner(net(), None, [F.cross_entropy]), *lesson(50))
    stacks.flush()
    for i in (0, 1):
        alone[i].learn(*lesson(50))
        assert steps[i].losses
    assert_same(stacked, alone)


def test_a_value_that_breaks_one_step_breaks_no_other():
    stacks, stacked, alone = warm()
    bad = lesson(50)[0], [torch.tensor([0, 1, 2, 0, 9])]
    steps = [stacks.submit(stacked[i], *(bad if i == 2 else lesson(50))) for i in range(4)]
    stacks.flush()
    with pytest.raises(LabError, match="out of bounds"):
        _ = steps[2].losses
    with pytest.raises(LabError, match="out of bounds"):
        _ = steps[2].outputs
    for i in (0, 1, 3):
        assert steps[i].losses == pytest.approx(alone[i].learn(*lesson(50))[1])
    assert_same(stacked, alone)
    assert stacks.why_alone(stacked[0]) is None
    tick(stacks, stacked, alone, range(4), 60)
    assert_same(stacked, alone)


def test_copies_of_a_released_module_are_small():
    stacks, stacked, _ = warm()
    stacks.release(stacked[0])
    assert copy.deepcopy(stacked[0].module)[0].weight.untyped_storage().nbytes() == 6 * 8 * 8
