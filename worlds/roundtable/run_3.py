"""Ben."""

from src.people import person

from unaiverse_lab import Node

Node(person("Ben"), node_name="Ben").run(join_world="roundtable")
