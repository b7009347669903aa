"""A hotel manager: no model, it only organizes."""

from unaiverse_lab import Agent, Node

node = Node(Agent(proc=None), node_name="HotelManager")
node.run(join_world="TuringHotel")
