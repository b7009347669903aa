"""The teacher."""

from unaiverse_lab import Agent, Node

agent = Agent(proc=None, buffer_generated_by_others="one")
node = Node(agent, node_name="Test1", clock_delta=1.0 / 10.0)
node.run(join_world="ClassIncrementalWorld")
