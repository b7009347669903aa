"""unaiverse_lab: build worlds of agents, step through them, debug them, and let them run.

The public names are imported when first used; ``import unaiverse_lab`` itself loads almost nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unaiverse_lab.agents.agent import Agent
    from unaiverse_lab.behavior.actions import action
    from unaiverse_lab.behavior.lint import lint
    from unaiverse_lab.behavior.machine import HybridStateMachine
    from unaiverse_lab.behavior.policy import PolicyFilterDelayAction, PolicyHumanLikeDelay
    from unaiverse_lab.core.custom import Custom
    from unaiverse_lab.core.declare import behavior, role, stats, world
    from unaiverse_lab.core.interaction import CompletionReason, Interaction
    from unaiverse_lab.core.profile import NodeProfile
    from unaiverse_lab.data.processors import Human, Identity, ScriptedHuman
    from unaiverse_lab.data.props import DataProps
    from unaiverse_lab.data.slots import StreamType
    from unaiverse_lab.data.streams import Stream
    from unaiverse_lab.events.entity import Entity, Object, User
    from unaiverse_lab.events.event import Event
    from unaiverse_lab.events.places import LocationWorld
    from unaiverse_lab.events.screens import ChatInterfaceWorld
    from unaiverse_lab.events.world import BaseWorld
    from unaiverse_lab.live.hosting import run_asynch
    from unaiverse_lab.runtime.launch import load, run_synch
    from unaiverse_lab.runtime.node import Node
    from unaiverse_lab.runtime.session import Session
    from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
    from unaiverse_lab.runtime.trace import Trace, load_trace
    from unaiverse_lab.stats.stats import Stats
    from unaiverse_lab.world.folder import gallery, template
    from unaiverse_lab.world.world import World

__version__ = "0.1.0"

_HOMES = {
    "Agent": "agents.agent",
    "BaseWorld": "events.world",
    "ChatInterfaceWorld": "events.screens",
    "CompletionReason": "core.interaction",
    "Custom": "core.custom",
    "DataProps": "data.props",
    "Entity": "events.entity",
    "Event": "events.event",
    "Human": "data.processors",
    "HybridStateMachine": "behavior.machine",
    "Identity": "data.processors",
    "Interaction": "core.interaction",
    "LocationWorld": "events.places",
    "Node": "runtime.node",
    "NodeProfile": "core.profile",
    "NodeSynchronizer": "runtime.synchronizer",
    "Object": "events.entity",
    "PolicyFilterDelayAction": "behavior.policy",
    "PolicyHumanLikeDelay": "behavior.policy",
    "ScriptedHuman": "data.processors",
    "Session": "runtime.session",
    "Stats": "stats.stats",
    "Stream": "data.streams",
    "StreamType": "data.slots",
    "Trace": "runtime.trace",
    "User": "events.entity",
    "World": "world.world",
    "action": "behavior.actions",
    "behavior": "",
    "events": "",
    "gallery": "world.folder",
    "lint": "behavior.lint",
    "load": "runtime.launch",
    "load_trace": "runtime.trace",
    "role": "core.declare",
    "run_asynch": "live.hosting",
    "run_synch": "runtime.launch",
    "stats": "",
    "template": "world.folder",
    "world": "",
}

__all__ = [
    "Agent",
    "BaseWorld",
    "ChatInterfaceWorld",
    "CompletionReason",
    "Custom",
    "DataProps",
    "Entity",
    "Event",
    "Human",
    "HybridStateMachine",
    "Identity",
    "Interaction",
    "LocationWorld",
    "Node",
    "NodeProfile",
    "NodeSynchronizer",
    "Object",
    "PolicyFilterDelayAction",
    "PolicyHumanLikeDelay",
    "ScriptedHuman",
    "Session",
    "Stats",
    "Stream",
    "StreamType",
    "Trace",
    "User",
    "World",
    "action",
    "behavior",
    "events",
    "gallery",
    "lint",
    "load",
    "load_trace",
    "role",
    "run_asynch",
    "run_synch",
    "stats",
    "template",
    "world",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not home:  # a package that is also a decorator
        return importlib.import_module(f"{__name__}.{name}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: Any) -> None:
    """Let an IPython shell draw sessions, machines and traces; importing the package there does it by itself."""
    importlib.import_module(f"{__name__}.notebook").install(shell)


if (_shell := getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()) is not None:
    load_ipython_extension(_shell)
