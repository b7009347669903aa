"""A user: it has pictures, and collects what the extractors say about them."""

import json
from pathlib import Path

from unaiverse_lab import Agent, DataProps, action


class WAgent(Agent):
    """Asks each extractor once, merges what they answer, and keeps it in a file.

    ``results[tag][node id]`` is ``{"extractor": who, "peer_id": ..., "info": [texts]}``, where ``tag`` is the number of
    the picture, as text. The run script says which stream and which file with the wildcards ``<stream_name>``,
    ``<stream_len>`` and ``<result_file>``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.results = {}
        self.used = set()
        self.has_file = False
        self.has_news = False

    @action
    async def check_status(self, result_file: str) -> bool:
        """Start over with nobody, and bring the file up to date; a file that is gone means: forget everything.

        Args:
            result_file: where the results are kept.

        True when the file holds what is known. False when it holds something else. Sends farewells.
        """
        await self.disengage_all()
        await self.disconnect_by_role("extractor")
        path = Path(result_file)
        if not path.is_file():
            self.results, self.used = {}, set()
            self.save(path)
        elif not self.has_file:
            try:
                self.load(path)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return self.because(f"{path.name} holds no results, it is left alone ({error})")
        elif self.has_news:
            self.save(path)
        return True

    def filter_addresses(self, addresses: list[str], peer_ids: list[str]) -> tuple[list[str], list[str]]:
        """Leave out the extractors that have answered before."""
        new = [(address, peer) for address, peer in zip(addresses, peer_ids, strict=True) if peer not in self.used]
        return [address for address, _ in new], [peer for _, peer in new]

    def handle_received_data(self, agent: str, props: DataProps, data, data_tag: int) -> None:
        """Keep what an extractor says about one picture, if it can be said in words."""
        profile = self.all_agents.get(agent)
        if profile is None:
            return
        self.used.add(agent)
        text = props.to_text(data, ignore_raw_tensors=True)
        if text is None:
            return
        about = profile.get_static_profile()
        description = about.get("node_description") or props.get_description()
        entry = self.results.setdefault(str(data_tag), {}).setdefault(
            profile.node_id,
            {
                "extractor": f"{profile.name}: {description} ({len(profile.get_cv())} badges)",
                "peer_id": agent,
                "info": [],
            },
        )
        entry["info"].append(text)
        self.has_news = True

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(self.results, indent=2, ensure_ascii=False), encoding="utf-8")
        fresh.replace(path)
        self.has_file, self.has_news = True, False

    def load(self, path: Path) -> None:
        results = json.loads(path.read_text(encoding="utf-8"))
        self.used = {entry["peer_id"] for entries in results.values() for entry in entries.values()}
        self.results = results
        self.has_file = True
