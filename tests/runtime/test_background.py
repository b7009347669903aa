"""Runs that go on between the cells of a notebook, and commands that come from elsewhere."""

import asyncio
import threading
import time

import pytest

from tests.runtime.rooms import machine, room
from tests.runtime.test_control import Walker, walkers
from unaiverse_lab import Agent, Session, load
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.records import Fault, Injected
from unaiverse_lab.runtime.mailbox import ALWAYS, AT_REST


def in_loop(test):
    """Run a coroutine function as a notebook would: everything on one loop."""

    def run():
        asyncio.run(asyncio.wait_for(test(), 60))

    run.__name__ = test.__name__
    return run


async def until(condition, seconds=20.0):
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, "it has not happened"
        await asyncio.sleep(0.002)


def straight(ticks, seed=0):
    return load("chat", seed=seed, history=False).step(ticks).digest()


# ---------------------------------------------------------------------- await s.arun()


@in_loop
async def test_arun_has_the_same_ticks_and_gives_way_to_the_loop():
    session, seen = load("chat", seed=0), []

    async def other():
        while True:
            seen.append(session.tick)
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await session.arun(max_cycles=3000) == ("max_cycles", 3000)
    task.cancel()
    assert session.digest() == straight(3000)
    assert len(set(seen)) > 3, "the other task has seen it in the middle"


@in_loop
async def test_arun_waits_for_things_and_stops_at_breakpoints():
    session = walkers()
    session.break_on("Ben:walk() failed")
    assert (await session.arun(until="steps >= 40", max_cycles=500)).reason == "break"
    session.unbreak()
    assert (await session.arun(until="steps >= 40", max_cycles=500)).reason == "until"
    assert (await session.arun(until="Ann:right", max_cycles=500)).reason == "until"
    assert (await session.arun(until="Ann:right")).ticks == 0
    session.pause()
    assert (await session.arun(max_cycles=5)).reason == "max_cycles", "a pause at rest pauses nothing"


@in_loop
async def test_only_one_run_at_a_time():
    session = walkers()
    running = asyncio.create_task(session.arun())
    await until(lambda: session.tick > 5)
    for again in (session.run, session.step, session.start, session.back, lambda: session.goto(1),
                  lambda: session.step_agent("Ann"), lambda: session.switch("main")):  # fmt: skip
        with pytest.raises(WorldError, match=r"the session is running \(await arun\(\)\): pause it first"):
            again()
    with pytest.raises(WorldError, match="arun"):
        await session.arun()
    session.pause()
    assert (await running).reason == "paused" and not session.running


# ---------------------------------------------------------------------- start and pause


@in_loop
async def test_a_run_in_the_background_is_the_same_run():
    session = load("chat", seed=0)
    run = session.start(max_cycles=2000)
    assert session.running and session.tick == -1, "it begins when the cell is over"
    assert repr(run) == "running in the background since tick -1, as fast as it can; pause() stops it"
    assert await run == ("max_cycles", 2000)
    assert session.digest() == straight(2000) and not session.running
    assert "over: RunResult(reason='max_cycles', ticks=2000)" in repr(run)


@in_loop
async def test_a_pause_holds_at_once_and_a_cell_is_atomic():
    session = load("chat", seed=0)
    session.start()
    await until(lambda: session.tick > 20)
    before = session.tick
    time.sleep(0.1)
    assert session.tick == before, "no tick while a cell is executed"
    session.pause()
    assert not session.running and session.busy == ""
    session.step(3)
    assert session.tick == before + 3
    await asyncio.sleep(0.1)
    assert session.tick == before + 3
    session.start()
    await until(lambda: session.tick > before + 30)
    session.pause()
    assert session.digest() == straight(session.tick + 1)


@in_loop
async def test_it_is_refused_to_run_twice_and_the_message_says_why():
    session = walkers()
    session.step(4)
    session.start(speed=10)
    with pytest.raises(WorldError, match=r"runs in the background since tick 3 \(start\(\)\): pause it first"):
        session.run(max_cycles=5)
    assert session.pause() is session
    assert session.run(max_cycles=5).ticks == 5
    session.close()


@in_loop
async def test_so_many_ticks_a_second():
    session = walkers()
    run = session.start(speed=50)
    await asyncio.sleep(0.5)
    assert 3 <= session.tick <= 27
    session.set_speed(0)
    assert run.speed == 0
    await until(lambda: session.tick > 500)
    session.set_speed(0.01)
    await asyncio.sleep(0.1)
    tick = session.tick
    await asyncio.sleep(0.3)
    assert session.tick == tick
    session.set_speed(1000)
    await until(lambda: session.tick > tick + 20, 2)
    session.pause()
    for wrong in (-1, float("nan"), float("inf"), True, "fast"):
        with pytest.raises(WorldError, match="the speed is a number of ticks per second"):
            session.start(speed=wrong)


