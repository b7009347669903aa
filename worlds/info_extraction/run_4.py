"""An extractor that finds blobs, and gives numbers, scores, boxes and words."""

from src.extractors import BlobCounter

from unaiverse_lab import Agent, Node

agent = Agent(proc=BlobCounter(), proc_inputs=BlobCounter.inputs, proc_outputs=BlobCounter.outputs)
node = Node(agent, node_name="BlobCounter")
node.run(join_world="InfoExtraction")
