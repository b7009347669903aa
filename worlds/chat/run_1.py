"""The broadcaster: no model, text in, text out."""

from unaiverse_lab import Agent, Node

agent = Agent(proc=None, proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Broadcaster", clock_delta=1.0 / 20.0)
node.run(join_world="ChatRoom")
