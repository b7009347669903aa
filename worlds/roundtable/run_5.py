"""Dan."""

from src.people import person

from unaiverse_lab import Node

Node(person("Dan"), node_name="Dan").run(join_world="roundtable")
