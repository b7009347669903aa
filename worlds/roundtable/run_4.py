"""Cleo."""

from src.people import person

from unaiverse_lab import Node

Node(person("Cleo"), node_name="Cleo").run(join_world="roundtable")
