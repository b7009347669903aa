"""Information extraction: IE-1 to IE-3, the role rule, the two machines, bad pictures and bad extractors."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from runtime.rooms import Completed, Fault, ends, moves, records

import unaiverse_lab as lab
from unaiverse_lab.core.records import InState, Joined, Sent
from unaiverse_lab.data.library import ImageFileStream, Source
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.runtime.launch import gather
from unaiverse_lab.world.folder import find_world, isolated_imports
from worlds.folders import Told, failed_checks, played

FOLDER = find_world("info_extraction")
EXTRACTORS = ["ColorNamer", "ShapeCaptioner", "BlobCounter"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the run scripts put their results."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def source(name: str) -> ModuleType:
    with isolated_imports(FOLDER):
        return importlib.import_module(f"src.{name}")


def new_world() -> Any:
    [node] = gather(FOLDER, world_only=True)
    return node.hosted


def stock(name: str) -> lab.Agent:
    """One of the folder's extractors."""
    kind = getattr(source("extractors"), name)
    return lab.Agent(kind(), kind.inputs, kind.outputs)


def speaker(speak: Callable[[Any], Any], **output: Any) -> lab.Agent:
    """An extractor of one's own; text unless said otherwise."""
    return lab.Agent(speak, ["img"], [lab.StreamType(**(output or {"data_type": "text"}))])


def office(
    file: Path, extractors: dict[str, lab.Agent], pictures: lab.Stream | None = None, length: int = 3, **options: Any
) -> lab.Session:
    """A collector with the folder's pictures (or others), and these extractors."""
    session = lab.Session(new_world(), delta=1 / 20, **options)
    stream = pictures if pictures is not None else source("pictures").animal_stream()
    collector = lab.Agent(proc=None)
    collector.add_stream(stream)
    for wildcard, value in (("name", stream.name), ("len", length)):
        collector.add_behav_wildcard(f"<stream_{wildcard}>", value)
    collector.add_behav_wildcard("<result_file>", str(file))
    session.add(collector, "Collector")
    for name, agent in extractors.items():
        session.add(agent, name)
    return session


def seconds(session: lab.Session, count: float) -> None:
    session.run(max_cycles=round(count * 20))


def asked(session: lab.Session) -> list[list[str]]:
    """Who was asked to process the pictures, request by request."""
    return [sent.targets for sent in records(session, Sent, "Collector") if sent.action == "process"]


def texts(session: lab.Session) -> dict[str, dict[str, list[str]]]:
    """What was said: tag -> node -> texts."""
    results = session.agent("Collector").results  # type: ignore[attr-defined]
    return {
        tag: {entry["peer_id"]: entry["info"] for entry in entries.values()} for tag, entries in results.items()
    }  # fmt: skip


# ------------------------------------------------------------------ the checks of the gallery


@pytest.mark.parametrize("strict", [False, True])
def test_the_folder_runs_as_it_is_and_its_checks_hold(strict: bool) -> None:
    session = played(FOLDER, strict=strict)
    assert failed_checks(session, FOLDER) == []
    assert session.now < 10.0
    assert not [record for record in session.trace if record.kind in ("error", "dropped")]


def test_ie_1_roles_follow_from_what_a_node_can_do() -> None:
    session = lab.load(FOLDER)
    session.step(3)
    assert {name: session.world.get_role(name) for name in session.nodes if name != "InfoExtraction"} == {
        "Collector": "user", **dict.fromkeys(EXTRACTORS, "extractor"), "TextBot": None,
    }  # fmt: skip
    [refused] = [join for join in records(session, Joined, "TextBot") if join.stage == "refused"]
    assert refused.reason == "this world has no role for you"
    assert session.node("TextBot").state == "refused"
    assert not session.agent("TextBot").all_agents


