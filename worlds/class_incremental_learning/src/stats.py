"""What this world keeps: how good each student is in each class, exam by exam, and who was the best so far."""

from unaiverse_lab.stats import Stats, UIPlot, WorldSidebarDash, render_plotly_html

CLASSES = range(10)


class WStats(Stats):
    """The teacher stores one accuracy on the whole and one per class for each student; the world keeps the best."""

    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA = {
        "accuracy": (float, -1.0),
        **{f"peer_acc_per_class_{digit}": (float, -1.0) for digit in CLASSES},
    }
    CUSTOM_WORLD_STATS_STATIC_SCHEMA = {
        "overall_best_student": (str, None),
        "overall_best_accuracy": (float, -1.0),
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def _process_custom_stat(self, stat_name: str, value: float, group_key: str, timestamp: int) -> bool:
        """Every accuracy is stored; one that beats all before it makes a champion.

        Mind that the first exam asks for one class only: who always answers "0" gets 1.0 there.
        """
        if stat_name != "accuracy":
            return False
        self.store_stat("accuracy", value, group_key, timestamp)
        student = self.world.all_agents.get(group_key)
        if student is not None and value > self.get_last_value("overall_best_accuracy"):
            self.store_stat("overall_best_accuracy", value, None, timestamp)
            self.store_stat("overall_best_student", student.name, None, timestamp)
            self.world.add_badge(group_key, value, "completed", badge_description="LOT2.0 champion!")
        return True

    def plot(self, since_timestamp: int = 0) -> str | None:
        """The dashboard, as a page."""
        view = self.get_view(since_timestamp) if self.is_world else self._world_view
        if not view:
            return None
        dash = WorldSidebarDash("Class-incremental learning")

        panel = UIPlot(title="Who knows whom")
        self._populate_graph(panel, view, "graph")
        dash.add_panel(panel, "left_top")

        names = ["world_masters", "world_agents", "human_agents", "artificial_agents"]
        panel = UIPlot(title="Members")
        panel.add_table(None, [names, [self._get_last_val_from_view(view, name) for name in names]])
        dash.add_panel(panel, "left_mid")

        names = ["overall_best_student", "overall_best_accuracy"]
        panel = UIPlot(title="Best so far")
        panel.add_table(None, [["student", "accuracy"], [self._get_last_val_from_view(view, n) for n in names]])
        dash.add_panel(panel, "left_bot")

        panel = UIPlot(title="Accuracy in all classes taught so far")
        self._populate_time_series(panel, view, "accuracy")
        panel.set_y_range(0.0, 1.05)
        dash.add_panel(panel, "center_top")

        panel = UIPlot(title="Forgetting: accuracy per class, exam by exam")
        panel.set_axes("", "")
        panel.add_trace(self._forgetting(view))
        dash.add_panel(panel, "center_bot")

        panel = UIPlot(title="States")
        self._populate_distribution(panel, view, "state")
        dash.add_panel(panel, "right_top")

        panel = UIPlot(title="Last actions")
        self._populate_distribution(panel, view, "last_action")
        dash.add_panel(panel, "right_bot")
        return render_plotly_html(dash.to_json())

    def _forgetting(self, view: dict) -> dict:
        """A heat map: one row per student and class (class 0 of the first student on top), one column per exam."""
        students = {peer: known for peer, known in view["peers"].items() if known.get("accuracy")}
        names = {peer: about.get("Name", peer) for peer, about in view["world"]["graph"]["nodes"].items()}
        times = sorted({time for known in students.values() for time, _ in known["accuracy"]})
        rows, values = [], []
        for peer, known in students.items():
            for digit in CLASSES:
                at = dict(known.get(f"peer_acc_per_class_{digit}", []))
                rows.append((names.get(peer, peer), str(digit)))
                values.append([at.get(time) for time in times])
        return {
            "type": "heatmap",
            "x": [f"exam {number}" for number, _ in enumerate(times, 1)],
            "y": [[name for name, _ in rows[::-1]], [digit for _, digit in rows[::-1]]],
            "z": values[::-1],
            "zmin": 0.0,
            "zmax": 1.0,
            "colorscale": "Viridis",
            "showscale": False,
            "texttemplate": "%{z:.2f}",
        }
