"""The planner that asks a model, against a server of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from events.kit import Calculator, launched
from unaiverse_lab.core.records import Fault
from unaiverse_lab.events import Agent, ChatPlanner, UserSpeaksWithAgentEvent, chat_planner

KEY = "sk-very-secret"


class Stub(ThreadingHTTPServer):
    """Answers with what is in ``replies``: a tool call, a text, or a status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Any] = []
        self.seen: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        reply = self.server.replies.pop(0)
        if isinstance(reply, int):
            self.send_error(reply)
            return
        message = {"content": reply} if isinstance(reply, str) else {"tool_calls": [{"function": tool(body, *reply)}]}
        content = json.dumps({"choices": [{"message": message}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


def tool(body: dict[str, Any], name: str, arguments: Any) -> dict[str, Any]:
    names = [one["function"]["name"] for one in body["tools"]]
    full = next((one for one in names if one.endswith(f"_{name}")), name)
    return {"name": full, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr(chat_planner, "PAUSE", 0.0)
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run_with(stub: Stub, *replies: Any, **options: Any):
    stub.replies[:] = replies
    planner = ChatPlanner(stub.url, "some-model", api_key=KEY, **options)
    agent = Agent("Agent", "agent", "helps", planner=planner, wakeups=[UserSpeaksWithAgentEvent, "sum"], goals=["help"])
    world, you, run = launched(agent, Calculator("Calculator", "calc", "adds"))
    you.send(UserSpeaksWithAgentEvent(target_id="agent", message="2 and 3?"))
    run.run(max_ticks=30)
    return world, agent, run, planner


SLEEP = ("go_to_sleep", {})
GOOD = [("add", {"a": 2, "b": 3}), SLEEP, ("AgentSpeaksWithUser", {"message": "5"}), SLEEP]


def errors(run) -> list[str]:
    return [one.error for one in run.session.trace.of_kind(Fault)]


def test_it_offers_the_available_actions_as_tools_and_does_what_is_called(stub: Stub) -> None:
    world, agent, run, planner = run_with(stub, *GOOD)
    kinds = [e.event_type for e in world.events if not e.meta.get("local")]
    assert kinds == [
        "user_speaks_with_agent_event", "add", "agent_goes_to_sleep", "sum", "agent_speaks_with_user_event",
        "agent_goes_to_sleep",
    ]  # fmt: skip
    first = stub.seen[0]
    assert (first["model"], first["temperature"], first["seed"], first["tool_choice"]) == (
        "some-model",
        0.0,
        0,
        "required",
    )
    assert [one["role"] for one in first["messages"]] == ["system", "user"]
    assert "Agent. helps" in first["messages"][0]["content"] and "2 and 3?" in first["messages"][1]["content"]
    tools = {one["function"]["name"].partition("_")[2]: one["function"] for one in first["tools"]}
    assert set(tools["add"]["parameters"]["properties"]) == {"target_id", "a", "b"}
    assert tools["add"]["parameters"]["required"] == ["a", "b"]
    assert stub.keys == [f"Bearer {KEY}"] * 4 and agent.errors == 0


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("Let me think.", "in words"),
        (("a99_nothing", {}), "there is no tool"),
        (("add", "{"), "not JSON"),
        (("add", {"a": 1}), "needs 'b'"),
        (("add", {"a": 1, "b": 1, "c": 1}), "no parameter 'c'"),
    ],
)
def test_what_cannot_be_done_is_told_to_the_model_once(stub: Stub, bad: Any, why: str) -> None:
    world, agent, run, planner = run_with(stub, bad, *GOOD)
    assert why in stub.seen[1]["messages"][-1]["content"] and agent.errors == 0
    world, agent, run, planner = run_with(stub, bad, bad)
    assert agent.errors == 1 and agent.is_asleep and why in errors(run)[0]


def test_an_overloaded_server_is_asked_again_and_a_refusing_one_is_not(stub: Stub) -> None:
    world, agent, run, planner = run_with(stub, 429, 503, *GOOD)
    assert agent.errors == 0 and planner.asked == 6
    world, agent, run, planner = run_with(stub, 401)
    assert agent.errors == 1 and "401" in errors(run)[0]
    world, agent, run, planner = run_with(stub, 500, 500, 500)
    assert agent.errors == 1 and planner.asked == 3


def test_a_server_that_is_not_there_and_a_budget_that_is_spent_are_told(stub: Stub) -> None:
    stub.replies[:] = GOOD
    agent = Agent("A", "a", planner=ChatPlanner("http://127.0.0.1:9", "m", retries=0, timeout=0.5))
    world, you, run = launched(agent)
    run.run()
    assert agent.errors == 1 and "cannot be reached" in errors(run)[0]
    world, agent, run, planner = run_with(stub, *GOOD, budget=1)
    assert agent.errors == 2 and "budget of 1" in errors(run)[0]


def test_a_cassette_stands_for_the_network(stub: Stub, tmp_path) -> None:
    tape = tmp_path / "tape.json"
    world, agent, run, planner = run_with(stub, *GOOD, cassette=tape, record=True)
    asked, digest = len(stub.seen), run.session.digest()
    world, agent, run, planner = run_with(stub, cassette=tape)
    assert len(stub.seen) == asked and run.session.digest() == digest and agent.errors == 0
    tape.write_text("{}")
    world, agent, run, planner = run_with(stub, cassette=tape)
    assert "has no answer to this request" in errors(run)[0]


def test_the_key_is_nowhere_to_be_seen(stub: Stub, tmp_path, monkeypatch) -> None:
    tape = tmp_path / "tape.json"
    world, agent, run, planner = run_with(stub, *GOOD, cassette=tape, record=True)
    run.session.checkpoint(tmp_path / "kept")
    run.session.trace.export(tmp_path / "trace.jsonl")
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"some-model" in written and KEY.encode() not in written
    assert KEY not in repr(planner) + repr(vars(planner)) + repr(agent.planner)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ChatPlanner(stub.url, "m")._key.value == KEY
