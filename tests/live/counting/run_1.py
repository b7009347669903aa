"""One who counts."""

from unaiverse_lab import Agent, Node

Node(Agent(proc=None), node_name="Ear").run(join_world="Hall")
