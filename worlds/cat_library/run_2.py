"""A student: a small recurrent network over the words of the poem."""

from pathlib import Path

import torch
from src.models import RNNTokenLM

from unaiverse_lab import Agent, Node, StreamType
from unaiverse_lab.data.library import TokensStream

poem = TokensStream(tokens_file_csv=str(Path(__file__).parent / "data" / "cats.csv"))
to_ids, to_words = poem.props.stream_to_proc_transforms, poem.props.proc_to_stream_transforms
model = RNNTokenLM(num_emb=len(to_words))
agent = Agent(
    proc=model,
    proc_inputs=[StreamType(data_type="text", stream_to_proc_transforms=to_ids)],
    proc_outputs=[StreamType(data_type="text", stream_to_proc_transforms=to_ids, proc_to_stream_transforms=to_words)],
    proc_opts={
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.05),
        "losses": [torch.nn.functional.cross_entropy],
    },
)
node = Node(agent, node_name="Test2", clock_delta=1.0 / 100.0)
node.run(join_world="CatLibrary")
