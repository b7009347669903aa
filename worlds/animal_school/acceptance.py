"""What must come out of a run: ANI-1 and ANI-2 of the gallery."""

from itertools import groupby

from unaiverse_lab import Session
from unaiverse_lab.core.records import Badge, Completed, Pushed, RoleSet

BADGE = "Completed the Animal School #ImageClassification #AnimalPictures"


def UNTIL(session: Session) -> bool:
    """The teacher is done, everybody it asked has answered, and who was promoted has its new role."""
    teacher, world = session.agent("Test1"), session.world
    members = [node for node in session.nodes.values() if node.peer_id in world.roster]
    return (
        teacher.behav.state in ("habilitate", "goodbye")
        and not teacher.im.sent
        and all(node.agent.behav.role == world.get_role(node.peer_id) for node in members)
    )


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """What is expected, whether it holds, what was found."""
    trace, teacher, world = session.trace, session.agent("Test1"), session.world
    recorded = {
        stream.props.group: len(stream)
        for stream in teacher.owned_streams.values()
        if stream.props.group.startswith("recorded")
    }
    done = [r.action for r in trace.of_kind(Completed) if (r.node, r.side, r.reason) == ("Test1", "sent", "ok")]
    shown = [r for r in trace.of_kind(Pushed) if (r.node, r.owner) == ("Test2", "Test1")]
    named = groupby(r.value for r in shown if r.stream.startswith("LabelStream@"))
    lessons = [(animal, len(list(group))) for animal, group in named]
    exam = sum(r.stream == "DrawnPictures@recorded1" for r in shown)
    errors = {name: one.error for name, one in teacher.comparisons.items()}
    badges = [(r.node, r.badge_type, r.score, r.description) for r in trace.of_kind(Badge) if r.awarded]
    awarded = {peer: [badge["badge_description"] for badge in held] for peer, held in world.get_all_badges().items()}
    roles = [world.get_role(name) for name in ("Test1", "Test2", "Test3")]
    begun = [(r.role, r.state) for r in trace.of_kind(RoleSet) if r.node == "Test2"]
    return [
        (
            "ANI-1 recordings of 30, 40, 40 and 40",
            list(recorded.items()) == [("recorded1", 30), ("recorded2", 40), ("recorded3", 40), ("recorded4", 40)],
            ", ".join(f"{group}: {count}" for group, count in recorded.items()),
        ),
        (
            "ANI-1 albatross, cheetah, giraffe are taught",
            lessons == [("albatross", 40), ("cheetah", 40), ("giraffe", 40)] and done.count("learn") == 3,
            ", ".join(f"{count} x {animal}" for animal, count in lessons),
        ),
        ("ANI-1 one exam of 30", exam == 30 and done.count("process") == 1, f"{exam} pictures"),
        ("ANI-2 the memory passes (error <= 0.3)", errors["Test2"] <= 0.3, f"error {errors['Test2']:.3f}"),
        ("ANI-2 the network forgets (error > 0.65)", errors["Test3"] > 0.65, f"error {errors['Test3']:.3f}"),
        (
            "ANI-2 one badge, for Test2",
            badges == [("Test2", "completed", 1.0, BADGE)] and awarded == {"Test2": [BADGE]},
            ", ".join(f"{node}: {kind}, score {score:g}" for node, kind, score, _ in badges) or "none",
        ),
        (
            "ANI-2 Test2 is promoted, Test3 is not",
            roles == ["teacher", "teacher", "student"] and begun == [("student", "init"), ("teacher", "init")],
            ", ".join(roles),
        ),
    ]
