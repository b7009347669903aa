"""Longer stories: a library is read and asked, with its screens; a blackboard with jobs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from events.kit import reasons, story
from events.library import (
    AgentRequestsFolderConversion,
    AgentSendsQuery,
    Bucket,
    Created,
    FolderConversionCompleted,
    InProcess,
    SimilarChunks,
    Store,
)
from unaiverse_lab.events import (
    Action,
    Agent,
    BaseWorld,
    ChatInterfaceWorld,
    Event,
    Object,
    Rule,
    RulePlanner,
    Step,
    Thought,
    ThoughtAction,
    User,
    UserSpeaksWithAgentEvent,
    action,
)

TALK = UserSpeaksWithAgentEvent
TELL = ["AgentSpeaksWithUser", "AgentGoesToSleep"]
SCREENS = {
    "name": "RAG",
    "screens": [
        {
            "name": "Chat Room",
            "has_input": True,
            "screen_type": "event_history",
            "tracked_events": [
                {"event_type": kind}
                for kind in (
                    "user_speaks_with_agent_event", "agent_goes_to_sleep", "agent_speaks_with_user_event",
                    "agent_speaks_with_agent_event",
                )
            ],
        },
        {
            "name": "All events",
            "has_input": False,
            "screen_type": "event_history",
            "tracked_events": [
                {"event_type": kind}
                for kind in (
                    "user_speaks_with_agent_event", "agent_goes_to_sleep", "agent_speaks_with_user_event",
                    "agent_requests_folder_conversion", "folder_conversion_completed",
                    "agent_generates_text_chunk_collection", "agent_generates_ner_collection",
                    "vector_store_collection_creation_in_process", "vector_store_collection_created",
                )
            ],
        },
    ],
}  # fmt: skip


def library(tmp_path, *agents: Agent) -> tuple[ChatInterfaceWorld, User, Any, Store]:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "b.md").write_text("Bee: an insect that makes honey. " + "filler " * 60)
    (tmp_path / "notes" / "a.md").write_text(
        "Ant: an insect that builds hills.\nBear: it eats honey.\n" + "words " * 60
    )
    bucket, store = Bucket("Bucket", "local_storage_bucket"), Store("Vectors", "qdrant_bucket")
    bucket.storage_path = store.storage_path = str(tmp_path)
    world, you = ChatInterfaceWorld("RAG", "", id="rag-world", screens_config_path=SCREENS), User()
    for one in (*agents, bucket, store):
        world.add(one)
    world.add(you)
    return world, you, world.launch(), store


def reader() -> Agent:
    made = {"full_text_path": "all.txt", "collection_name": lambda state: state.last_event.message.split()[-1]}
    rules = [
        Rule({"event_type": TALK.event_type, "message": "Convert the notes"}, "convert",
             {"input_folder_path": "notes", "output_file_path": "all.txt"}),
        Rule({"event_type": TALK.event_type, "message": "Make chunks"}, "chunk", {**made, "num_tokens_chunk_size": 20}),
        Rule({"event_type": TALK.event_type, "message": "Make ner"}, "ner", made),
        Rule(FolderConversionCompleted, TELL, {"message": "converted"}),
        Rule(InProcess, TELL, {"message": lambda state: f"{state.last_event.collection_name} is in process"}),
        Rule(Created, TELL, {"message": lambda state: f"{state.last_event.collection_name} is there"}),
    ]  # fmt: skip
    return Agent("BA", "BA", "Reads.", RulePlanner(rules))


def test_a_library_is_read_step_by_step_while_the_world_goes_on(tmp_path) -> None:
    world, you, run, store = library(tmp_path, reader())
    run.run()
    for wish in ("Convert the notes", "Make chunks", "Make ner"):
        you.send(TALK(target_id="BA", message=wish))
        assert run.run(max_ticks=200).reason == "idle"
    assert [e.message for e in you.received if e.event_type == "agent_speaks_with_user_event"] == [
        "converted", "chunks is in process", "chunks is there", "ner is in process", "ner is there",
    ]  # fmt: skip
    text = (tmp_path / "all.txt").read_text()
    assert text.index("Ant") < text.index("\n---\n") < text.index("Bee")
    assert store.collections["ner"] == [
        "Ant: an insect that builds hills.", "Bear: it eats honey.",
        f"Bee: an insect that makes honey. {'filler ' * 60}",
    ]  # fmt: skip
    assert len(store.collections["chunks"]) == 7 and reasons(world) == []
    kinds = [kind for _, _, kind in story(world)]
    chat = [one["event_type"] for one in SCREENS["screens"][0]["tracked_events"]]
    shown = [one["event_type"] for one in SCREENS["screens"][1]["tracked_events"]]
    assert world.screens().counts() == {
        "Chat Room": sum(kind in chat for kind in kinds),
        "All events": sum(kind in shown for kind in kinds),
    }
    assert kinds.index("vector_store_collection_creation_in_process") + 1 < kinds.index(
        "vector_store_collection_created"
    )


def test_nothing_outside_the_storage_is_touched(tmp_path) -> None:
    world, you, run, store = library(tmp_path)
    you.send(
        AgentRequestsFolderConversion(
            target_id="local_storage_bucket", input_folder_path="notes", output_file_path="../out.txt"
        )
    )
    run.run()
    assert reasons(world) == ["a path leads out of the storage"] and not (tmp_path.parent / "out.txt").exists()


class RetrieveQuery(Event):
    event_type = "agent_retrieves_from_sources_event"
    users_query: str


class ExpertAnswer(Event):
    event_type = "agent_answers_as_expert_event"
    justified_answer: str
    references: list[str]


class AgentRetrievesFromSources(Action):
    trigger_event_class = RetrieveQuery
    description = "Asks both collections."
    local = True

    def __call__(self, event: RetrieveQuery) -> None:
        agent = self.host_object
        agent.notes["users_question"] = event.users_query
        for name, count in (("chunks", 5), ("ner", 2)):
            agent.send_event(
                AgentSendsQuery(
                    target_id="qdrant_bucket", collection_name=name, query=event.users_query, num_chunks=count
                )
            )


class AddRelevantInfoToState(Action):
    trigger_event_class = SimilarChunks
    listed = False

    def __call__(self, event: SimilarChunks) -> None:
        self.host_object.notes.setdefault("retrieved", {})[event.collection_name] = event.similar_chunks


class JustifiedAnswer(Thought):
    def run(self) -> str:
        own = self.agent_state.own
        return f"{own['users_question']} {own['retrieved']['ner'][0]}"


class AnswerToUserAsExpert(ThoughtAction):
    trigger_event_class = ExpertAnswer
    description = "Answers with reasons."
    required_thoughts = {
        "justified_answer": JustifiedAnswer,
        "references": lambda state: [one for found in state.own["retrieved"].values() for one in found],
    }

    def __call__(self, event: ExpertAnswer) -> None:
        agent = self.host_object
        answer = {"justified_answer": event.justified_answer, "references": event.references}
        agent.send_event(ExpertAnswer(target_id="test_user", **answer))
        agent.notes.clear()
        agent.thoughts.clear()


def test_an_expert_answers_when_both_sources_have_and_not_before_it_is_asked(tmp_path) -> None:
    rules = [
        Rule({"event_type": TALK.event_type}, "AgentRetrievesFromSources",
             {"users_query": lambda state: state.last_event.message})
    ]  # fmt: skip
    expert = Agent(
        "Expert",
        "expert",
        planner=RulePlanner(rules),
        actions=[AgentRetrievesFromSources, AddRelevantInfoToState, AnswerToUserAsExpert],
        chains=[["AgentRetrievesFromSources", Step("AnswerToUserAsExpert", [SimilarChunks, SimilarChunks])]],
    )
    world, you, run, store = library(tmp_path, expert, reader())
    run.run()
    for wish in ("Convert the notes", "Make chunks", "Make ner"):
        you.send(TALK(target_id="BA", message=wish))
        run.run()
    before = len(you.received)
    you.send(TALK(target_id="expert", message="What makes honey?"))
    run.run()
    (answer,) = [e for e in you.received[before:] if e.event_type == "agent_answers_as_expert_event"]
    assert answer.justified_answer.startswith("What makes honey? B") and "honey" in answer.justified_answer
    assert len(answer.references) == 7 and expert.notes == expert.thoughts == {} and expert.errors == 0
    kinds = [e.event_type for e in world.events]
    last = max(index for index, kind in enumerate(kinds) if kind == "vector_store_collection_similar_chunks")
    assert kinds.index("agent_answers_as_expert_event") > 0 and kinds[:last].count("agent_answers_as_expert_event") == 0


class Job(BaseModel):
    """Something to be done."""

    id: str
    description: str
    assigned_to: str = ""
    output_format: str = "text"
    status: str = "open"


class AgentReadsBlackboard(Event):
    event_type = "agent_reads_blackboard"


class BlackboardSendsContent(Event):
    event_type = "blackboard_sends_content"
    blackboard_content: list[Job]


class UserAddsJob(Event):
    event_type = "user_adds_job_to_blackboard"
    new_job: Job


class AgentDeletesJob(Event):
    event_type = "agent_deletes_job_from_blackboard"
    job_id: str


class Blackboard(Object):
    """Holds jobs, as plain data."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.jobs: list[dict[str, Any]] = []

    @action(on=UserAddsJob)
    def write(self, event: UserAddsJob) -> None:
        self.jobs.append(event.new_job.model_dump())

    @action(on=AgentReadsBlackboard)
    def read(self, event: AgentReadsBlackboard) -> None:
        self.send_event(BlackboardSendsContent(target_id=event.sender_id, blackboard_content=self.jobs))

    @action(on=AgentDeletesJob)
    def wipe(self, event: AgentDeletesJob) -> bool:
        left = [job for job in self.jobs if job["id"] != event.job_id]
        if len(left) == len(self.jobs):
            return self.refuse(event, f"there is no job {event.job_id!r}")
        self.jobs = left
        return True


@pytest.mark.parametrize("encode", [False, True])
def test_a_blackboard_keeps_jobs_which_are_models_in_events(encode: bool) -> None:
    board, you = Blackboard("Board", "board"), User()
    world = BaseWorld(id="w", objects=[board])
    world.add(you)
    run = world.launch(encode=encode)
    for number in "12":
        you.send(UserAddsJob(target_id="board", new_job=Job(id=number, description=f"Job {number}")))
    you.send(AgentDeletesJob(target_id="board", job_id="1"))
    you.send(AgentDeletesJob(target_id="board", job_id="9"))
    you.send(AgentReadsBlackboard(target_id="board"))
    run.run()
    (content,) = [e for e in you.received if e.event_type == "blackboard_sends_content"]
    assert content.blackboard_content == [Job(id="2", description="Job 2")]
    assert reasons(world) == ["there is no job '9'"]
    schema = world.get_available_action_schemas("test_user")["board:write"]
    assert '"Job"' in schema and '"output_format"' in schema
