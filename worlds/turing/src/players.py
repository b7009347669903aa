"""Guests for a run without models and without people. Put a language model in their place: text in, text out."""

import hashlib
import random
import re

from unaiverse_lab import Custom, Node

from .prompts import Line, lines_of
from .rules import MANAGER

_WORDS = (
    "amber anchor autumn basket bridge candle carpet cloud copper corner daisy engine feather forest garden glass "
    "harbour island jacket kettle ladder lantern marble meadow mirror needle orange paper pepper planet pocket river "
    "saddle shadow silver spoon summer thread timber tunnel velvet violin window winter"
)
WORDS = _WORDS.split()

PERSONAS = {
    "grumpy": {
        "greet": ["Hello. Make it short, please.", "Good evening, if it is one."],
        "ask": ["{other}, what do you want to know, exactly?", "Do you always ask so much, {other}?"],
        "say": ["I have heard that before.", "That is what everybody says.", "In my day rooms had a view."],
    },
    "cheerful": {
        "greet": ["Hi! I'm so glad somebody's here!", "Hey, what's up?"],
        "ask": ["That's lovely, {other}! What else d'you like?", "I can't believe it, {other}. Really?"],
        "say": [
            "It's such a nice hotel, isn't it?",
            "I'd say the breakfast's the best part.",
            "Don't you just love it?",
        ],
    },
}


class WordBot:
    """It listens to nobody, and says one word after the other.

    Args:
        seed: another seed, another order.
    """

    def __init__(self, seed: int):
        self.words = random.Random(seed).sample(WORDS, len(WORDS))
        self.count = 0

    def __call__(self, prompt: str) -> str:
        self.count += 1
        return self.words[self.count % len(self.words)]


class PersonaBot:
    """It answers in character, from a few sentences, and votes as people here do.

    Args:
        persona: ``"grumpy"`` or ``"cheerful"``.
    """

    def __init__(self, persona: str):
        self.persona = persona

    def __call__(self, prompt: str) -> str:
        history = lines_of(prompt)
        _, who, text = history[-1]
        if who == MANAGER and "[VOTE_REQ_MSG]" in text:
            return verdict(history)
        kind = "greet" if who == MANAGER else "ask" if text.endswith("?") else "say"
        return _pick(PERSONAS[self.persona][kind], prompt).format(other=who)


class Person:
    """Somebody in front of a node (its ``run_hook``): reads the screen, types from a script, votes by a rule.

    Args:
        lines: what to say at the table, one after the other, and again from the beginning; ``{other}`` is who spoke
            last.
        pace: seconds between two lines.
    """

    def __init__(self, lines: list[str], pace: float = 4.0):
        self.lines = lines
        self.pace = pace

    def __call__(self, node: Node) -> None:
        guest = node.agent
        keyboard = guest.get_stream("processor_in")
        if guest.typed or keyboard.has_unread("process", Custom.SYSTEM_INTERACTION_UUID):
            return
        state = guest.behav.get_state_name(consider_limbo=True)
        if state == "init":
            guest.say("Here I am.")
        elif state == "room_round_table" and guest.began_at is not None:
            if guest.clock.now >= guest.began_at + self.pace * (guest.lines_said + 1):
                line = self.lines[guest.lines_said % len(self.lines)]
                guest.say(line.format(other=_last_speaker(guest.history, guest.fake_name)))
        elif state == "can_vote" and guest.is_asked_to_vote:
            guest.say(verdict(guest.history, guest.fake_name))


def verdict(history: list[Line], own_name: str | None = None) -> str:
    """The rule by which everybody here votes: who uses contractions is human."""
    said: dict[str, str] = {}
    for _, who, text in history:
        if who not in (MANAGER, own_name):
            said[who] = f"{said.get(who, '')} {text}"
    kinds = {who: "human" if re.search("[a-z]'[a-z]", text) else "a bot" for who, text in said.items()}
    return "; ".join(f"{who} is {kind}" for who, kind in kinds.items()) or "nobody"


def _last_speaker(history: list[Line], own_name: str) -> str:
    return next((who for _, who, _ in reversed(history) if who not in (MANAGER, own_name)), "anybody")


def _pick(sentences: list[str], key: str) -> str:
    number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big")
    return sentences[number % len(sentences)]
