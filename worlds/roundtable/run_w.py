"""The world's own node."""

from src.world import Roundtable

from unaiverse_lab import Node

Node(Roundtable(), node_name="roundtable").run()
