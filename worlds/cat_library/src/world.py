"""The cat library: a teacher records a poem from the world, teaches it by heart, and examines."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, Stream, World, template
from unaiverse_lab.data.library import TokensStream

from .stats import WStats
from .student import WAgent as Student
from .teacher import WAgent as Teacher


class WWorld(World):
    """The first master teaches, everybody else learns.

    ``steps`` is the length of the poem, ``repeat`` how often it is read, ``threshold`` the largest passing error.
    """

    def __init__(self, world_folder: str, poem: str, repeat: int = 50, threshold: float = 0.2):
        super().__init__(world_folder, stats=WStats(is_world=True))
        cats = TokensStream(tokens_file_csv=poem, max_tokens=998)
        self.steps = len(cats)
        self.repeat = repeat
        self.threshold = threshold
        self.add_stream(Stream.create(name="cats", public=False, stream=cats))

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        if is_world_master and len(self.world_masters) <= 1:
            return "teacher"
        return "student"

    def create_behav_files(self) -> None:
        folder = Path(self.world_folder)

        agent = Teacher(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("teacher")
        behav.add_wildcards(
            {
                "<role_to_engage>": "student",
                "<learn_steps>": self.steps,
                "<eval_steps>": self.steps,
                "<learn_time>": 120.0,
                "<exam_time>": 120.0,
                "<cmp_thres>": self.threshold,
                "<exam_data_ref>": "<agent>:recorded1",
            }
        )
        behav.add_transit(
            "init",
            "book_prepared",
            action="record",
            args={"streams": ["<world>:cats"], "num_steps": self.steps, "record_uuid": None},
            ready=True,
        )
        behav.add_transit("book_prepared", template("engage_by_role"), action="nop")
        behav.add_transit(
            "engagement_complete",
            template("teach-playlist_eval-recorded1"),
            action="set_pref_streams",
            args={"net_hashes": ["<agent>:recorded1"], "repeat": self.repeat},
        )
        behav.add_state(
            "eval_time",
            action="evaluate",
            args={"stream_hash": "<exam_data_ref>", "how": "max", "steps": "<eval_steps>", "re_offset": True},
            waiting_time=3.0,
        )
        behav.apply_wildcards()
        behav.generate_auto_messages()
        behav.show_ticks_in_action_messages()
        behav.show_marks_in_blocking_state_messages()
        behav.show_request_info_in_action_messages()
        behav.save(folder / "teacher.json", only_if_changed=agent)

        agent = Student(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("student")
        behav.add_transit(
            "init", template("listening_to_teacher"), action="engage", args={"acceptable_role": "teacher"}, ready=False
        )
        behav.add_transit("teacher_engaged", "init", action="disengage", ready=False)
        behav.save(folder / "student.json", only_if_changed=agent)
