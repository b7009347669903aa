"""A person at a keyboard: what is typed is said, what is heard is printed. The name comes after the script's."""

import sys

from unaiverse_lab import Agent, Node

agent = Agent(proc="human", proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name=sys.argv[1] if len(sys.argv) > 1 else "Guest")
node.run(join_world="ChatRoom")
