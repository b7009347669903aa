"""Eva."""

from src.people import eva

from unaiverse_lab import Node

Node(eva(), node_name="Eva").run(join_world="house")
