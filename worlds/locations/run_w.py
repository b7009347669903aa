"""The world's own node."""

from src.world import House

from unaiverse_lab import Node

Node(House(), node_name="house").run()
