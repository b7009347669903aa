"""What a run of the chat room must show; it ends twenty seconds after its beginning."""

from unaiverse_lab import Session
from unaiverse_lab.core.records import Injected, Pushed

SECONDS = 20.0


def UNTIL(session: Session) -> bool:
    return session.now >= SECONDS


def checks(session: Session) -> list[tuple[str, bool, str]]:
    lines = [record.value for record in session.trace.of_kind(Injected) if record.node == "Ada"]
    relayed = {name: heard(session, name) for name in ("ChatAI", "Polly", "Ada")}
    counts = [[relayed[name].count(f"**Ada:** {line}") for line in lines] for name in ("ChatAI", "Polly")]
    echoes = sum(text.startswith("**Ada:**") for text in relayed["Ada"])
    return [
        ("CHAT-1 a line reaches every other user once", counts == [[1] * len(lines)] * 2, f"{len(lines)} lines"),
        ("CHAT-1 and never who said it", echoes == 0, f"{echoes} echoes"),
        ("CHAT-2 whoever is called answers", any("**ChatAI:**" in text for text in relayed["Ada"]), relayed["Ada"][0]),
    ]


def heard(session: Session, name: str) -> list[str]:
    """What the broadcaster passed on to a user."""
    return [str(record.value) for record in session.trace.of_kind(Pushed) if record.node == name]
