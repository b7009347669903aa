"""What a run of the house must show; it ends when nothing can happen any more."""

from unaiverse_lab import Session

WHY = ["'Finn' is not within reach of 'Eva'", "there is no place 'cellar'. Known: garden, kitchen."]


def checks(session: Session) -> list[tuple[str, bool, str]]:
    world = session.world
    heard = [name for one in world.events.sent if one.action == "door_sounds" for name in one.targets]
    counts = [heard.count(name) for name in ("Eva", "Finn")]
    spoken = [one.message for one in world.events if one.event_type == "agent_speaks_with_agent_event"]
    reasons = [reason for _, reason in world.events.refusals()]
    together = set(world.get_available_entities("Finn"))
    return [
        ("HOUSE-1 no word crosses a wall", WHY[0] in reasons, WHY[0]),
        ("HOUSE-2 there is no way to a room that is not there", sorted(reasons) == WHY, "; ".join(reasons)),
        ("HOUSE-3 first one hears the door, then two", counts == [2, 1], str(counts)),
        ("HOUSE-4 in one room they talk", spoken[1:] == ["Here I am.", "Now I can."], "; ".join(spoken)),
        ("HOUSE-5 and see each other", together == {"house", "door", "Eva", "Finn"}, ", ".join(sorted(together))),
    ]
