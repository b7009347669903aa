"""A floor manager: ten rooms."""

from unaiverse_lab import Agent, Node

node = Node(Agent(proc=None), node_name="FloorManager")
node.run(join_world="TuringHotel")
