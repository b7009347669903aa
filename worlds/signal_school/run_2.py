"""A student: a bank of oscillators that learns while it hears."""

import torch
from src.models import HL, OscillatorBank

from unaiverse_lab import Agent, Node, StreamType

model = OscillatorBank(d_dim=6, h_dim=1000, seed=42)
agent = Agent(
    proc=model,
    proc_inputs=[
        StreamType(data_type="tensor", tensor_shape=(1, 1), tensor_dtype=torch.float32),
        StreamType(data_type="tensor", tensor_shape=(1, 6), tensor_dtype=torch.float32),
    ],
    proc_outputs=[StreamType(data_type="tensor", tensor_shape=(1, 1), tensor_dtype=torch.float32)],
    proc_opts={
        "optimizer": HL(model.parameters(), theta=0.2, beta=0.01),
        "losses": [torch.nn.functional.mse_loss],
    },
)
node = Node(agent, node_name="Test2", clock_delta=1.0 / 100.0)
node.run(join_world="SignalSchool")
