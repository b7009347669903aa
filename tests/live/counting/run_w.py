"""The world's own node."""

from pathlib import Path

from src.world import WWorld

from unaiverse_lab import Node

world = WWorld(world_folder=str(Path(__file__).parent / "src"))
Node(world, node_name="Hall", clock_delta=1.0 / 50.0).run()
