"""Live worlds on NATS: one ordered log of all that can influence a world, and a host that applies it tick by tick.

Nothing here is imported before a world goes live, and nothing below this floor knows of it.
"""

from __future__ import annotations

from unaiverse_lab.live.broker import Broker, BrokerNotFound, find_server, reach

__all__ = ["Broker", "BrokerNotFound", "find_server", "reach"]
