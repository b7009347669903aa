"""The world's own node."""

from src.world import Collaboration

from unaiverse_lab import Node

Node(Collaboration(), node_name="collaboration").run()
