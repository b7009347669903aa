"""The object."""

from src.calculator import SimpleCalculator

from unaiverse_lab import Node

Node(SimpleCalculator(), node_name="simple_calculator").run(join_world="hello-world")
