"""Worlds in several processes, by the command line: the run is that of the synchronizer, whatever happens to them."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

import unaiverse_lab as lab
from live.loads import COUNTING, NAMES, NUMBERS, Trouble, all_was_heard, in_time
from live.processes import Command, appeared, commands, scattered
from live.threads import alike
from live.wires import Wire
from unaiverse_lab.core.records import Dropped, Fault, Injected, Joined, Moved
from unaiverse_lab.live.broker import Broker
from unaiverse_lab.live.invite import Invite, read_invite
from unaiverse_lab.live.promotion import Live
from unaiverse_lab.runtime.launch import gather
from unaiverse_lab.world.folder import find_world

pytestmark = pytest.mark.live

CLOCKS = pytest.mark.parametrize("clock", ["lockstep", "wall"])
CHAT = ["Broadcaster", "ChatAI", "Polly", "Ada"]
TICKS = 2 + NUMBERS // 20 + 1


def left(session: lab.Session) -> list[tuple[str, str | None]]:
    """Who left, and why."""
    return [(one.node, one.reason) for one in session.trace.of_kind(Joined) if one.stage == "left"]


# ---------------------------------------------------------------------- nothing happens


def test_five_processes_run_as_one(broker: Broker, tmp_path: Path) -> None:
    trace, card = tmp_path / "trace.jsonl", tmp_path / "invite"
    with commands(tmp_path) as start:
        host = start(
            "host", "chat", "--broker", broker.url, "--expect", ",".join(CHAT), "--clock", "lockstep",
            "--ticks", "400", "--seed", "3", "--trace", str(trace), "--invite-file", str(card),
        )  # fmt: skip
        invite = appeared(card)
        assert oct(card.stat().st_mode & 0o777) == "0o600"
        members = [start("join", invite, str(find_world("chat") / f"run_{number}.py")) for number in (4, 2, 3, 1)]
        assert host.ends(90) == 0, host.err
        for member in members:
            assert member.ends() == 0, member.err
            assert member.err.splitlines()[-1] == "over: the world is live no more"
    alone = lab.load("chat", 3, trace=lab.Trace(path=tmp_path / "alone.jsonl"))
    alone.step(400)
    alone.close()
    live, own = trace.read_bytes(), (tmp_path / "alone.jsonl").read_bytes()
    assert live[: len(own)] == own
    extra = [line for line in live[len(own) :].splitlines() if b'"stage":"left"' not in line]
    assert extra == []
    assert host.out.splitlines()[-1].startswith("digest: ")
    told = host.err.splitlines()
    assert told[:2] == [
        "members on this machine: unaiverse-lab join ChatRoom SCRIPT",
        "waiting for Broadcaster, ChatAI, Polly, Ada ...",
    ]
    assert [line for line in told if "joined" in line] == [f"{name} joined" for name in CHAT]


@pytest.mark.parametrize(
    ("world", "here", "ticks"),
    [
        ("chat", ["ChatAI"], 400), ("chat", ["Broadcaster", "Ada"], 400), ("cat_library", ["Test1"], 700),
        ("hello_world", ["simple_calculator"], 40), ("roundtable", ["mic1", "Cleo"], 100),
    ],
)  # fmt: skip
def test_a_world_some_of_whose_members_are_elsewhere(
    broker: Broker, tmp_path: Path, world: str, here: list[str], ticks: int
) -> None:
    folder = tmp_path / world
    shutil.copytree(find_world(world), folder)
    script = folder / "run_w.py"
    script.write_text(script.read_text().replace('"cats.csv"))', '"cats.csv"), repeat=6)'))
    with scattered(folder, broker.url, tmp_path, here) as (session, live, others):
        session.step(ticks)
        if world == "cat_library":
            assert [record.target for record in session.trace.of_kind(Moved)][-1] in ("good", "bad")
        alone = lab.load(folder, 3)
        alone.step(ticks)
        alike(session, alone)
        assert len(live.status()["members"]) == len(others)
    assert [(one.ends(), one.err.splitlines()[-1]) for one in others.values()] == [
        (0, "over: the world is live no more")
    ] * len(others)


# ---------------------------------------------------------------------- things break


@CLOCKS
def test_brokers_and_links_that_break_all_the_time_change_nothing(broker: Broker, tmp_path: Path, clock: str) -> None:
    wires = {name: Wire(broker.port) for name in NAMES}

    def address(name: str, live: Live) -> str:
        return str(Invite([wires[name].url(broker.url)], live.invite.wid, live.invite.name))

    mine = wires["Ear"].url(broker.url)
    try:
        with scattered(COUNTING, mine, tmp_path, ["Ear"], address=address, clock=clock) as (session, live, others):

            def count(text: str) -> list[int]:
                return [one.err.count(text) for one in others.values()]

            def outage() -> None:
                ups = live.port.link.counts["up"] + 1
                broker.kill()
                time.sleep(0.2)
                broker.start()
                assert in_time(lambda: count("the broker is back") == [ups] * 4)
                assert in_time(lambda: live.port.link.counts["up"] == ups)
                for wire in wires.values():
                    wire.reset()
                assert in_time(lambda: count("the broker is back") == [ups + 1] * 4)
                assert in_time(lambda: live.port.link.counts["up"] == ups + 1)

            trouble = Trouble(session, [10, 28, 46, 64, 82], outage)
            if clock == "lockstep":
                session.step(TICKS)
            while trouble.is_alive() or not all_was_heard(session.trace):
                session.step(1)
                assert session.tick < 5000
            assert trouble.over() == 5
            assert count("the broker cannot be reached") == [10] * 4
            assert live.status()["downs"] == 10
            assert live.status()["late"] == []
            assert list(session.nodes) == ["Hall", *NAMES]
            assert session.trace.of_kind(Dropped, Fault) == []
            if clock == "lockstep":
                alone = lab.load(COUNTING, 3)
                alone.step(session.tick + 1)
                alike(session, alone)
    finally:
        for wire in wires.values():
            wire.close()


BUSY = """
import time

