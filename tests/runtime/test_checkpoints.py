"""Checkpoints: a session built anew goes on exactly where another one was, also after ``kill -9``."""

import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.runtime.test_going_back import Keeper, keepers
from tests.worlds.folders import copy_of, weights
from unaiverse_lab import Agent, Session, World, gallery, load, run_synch
from unaiverse_lab.cli.run import acceptance_of
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Fault
from unaiverse_lab.runtime.filing import CheckpointError
from unaiverse_lab.runtime.freezing import CannotFreeze
from unaiverse_lab.world.folder import find_world

TICKS = {
    "chat": (300, 120),
    "info_extraction": (250, 90),
    "turing": (300, 170),
    "cat_library": (300, 130),
    "animal_school": (200, 90),
    "signal_school": (300, 140),
    "class_incremental_learning": (120, 70),
    "social_learning": (150, 100),
    "hello_world": (8, 3),
    "collaboration": (12, 6),
    "locations": (10, 5),
    "roundtable": (40, 17),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", gallery())
def test_every_world_of_the_gallery_goes_on_in_another_session(name, tmp_path):
    ticks, saved = TICKS.get(name, (150, 60))
    first = load(name, seed=0)
    first.keep_checkpoints(tmp_path)
    first.step(saved)
    first.checkpoint()
    first.step(ticks - saved)
    second = load(name, seed=0)
    second.keep_checkpoints(tmp_path)
    resumed = second.resume()
    assert (resumed.generation, resumed.tick, resumed.skipped) == (1, saved - 1, [])
    assert second.tick == saved - 1
    second.step(ticks - saved)
    assert second.digest() == first.digest()
    assert weights(second) == weights(first)
    assert second.world.get_all_badges() == first.world.get_all_badges()
    assert second.world.stats.get_view() == first.world.stats.get_view()
    first.close(), second.close()


def test_without_a_folder_of_its_own_everything_is_in_the_generation(tmp_path):
    first = keepers()
    first.step(10)
    first.world.add_badge("K0", 0.5, "completed")
    path = first.checkpoint(tmp_path)
    assert {file.name for file in path.iterdir()} == {
        "manifest.json", "state.json", "blobs.bin", "trace.jsonl", "world.db",
    }  # fmt: skip
    first.step(10)
    second = keepers()
    second.resume(tmp_path)
    assert len(second.world.get_all_badges()["K0"]) == 1
    second.step(10)
    assert second.digest() == first.digest()
    assert second.agent("K1").all_of_it() == first.agent("K1").all_of_it()
    assert second.agent("K1").twin is second.agent("K1").purse


def test_a_session_can_be_resumed_and_still_go_back(tmp_path):
    first = keepers()
    first.step(20)
    first.checkpoint(tmp_path)
    second = keepers()
    second.resume(tmp_path)
    second.step(20)
    digest = second.digest()
    second.back(10)
    second.step(10)
    assert second.digest() == digest


# ---------------------------------------------------------------- generations


def generations(folder):
    return sorted(path.name for path in Path(folder).glob("generation-*") if path.suffix != ".new")


def test_so_many_generations_are_kept_at_the_pace_that_was_asked_for(tmp_path):
    session = keepers(checkpoints=tmp_path, save_checkpoint_every=1.0)
    session.step(26)
    assert generations(tmp_path) == []
    session.step(1)
    assert generations(tmp_path) == ["generation-000001"]
    session.run(max_time=9.0)
    assert generations(tmp_path) == [f"generation-{number:06}" for number in (8, 9, 10)]


def saved_three_times(folder):
    session = keepers(checkpoints=folder)
    for _ in range(3):
        session.step(10)
        session.checkpoint()
    session.close()


DAMAGES = {
    "a byte of the state": lambda path: flip(path / "state.json"),
    "a byte of the weights": lambda path: flip(path / "blobs.bin"),
    "half of the state": lambda path: os.truncate(path / "state.json", (path / "state.json").stat().st_size // 2),
    "no manifest": lambda path: (path / "manifest.json").unlink(),
    "half of the manifest": lambda path: os.truncate(path / "manifest.json", 40),
    "no state": lambda path: (path / "state.json").unlink(),
}


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_generation_is_passed_over_and_told(damage, tmp_path):
    saved_three_times(tmp_path)
    damage(tmp_path / "generation-000003")
    session = keepers(checkpoints=tmp_path)
    resumed = session.resume()
    assert (resumed.generation, resumed.tick) == (2, 19)
    assert len(resumed.skipped) == 1 and resumed.skipped[0].startswith("generation-000003 is damaged")
    assert (tmp_path / "damaged-generation-000003").is_dir(), "it is left for a person to look at"
    session.step(10)
    straight = keepers()
    straight.step(30)
    assert session.digest() == straight.digest()
    session.checkpoint()
    assert generations(tmp_path)[-1] == "generation-000003"


def test_when_all_are_damaged_nothing_is_touched(tmp_path):
    saved_three_times(tmp_path)
    for name in generations(tmp_path):
        flip(tmp_path / name / "state.json")
    with pytest.raises(CheckpointError, match=r"000003 is damaged.*000002 is damaged.*000001 is damaged"):
        keepers(checkpoints=tmp_path).resume()
    assert len(generations(tmp_path)) == 3


def test_a_cut_trace_or_database_is_noticed(tmp_path):
    saved_three_times(tmp_path)
    os.truncate(tmp_path / "trace.jsonl", 100)
    with pytest.raises(CheckpointError, match=r"its trace trace\.jsonl is not what was written"):
        keepers(checkpoints=tmp_path).resume()


def test_what_was_left_half_written_does_not_count(tmp_path):
    saved_three_times(tmp_path)
    (tmp_path / "generation-000004.new").mkdir()
    (tmp_path / "generation-000004.new" / "state.json").write_text("{")
    session = keepers(checkpoints=tmp_path)
    assert session.resume().generation == 3
    assert session.checkpoint().name == "generation-000004"


def test_a_fresh_start_moves_what_is_there_aside(tmp_path):
    saved_three_times(tmp_path)
    session = keepers(checkpoints=tmp_path)
    session.step(5)
    session.checkpoint()
    assert generations(tmp_path) == ["generation-000001"]
    assert len(generations(tmp_path / "before-001")) == 3
    assert keepers(checkpoints=tmp_path / "before-001").resume().tick == 29


def test_nothing_there_is_a_fresh_start(tmp_path):
    session = keepers(checkpoints=tmp_path / "none")
    assert session.resume() is None
    assert session.step(3).tick == 2


def test_a_checkpoint_of_another_world_or_version_is_refused(tmp_path):
    saved_three_times(tmp_path)

    class Home(World):
        pass

    with pytest.raises(CheckpointError, match="of the world 'World', not of 'Elsewhere'"):
        Session(Home(), name="Elsewhere").resume(tmp_path)
    manifest = tmp_path / "generation-000003" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    session = keepers()
    assert "format 99" in session.resume(tmp_path).skipped[0]
    with pytest.raises(CheckpointError, match="has run already"):
        session.step(1).resume(tmp_path)
    with pytest.raises(WorldError, match="name a folder"):
        keepers().checkpoint()


def test_a_class_that_is_gone_is_named(tmp_path):
    folder = copy_of("chat", tmp_path)
    first = load(folder)
    first.step(50)
    first.checkpoint(tmp_path / "saved")
    changed = copy_of("chat", tmp_path / "changed", ("src/talkers.py", "TinyTalker", "Babbler"))
    for script in changed.glob("run_*.py"):
        script.write_text(script.read_text().replace("TinyTalker", "Babbler"))
    with pytest.raises(CheckpointError, match=r"nodes\['ChatAI'\].* is an instance of src\.talkers:TinyTalker"):
        load(changed).resume(tmp_path / "saved")


def test_nothing_in_a_checkpoint_is_called_or_imported(tmp_path):
    saved_three_times(tmp_path)
    state = tmp_path / "generation-000003" / "state.json"
    content = json.loads(state.read_text())
    for entry in content["entries"]:
        if entry[0] == "object" and entry[1].endswith(":Purse"):
            entry[1] = "subprocess:Popen"
    state.write_text(json.dumps(content))
    manifest = state.with_name("manifest.json")
    described = json.loads(manifest.read_text())
    import hashlib

    described["files"]["state.json"] = hashlib.sha256(state.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="subprocess:Popen, which this session does not know"):
        keepers().resume(tmp_path)
    assert b"cos\nsystem" not in state.read_bytes() and not list(tmp_path.rglob("*.p*kl*"))


# ---------------------------------------------------------------- what cannot be saved


def test_a_function_made_on_the_way_is_refused_when_it_is_saved_not_when_it_is_needed(tmp_path):
    session = keepers(checkpoints=tmp_path)
    session.step(5)
    session.agent("K0").taste = lambda value: value + 1
    session.step(1)
    with pytest.raises(CheckpointError, match=r"nodes\['K0'\]\.agent\.taste is function <function"):
        session.checkpoint()
    session.agent("K0").taste = Keeper.live
    session.checkpoint()


def test_a_function_that_a_new_session_has_too_is_taken_from_there(tmp_path):
    first, second = keepers(), keepers()
    for session, more in ((first, 1), (second, 2)):
        session.agent("K0").taste = lambda value, more=more: value + more
    first.keep_checkpoints(tmp_path)
    first.step(5)
    first.checkpoint()
    second.resume(tmp_path)
    assert second.agent("K0").taste(1) == 3


def test_a_computation_under_way_puts_a_checkpoint_off(tmp_path):
    session = keepers(checkpoints=tmp_path, save_checkpoint_every=0.4)
    session.step(5)
    session.agent("K0").numbers = (number for number in range(3))
    session.step(20)
    assert not generations(tmp_path) and "numbers is a generator: it is under way" in session.checkpoints.problem
    with pytest.raises(CannotFreeze, match="under way"):
        session.checkpoint()
    del session.agent("K0").numbers
    session.step(1)
    assert generations(tmp_path) and session.checkpoints.problem is None
    assert not session.trace.of_kind(Fault)


def test_what_can_never_be_saved_is_told_once_and_the_world_goes_on(tmp_path):
    session = keepers(checkpoints=tmp_path, save_checkpoint_every=0.4)
    session.step(5)
    session.agent("K0").taste = lambda value: value + 1
    session.step(60)
    faults = session.trace.of_kind(Fault)
    assert len(faults) == 1 and "agent.taste" in faults[0].error
    assert session.tick == 64


# ---------------------------------------------------------------- runs


def test_runs_end_after_so_many_seconds_or_ticks(tmp_path):
    session = run_synch("chat", max_time=2.0)
    assert session.now == 2.0
    session.run(max_time=1.0)
    assert session.now == 3.0
    assert session.run(max_cycles=5, max_time=100.0).ticks == 5
    first = run_synch("cat_library", max_cycles=100, checkpoints=tmp_path)
    first.close()
    second = run_synch("cat_library", max_cycles=100, checkpoints=tmp_path, resume_from_checkpoint=True)
    straight = run_synch("cat_library", max_cycles=200)
    assert second.tick == 199 and second.digest() == straight.digest()


def test_the_nodes_say_how_often(tmp_path):
    from unaiverse_lab import Node

    session = Session(Node(World(), "World", save_checkpoint_every=300.0))
    session.add(Node(Agent(proc=None), "Ada", save_checkpoint_every=60.0))
    assert session.keep_checkpoints(tmp_path).every == 60.0


# ---------------------------------------------------------------- kill -9

KILLS = 50


def run_until_the_end(session, folder, report):
    """In a process of its own: take up what is there, and go on to the end of the world."""
    session.keep_checkpoints(folder, every=0.6)
    resumed = session.resume()
    rows = session.world.ledger.database.rows("SELECT * FROM stats ORDER BY seq")
    badges = session.world.ledger.database.rows("SELECT * FROM badges ORDER BY seq")
    told = {"resumed": resumed, "tick": session.tick, "rows": rows, "badges": badges, "weights": weights(session)}
    os.write(report, json.dumps(told).encode() + b"\n")
    session.run(acceptance_of(find_world("social_learning")).UNTIL)
    session.checkpoint()
    session.close()
    os.write(report, json.dumps({"digest": session.digest(), "weights": weights(session)}).encode() + b"\n")


def start(built, folder):
    """Fork, so that each of the many processes has a session that was just built; it is a process all the same."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.close(reader)
    try:
        run_until_the_end(built, folder, writer)
        os._exit(0)
    except BaseException as error:
        os.write(writer, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        os._exit(1)


def wait_for_another_generation(folder, newest, child):
    """However slow the machine is: most of the killed ones have come a little further."""
    until = time.monotonic() + 60.0
    while (generations(folder) or [None])[-1] == newest and time.monotonic() < until:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.02)


def lines_from(reader):
    with os.fdopen(reader, encoding="utf-8") as pipe:
        return [json.loads(line) for line in pipe]


@pytest.mark.world
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_killed_at_fifty_moments_nothing_is_lost_or_doubled(tmp_path):
    straight = load("social_learning", seed=0)
    straight.keep_checkpoints(tmp_path / "straight", every=0.6)
    straight.run(acceptance_of(find_world("social_learning")).UNTIL)
    database = straight.world.ledger.database
    rows = [list(row) for row in database.rows("SELECT * FROM stats ORDER BY seq")]
    badges = [list(row) for row in database.rows("SELECT * FROM badges ORDER BY seq")]
    digest, learned = straight.digest(), weights(straight)
    straight.close()

    built = load("social_learning", seed=0)
    rng, folder, ticks, done = random.Random(9), tmp_path / "killed", [], 0
    while done < KILLS:
        newest = (generations(folder) or [None])[-1]
        child, reader = start(built, folder)
        if rng.random() < 0.7:
            wait_for_another_generation(folder, newest, child)
        time.sleep(rng.uniform(0.0, 0.2))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        told = lines_from(reader)
        if not os.WIFSIGNALED(status):
            assert "error" not in told[-1], told[-1]
            for path in folder.iterdir():
                path.rename(tmp_path / f"over-{done}-{path.name}")
            continue
        done += 1
        if not told:
            continue
        assert "error" not in told[0], told[0]
        resumed = told[0]["resumed"]
        assert (newest is None) == (resumed is None)
        if resumed is not None:
            assert resumed[2] == [] and newest == f"generation-{resumed[0]:06}", "the newest one, and it is whole"
        assert told[0]["rows"] == rows[: len(told[0]["rows"])], "no stat is lost, none is there twice"
        assert told[0]["badges"] == badges[: len(told[0]["badges"])], "no badge is lost, none is there twice"
        ticks.append(told[0]["tick"])

    child, reader = start(built, folder)
    os.waitpid(child, 0)
    told = lines_from(reader)
    assert told[-1] == {"digest": digest, "weights": learned}
    ends = sqlite3.connect(folder / "world.db")
    assert [list(row) for row in ends.execute("SELECT * FROM stats ORDER BY seq")] == rows
    assert [list(row) for row in ends.execute("SELECT * FROM badges ORDER BY seq")] == badges
    ends.close()
    assert len(set(ticks)) > 5, "they were killed at different moments"


def test_the_worlds_node_says_where(tmp_path):
    saved = tmp_path / "saved"
    wish = f'node_name="ChatRoom", base_identity_dir={str(saved)!r}, save_checkpoint_every=2.0'
    folder = copy_of("chat", tmp_path, ("run_w.py", 'node_name="ChatRoom"', wish))
    first = run_synch(folder, max_time=5.0)
    first.close()
    assert len(generations(saved)) == 3
    again = run_synch(folder, max_time=5.0, resume_from_checkpoint=True)
    assert again.now == 10.0
