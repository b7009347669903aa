"""The agent."""

from src.helper import Helper

from unaiverse_lab import Node

Node(Helper(), node_name="agent1").run(join_world="hello-world")
