"""A generator of signals that learns forward in time, sample by sample, in one pass; and its optimizer."""

from collections.abc import Iterable

import torch
from torch import nn

MEMORIES = 20
SHARPNESS = 5.0
FASTEST = 1.0
STEP = 0.1


class OscillatorBank(nn.Module):
    """A bank of two-dimensional oscillators, and a readout that is looked up in a memory.

    The first sample of a signal and its descriptor set the oscillators going: the state starts as ``B @ key``, where
    ``key`` is the descriptor and the sample, divided by its sum. From then on nothing enters it: each pair of numbers
    turns by its own angle per step, so that energy neither grows nor decays.

    The output is ``readout @ state``, where ``readout`` is a mixture of the values in a memory, by how close the key
    is to the (fixed) keys of the memory: signals with other descriptors get other readouts. Note that the *current*
    sample is part of this key: whoever is given the true signal in an exam is told something about the answer.

    The angles, ``B`` and the values are learned; a step of learning looks at one step of time only (the state before
    is taken as given).

    Shapes: signal and output (1, 1), descriptor (1, ``d_dim``).

    Args:
        d_dim: components of the descriptor.
        h_dim: numbers in the state, two per oscillator.
        seed: seed of the initial weights.
    """

    def __init__(self, d_dim: int = 6, h_dim: int = 1000, seed: int = 42):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def uniform(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=generator) * 2 - 1

        key_dim = d_dim + 1
        self.speeds = nn.Parameter(uniform(h_dim // 2).abs() * FASTEST)  # radians per second
        self.B = nn.Parameter(uniform(h_dim, key_dim) * (6 / (h_dim + key_dim)) ** 0.5)
        self.values = nn.Parameter(torch.zeros(MEMORIES, h_dim))
        self.register_buffer("keys", nn.functional.normalize(uniform(MEMORIES, key_dim)))
        self.state = torch.zeros(2, h_dim // 2)

    def forward(self, signal: torch.Tensor, descriptor: torch.Tensor, first: bool = True) -> torch.Tensor:
        key = torch.cat((descriptor, signal), dim=1)
        if first:
            self.state = (key @ self.B.T / key.sum()).view(2, -1)
        else:
            angles = self.speeds * STEP
            cos, sin = angles.cos(), angles.sin()
            x, y = self.state.detach()
            self.state = torch.stack((cos * x - sin * y, sin * x + cos * y))
        closeness = nn.functional.normalize(key) @ self.keys.T
        readout = torch.softmax(SHARPNESS * closeness, dim=1) @ self.values
        return readout @ self.state.view(-1, 1)


class HL:
    """Hamiltonian learning, as far as this school needs it: gradient descent with a costate that remembers.

    At each step of time, weights follow the costate as it was, and the costate takes in the new gradient:
    ``w <- w - dt * beta * p`` and ``p <- (1 - theta) * p + dt * gradient``.

    Args:
        parameters: what is learned.
        theta: how fast the costate forgets.
        beta: how fast the weights follow.
        dt: length of a step.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], theta: float = 0.2, beta: float = 0.01, dt: float = 1.0):
        self.weights = list(parameters)
        self.costates = [torch.zeros_like(weight) for weight in self.weights]
        self.theta, self.beta, self.dt = theta, beta, dt

    def zero_grad(self) -> None:
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        for weight, costate in zip(self.weights, self.costates, strict=True):
            weight.sub_(costate, alpha=self.dt * self.beta)
            costate.mul_(1 - self.theta)
            if weight.grad is not None:
                costate.add_(weight.grad, alpha=self.dt)

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        return {"costates": self.costates}

    def load_state_dict(self, state: dict[str, list[torch.Tensor]]) -> None:
        for costate, kept in zip(self.costates, state["costates"], strict=True):
            costate.copy_(kept)
