"""The chat room of the gallery, its text cut into cells."""

from __future__ import annotations

import ast
import importlib.util
import textwrap
from types import ModuleType

from unaiverse_lab.world.folder import find_world

ROOT = find_world("chat")
SESSION = """
text = {"proc_inputs": ["text"], "proc_outputs": ["text"]}
s = lab.Session(Chat, seed=7, name="ChatRoom")
s.add(lab.Agent(proc=None, **text), "Broadcaster")
s.add(lab.Agent(proc=talkers.TinyTalker(), **text), "ChatAI")
s.add(lab.Agent(proc=talkers.Parrot(), **text), "Polly")
s.add(lab.Agent(proc=lab.ScriptedHuman([
    (2.0, "Hello everybody, how is the weather?"),
    (5.0, "ChatAI, what do you think about coffee?"),
    (9.0, "Polly want a cracker"),
    (14.0, "I have to go, see you tomorrow"),
]), **text), "Ada")
s.step(400)
"""


def talkers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chat_talkers", ROOT / "src" / "talkers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def body_of(file: str, only: str | None = None) -> str:
    """The body of the class in a file, or one of its methods."""
    text = (ROOT / "src" / file).read_text(encoding="utf-8")
    cls = next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    body = [node for node in cls.body if only is None or getattr(node, "name", "") == only]
    first = min([body[0].lineno, *(one.lineno for one in getattr(body[0], "decorator_list", []))])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : body[-1].end_lineno])) + "\n"


def builder_of(role: str) -> str:
    """The lines of ``create_behav_files`` that build the machine of a role."""
    text = body_of("world.py", "create_behav_files")
    start = text.index(f'behav.set_role("{role}")')
    piece = textwrap.dedent("    " + text[start : text.index("behav.save", start)].rstrip())
    return piece.replace("self.max_silence_seconds", "25.0").replace("self.talk_probability", "0.01") + "\n"


def cells() -> list[str]:
    """The chat room in cells: imports, world, roles, behaviors."""
    return [
        "from unaiverse_lab import Agent, Custom, Interaction, NodeProfile, action\n"
        "from unaiverse_lab.data.processors import is_genuine_model\n"
        'TOPICS = ("sport", "the weather", "technology", "having fun", "movies", "songs")\n',
        "%%world Chat --delta 0.05 --masters Broadcaster\n" + body_of("world.py", "assign_role"),
        "%%role broadcaster\n" + body_of("broadcaster.py"),
        "%%role user\n" + body_of("user.py"),
        "%%behavior broadcaster\n" + builder_of("broadcaster"),
        "%%behavior user\n" + builder_of("user"),
    ]
