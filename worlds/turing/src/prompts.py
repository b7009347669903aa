"""What a program is told, as one text; and how to find one's way in it again."""

import re

PERSONA = (
    "You are {name}, a guest at a table in a hotel. Some of the others are human, some are programs. "
    "Be taken for human, and find out who is not. One short line at a time."
)
Line = tuple[float, str, str]
"""When, who, what."""


def chat_prompt(name: str | None, others: list[str], history: list[Line]) -> str:
    """Who we are, who is there, what was said, and what to do now."""
    lines = [f"{number}. ({t:.1f}) {who}: {text}" for number, (t, who, text) in enumerate(history, start=1)]
    epilogue = f"Answer {history[-1][1]}." if history else "Say something."
    return "\n".join([PERSONA.format(name=name), f"At the table: {', '.join(others) or 'nobody'}.", *lines, epilogue])


def lines_of(prompt: str) -> list[Line]:
    """The history in a prompt."""
    found = re.findall(r"^\d+\. \((\d+\.\d)\) (\w+): (.*)$", prompt, re.MULTILINE)
    return [(float(t), who, text) for t, who, text in found]
