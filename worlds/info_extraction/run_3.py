"""An extractor that describes a picture in a sentence."""

from src.extractors import ShapeCaptioner

from unaiverse_lab import Agent, Node

agent = Agent(proc=ShapeCaptioner(), proc_inputs=ShapeCaptioner.inputs, proc_outputs=ShapeCaptioner.outputs)
node = Node(agent, node_name="ShapeCaptioner")
node.run(join_world="InfoExtraction")
