"""A student that remembers: one prototype per class, and a lesson moves only its own."""

import torch
from src.models import PrototypeDigits, attraction, most_likely

from unaiverse_lab import Agent, Node, StreamType

model = PrototypeDigits(seed=62)
agent = Agent(
    proc=model,
    proc_inputs=[StreamType(data_type="tensor", tensor_shape=(1, 1, 8, 8), tensor_dtype=torch.float32)],
    proc_outputs=[
        StreamType(
            data_type="tensor", tensor_shape=(1,), tensor_dtype=torch.int64, proc_to_stream_transforms=most_likely
        )
    ],
    proc_opts={"optimizer": torch.optim.SGD(model.parameters(), lr=0.02), "losses": [attraction]},
)
node = Node(agent, node_name="Prototype", clock_delta=1.0 / 50.0)
node.run(join_world="ClassIncrementalWorld")
