"""Matthew."""

from src.people import matthew

from unaiverse_lab import Node

Node(matthew(), node_name="Matthew").run(join_world="collaboration")
