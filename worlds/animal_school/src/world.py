"""The animal school: a teacher records pictures, teaches one animal after the other, examines, and promotes."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, Stream, World, template
from unaiverse_lab.data.library import LabelStream

from .pictures import ANIMALS, DrawnPictures
from .stats import WStats
from .student import WAgent as Student
from .teacher import WAgent as Teacher


class WWorld(World):
    """The first master teaches, everybody else learns; who passes the exam becomes a teacher, too.

    ``data`` holds one list of pictures and labels for each lesson, and ``all.csv`` for the exam; ``threshold`` is the
    largest passing error (a little less than that of somebody who remembers one animal of three).
    """

    def __init__(self, world_folder: str, data: str, threshold: float = 0.65):
        super().__init__(world_folder, merge_flat_stream_labels=True, stats=WStats(is_world=True))
        self.threshold = threshold
        self.pictures = [self.add_pictures(data, group) for group in (*ANIMALS, "all")]

    def add_pictures(self, data: str, group: str) -> DrawnPictures:
        """Own a group of two streams: pictures, and their labels."""
        pictures = DrawnPictures(Path(data) / f"{group}.csv")
        labels = LabelStream(label_dir=data, label_file_csv=f"{group}.csv", single_class=True)
        self.add_stream(Stream.create(group=group, public=False, stream=pictures))
        self.add_stream(Stream.create(group=group, public=False, stream=labels))
        return pictures

    def attach_to(self, link) -> None:
        super().attach_to(link)
        for pictures in self.pictures:
            pictures.seed = link.seed

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
                "<learn_steps>": 40,
                "<eval_steps>": 30,
                "<learn_time>": 160.0,
                "<exam_time>": 120.0,
                "<cmp_thres>": self.threshold,
                "<exam_data_ref>": "<agent>:recorded1",
            }
        )
        for state, group, steps, following, patience in (
            ("init", "all", 30, "snapshotting_albatross", 30.0),
            ("snapshotting_albatross", "albatross", 40, "snapshotting_cheetah", 10.0),
            ("snapshotting_cheetah", "cheetah", 40, "snapshotting_giraffe", 10.0),
            ("snapshotting_giraffe", "giraffe", 40, "exam_prepared", 10.0),
        ):
            behav.add_transit(
                state,
                following,
                action="record",
                args={"streams": [f"<world>:{group}"], "num_steps": steps, "record_uuid": None},
                ready=True,
                retry_timeout=patience,
            )
        behav.add_transit("exam_prepared", template("engage_by_role"), action="nop")
        behav.add_transit(
            "engagement_complete",
            template("teach-playlist_eval-recorded1"),
            action="set_pref_streams",
            args={"net_hashes": ["<agent>:recorded2", "<agent>:recorded3", "<agent>:recorded4"]},
        )
        behav.add_state("eval_time", waiting_time=3.0)
        behav.add_state(
            "good",
            action="suggest_badges_to_world",
            args={
                "agent": "<valid_cmp>",
                "score": 1.0,
                "badge_type": "completed",
                "badge_description": "Completed the Animal School #ImageClassification #AnimalPictures",
            },
        )
        behav.add_transit(
            "good", "promote", action="suggest_role_to_world", args={"agent": "<valid_cmp>", "role": "teacher"}
        )
        behav.add_transit("promote", "habilitate", action="send_disengage")
        behav.add_transit("bad", "goodbye", action="send_disengage")
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
