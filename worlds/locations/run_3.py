"""Finn."""

from src.people import finn

from unaiverse_lab import Node

Node(finn(), node_name="Finn").run(join_world="house")