@in_loop
async def test_the_loop_is_never_held_for_long():
    session = load("chat", seed=0)
    session.start()
    gaps, last = [], time.perf_counter()
    for _ in range(60):
        await asyncio.sleep(0)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
    session.pause()
    assert sorted(gaps)[len(gaps) // 2] < 0.1


@in_loop
async def test_watchers_see_the_ticks_of_a_slow_run_and_not_too_many_of_a_fast_one():
    session, seen = walkers(), []
    session.watchers.append(lambda word: seen.append(session.tick))
    session.start(speed=5)
    await until(lambda: session.tick > 4)
    session.pause()
    assert len(set(seen)) >= 4, "on a busy computer one may be late"
    seen.clear()
    session.start()
    await asyncio.sleep(0.5)
    assert len(seen) <= 11
    session.pause()


@in_loop
async def test_when_nothing_can_happen_it_waits_for_somebody_to_do_something():
    hsm = machine(Agent, "here")
    session = Session(room(stone=hsm))
    session.add(Agent(proc=None), "Ann", role_preference="stone")
    session.start()
    await asyncio.sleep(0.2)
    tick = session.tick
    assert session.running and tick < 20
    session.add(Agent(proc=None), "Ben", role_preference="stone")
    await until(lambda: len(session.world.roster) == 2)
    assert session.running and tick < session.tick < 40
    session.pause()


@in_loop
async def test_it_ends_at_breakpoints_and_when_it_is_told_to():
    session = walkers()
    session.break_on("Ben:walk() failed", when="before")
    assert (await session.start()).reason == "break"
    assert session.hits[0].tick == session.tick + 1
    session.unbreak()
    assert (await session.start(until="Ann:steps >= 20")).reason == "until"
    assert (await session.start(until="Ann:right")).reason == "until"
    assert (await session.start(max_time=2.0)) == ("max_cycles", 50)


def test_outside_a_loop_it_says_what_to_use_instead():
    session = walkers()
    with pytest.raises(WorldError, match=r"start\(\) needs a loop that runs.*run\(\), or await arun\(\)"):
        session.start()
    assert not session.running and session.run(max_cycles=5).ticks == 5


def test_errors_end_it_are_kept_and_shown_once(capsys):
    def broken(session):
        if session.tick == 30:
            raise ValueError("my mistake")
        return False

    @in_loop
    async def run():
        session, words = walkers(), []
        session.watchers.append(words.append)
        run = session.start(until=broken)
        assert await run is None
        assert isinstance(session.error, ValueError) and not session.running
        assert repr(run) == "a run in the background, from tick -1, ended by an error: my mistake"
        await asyncio.sleep(0.05)
        assert words[-1] == "error" and words.count("error") == 1
        session.step(2)
        await session.start(max_cycles=3)
        assert session.error is None

    run()
    printed = capsys.readouterr().err
    assert printed.count("the run in the background has ended") == 1
    assert "the run in the background has ended at tick 30: ValueError: my mistake (test_background.py:" in printed


def test_what_an_action_does_wrong_is_contained_as_ever(capsys):
    @in_loop
    async def run():
        hsm = machine(Walker, "up")
        hsm.add_transit("up", "down", action="fall")
        session = Session(room(walker=hsm))
        session.add(Agent(proc=None), "Ann", role_preference="walker")
        await session.start(max_cycles=10)
        assert session.error is None and session.trace.of_kind(Fault)

    run()
    assert capsys.readouterr().err == ""


@in_loop
async def test_the_kernel_can_interrupt_it():
    session, times = load("chat", seed=0), []

    def interrupt():
        times.append(session.tick)
        if len(times) == 40:
            raise KeyboardInterrupt

    session.synchronizer.between_ticks.append(interrupt)
    assert (await session.start()).reason == "interrupted"
    session.synchronizer.between_ticks.remove(interrupt)
    session.step(100)
    assert session.digest() == straight(session.tick + 1)


# ---------------------------------------------------------------------- commands


@in_loop
async def test_commands_of_another_thread_are_obeyed_between_two_ticks():
    session, ticking = load("chat", seed=0), []
    mine = threading.get_ident()
    session.watchers.append(lambda word: ticking.append((word, threading.get_ident(), session.in_tick)))
    session.start()
    numbers = []

    def elsewhere():
        for op, arguments in (("set_speed", [200]), ("break_on", ["Ada:message_sent"]), ("say", ["Ada", "hello"])):
            numbers.append(session.mailbox.post(op, *arguments))
            time.sleep(0.02)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await until(lambda: session.mailbox.handled == 2)
    thread.join()
    assert numbers == [0, 1, 2] and [reply.error for reply in session.mailbox.replies] == [None] * 3
    assert session.mailbox.replies[1].value is session.breakpoints["Ada:message_sent"]
    await until(lambda: not session.running)
    assert session.hits and "hello" in [record.value for record in session.trace.of_kind(Injected)]
    assert ("break", mine, False) in ticking and {(who, tick) for _, who, tick in ticking} == {(mine, False)}


@in_loop
async def test_a_pause_from_elsewhere_arrives_soon():
    session = load("chat", seed=0)
    for speed in (0, 2, 0.25):
        session.start(speed=speed)
        await asyncio.sleep(0.1)
        started = time.perf_counter()
        await asyncio.to_thread(session.mailbox.post, "pause")
        await until(lambda: not session.running)
        assert time.perf_counter() - started < 0.5


@in_loop
async def test_commands_that_need_rest_are_refused_while_it_runs():
    session = walkers()
    session.start()
    await until(lambda: session.tick > 10)
    for op in AT_REST:
        session.mailbox.post(op)
    await until(lambda: not session.mailbox)
    assert [reply.op for reply in session.mailbox.replies] == list(AT_REST)
    assert all("runs in the background since tick -1" in reply.error for reply in session.mailbox.replies)
    assert session.running
    session.mailbox.post("pause")
    session.mailbox.post("goto", 5)
    session.mailbox.post("step", 3)
    session.mailbox.post("step_agent", "Ben")
    session.mailbox.post("goto", -7)
    session.mailbox.post("step", number=3)
    await until(lambda: not session.mailbox)
    last = list(session.mailbox.replies)[-5:]
    assert [reply.error is None for reply in last] == [True, True, True, False, False]
    assert session.tick > 8 and last[0].value is None and last[2].value.reason == "until"
    assert last[3].error == "there is no tick -7: the first one is 0, and -1 is before it"
    assert last[4].error.startswith("TypeError")


@in_loop
async def test_commands_at_rest_are_obeyed_by_the_loop_in_order():
    session = walkers()
    session.mailbox.attach()

    def elsewhere():
        for _ in range(5):
            session.mailbox.post("step")
        session.mailbox.post("back", 2)
        session.mailbox.post("start", 0, max_cycles=10)

    await asyncio.to_thread(elsewhere)
    await until(lambda: session.mailbox.handled == 6 and not session.running)
    assert session.tick == 12 and [reply.error for reply in session.mailbox.replies] == [None] * 7


def test_a_run_in_a_cell_reads_its_commands_after_each_tick():
    session = load("chat", seed=0)
    session.synchronizer.between_ticks.append(
        lambda: session.tick == 20 and not session.mailbox.replies and session.mailbox.post("goto", 3)
    )
    session.synchronizer.between_ticks.append(lambda: session.tick == 50 and session.mailbox.post("pause"))
    result = session.run(max_cycles=100)
    assert result.reason == "paused" and session.tick == 51
    refused, done = session.mailbox.replies
    assert refused.error == "goto: the session is running (run()); pause it first" and done.error is None
    session.synchronizer.between_ticks.clear()
    session.step(10)
    assert session.digest() == straight(62)


def test_a_step_of_many_ticks_can_be_paused_by_a_command_that_waits_behind_it():
    session = walkers()
    session.mailbox.post("step", 500)
    session.mailbox.post("goto", 2)
    session.mailbox.post("pause")
    session.mailbox.obey()
    assert session.tick == 2 and [reply.op for reply in session.mailbox.replies] == ["pause", "step", "goto"]
    assert session.mailbox.handled == 2 and all(reply.error is None for reply in session.mailbox.replies)


def test_unknown_commands_are_refused_where_they_are_posted():
    session = walkers()
    with pytest.raises(LabError, match=r"there is no command 'pasue'\. Did you mean 'pause'"):
        session.mailbox.post("pasue")
    with pytest.raises(LabError, match="there is no command '__class__'"):
        session.mailbox.post("__class__")
    assert not session.mailbox and all(callable(getattr(session, op)) for op in (*ALWAYS, *AT_REST))


def test_watchers_are_told_and_their_errors_are_warnings():
    session, words = walkers(), []
    session.watchers.append(words.append)
    session.step(2)
    session.run(until="Ann:left", max_cycles=50)
    session.break_on("left")
    session.back()
    session.goto(session.tick + 2)
    assert words == ["max_cycles", "until", "breakpoints", "moved", "max_cycles"]
    session.watchers.append(lambda word: 1 / 0)
    with pytest.warns(UserWarning, match="a watcher of the session failed: ZeroDivisionError"):
        session.step()


def test_an_interrupted_run_leaves_the_session_at_rest_and_its_watchers_know():
    session, words = load("chat", seed=0), []
    session.watchers.append(lambda word: words.append((word, session.running)))

    def interrupt(one):
        if one.tick == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.run(max_cycles=100, on_tick=interrupt)
    assert words == [("interrupted", False)] and session.tick == 20
    session.step(29)
    assert session.digest() == straight(50)
