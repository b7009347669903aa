"""What a run of the hello world must show; it ends when nothing can happen any more."""

from unaiverse_lab import Session

STORY = [
    ("test_user", "agent1", "user_speaks_with_agent_event"),
    ("agent1", "simple_calculator", "agent_wants_to_add_two_numbers_event"),
    ("simple_calculator", "agent1", "send_added_numbers_to_agent_event"),
    ("agent1", None, "agent_speaks_with_user_event"),
    ("agent1", None, "agent_goes_to_sleep"),
]


def checks(session: Session) -> list[tuple[str, bool, str]]:
    events = [one for one in session.world.events if not one.meta.get("local")]
    story = [(one.sender_id, one.target_id, one.event_type) for one in events]
    sums = [one.sum for one in events if one.event_type == "send_added_numbers_to_agent_event"]
    words = [one.message for one in events if one.event_type == "agent_speaks_with_user_event"]
    return [
        ("HELLO-1 five events, in this order", story == STORY, f"{len(story)} events"),
        ("HELLO-2 the sum is exact", sums == [9.23], str(sums)),
        ("HELLO-3 the user hears it", words == ["The sum is 9.23."], " ".join(words)),
        ("HELLO-4 nothing was refused", not session.world.events.refusals(), ""),
    ]
