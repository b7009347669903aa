"""What a run of the round table must show; it ends when nothing can happen any more."""

from unaiverse_lab import Session

TABLE = ["Ada", "Ben", "Cleo", "Dan"]


def checks(session: Session) -> list[tuple[str, bool, str]]:
    world = session.world
    spoken = [one.speaker for one in world.events if one.event_type == "agent_speaks_into_microphone_event"]
    holders = [one.held_by for one in world.events if one.event_type == "world_sets_holder"]
    shown = world.screens().counts()
    return [
        ("ROUND-1 eight turns, round the table", spoken == TABLE * 2, " ".join(spoken)),
        ("ROUND-2 the microphone goes before the word", holders == spoken[1:], f"{len(holders)} gifts"),
        ("ROUND-3 nobody spoke without it", not world.events.refusals(), ""),
        ("ROUND-4 the screens show the same", shown == {"Talk": 8, "Microphone": 7}, str(shown)),
    ]