def test_ie_2_one_text_per_picture_and_extractor_in_memory_and_on_disk(scratch: Path) -> None:
    file = scratch / "deep" / "results.json"
    session = office(file, {name: stock(name) for name in EXTRACTORS})
    seconds(session, 5)
    assert texts(session) == {
        "0": {
            "ColorNamer": ["blue"],
            "ShapeCaptioner": ["On blue: one wedge (wide), 9% of the picture."],
            "BlobCounter": ["wedge"],
        },
        "1": {
            "ColorNamer": ["yellow"],
            "ShapeCaptioner": ["On yellow: 8 shapes, the largest a disc (even), 19% of the picture."],
            "BlobCounter": [", ".join(["disc"] * 8)],
        },
        "2": {
            "ColorNamer": ["green"],
            "ShapeCaptioner": ["On green: one block (tall), 21% of the picture."],
            "BlobCounter": ["block"],
        },
    }
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept == session.agent("Collector").results  # type: ignore[attr-defined]
    assert kept["0"]["node-ColorNamer"]["extractor"] == "ColorNamer: names colours (0 badges)"
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]


def test_ie_3_nobody_is_asked_twice_and_who_comes_late_is_asked_alone(scratch: Path) -> None:
    session = office(scratch / "results.json", {name: stock(name) for name in EXTRACTORS})
    seconds(session, 60)
    assert asked(session) == [EXTRACTORS]
    before = texts(session)
    session.add(speaker(lambda picture: f"{picture.width} wide"), "Ruler")
    seconds(session, 60)
    assert asked(session) == [EXTRACTORS, ["Ruler"]]
    assert texts(session) == {tag: {**entries, "Ruler": ["64 wide"]} for tag, entries in before.items()}
    assert session.states_of("extractor") == ["ready"] * 4
    assert json.loads((scratch / "results.json").read_text()) == session.agent("Collector").results  # type: ignore[attr-defined]


def test_a_correct_run_goes_round_once(scratch: Path) -> None:
    session = office(scratch / "results.json", {"ColorNamer": stock("ColorNamer")})
    seconds(session, 10)
    assert list(dict.fromkeys(moves(session, "Collector"))) == [
        "init -nop-> ready",
        "ready -connect_by_role-> connected_to_providers",
        "connected_to_providers -agents_are_waiting-> connected_to_providers",
        "connected_to_providers -send_engage-> time_to_ask",
        "time_to_ask -send-> request_sent_to_available_providers",
        "request_sent_to_available_providers -received_some_asked_data-> request_sent_to_available_providers",
        "request_sent_to_available_providers -all_sent_completed-> ready",
    ]
    assert moves(session, "ColorNamer") == [
        "init -nop-> ready",
        "ready -engage-> user_engaged",
        "user_engaged -process-> ready",
    ]


def test_the_command_line_ends_by_itself_and_twice_the_same() -> None:
    runs = [Told(FOLDER, "--seed", "0"), Told(FOLDER, "--seed", "0", "--strict")]
    assert [run.code for run in runs] == [0, 0], runs[0].errors
    assert [len(run.holds) for run in runs] == [4, 4]
    assert not runs[0].fails + runs[1].fails
    assert runs[0].digest == runs[1].digest


def test_the_agenda_changes_nothing() -> None:
    until: Any = lambda session: session.now >= 6.0
    digests = []
    for agenda in (True, False):
        session = lab.load(FOLDER, agenda=agenda)
        session.run(until)
        digests.append(session.digest())
    assert digests[0] == digests[1]


# ------------------------------------------------------------------ the role rule

IMG, TEXT, ALL, PUBLIC_IMG = {"data_type": "img"}, {"data_type": "text"}, {"data_type": "all"}, {"public": True}
LABELLED = {"data_type": "tensor", "tensor_shape": (1, 2), "tensor_dtype": "torch.float32", "tensor_labels": ["a", "b"]}
UNLABELLED = {**LABELLED, "tensor_labels": None}


