"""The signal school: seven signals are taught in three rounds, examined one by one, and then an eighth is asked for."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, World, template

from .stats import WStats
from .student import WAgent as Student
from .teacher import SIGNALS
from .teacher import WAgent as Teacher

STEPS = {"lab": 600, "real": 1000}


class WWorld(World):
    """The first master teaches, everybody else learns.

    Args:
        world_folder: where the behaviors are.
        profile: "lab" or "real": lessons and exams of 600 or of 1000 samples.
        exam_input: "reference": the true signal is heard during the exam (it hints at the answer); "blind": only its
            first sample is.
        steps: another length of lessons and exams.
        threshold: the largest mean squared error that passes.
    """

    def __init__(
        self,
        world_folder: str,
        profile: str = "lab",
        exam_input: str = "reference",
        steps: int | None = None,
        threshold: float = 0.2,
    ):
        super().__init__(world_folder, stats=WStats(is_world=True))
        self.steps = steps if steps is not None else STEPS[profile]
        self.exam_input = exam_input
        self.threshold = threshold

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        if is_world_master and len(self.world_masters) <= 1:
            return "teacher"
        return "student"

    def create_behav_files(self) -> None:
        folder = Path(self.world_folder)
        *taught, untaught = [f"<agent>:{name}" for name in SIGNALS]

        agent = Teacher(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("teacher")
        behav.add_wildcards(
            {
                "<role_to_engage>": "student",
                "<learn_steps>": self.steps,
                "<eval_steps>": self.steps,
                "<learn_time>": 0.0,
                "<exam_time>": 0.0,
                "<cmp_thres>": self.threshold,
            }
        )
        behav.add_transit("init", template("engage_by_role"), action="nop")
        behav.add_transit(
            "engagement_complete",
            template("teach-playlist_eval-playlist"),
            action="set_pref_streams",
            args={"net_hashes": taught, "repeat": 4},
        )
        behav.add_state(
            "eval_time",
            action="evaluate",
            args={"stream_hash": "<playlist>", "how": "mse", "steps": "<eval_steps>", "re_offset": True},
        )
        behav.add_transit(
            "finished_work",
            "hard_exam_in_progress",
            action="send",
            args={
                "action_name": "process",
                "streams": [untaught],
                "num_steps": "<eval_steps>",
                "wait_completion": True,
            },
            ready=True,
        )
        behav.add_transit("hard_exam_in_progress", "eval_time_again", action="nop")
        behav.add_state(
            "eval_time_again",
            action="evaluate",
            args={"stream_hash": untaught, "how": "mse", "steps": "<eval_steps>", "re_offset": True},
        )
        behav.add_transit(
            "eval_time_again", "very_good", action="compare_eval", args={"cmp": "<=", "thres": "<cmp_thres>"}
        )
        behav.add_transit("eval_time_again", "not_good", action="nop")
        behav.apply_wildcards()
        behav.generate_auto_messages(actions=False)
        behav.show_marks_in_blocking_state_messages()
        behav.save(folder / "teacher.json", only_if_changed=agent)

        agent = Student(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("student")
        behav.add_transit(
            "init", template("listening_to_teacher"), action="engage", args={"acceptable_role": "teacher"}, ready=False
        )
        if self.exam_input != "reference":
            [answer] = behav.transitions["teacher_engaged"]["finished_exam"]
            answer.args["exam_input"] = self.exam_input
        behav.save(folder / "student.json", only_if_changed=agent)
