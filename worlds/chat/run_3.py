"""A talker that repeats what it is told."""

from src.talkers import Parrot

from unaiverse_lab import Agent, Node

agent = Agent(proc=Parrot(), proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="Polly")
node.run(join_world="ChatRoom")
