"""An extractor that names the colour of a picture."""

from src.extractors import ColorNamer

from unaiverse_lab import Agent, Node

agent = Agent(proc=ColorNamer(), proc_inputs=ColorNamer.inputs, proc_outputs=ColorNamer.outputs)
node = Node(agent, node_name="ColorNamer")
node.run(join_world="InfoExtraction")
