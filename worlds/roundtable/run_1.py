"""The microphone."""

from src.microphone import microphone

from unaiverse_lab import Node

Node(microphone(), node_name="mic1").run(join_world="roundtable")