@pytest.mark.parametrize(
    ("streams", "inputs", "outputs", "role"),
    [
        ([IMG], [], [], "user"),
        ([TEXT, IMG], [IMG], [TEXT], "user"),
        ([{**IMG, "public": True}], [], [], None),
        ([{**IMG, "group": "processor_in"}], [], [], None),
        ([TEXT, ALL], [], [], None),
        ([], [IMG], [TEXT], "extractor"),
        ([], [TEXT, IMG], [UNLABELLED, LABELLED], "extractor"),
        ([], [ALL], [ALL], "extractor"),
        ([TEXT], [ALL], [LABELLED], "extractor"),
        ([], [IMG], [UNLABELLED], None),
        ([], [IMG], [IMG], None),
        ([], [TEXT], [TEXT], None),
        ([], [{**IMG, "public": True}], [TEXT], None),
        ([], [IMG], [{**TEXT, "public": True}], None),
        ([], [], [], None),
        (None, None, None, None),
    ],
)
@pytest.mark.parametrize("master", [False, True])
def test_the_role_rule_looks_at_streams_then_at_slots(
    streams: Any, inputs: Any, outputs: Any, role: str | None, master: bool
) -> None:
    def described(fields: list[dict[str, Any]] | None) -> Any:
        return None if fields is None else [lab.DataProps(**one).to_dict() for one in fields]

    profile = lab.NodeProfile(
        {"node_id": "x", "node_type": "agent", "node_name": "X"},
        {"streams": described(streams), "proc_inputs": described(inputs), "proc_outputs": described(outputs)},
    )
    assert new_world().assign_role(profile, master) == role


# ------------------------------------------------------------------ the machines


def table(role: str) -> list[str]:
    """A behavior as the rows of the gallery's specification."""
    data = json.loads((FOLDER / "src" / f"{role}.json").read_text(encoding="utf-8"))
    rows = [f"{data['machine']['initial_state']} is the first"]
    for name, state in data["states"].items():
        inside = f", in: {state['action']}" if state["action"] else ""
        rows.append(f"{name} {'B' if state['blocking'] else 'nb'}{inside}")
    for kind in ("transitions", "teleports"):
        for start, edges in data.get(kind, {}).items():
            for edge in edges:
                on = edge["on"]
                args = ", ".join(f"{key}={value}" for key, value in on["action_kwargs"].items())
                flags = [f"delay={on['delay']:g}"] * bool(on["delay"]) + [f"retry={on['retry_timeout']:g}"] * bool(
                    on["retry_timeout"]
                )
                flags = [*["req"] * (not on["ready"]), *["tp"] * (kind == "teleports"), *flags]
                rows.append(" | ".join([start, f"{on['action']}({args})", edge["goto"], *flags]))
    return rows


def test_the_machines_are_those_of_the_gallery() -> None:
    asking = "request_sent_to_available_providers"
    assert table("user") == [
        "init is the first",
        "init B",
        "ready nb, in: check_status",
        "connected_to_providers B",
        "time_to_ask B",
        f"{asking} nb",
        "init | nop() | ready",
        "ready | connect_by_role(role=extractor, filter_fcn=filter_addresses) | connected_to_providers",
        "connected_to_providers | agents_are_waiting() | connected_to_providers",
        "connected_to_providers | send_engage() | time_to_ask",
        "time_to_ask | send(action_name=process, streams=['<stream_name>'], num_steps=<stream_len>)"
        f" | {asking} | retry=90",
        f"{asking} | received_some_asked_data(processing_fcn=handle_received_data) | {asking}",
        "connected_to_providers | nop() | ready | tp | delay=60",
        f"{asking} | all_sent_completed(action_name=process) | ready | tp | delay=2",
        f"{asking} | nop() | ready | tp | delay=90",
    ]
    assert table("extractor") == [
        "init is the first",
        "init B",
        "ready B, in: disengage_all",
        "user_engaged B",
        "init | nop() | ready",
        "ready | engage(acceptable_role=user) | user_engaged | req",
        "user_engaged | process() | ready | req",
        "user_engaged | nop() | ready | tp | delay=90",
    ]


# ------------------------------------------------------------------ the file


def test_a_file_that_is_gone_means_forget_everything(scratch: Path) -> None:
    file = scratch / "results.json"
    session = office(file, {"ColorNamer": stock("ColorNamer")})
    seconds(session, 10)
    assert asked(session) == [["ColorNamer"]]
    file.unlink()
    seconds(session, 10)
    assert asked(session) == [["ColorNamer"]] * 2
    assert [len(entries["ColorNamer"]) for entries in texts(session).values()] == [1, 1, 1]
    assert file.is_file()


def test_another_session_goes_on_where_the_file_stands(scratch: Path) -> None:
    file = scratch / "results.json"
    seconds(office(file, {"ColorNamer": stock("ColorNamer")}), 10)
    before = json.loads(file.read_text())
    session = office(file, {name: stock(name) for name in EXTRACTORS})
    seconds(session, 10)
    assert asked(session) == [EXTRACTORS[1:]]
    assert [list(entries) for entries in texts(session).values()] == [EXTRACTORS] * 3
    assert json.loads(file.read_text())["1"]["node-ColorNamer"] == before["1"]["node-ColorNamer"]


