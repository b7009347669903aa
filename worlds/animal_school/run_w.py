"""The world's own node."""

from pathlib import Path

from src.world import WWorld

from unaiverse_lab import Node

here = Path(__file__).parent
world = WWorld(world_folder=str(here / "src"), data=str(here / "data"))
node = Node(world, node_name="AnimalSchool", clock_delta=1.0 / 20.0, world_masters_node_names=["Test1"])
node.run()
