"""det_calculator."""

from src.tools import det_calculator

from unaiverse_lab import Node

Node(det_calculator(), node_name="det_calculator").run(join_world="collaboration")