@pytest.mark.parametrize("content", ["my diary", "[1, 2]", '{"0": {"node": {}}}', '{"0": 5}'])
def test_a_file_that_holds_something_else_is_left_alone(scratch: Path, content: str) -> None:
    file = scratch / "results.json"
    file.write_text(content)
    session = office(file, {"ColorNamer": stock("ColorNamer")})
    seconds(session, 10)
    assert file.read_text() == content
    assert len(texts(session)) == 3
    reasons = {one.reason for one in records(session, InState, "Collector") if not one.ok}
    assert all((reason or "").startswith("results.json holds no results") for reason in reasons) and reasons
    assert not records(session, Fault)


def test_nothing_is_written_without_news(scratch: Path) -> None:
    file = scratch / "results.json"
    session = office(file, {"ColorNamer": stock("ColorNamer")})
    seconds(session, 5)
    stamp = file.stat().st_mtime_ns
    seconds(session, 5)
    assert file.stat().st_mtime_ns == stamp


def test_what_cannot_be_said_in_words_marks_its_author_as_used(scratch: Path) -> None:
    session = office(scratch / "results.json", {"ColorNamer": stock("ColorNamer")})
    seconds(session, 0.25)
    user: Any = session.agent("Collector")
    assert user.knows("ColorNamer")
    raw = lab.DataProps(data_type="tensor", tensor_shape=(2,), tensor_dtype=torch.float32)
    user.handle_received_data("Stranger", raw, torch.zeros(2), 0)
    assert (user.used, user.results) == (set(), {})
    user.handle_received_data("ColorNamer", raw, torch.zeros(2), 0)
    assert (user.used, user.results) == ({"ColorNamer"}, {})


# ------------------------------------------------------------------ bad extractors


def wordless(picture: Any) -> Any:
    raise RuntimeError("no words for it")


SHAPED = {"data_type": "tensor", "tensor_shape": (1, 2), "tensor_dtype": torch.float32, "tensor_labels": ["a", "b"]}


@pytest.mark.parametrize(
    ("agent", "detail"),
    [
        (lambda: speaker(wordless), "RuntimeError: no words for it"),
        (lambda: speaker(lambda picture: 3), "'proc_output_0' carries text, the processor gave int (3)"),
        (
            lambda: speaker(lambda picture: torch.zeros(1, 3), **SHAPED),
            "'proc_output_0' carries tensors torch.float32 of shape (1, 2), not a tensor torch.float32 of shape (1, 3)",
        ),
        (
            lambda: speaker(lambda picture: torch.zeros(1, 2).long(), **SHAPED),
            "'proc_output_0' carries tensors torch.float32 of shape (1, 2), not a tensor torch.int64 of shape (1, 2)",
        ),
        (
            lambda: lab.Agent(lambda picture: "one", ["img"], ["text", "text"]),
            "the processor returned 1 values, the slots are proc_output_0, proc_output_1",
        ),
    ],
    ids=["raises", "wrong type", "wrong shape", "wrong dtype", "too few"],
)
def test_an_extractor_that_fails_says_why_and_the_others_go_on(
    scratch: Path, agent: Callable[[], lab.Agent], detail: str
) -> None:
    session = office(scratch / "results.json", {"Broken": agent(), "ColorNamer": stock("ColorNamer")})
    seconds(session, 5)
    mine = [end for end in records(session, Completed, "Broken") if end.action == "process"]
    assert mine[0].reason == "error"
    assert detail in (mine[0].detail or "")
    theirs = [end for end in records(session, Completed, "Collector") if end.action == "process"]
    assert (theirs[0].reason, theirs[0].detail) == ("error", mine[0].detail)
    assert {tag: list(entries) for tag, entries in texts(session).items()} == {
        tag: ["ColorNamer"] for tag in ("0", "1", "2")
    }  # fmt: skip
    assert asked(session) == [["Broken", "ColorNamer"]]
    seconds(session, 150)  # it is asked again when it has given up waiting for the rest of the pictures
    assert asked(session)[:2] == [["Broken", "ColorNamer"], ["Broken"]]
    assert all(node.agent is None or node.agent.behav.is_enabled() for node in session.nodes.values())


