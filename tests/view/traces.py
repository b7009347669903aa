"""A small trace with something of everything: a hub and two users who chat."""

from __future__ import annotations

import json

from unaiverse_lab.core.records import (
    Badge,
    BehaviorSet,
    Completed,
    Dropped,
    Fault,
    Forced,
    Injected,
    InState,
    Joined,
    Met,
    Moved,
    Pushed,
    Record,
    Redefined,
    Requested,
    RoleSet,
    RoleSuggested,
    Said,
    Sent,
    Stat,
    Tried,
)

from .machines import BROADCASTER, USER

START: list[Record] = [
    BehaviorSet(0, 0.0, "ChatRoom", "broadcaster", json.dumps(BROADCASTER)),
    BehaviorSet(0, 0.0, "ChatRoom", "user", json.dumps(USER)),
    Joined(0, 0.0, "Hub", "admitted", "broadcaster"),
    RoleSet(0, 0.0, "Hub", "broadcaster", "ready"),
    RoleSet(0, 0.0, "Ada", "user", "init"),
    RoleSet(0, 0.0, "Ben", "user", "init"),
]

CHAT: list[Record] = [
    *START,
    Moved(1, 0.05, "Ada", "init", "connect_to_broadcaster", "waiting_handshake"),
    Moved(1, 0.05, "Ben", "init", "connect_to_broadcaster", "waiting_handshake"),
    Met(2, 0.1, "Ada", "Hub", "met"),
    Moved(2, 0.1, "Ada", "waiting_handshake", "connected", "ready"),
    Tried(2, 0.1, "Ben", "waiting_handshake", "connected", "ready", "failed", reason="no handshake yet"),
    Moved(4, 0.2, "Ben", "waiting_handshake", "connected", "ready"),
    Said(5, 0.25, "Ben", "Ready!"),
    InState(5, 0.25, "Ben", "ready", "check_messages"),
    Injected(20, 1.0, "Ada", "stdin", "hello all"),
    Moved(20, 1.0, "Ada", "ready", "generate_and_send", "message_sent", edge=1),
    Sent(20, 1.0, "Ada", "u1", ["Hub"], "broadcast_message", {"loud": True}),
    Moved(20, 1.0, "Ada", "message_sent", "nop", "ready"),
    Requested(21, 1.05, "Hub", "u1", "Ada", "broadcast_message", "ready"),
    Moved(21, 1.05, "Hub", "ready", "broadcast_message", "ready", requester="Ada", uuid="u1"),
    Completed(21, 1.05, "Hub", "u1", "received", "ok", "broadcast_message", "Ada", "ready"),
    Pushed(22, 1.1, "Ben", "Hub", "proc_output_0", 3, None, "**Ada:** hello all"),
    Sent(30, 1.5, "Ben", "u2", ["Hub"], "broadcast_message"),
    Requested(31, 1.55, "Hub", "u2", "Ben", "broadcast_message", "ready"),
    Fault(
        31,
        1.55,
        "Hub",
        "IndexError: list index out of range",
        "ready",
        "broadcast_message",
        "cell 3:12",
        "x[0]",
    ),
    Completed(32, 1.6, "Hub", "u2", "received", "error", "broadcast_message", "Ben"),
    Sent(33, 1.65, "Ada", "u3", ["Ben"], "dance"),
    Requested(34, 1.7, "Ben", "u3", "Ada", "dance", accepted=False, reason="no such action"),
    Sent(35, 1.75, "Ada", "u4", ["Hub"], "broadcast_message"),
    RoleSuggested(38, 1.9, "Ben", "broadcaster", "Ada", False, "only masters may suggest roles here"),
    Redefined(38, 1.9, "ChatRoom", "action", "user.get_message", 1, 2),
    Badge(39, 1.95, "Ben", "attended", 1.0, "Was there", "Hub"),
    Stat(39, 1.95, "Ben", "full_test_err", "Ben", 0.25),
    Forced(40, 2.0, "Ben", "set_state", "ready", "init"),
    Dropped(40, 2.0, "Hub", "Eve", "not a member"),
]
