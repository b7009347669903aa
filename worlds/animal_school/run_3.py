"""A student that forgets: a plain convolutional network, taught one animal after the other."""

import torch
from src.models import SmallCNN

from unaiverse_lab import Agent, Node, StreamType
from unaiverse_lab.data.transforms import transforms_factory

animals = ["albatross", "cheetah", "giraffe"]
model = SmallCNN(len(animals), seed=42)
agent = Agent(
    proc=model,
    proc_inputs=[StreamType(data_type="img", stream_to_proc_transforms=transforms_factory("rgb32"))],
    proc_outputs=[
        StreamType(data_type="tensor", tensor_shape=(1, 3), tensor_dtype=torch.float32, tensor_labels=animals)
    ],
    proc_opts={
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.05),
        "losses": [torch.nn.functional.binary_cross_entropy],
    },
)
node = Node(agent, node_name="Test3")
node.run(join_world="AnimalSchool")
