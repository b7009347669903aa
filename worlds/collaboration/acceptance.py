"""What a run of the collaboration must show; it ends when nothing can happen any more."""

import json

from unaiverse_lab import Session

STORY = [
    ("test_user", "John", "user_speaks_with_agent_event"),
    ("John", "matrix_generator", "agent_generates_n_by_n_matrix_event"),
    ("matrix_generator", "John", "send_generated_matrix_event"),
    ("John", "Matthew", "agent_speaks_with_agent_event"),
    ("John", None, "agent_goes_to_sleep"),
    ("Matthew", "det_calculator", "agent_computes_determinant"),
    ("det_calculator", "Matthew", "send_matrix_determinant"),
    ("Matthew", "John", "agent_speaks_with_agent_event"),
    ("John", "test_user", "agent_speaks_with_user_event"),
    ("Matthew", None, "agent_goes_to_sleep"),
    ("John", None, "agent_goes_to_sleep"),
]


def checks(session: Session) -> list[tuple[str, bool, str]]:
    events = [one for one in session.world.events if not one.meta.get("local")]
    story = [(one.sender_id, one.target_id, one.event_type) for one in events]
    told = json.loads(next(one.message for one in events if one.event_type == "agent_speaks_with_user_event"))
    (a, b, c), (d, e, f), (g, h, i) = told["matrix"]
    right = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return [
        ("COLLAB-1 the story, in its order", story == STORY, f"{len(story)} events"),
        ("COLLAB-2 the determinant is exact", told["determinant"] == right, f"{told['determinant']} = {right}"),
        ("COLLAB-3 nothing was refused", not session.world.events.refusals(), ""),
    ]
