"""New definitions for a session that runs: what can stay stays, and the trace says when it happened.

Everything here is done between two ticks. What could not work is refused before anything is changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.actions import spec_of
from unaiverse_lab.behavior.succession import Succession, abort, rebind, succeed
from unaiverse_lab.core.declare import OnMissing, declared
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.errors import BehaviorError, WorldError
from unaiverse_lab.core.profile import TEMPORARY
from unaiverse_lab.core.records import BehaviorSet, Redefined
from unaiverse_lab.core.roles import BASE_BITS, WORLD_MASTER, base_part, custom_part
from unaiverse_lab.runtime.node import MEMBER, Node
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
from unaiverse_lab.stats.book import Book
from unaiverse_lab.stats.schema import declarations
from unaiverse_lab.stats.stats import HOUR, Stats
from unaiverse_lab.world import World


class Refusal(WorldError):
    """A new definition does not go together with what is running; the old one runs on."""


def running(world_class: type[World]) -> list[NodeSynchronizer]:
    """The sessions that run a world of this class, oldest first."""
    sessions: list[NodeSynchronizer] = declared(world_class).sessions()
    return [home for home in sessions if home.world_node is not None]


def world_in(home: NodeSynchronizer) -> World:
    """The world of a session.

    Raises:
        WorldError: it has none.
    """
    node = home.world_node
    if node is None or node.world is None:
        raise WorldError("this session has no world")
    return node.world


def members(home: NodeSynchronizer, role: str) -> Iterator[tuple[Node, Agent]]:
    """The members with a role, and their agents, in order of joining."""
    world = world_in(home)
    for node in home.nodes.values():
        if node.agent is not None and node.state == MEMBER and world.get_role(node.peer_id) == role:
            yield node, node.agent


def note(home: NodeSynchronizer, what: str, name: str, before: int, after: int) -> None:
    """Write into the trace that a definition has been replaced."""
    where = home.world_node.name if home.world_node is not None else ""
    home.trace.append(Redefined(home.clock.tick, home.clock.now, where, what, name, before, after))


# ---------------------------------------------------------------------- actions


def check_actions(home: NodeSynchronizer, role: str, role_class: type[Agent], action: str | None = None) -> None:
    """Refuse a class that cannot do what machines of a role do now.

    Args:
        home: the session.
        role: the role.
        role_class: its new class, or one that has the new action.
        action: look at this action only.

    Raises:
        Refusal: an action is gone, or does not take the arguments it is given.
    """
    for node, agent in members(home, role):
        for call in agent.behav.machine.calls():
            if action is None or call.name == action:
                try:
                    spec_of(role_class, call.name).check_args(call.args)
                except BehaviorError as error:
                    raise Refusal(f"{error.problem} The behavior of {node.name} needs it.") from None


def replace_action(home: NodeSynchronizer, role: str, action: str, fresh: bool = False) -> list[str]:
    """Take notice of a method that was replaced in the class of a role.

    An action that is pending goes on with the new method at its next step.

    Args:
        home: the session.
        role: the role.
        action: the action.
        fresh: abandon it where it is pending; requests it serves are discarded.

    Returns:
        What there is to tell.
    """
    told = []
    template = home.template(role) if role in world_in(home).role_to_behav else None
    if template is not None:
        rebind(template, action)
    for node, agent in members(home, role):
        pending = agent.behav.get_action_name() == action
        if fresh and abort(agent.behav, action):
            told.append(f"{node.name} was in the middle of {action}, and has abandoned it")
        elif pending:
            told.append(f"{node.name} is in the middle of {action}, and goes on with the new one")
        rebind(agent.behav, action)
    return told


# ---------------------------------------------------------------------- roles


def check_layout(role_class: type[Agent]) -> None:
    """Refuse a class whose objects are laid out otherwise than those of agents.

    Raises:
        Refusal: no agent could become one of this class.
    """
    probe = Agent(proc=None)
    try:
        probe.__class__ = role_class
    except TypeError as error:
        raise Refusal(
            f"no agent can become a {role_class.__name__} ({error}): derive it from Agent, without __slots__ "
            "and without a built-in type as a second base"
        ) from None


def replace_role(
    home: NodeSynchronizer, role: str, role_class: type[Agent], fresh: bool = False, known: Iterable[type] = ()
) -> list[str]:
    """Switch the agents of a role to its new class. What they have stays; new attributes get their first value.

    Args:
        home: the session.
        role: the role.
        role_class: its new class.
        fresh: let these agents start over: attributes, and machine.
        known: classes the role has had before: a session that went back in time may have any of them.

    Returns:
        What there is to tell.
    """
    world = world_in(home)
    old = world.role_classes.get(role)
    if old is None or role not in world.roles:
        return [f"the role {role} is new: sessions started from now on have it"]
    world.role_classes[role] = role_class
    told, switched = [], []
    for node, agent in members(home, role):
        if type(agent) not in (old, role_class, *known):
            told.append(f"{node.name} has a class of its own, {type(agent).__name__}, and keeps it")
            continue
        agent.__class__ = role_class
        if fresh:
            role_class.__init__(agent, proc=None)
            agent.accept_new_role(custom_part(world.roster[node.peer_id]))
        else:
            _complete(agent, role_class(proc=None))
            _look_up_again(agent)
            rebind(agent.behav)
        home.wake(node)
        switched.append(node.name)
    if switched:
        told.insert(0, f"{', '.join(switched)}: {'started over' if fresh else 'switched, state kept'}")
    return told


def _complete(thing: object, dry: object) -> None:
    """Give an object the attributes that only a new one of its class has."""
    own = vars(thing)
    own.update({name: value for name, value in vars(dry).items() if name not in own})


def _look_up_again(agent: Agent) -> None:
    """Methods of the old class that somebody has kept."""
    behav = agent.behav
    for name in ("policy", "policy_filter"):
        kept = getattr(behav, name)
        if getattr(kept, "__self__", None) is agent:
            setattr(behav, name, getattr(agent, kept.__name__, kept))


# ---------------------------------------------------------------------- behaviors


def replace_behavior(
    home: NodeSynchronizer,
    role: str,
    behavior: str,
    on_missing: OnMissing = "initial",
    renamed: Mapping[str, str] | None = None,
) -> list[str]:
    """Give the agents of a role a new machine; each stays in its state if there still is one of that name.

    Args:
        home: the session.
        role: the role.
        behavior: the JSON text of the machine.
        on_missing, renamed: see :func:`unaiverse_lab.behavior.succession.succeed`.

    Returns:
        What there is to tell: every agent that had to move.

    Raises:
        BehaviorError: the text does not fit the class of the role; nothing is changed.
    """
    world = world_in(home)
    if role not in world.roles:
        return [f"the role {role} is new: sessions started from now on have it"]
    machine = HybridStateMachine(world.role_classes[role](proc=None)).load(behavior)
    machine.machine.role = role
    world.behaviors[role] = world.role_to_behav[role] = str(machine)
    assert home.world_node is not None
    home.trace.append(BehaviorSet(home.clock.tick, home.clock.now, home.world_node.name, role, str(machine)))
    template = home.template(role)
    assert template is not None
    return [
        words
        for node, agent in members(home, role)
        if (words := _told(node.name, succeed(agent.behav, template, on_missing, renamed), on_missing))
    ]


def _told(name: str, done: Succession, on_missing: OnMissing) -> str:
    words = []
    if done.kept_old:
        words.append(f"keeps the old behavior, which has {done.before}")
    elif done.before != done.after:
        words.append(f"was in {done.before}, is in {done.after} now")
        if on_missing == "pause":
            words.append("is switched off")
    if done.discarded:
        words.append(f"{done.discarded} waiting request{'s' if done.discarded > 1 else ''} discarded")
    return f"{name}: {', '.join(words)}" if words else ""


# ---------------------------------------------------------------------- worlds


def replace_world(home: NodeSynchronizer, world_class: type[World]) -> list[str]:
    """Switch the world to its new class; members, statistics and badges stay.

    Returns:
        What there is to tell.

    Raises:
        Refusal: its objects are laid out otherwise.
    """
    world = world_in(home)
    rule = type(world).assign_role
    try:
        world.__class__ = world_class
    except TypeError as error:
        raise Refusal(f"the world cannot become a {world_class.__name__}: {error}") from None
    try:
        dry = world_class()
    except Exception:  # a constructor that wants arguments: its attributes cannot be known
        dry = world
    _complete(world, dry)
    assert home.world_node is not None
    home.wake(home.world_node)
    code = [getattr(one, "__code__", None) for one in (rule, world_class.assign_role)]
    if world.roster and code[0] != code[1]:
        return ["assign_role is for those who join from now on; s.reassign() asks it again for all members"]
    return []


def reassign(home: NodeSynchronizer) -> list[str]:
    """Ask ``assign_role`` again for all members, as if they joined in the same order, and give them what it says.

    Returns:
        Who has another role now.

    Raises:
        WorldError: the rule returns a role that does not exist; nobody has another role then.
    """
    world = world_in(home)
    options = {node.peer_id: node.join_options for node in home.nodes.values()}
    roster = dict(world.roster)
    books = (
        world.all_agents, world.world_agents, world.world_masters, world.human_agents, world.artificial_agents,
    )  # fmt: skip
    kept = [dict(book) for book in books]
    world.roster.clear()
    for book in books:
        book.clear()
    try:
        for peer, bits in roster.items():
            profile = kept[0][peer]
            master = base_part(bits) == WORLD_MASTER
            if master and world.count_joining_master:
                world.world_masters[peer] = profile
            asked = {f"{TEMPORARY}{name}": value for name, value in options.get(peer, {}).items()}
            role = world.assign_role(profile.with_dynamic(**asked), master)
            custom = custom_part(world.roles.bits(role)) if role is not None else 0
            world.roster[peer] = (bits & BASE_BITS) | (custom or custom_part(bits))
            for book, old in zip(books, kept, strict=True):
                if peer in old:
                    book[peer] = profile
        wanted = dict(world.roster)
    finally:
        world.roster.clear()
        world.roster.update(roster)
        for book, old in zip(books, kept, strict=True):
            book.clear()
            book.update(old)
    told = []
    for peer, bits in wanted.items():
        if bits != roster[peer]:
            name, before = world.all_agents[peer].name, world.get_role(peer)
            drive(world.set_role(peer, custom_part(bits)))
            told.append(f"{name}: {before} -> {world.get_role(peer)}")
    return told


# ---------------------------------------------------------------------- statistics


def stats_changes(old: Any, new: Any) -> tuple[list[str], list[str], list[str]]:
    """Names that a new class of statistics adds, removes, and declares with another type.

    Args:
        old, new: classes of statistics.
    """
    before, after = declared_types(old), declared_types(new)
    retyped = [name for name in after if name in before and before[name] is not after[name]]
    return [name for name in after if name not in before], [name for name in before if name not in after], retyped


def declared_types(stats_class: Any) -> dict[str, type]:
    """The type of each name that a class of statistics declares itself."""
    found = {}
    for scope in ("WORLD", "AGENT", "OUTER"):
        for kind in ("STATIC", "DYNAMIC"):
            for name, entry in getattr(stats_class, f"CUSTOM_{scope}_STATS_{kind}_SCHEMA", {}).items():
                found[name] = entry[0]
    return found


def replace_stats(home: NodeSynchronizer, stats_class: type[Stats]) -> list[str]:
    """Give the world, and its members, a new class of statistics. What was stored stays, also under old names.

    Returns:
        What there is to tell: names that are new, and names that are kept aside.
    """
    world = world_in(home)
    added, removed, _ = stats_changes(type(world.stats), stats_class)
    stats = world.stats
    assert stats.database is not None
    stats.__class__ = stats_class
    stats.known.clear()
    stats.known.update({one.name: one for one in declarations(stats_class.schemas())})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that are gone are told below
        stats._book = Book(stats.database, stats.known, stats.cache_window_hours * HOUR)
    for node in home.nodes.values():
        if node.agent is not None:
            node.agent.keep_score_as(stats_class)
    told = [f"new: {', '.join(added)}"] if added else []
    return [*told, f"kept, but not shown any more: {', '.join(removed)}"] if removed else told
