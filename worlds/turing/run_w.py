"""The world's own node."""

from pathlib import Path

from src.world import WWorld

from unaiverse_lab import Node

here = Path(__file__).parent
world = WWorld(world_folder=str(here / "src"), managers_file=str(here / "managers.txt"), profile="lab")
node = Node(world, node_name="TuringHotel", clock_delta=1.0 / 10.0)
node.run()
