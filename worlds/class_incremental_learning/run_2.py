"""A student that forgets: a plain convolutional network, taught one class after the other."""

import torch
from src.models import SmallDigitNet, most_likely

from unaiverse_lab import Agent, Node, StreamType

model = SmallDigitNet(seed=62)
agent = Agent(
    proc=model,
    proc_inputs=[StreamType(data_type="tensor", tensor_shape=(1, 1, 8, 8), tensor_dtype=torch.float32)],
    proc_outputs=[
        StreamType(
            data_type="tensor", tensor_shape=(1,), tensor_dtype=torch.int64, proc_to_stream_transforms=most_likely
        )
    ],
    proc_opts={
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.05),
        "losses": [torch.nn.functional.cross_entropy],
    },
)
node = Node(agent, node_name="Plain", clock_delta=1.0 / 50.0)
node.run(join_world="ClassIncrementalWorld")
