"""The teacher; it keeps what its students answer."""

from unaiverse_lab import Agent, Node

agent = Agent(proc=None, buffer_generated_by_others="all")
node = Node(agent, node_name="Test1")
node.run(join_world="AnimalSchool")
