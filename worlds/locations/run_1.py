"""The door."""

from src.things import door

from unaiverse_lab import Node

Node(door(), node_name="door").run(join_world="house")
