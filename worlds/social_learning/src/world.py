"""Social learning: a teacher, students that learn from each other, and one that does not, for comparison."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, World, template

from .digits import steps
from .stats import WStats
from .student import WAgent as Student
from .teacher import WAgent as Teacher


class WWorld(World):
    """The first master teaches; everybody else is a student, isolated if it wants to be.

    Args:
        world_folder: where the behaviors are.
        stats_db: a file for the statistics, which survive there; None: they are kept in memory.
    """

    def __init__(self, world_folder: str, stats_db: str | None = None):
        super().__init__(world_folder, stats=WStats(is_world=True, db_path=stats_db, cache_window_hours=1.0))

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        if is_world_master:
            return "teacher" if len(self.world_masters) <= 1 else "student"
        if profile.get_dynamic_profile().get("tmp_role_preference") == "student_isolated":
            return "student_isolated"
        return "student"

    def create_behav_files(self) -> None:
        self.create_teacher()
        self.create_students()

    def create_teacher(self) -> None:
        agent = Teacher(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("teacher")
        behav.add_wildcards(
            {
                "<role_to_engage>": ["student", "student_isolated"],
                "<learn_steps>": steps("teach_0"),
                "<eval_steps>": steps("eval"),
                "<patience>": 30.0,
            }
        )

        # The class gathers.
        behav.add_state("init", blocking=False)
        behav.add_transit("init", template("engage_by_role"), action="nop")
        behav.add_state("connected", action="clear_pending_requests")
        behav.add_transit(
            "engagement_complete",
            "begin_teaching",
            action="set_pref_streams",
            args={"net_hashes": ["<agent>:teach_0", "<agent>:teach_1"]},
        )

        # A lesson, and an exam.
        behav.add_state("begin_teaching", action="shuffle_round_datasets", blocking=False)
        behav.add_state("student_finished_following", blocking=False, waiting_time=1.0)
        behav.add_state("exam_time", blocking=False)
        behav.add_state("student_finished_exam", blocking=False, waiting_time=5.0)
        behav.add_transit(
            "begin_teaching",
            "student_finished_following",
            action="send",
            args={
                "action_name": "learn",
                "streams": {"stdin": ["<playlist>"], "stdtar": ["<playlist>"]},
                "num_steps": "<learn_steps>",
                "timeout": "<patience>",
                "wait_completion": True,
            },
            ready=True,
            max_duration="<patience>",
            retry_timeout="<patience>",
        )
        behav.add_transit("student_finished_following", "exam_time", action="nop")
        behav.add_transit(
            "exam_time",
            "student_finished_exam",
            action="send",
            args={
                "action_name": "process",
                "streams": ["<agent>:eval"],
                "num_steps": "<eval_steps>",
                "timeout": "<patience>",
                "wait_completion": True,
            },
            ready=True,
            max_duration="<patience>",
            retry_timeout="<patience>",
        )

        # Who is the best? It teaches the others.
        behav.add_state(
            "compare_time",
            action="evaluate",
            args={"stream_hash": "<agent>:eval", "how": "max", "steps": "<eval_steps>"},
            blocking=False,
        )
        behav.add_state("best_found", action="manage_best_of_class", blocking=False)
        behav.add_state("best_not_found", blocking=False)
        behav.add_state("best_teaching", blocking=False)
        behav.add_state("change_lecture", action="next_pref_stream", blocking=False)
        behav.add_transit("student_finished_exam", "compare_time", action="nop")
        behav.add_transit("compare_time", "best_found", action="compare_eval", args={"cmp": "min", "thres": 1.0})
        behav.add_transit("compare_time", "best_not_found", action="nop")
        behav.add_transit("best_found", "best_teaching", action="social_round")
        behav.add_transit("best_found", "change_lecture", action="nop")
        behav.add_transit("best_not_found", "change_lecture", action="nop")
        behav.add_transit("best_teaching", "change_lecture", action="all_asks_done")
        behav.add_teleport("best_teaching", "change_lecture", action="nop", delay=60.0)

        # The next lesson, or the end of the course, and another course.
        behav.add_state("finished_teaching", blocking=False)
        behav.add_state("wait_for_disengagement", waiting_time=3.0)
        behav.add_transit("change_lecture", "begin_teaching", action="check_pref_stream", args={"what": "not_first"})
        behav.add_transit("change_lecture", "finished_teaching", action="check_pref_stream", args={"what": "first"})
        behav.add_transit(
            "finished_teaching",
            "wait_for_disengagement",
            action="send_disengage",
            args={"send_disconnection_too": True},
        )
        behav.add_transit(
            "wait_for_disengagement", "init", action="all_sent_completed", args={"action_name": "disengage"}
        )
        behav.add_transit("wait_for_disengagement", "init", action="nop", delay=60.0)
        behav.apply_wildcards()
        behav.save(Path(self.world_folder) / "teacher.json", only_if_changed=agent)

    def create_students(self) -> None:
        """The isolated student has the machine of the others: what it is not asked for, it does not do."""
        agent = Student(proc=None)
        behav = HybridStateMachine(agent)
        behav.add_state("init", action="clear_pending_requests", args={"preserve": "engage"}, blocking=False)
        behav.add_transit("init", "teacher_engaged", action="engage", args={"acceptable_role": "teacher"})

        # Lessons, and what follows each of them: the exam.
        behav.add_transit("teacher_engaged", "finished_learning", action="learn", max_duration=30.0, retry_timeout=10.0)
        behav.add_transit(
            "finished_learning", "teacher_engaged", action="process", max_duration=30.0, retry_timeout=15.0
        )

        # To listen to the best student, or to be that one.
        behav.add_state("listening_to_best_student", blocking=False)
        behav.add_transit("teacher_engaged", "listening_to_best_student", action="subscribe")
        behav.add_transit(
            "listening_to_best_student",
            "teacher_engaged",
            action="learn_from_student",
            max_duration=30.0,
            retry_timeout=9.9,
        )
        behav.add_transit("teacher_engaged", "teacher_engaged", action="teach", max_duration=30.0, retry_timeout=9.9)

        # The end of the course; or the teacher is gone, or silent.
        behav.add_global_teleport("init", action="disengage")
        behav.add_global_teleport("init", action="disconnected")
        behav.add_global_teleport("init", action="nop", delay=30.0)
        for role in ("student", "student_isolated"):
            behav.set_role(role)
            behav.save(Path(self.world_folder) / f"{role}.json", only_if_changed=agent)
