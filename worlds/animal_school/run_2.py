"""A student with a memory; it keeps what others answer, to be able to teach once it is promoted."""

import torch
from src.models import PrototypeNet, attraction

from unaiverse_lab import Agent, Node, StreamType
from unaiverse_lab.data.transforms import transforms_factory

animals = ["albatross", "cheetah", "giraffe"]
model = PrototypeNet(len(animals), seed=42)
agent = Agent(
    proc=model,
    proc_inputs=[StreamType(data_type="img", stream_to_proc_transforms=transforms_factory("rgb32"))],
    proc_outputs=[
        StreamType(data_type="tensor", tensor_shape=(1, 3), tensor_dtype=torch.float32, tensor_labels=animals)
    ],
    proc_opts={"optimizer": torch.optim.SGD(model.parameters(), lr=0.05), "losses": [attraction]},
    buffer_generated_by_others="all",
)
node = Node(agent, node_name="Test2")
node.run(join_world="AnimalSchool")
