"""Ada."""

from src.people import person

from unaiverse_lab import Node

Node(person("Ada"), node_name="Ada").run(join_world="roundtable")
