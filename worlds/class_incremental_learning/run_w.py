"""The world's own node."""

from pathlib import Path

from src.world import WWorld

from unaiverse_lab import Node

world = WWorld(world_folder=str(Path(__file__).parent / "src"))
node = Node(world, node_name="ClassIncrementalWorld", clock_delta=1.0 / 10.0, world_masters_node_names=["Test1"])
node.run()