def busy(node):
    if node.clock.tick >= 30 and not hasattr(node, "was_busy"):
        node.was_busy = True
        print("busy", flush=True)
        end = time.monotonic() + 4.0
        while time.monotonic() < end:
            sum(range(10_000))

"""


@CLOCKS
def test_a_member_that_computes_for_four_seconds_costs_nothing(broker: Broker, tmp_path: Path, clock: str) -> None:
    folder = tmp_path / "counting"
    shutil.copytree(COUNTING, folder)
    script = folder / "run_3.py"
    script.write_text(BUSY + script.read_text().replace('"Bob"', '"Bob", run_hook=busy'))
    with scattered(folder, broker.url, tmp_path, ["Ear"], clock=clock) as (session, live, others):
        start = time.monotonic()
        if clock == "lockstep":
            session.step(TICKS)
        while not all_was_heard(session.trace):
            session.step(1)
            assert time.monotonic() - start < 30
        assert others["Bob"].out == "busy\n"
        assert list(session.nodes) == ["Hall", *NAMES]
        assert live.status()["late"] == []
        assert live.status()["downs"] == 0
        assert session.trace.of_kind(Dropped, Fault) == []
        if clock == "lockstep":
            alone = lab.load(COUNTING, 3)
            alone.step(TICKS)
            alike(session, alone)
    assert [one.err.count("cannot be reached") for one in others.values()] == [0] * 4


@pytest.mark.parametrize(("sign", "reason"), [(signal.SIGINT, "stopped with Ctrl+C"), (signal.SIGTERM, "told to end")])
def test_a_member_that_is_stopped_says_farewell(
    broker: Broker, tmp_path: Path, sign: signal.Signals, reason: str
) -> None:
    with scattered("chat", broker.url, tmp_path, ["Broadcaster"]) as (session, live, others):
        session.step(50)
        polly = others["Polly"]
        polly.process.send_signal(sign)
        assert polly.ends() == 130
        assert polly.out == ""
        assert polly.err.splitlines()[-2:] == [
            "leaving after this turn; Ctrl+C again: at once", "Polly: left ChatRoom"
        ]  # fmt: skip
        session.step(100)
        assert left(session) == [("Polly", reason)]
        assert list(session.nodes) == ["ChatRoom", "Broadcaster", "ChatAI", "Ada"]
        assert sorted(session.world.roster) == ["Ada", "Broadcaster", "ChatAI"]
        assert live.status()["late"] == []
        assert session.trace.of_kind(Fault) == []
    assert [others[name].ends() for name in ("ChatAI", "Ada")] == [0, 0]


@CLOCKS
def test_a_member_that_is_killed_is_lost_after_a_while(broker: Broker, tmp_path: Path, clock: str) -> None:
    with scattered("chat", broker.url, tmp_path, ["Broadcaster"], clock=clock) as (session, live, others):
        live.host.barrier, live.host.grace = 0.5, 1.0
        session.step(20)
        others["Polly"].process.kill()
        start = time.monotonic()
        while "Polly" in session.nodes:
            session.step()
            assert time.monotonic() - start < 10
        assert time.monotonic() - start > 0.9
        session.step(20)
        assert left(session) == [("Polly", "lost")]
        assert sorted(session.world.roster) == ["Ada", "Broadcaster", "ChatAI"]
        assert live.status()["late"] == []
        assert others["Polly"].ends() == -signal.SIGKILL


def test_a_member_that_sleeps_for_too_long_is_told_that_it_was_lost(broker: Broker, tmp_path: Path) -> None:
    with scattered("chat", broker.url, tmp_path, ["Broadcaster"], idle=1.0) as (session, live, others):
        live.host.barrier, live.host.grace = 0.5, 1.5
        session.step(20)
        polly = others["Polly"]
        polly.process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        while "Polly" in session.nodes:
            session.step()
            assert time.monotonic() - start < 10
        polly.process.send_signal(signal.SIGCONT)
        assert polly.ends() == 1
        assert polly.err.splitlines()[-1] == "ChatRoom goes on without Polly: nothing was heard of it for 1.5 s"


def test_members_leave_a_host_that_was_killed(broker: Broker, tmp_path: Path) -> None:
    with commands(tmp_path) as start:
        host = start("host", "chat", "--broker", broker.url)
        host.says("members on this machine")
        ada = start("join", "ChatRoom", str(find_world("chat") / "run_4.py"), "--idle", "2")
        host.says("Ada joined")
        ada.says("in ChatRoom")
        host.process.kill()
        assert ada.ends() == 1
        assert ada.err.splitlines()[-1] == "Ada left ChatRoom: nothing came from the host for 2 s"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_host_that_is_stopped_tells_its_members(tmp_path: Path, sign: signal.Signals, broker: Broker) -> None:
    card = tmp_path / "invite"
    with commands(tmp_path) as start:
        host = start("host", "chat", "--invite-file", str(card), "--clock", "lockstep")
        port = int(read_invite(appeared(card)).urls[0].rpartition(":")[2])
        scripts = [str(find_world("chat") / f"run_{number}.py") for number in (1, 4)]
        members = [start("join", "ChatRoom", script) for script in scripts]
        for name in ("Broadcaster", "Ada"):
            host.says(f"{name} joined")
        host.process.send_signal(sign)
        assert host.ends() == 130
        assert host.out.splitlines()[-1].startswith("digest: ")
        told = host.err.splitlines()
        assert told[-2] == "stopping after this tick; Ctrl+C again: at once"
        assert " at tick " in told[-1]
        assert "Traceback" not in host.err
        for member in members:
            assert member.ends() == 0
            assert member.err.splitlines()[-1] == "over: the world is live no more"
        assert list((tmp_path / "invites").iterdir()) == []
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_host_without_a_broker_can_be_stopped(broker: Broker, tmp_path: Path) -> None:
    card = tmp_path / "invite"
    with commands(tmp_path) as start:
        host = start("host", "chat", "--broker", broker.url, "--invite-file", str(card))
        appeared(card)
        member = start("join", "ChatRoom", str(find_world("chat") / "run_1.py"))
        host.says("Broadcaster joined")
        broker.kill()
        host.says("the broker cannot be reached")
        member.says("the broker cannot be reached")
        begun = time.monotonic()
        for one in (host, member):
            one.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        host.process.send_signal(signal.SIGINT)
        assert host.ends() == 130
        assert member.ends() == 130
        assert time.monotonic() - begun < 10
        assert "Traceback" not in host.err + member.err
        assert member.err.splitlines()[-1].endswith("without a farewell: the broker cannot be reached")


# ---------------------------------------------------------------------- coming in


def test_who_cannot_join_is_told_why(broker: Broker, tmp_path: Path) -> None:
    card = tmp_path / "invite"
    with commands(tmp_path) as start:
        start("host", "chat", "--broker", broker.url, "--invite-file", str(card))
        appeared(card)
        script = tmp_path / "run_1.py"

        def refused(to: str, text: str) -> tuple[int, str]:
            script.write_text(f"from unaiverse_lab import Agent, Node\n{text}\n")
            member = start("join", to, str(script))
            return member.ends(), member.err

        code, told = refused(str(card), "Node(Agent(), 'Eve').run(join_world='Elsewhere')")
        assert (code, "'Elsewhere', and the invite leads to 'ChatRoom'" in told) == (2, True)
        code, told = refused(str(card), "Node(Agent(), 'ChatRoom').run()")
        assert (code, "already" in told) == (1, True)
        code, told = refused("ulw1:xyz", "Node(Agent(), 'Eve').run()")
        assert (code, "damaged" in told) == (2, True)
        code, told = refused("ChatRom", "Node(Agent(), 'Eve').run()")
        assert code == 2
        assert "there is no live world 'ChatRom'" in told
        assert "(ChatRoom)" in told
        assert "Did you mean 'ChatRoom'?" in told
        code, told = refused(str(card), "pass")
        assert (code, "run_1.py runs no node" in told) == (2, True)


def test_a_script_joins_by_itself_the_world_whose_name_it_says(broker: Broker, tmp_path: Path) -> None:
    script = find_world("chat") / "run_1.py"
    with commands(tmp_path) as start:
        early = start(str(script), program=())
        assert early.ends() == 1
        assert "there is no live world 'ChatRoom'" in early.err
        host = start(
            "host", "chat", "--broker", broker.url, "--expect", ",".join(CHAT), "--clock", "lockstep",
            "--ticks", "400", "--seed", "3",
        )  # fmt: skip
        host.says("waiting for")
        members = [start(str(script.with_name(f"run_{number}.py")), program=()) for number in (4, 2, 1, 3)]
        assert host.ends(90) == 0, host.err
        assert [(one.ends(), one.out, one.err.splitlines()[-1]) for one in members] == [
            (0, "", "over: the world is live no more")
        ] * 4
        alone = start("run", "chat", "--ticks", "400", "--seed", "3")
        assert alone.ends() == 0
        assert alone.out == host.out.partition("\n")[2]
        gone = start(str(script), program=())
        assert gone.ends() == 1


def test_a_script_stays_for_as_long_as_it_says(broker: Broker, tmp_path: Path) -> None:
    folder = tmp_path / "counting"
    shutil.copytree(COUNTING, folder)
    session = lab.Session(None, 3)
    session.add(gather(folder, world_only=True)[0])
    live = asyncio.run(session.promote(broker.url))
    script = folder / "one.py"
    text = "from unaiverse_lab import Agent, Node\nNode(Agent(), {!r}).run(join_world={!r}, {})\nprint('done')\n"
    with commands(tmp_path) as start:
        for name, limit in (("Ann", "cycles=30"), ("Bob", "max_time=1.0"), ("Cyd", "cycles=None")):
            script.write_text(text.format(name, str(live.invite), limit))
            member = start(str(script), program=())
            live.wait_for(name)
            begun = session.tick
            member.says(f"{name}: in Hall")
            if name == "Cyd":
                member.process.send_signal(signal.SIGINT)
            while name in session.nodes:
                session.step()
                time.sleep(0.01)
            assert member.ends() == 0
            assert member.out == "done\n"
            assert f"{name}: left Hall" in member.err
            assert name != "Ann" or session.tick - begun in (31, 32)
        session.close()
    assert left(session) == [("Ann", None), ("Bob", None), ("Cyd", "stopped with Ctrl+C")]


def test_who_no_longer_wants_to_be_let_in_is_forgotten(broker: Broker, tmp_path: Path) -> None:
    chat = find_world("chat")
    session = lab.Session(None, 3)
    session.add(gather("chat", world_only=True)[0])
    live = asyncio.run(session.promote(broker.url, expect=CHAT[:2]))
    with commands(tmp_path) as start:
        early = start("join", str(live.invite), str(chat / "run_2.py"))
        early.says("ChatAI: waiting to be let into ChatRoom ...")
        early.process.send_signal(signal.SIGINT)
        assert early.ends() == 130
        assert early.err.splitlines()[-1] == "ChatAI: stopped with Ctrl+C, before it was let in"
        first = start("join", str(live.invite), str(chat / "run_1.py"))
        live.wait_for("Broadcaster")
        live.host.attend()
        assert list(session.nodes) == ["ChatRoom", "Broadcaster"]
        second = start("join", str(live.invite), str(chat / "run_2.py"))
        live.wait_for("ChatAI")
        session.step(50)
        assert live.status()["late"] == []
        session.close()
        assert [first.ends(), second.ends()] == [0, 0]


# ---------------------------------------------------------------------- people


@CLOCKS
def test_two_people_talk_from_two_terminals(broker: Broker, tmp_path: Path, clock: str) -> None:
    folder = tmp_path / "chat"
    shutil.copytree(find_world("chat"), folder)
    person = "from unaiverse_lab import Agent, Node\nNode(Agent('human', ['text'], ['text']), {!r}).run()\n"
    for number, name in ((2, "Bob"), (3, "Ada")):
        (folder / f"run_{number}.py").write_text(person.format(name))
    (folder / "run_4.py").unlink()
    with scattered(folder, broker.url, tmp_path, ["Broadcaster"], clock=clock) as (session, live, others):
        ada, bob = others["Ada"], others["Bob"]

        def until(one: Command, line: str) -> None:
            give_up = time.monotonic() + 15
            while line not in one.out.splitlines():
                session.step()
                assert time.monotonic() < give_up, (ada.out, bob.out)

        until(ada, "(✅ Ready!)")
        until(bob, "(✅ Ready!)")
        ada.types("hello Bob\nhow are ")
        until(bob, "Broadcaster: **Ada:** hello Bob")
        ada.types("you?\n\x1b[2J\n")
        until(bob, "Broadcaster: **Ada:** how are you?")
        until(bob, "Broadcaster: **Ada:** \ufffd[2J")
        bob.types("fine, è ora\n")
        until(ada, "Broadcaster: **Bob:** fine, è ora")
        typed = [(one.node, one.value) for one in session.trace.of_kind(Injected)]
        assert typed == [("Ada", "hello Bob"), ("Ada", "how are you?"), ("Ada", "\x1b[2J"), ("Bob", "fine, è ora")]
        assert ada.out.count("Ada:") == 0
        assert live.status()["refused"] == 0
    assert [ada.ends(), bob.ends()] == [0, 0]
