"""The teacher; it keeps what its students answer."""

from unaiverse_lab import Agent, Node

agent = Agent(proc=None, merge_flat_stream_labels=True, buffer_generated_by_others="all")
node = Node(agent, node_name="Test1", clock_delta=1.0 / 100.0)
node.run(join_world="SignalSchool")
