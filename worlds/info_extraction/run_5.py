"""A bot that knows nothing but text: there is no role for it here."""

from unaiverse_lab import Agent, Node

agent = Agent(proc=str.upper, proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="TextBot")
node.run(join_world="InfoExtraction")
