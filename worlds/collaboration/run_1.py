"""John."""

from src.people import john

from unaiverse_lab import Node

Node(john(), node_name="John").run(join_world="collaboration")
