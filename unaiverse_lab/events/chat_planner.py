"""A planner that asks a language model behind an OpenAI-compatible address, with tools for the available actions."""

from __future__ import annotations

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from unaiverse_lab.events.event import HIDDEN
from unaiverse_lab.events.planner import SLEEP, AgentState, Choice, Planner, PlannerError

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
PAUSE = 0.2
GO_TO_SLEEP = "go_to_sleep"


class ChatPlanner(Planner):
    """One request per decision; the first tool call of the answer is the decision.

    Args:
        base_url: without ``/chat/completions``.
        model: its name.
        api_key: default: the environment's ``OPENAI_API_KEY``. It is kept out of representations, logs and cassettes.
        seed, temperature: told to the model.
        timeout: seconds of this computer's clock per request.
        retries: further attempts after an overloaded server or a timeout.
        cassette: a JSON file of recorded answers, used instead of the network.
        record: ask the network for what the cassette lacks, and add it.
        budget: requests per run.

    Raises:
        PlannerError: the cassette cannot be read.
    """

    _fleeting_fields = ("_key",)

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        timeout: float = 30.0,
        retries: int = 2,
        cassette: str | Path | None = None,
        record: bool = False,
        budget: int = 50,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.model = model
        self._key = _Secret(api_key if api_key is not None else os.environ.get("OPENAI_API_KEY"))
        self.seed = seed
        self.temperature = temperature
        self.timeout = timeout
        self.retries = retries
        self.cassette = None if cassette is None else str(cassette)
        self.record = record
        self.budget = budget
        self.asked = 0

    def __repr__(self) -> str:
        return f"ChatPlanner({self.base_url!r}, {self.model!r})"

    def plan_next_action(self, state: AgentState) -> Any:
        """What the model chooses.

        Raises:
            PlannerError: it chose nothing usable, twice; the server cannot be reached; the budget is spent.
        """
        names, tools = self._tools(state)
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": _about(state)},
            {"role": "user", "content": _situation(state)},
        ]
        for attempt in (0, 1):
            answer = self._ask(messages, tools)
            try:
                return self._understood(answer, names, state)
            except PlannerError as error:
                if attempt:
                    raise
                messages = [
                    *messages,
                    {"role": "assistant", "content": json.dumps(answer)[:2000]},
                    {"role": "user", "content": f"That cannot be done: {error}. Call exactly one of the tools."},
                ]
        raise AssertionError

    def _tools(self, state: AgentState) -> tuple[dict[str, str], list[dict[str, Any]]]:
        names: dict[str, str] = {}
        tools = []
        for index, (key, value) in enumerate(state.available_action_schemas.items()):
            description, _, schema = value.split("|", 2)
            owner, _, action = key.partition(":")
            name = f"a{index}_{action}"[:64]
            names[name] = key
            parameters = json.loads(schema)
            shown = {field: one for field, one in parameters["properties"].items() if field not in HIDDEN}
            required = [field for field in parameters.get("required", ()) if field in shown]
            extra = {"$defs": parameters["$defs"]} if "$defs" in parameters else {}
            tools.append(
                _tool(
                    name,
                    f"{description} ({owner})",
                    {"type": "object", "properties": shown, "required": required, **extra},
                )
            )
        tools.append(_tool(GO_TO_SLEEP, "Do nothing until something happens.", {"type": "object", "properties": {}}))
        return names, tools

    def _understood(self, answer: dict[str, Any], names: dict[str, str], state: AgentState) -> Choice | None:
        try:
            message = answer["choices"][0]["message"]
            calls = message.get("tool_calls") or []
        except (KeyError, IndexError, TypeError, AttributeError):
            raise PlannerError("the answer has not the form of a chat completion") from None
        if not calls:
            raise PlannerError(
                f"the model answered in words instead of calling a tool: {message.get('content')!r:.200}"
            )
        function = calls[0].get("function") or {}
        name = function.get("name")
        if name == GO_TO_SLEEP:
            return Choice(SLEEP) if f"{state.id}:{SLEEP}" in state.available_action_schemas else None
        if name not in names:
            raise PlannerError(f"there is no tool {name!r}")
        try:
            params = json.loads(function.get("arguments") or "{}")
        except ValueError as error:
            raise PlannerError(f"the arguments of {name!r} are not JSON: {error}") from None
        if not isinstance(params, dict):
            raise PlannerError(f"the arguments of {name!r} are not an object")
        key = names[name]
        schema = json.loads(state.available_action_schemas[key].split("|", 2)[2])
        _fits(params, schema, name)
        target = params.pop("target_id", None)
        return Choice(key, params, target)

    # ------------------------------------------------------------------ the wire

    def _ask(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        request = {
            "model": self.model,
            "messages": messages,
            "tools": tools,
            "tool_choice": "required",
            "temperature": self.temperature,
            "seed": self.seed,
        }
        content = json.dumps(request, sort_keys=True)
        mark = hashlib.sha256(content.encode()).hexdigest()
        known = self._recorded()
        if mark in known:
            return dict(known[mark])
        if self.cassette is not None and not self.record:
            raise PlannerError(f"the cassette {self.cassette} has no answer to this request (record=True adds it)")
        answer = self._post(content.encode())
        if self.cassette is not None:
            known[mark] = answer
            Path(self.cassette).write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        return answer

    def _recorded(self) -> dict[str, Any]:
        if self.cassette is None or not Path(self.cassette).exists():
            return {}
        try:
            found = json.loads(Path(self.cassette).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PlannerError(f"the cassette {self.cassette} cannot be read: {error}") from None
        return dict(found)

    def _post(self, content: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self._key.value:
            headers["Authorization"] = f"Bearer {self._key.value}"
        problem = ""
        for attempt in range(self.retries + 1):
            if self.asked >= self.budget:
                raise PlannerError(f"the budget of {self.budget} requests is spent")
            self.asked += 1
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            request = urllib.request.Request(f"{self.base_url}/chat/completions", content, headers, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                    return dict(json.loads(reply.read()))
            except urllib.error.HTTPError as error:
                with error:
                    problem = f"the server answered {error.code} {error.reason}"
                if error.code not in AGAIN:
                    break
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                problem = f"the server cannot be reached: {getattr(error, 'reason', error)}"
            except (ValueError, TypeError):
                problem = "the answer is not a JSON object"
                break
        raise PlannerError(f"{self.base_url}: {problem}")


class _Secret:
    """A key that is never shown or written."""

    __slots__ = ("value",)

    def __init__(self, value: str | None) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<secret>"

    def __getstate__(self) -> None:
        return None


def _tool(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _about(state: AgentState) -> str:
    lines = [f"You are {state.name}. {state.description}", state.host_world_prompt]
    lines += [f"Goals: {'; '.join(state.goals)}"] if state.goals else []
    lines += [f"Plan: {'; '.join(state.plan)}"] if state.plan else []
    return "\n".join(line for line in lines if line)


def _situation(state: AgentState) -> str:
    who = "\n".join(
        f"- {one['id']} ({one['entity_type']}): {one['description']}" for one in state.available_entities.values()
    )
    return f"{state.last_retrieved_memory}\n\n# Who is here\n{who}\n\nChoose what to do next."


def _fits(params: dict[str, Any], schema: dict[str, Any], name: str) -> None:
    fields = schema.get("properties", {})
    for field in schema.get("required", ()):
        if field not in params and field not in HIDDEN:
            raise PlannerError(f"{name!r} needs {field!r}")
    for field in params:
        if field not in fields:
            raise PlannerError(f"{name!r} has no parameter {field!r}")
