"""matrix_generator."""

from src.tools import matrix_generator

from unaiverse_lab import Node

Node(matrix_generator(), node_name="matrix_generator").run(join_world="collaboration")
