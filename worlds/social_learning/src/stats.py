"""What this world measures: errors of each student, exam by exam and course by course, and the best ones so far."""

from unaiverse_lab.stats import Stats, UIPlot, WorldSidebarDash, render_plotly_html


class WStats(Stats):
    """Students store how they do on the test set, the teacher how they did in the exams; the world keeps the best."""

    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"full_test_err": (float, -1.0)}
    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA = {"exam_err": (float, -1.0)}
    CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA = {
        "best_exam_err_history": (float, -1.0),
        "best_student_history": (str, None),
        "best_student_role_history": (str, None),
    }
    CUSTOM_WORLD_STATS_STATIC_SCHEMA = {
        "overall_best_student": (str, None),
        "overall_best_student_role": (str, None),
        "overall_best_exam_err": (float, -1.0),
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def _process_custom_stat(self, stat_name: str, value: float, group_key: str, timestamp: int) -> bool:
        """The teacher says how well the best student of a round did; the world adds who that is, and crowns records."""
        student = self.world.all_agents.get(group_key)
        if stat_name != "best_exam_err_history" or student is None:
            return False
        role = self.world.get_role(group_key)
        self.store_stat("best_exam_err_history", value, None, timestamp)
        self.store_stat("best_student_history", student.name, None, timestamp)
        self.store_stat("best_student_role_history", role, None, timestamp)
        record = self.get_last_value("overall_best_exam_err")
        if record < 0 or value < record:
            self.store_stat("overall_best_student", student.name, None, timestamp)
            self.store_stat("overall_best_student_role", role, None, timestamp)
            self.store_stat("overall_best_exam_err", value, None, timestamp)
            champion = "World champion, MNIST classification #ImageClassification #MNIST"
            self.world.add_badge(group_key, 1.0 - value, "completed", badge_description=champion)
        return True

    def plot(self, since_timestamp: int = 0) -> str | None:
        """The dashboard, as a page."""
        view = self.get_view(since_timestamp) if self.is_world else self._world_view
        if not view:
            return None
        dash = WorldSidebarDash("MNIST Monitor")

        panel = UIPlot(title="Who knows whom")
        self._populate_graph(panel, view, "graph")
        dash.add_panel(panel, "left_top")

        names = ["world_masters", "world_agents", "human_agents", "artificial_agents"]
        panel = UIPlot(title="Members")
        panel.add_table(["", "now"], [names, [self._get_last_val_from_view(view, name) for name in names]])
        dash.add_panel(panel, "left_mid")

        names = ["overall_best_student", "overall_best_student_role", "overall_best_exam_err"]
        panel = UIPlot(title="Best student so far")
        panel.add_table(None, [["name", "role", "error"], [self._get_last_val_from_view(view, name) for name in names]])
        dash.add_panel(panel, "left_bot")

        panel = UIPlot(title="Error in the exams")
        self._populate_time_series(panel, view, "exam_err")
        dash.add_panel(panel, "center_top")

        panel = UIPlot(title="Error on the full test set")
        self._populate_time_series(panel, view, "full_test_err")
        dash.add_panel(panel, "center_bot")

        panel = UIPlot(title="States")
        self._populate_distribution(panel, view, "state")
        dash.add_panel(panel, "right_top")

        panel = UIPlot(title="Last actions")
        self._populate_distribution(panel, view, "last_action")
        dash.add_panel(panel, "right_bot")
        return render_plotly_html(dash.to_json())
