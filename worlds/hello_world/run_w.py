"""The world's own node."""

from src.world import HelloWorld

from unaiverse_lab import Node

Node(HelloWorld(), node_name="hello-world").run()
