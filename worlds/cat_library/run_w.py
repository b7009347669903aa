"""The world's own node."""

from pathlib import Path

from src.world import WWorld

from unaiverse_lab import Node

here = Path(__file__).parent
world = WWorld(world_folder=str(here / "src"), poem=str(here / "data" / "cats.csv"))
node = Node(world, node_name="CatLibrary", clock_delta=1.0 / 40.0, world_masters_node_names=["Test1"])
node.run()
