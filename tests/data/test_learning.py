"""A learner: forward, losses by slot, one step of the optimizer, and errors that name what is wrong."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unaiverse_lab.core.errors import LabError, StreamError
from unaiverse_lab.data.learning import Learner


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.label, self.copy = nn.Linear(4, 3), nn.Linear(4, 4)

    def forward(self, x):
        return self.label(x), self.copy(x), "beyond the slots"


class Remembers(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.y, self.calls = nn.Linear(2, 2), None, []

    def forward(self, x, first=False, last=False):
        self.calls.append((first, last))
        return self.cell(x)


def linear(loss=F.cross_entropy, rate=0.1):
    torch.manual_seed(0)
    module = nn.Linear(4, 3)
    return Learner(module, torch.optim.SGD(module.parameters(), lr=rate), [loss])


X, IDS = torch.linspace(-1, 1, 20).reshape(5, 4), torch.tensor([0, 1, 2, 1, 0])


def test_a_step_is_forward_loss_backward_step():
    learner = linear()
    module = copy.deepcopy(learner.module)
    raw = module(X)
    loss = F.cross_entropy(raw, IDS)
    loss.backward()

    outputs, losses = learner.learn([X], [IDS])

    assert torch.equal(outputs[0], raw.detach()) and not outputs[0].requires_grad
    assert losses == [loss.item()]
    torch.testing.assert_close(learner.module.weight, module.weight - 0.1 * module.weight.grad)


def test_forward_then_learn_backward_is_the_same_and_raw_stays():
    together, apart = linear(), linear()
    together.learn([X], [IDS])
    (output,) = apart.forward(X)
    assert apart.raw[0].requires_grad and torch.equal(apart.raw[0], output)
    apart.learn_backward([IDS])
    assert torch.equal(together.module.weight, apart.module.weight)


@pytest.mark.parametrize("loss", [F.cross_entropy, nn.CrossEntropyLoss()])
def test_class_ids_may_have_a_leading_dimension(loss):
    plain, leading = linear(loss), linear(loss)
    assert plain.learn([X], [IDS])[1] == leading.learn([X], [IDS[None]])[1]
    assert torch.equal(plain.module.weight, leading.module.weight)


def test_one_loss_per_output_and_none_counts_zero():
    module = TwoHeads()
    before = copy.deepcopy(module)
    learner = Learner(module, torch.optim.SGD(module.parameters(), lr=0.1), [F.cross_entropy, F.mse_loss])
    _, losses = learner.learn([X], [IDS, None])
    assert losses[0] > 0 and losses[1] == 0.0
    assert torch.equal(module.copy.weight, before.copy.weight)
    assert not torch.equal(module.label.weight, before.label.weight)
    _, losses = learner.learn([X], [IDS, X])
    assert min(losses) > 0
    assert not torch.equal(module.copy.weight, before.copy.weight)


def test_without_targets_losses_see_the_outputs_only():
    learner = linear(lambda raw: raw.square().mean())
    values = [learner.learn([X], [None])[1][0] for _ in range(20)]
    assert values[-1] < values[0] / 2


def test_without_losses_nothing_is_learned():
    module = nn.Linear(4, 3)
    before = copy.deepcopy(module.state_dict())
    _, losses = Learner(module, torch.optim.SGD(module.parameters(), lr=0.1)).learn([X], [IDS])
    assert losses == [0.0] and torch.equal(module.weight, before["weight"])


def test_flags_reach_modules_that_name_them_and_y_is_the_target():
    module = Remembers()
    learner = Learner(module, torch.optim.SGD(module.parameters(), lr=0.1), [F.mse_loss])
    target = torch.zeros(1, 2)
    learner.learn([torch.ones(1, 2)], [target], first=True, unknown=1)
    assert module.calls == [(True, False)] and module.y is target
    linear().learn([X], [IDS], first=True, last=False)


def test_a_checkpoint_restores_module_and_optimizer():
    module = nn.Linear(4, 3)
    learner = Learner(module, torch.optim.Adam(module.parameters()), [F.cross_entropy])
    learner.learn([X], [IDS])
    state = learner.state_dict()
    after = [learner.learn([X], [IDS])[1] for _ in range(3)]
    learner.load_state_dict(state)
    assert [learner.learn([X], [IDS])[1] for _ in range(3)] == after


# ---------------------------------------------------------------- errors


def test_no_optimizer():
    with pytest.raises(LabError, match="no optimizer"):
        Learner(nn.Linear(4, 3), None, [F.cross_entropy]).learn([X], [IDS])


def test_not_an_optimizer():
    with pytest.raises(LabError, match=r"zero_grad\(\) and step\(\)"):
        Learner(nn.Linear(4, 3), 0.1, [F.cross_entropy])


def test_number_of_losses_and_targets():
    with pytest.raises(LabError, match=r"2 outputs \(label, box\) need as many losses"):
        Learner(nn.Linear(4, 3), None, [F.cross_entropy], outputs=["label", "box"])
    with pytest.raises(StreamError, match="need as many targets"):
        linear().learn([X], [IDS, IDS])


def test_too_few_outputs_or_no_tensors():
    with pytest.raises(StreamError, match="gave 1 outputs for 2 slots"):
        Learner(nn.Linear(4, 3), outputs=["a", "b"]).forward(X)
    with pytest.raises(StreamError, match="'c' of the processor is no tensor but str"):
        Learner(TwoHeads(), outputs=["a", "b", "c"]).forward(X)


def test_a_failing_loss_names_its_slot():
    learner = linear()
    with pytest.raises(LabError, match=r"'proc_output_0' .*\(5, 3\).* failed"):
        learner.learn([X], [torch.tensor([0, 1])])
    with pytest.raises(LabError, match="must be one number"):
        linear(nn.CrossEntropyLoss(reduction="none")).learn([X], [IDS])


def test_nothing_to_learn_from():
    learner = linear()
    with pytest.raises(LabError, match=r"call forward\(\) first"):
        learner.learn_backward([IDS])
    with torch.no_grad():
        learner.forward(X)
    with pytest.raises(LabError, match="no parameter that could learn"):
        learner.learn_backward([IDS])
    with torch.no_grad():
        learner.learn([X], [IDS])