def test_an_extractor_that_fails_on_the_second_picture_keeps_its_first_word(scratch: Path) -> None:
    seen = []

    def once(picture: Any) -> str:
        seen.append(picture)
        return "fine" if len(seen) == 1 else wordless(picture)

    session = office(scratch / "results.json", {"Once": speaker(once)})
    seconds(session, 10)
    assert texts(session) == {"0": {"Once": ["fine"]}}
    assert asked(session) == [["Once"]]
    assert ("error", "RuntimeError: no words for it") in ends(session, "Collector")
    assert session.states_of("Once") == ["user_engaged"]
    seconds(session, 90)
    assert session.states_of("Once") == ["ready"]


def test_an_extractor_that_leaves_in_the_middle_is_given_up(scratch: Path) -> None:
    session = office(scratch / "results.json", {name: stock(name) for name in EXTRACTORS})
    session.run("Collector:request_sent_to_available_providers", max_cycles=100)
    session.run(lambda one: bool(texts(one)), max_cycles=100)
    session.remove("ShapeCaptioner")
    seconds(session, 5)
    assert asked(session) == [EXTRACTORS]
    assert [end.reason for end in records(session, Completed, "Collector") if end.action == "process"] == [
        "disconnected"
    ]
    assert len(texts(session)) == 3


# ------------------------------------------------------------------ bad pictures


def complaints(session: lab.Session) -> list[tuple[str, str]]:
    """How the requests to process ended at the collector."""
    found = [end for end in records(session, Completed, "Collector") if end.action == "process"]
    return [(end.reason, end.detail or "") for end in found]


def test_a_picture_that_is_gone_is_an_error_with_the_name_of_stream_and_file(scratch: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(scratch / name)
    pictures = ImageFileStream(scratch, ["a.png", "b.png"], circular=False, name="album")
    (scratch / "b.png").unlink()
    session = office(scratch / "results.json", {"ColorNamer": stock("ColorNamer")}, pictures, 2)
    seconds(session, 5)
    [(reason, detail)] = complaints(session)
    assert reason == "error"
    assert "stream 'album'" in detail
    assert "b.png' cannot be read as a picture" in detail
    assert texts(session) == {"0": {"ColorNamer": ["black"]}}
    [fault] = records(session, Fault)
    assert fault.node == "Collector"
    assert session.states_of("Collector") == ["ready"]


@pytest.mark.parametrize("values", [["no picture"], [torch.zeros(3, 8, 8)], [None, 3]])
def test_something_that_is_no_picture_is_an_error(scratch: Path, values: list[Any]) -> None:
    pictures = Source(values, circular=False, data_type="img", name="album")
    session = office(scratch / "results.json", {"ColorNamer": stock("ColorNamer")}, pictures, len(values))
    seconds(session, 5)
    reason, detail = complaints(session)[0]
    assert reason == "error"
    assert "stream 'album' carries images (PIL.Image.Image), not" in detail


def test_an_empty_stream_is_an_error(scratch: Path) -> None:
    session = office(
        scratch / "results.json", {"ColorNamer": stock("ColorNamer")}, BufferedStream(name="album", data_type="img")
    )
    seconds(session, 3)
    assert complaints(session)[0] == ("error", "stream 'album' has 0 samples, there is no number 0")
    assert not records(session, Fault)


def test_a_stream_shorter_than_promised_gives_what_it_has(scratch: Path) -> None:
    session = office(scratch / "results.json", {"ColorNamer": stock("ColorNamer")}, length=5)
    seconds(session, 20)
    assert complaints(session) == [("ok", "")]
    assert len(texts(session)) == 3


def test_a_stream_of_another_name_sends_nothing_and_says_so(scratch: Path) -> None:
    session = office(scratch / "results.json", {"ColorNamer": stock("ColorNamer")})
    session.agent("Collector").add_behav_wildcard("<stream_name>", "animalz")
    seconds(session, 3)
    assert not asked(session)
    reasons = [getattr(record, "reason", None) for record in session.trace if record.node == "Collector"]
    assert any("'animalz'" in (reason or "") for reason in reasons)
