"""A language model small enough to learn one poem by heart."""

import torch
from torch import nn


class RNNTokenLM(nn.Module):
    """A recurrent network that says the next word of the poem, given the one before.

    While it learns, the word before is the right one (teacher forcing: ``y`` is the last target); in the exam it is
    what the network said itself, so the poem must come from memory. The first word follows from a fixed initial state.

    Shapes: input and target are word ids of shape (1, 1) and (1,), the output is a row of scores, (1, ``num_emb``).
    """

    def __init__(self, num_emb: int, emb_dim: int = 16, h_dim: int = 100, seed: int = 42):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def weights(rows: int, columns: int) -> nn.Parameter:
            bound = columns**-0.5
            return nn.Parameter((torch.rand(rows, columns, generator=generator) * 2 - 1) * bound)

        self.embeddings = weights(num_emb, emb_dim)
        self.from_input = weights(h_dim, emb_dim)
        self.from_state = weights(h_dim, h_dim)
        self.to_output = weights(num_emb, h_dim)
        self.register_buffer("first_state", torch.randn(1, h_dim, generator=generator))
        self.state = self.first_state
        self.y = None

    def forward(self, word: torch.Tensor, first: bool = True) -> torch.Tensor:
        if first:
            self.state = self.first_state
            self.y = None
            heard = torch.zeros(1, self.embeddings.shape[1])
        else:
            heard = self.embeddings[self.y.reshape(-1)[:1]]
        self.state = torch.tanh(heard @ self.from_input.T + self.state.detach() @ self.from_state.T)
        scores = self.state @ self.to_output.T
        self.y = scores.argmax(dim=1)
        return scores
