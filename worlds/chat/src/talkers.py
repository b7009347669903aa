"""Talkers without a model: what they say follows from what they are told, so a run can be repeated exactly.

Any callable from text to text can take their place, e.g. a language model wrapped in a function.
"""

import hashlib
import re

STOP_WORDS = frozenset(
    [
        "about",
        "after",
        "again",
        "also",
        "answer",
        "been",
        "being",
        "chatting",
        "conversation",
        "current",
        "does",
        "from",
        "have",
        "here",
        "last",
        "message",
        "much",
        "nobody",
        "room",
        "sentence",
        "short",
        "some",
        "spoken",
        "start",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "turns",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "would",
        "your",
    ]
)

OPINIONS = {
    "sport": "I prefer watching a match to playing one.",
    "weather": "It looks like rain to me, but I never go out.",
    "technology": "Everything new is old by the evening.",
    "movies": "The book was better, they say.",
    "songs": "I hum, but nobody hears it.",
    "music": "A tune in a minor key, please.",
    "coffee": "I run on electricity, you run on coffee.",
    "game": "Shall we play? I always lose at chess.",
}

REPLIES = (
    "Tell me more about {topic}.",
    "I have been thinking about {topic} all day.",
    "What would you do without {topic}?",
    "{topic}? That reminds me of something.",
    "I am not sure I agree on {topic}.",
)


def pick(options, key: str):
    """One of the options, always the same one for the same key."""
    number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big")
    return options[number % len(options)]


class TinyTalker:
    """Answers with an opinion if it has one on the subject, else asks about the longest word it heard."""

    def __call__(self, prompt: str) -> str:
        message = prompt.rpartition("current message is:")[2] or prompt
        message = re.sub(r"\*\*.*?:\*\*", " ", message)
        words = [word for word in re.findall(r"[a-z']+", message.lower()) if len(word) > 3]
        for word in words:
            if word in OPINIONS:
                return OPINIONS[word]
        subjects = [word for word in words if word not in STOP_WORDS] or ["that"]
        topic = max(subjects, key=lambda word: (len(word), word))
        return pick(REPLIES, prompt).format(topic=topic).capitalize()


class Parrot:
    """Repeats the last words of what it hears."""

    def __call__(self, prompt: str) -> str:
        words = re.findall(r"[\w']+", prompt.rpartition(":")[2])
        return f"{' '.join(words[-3:])}, {words[-1]}!" if words else "Rrrk!"
