"""Information extraction: whoever has pictures asks whoever can say something about pictures."""

from pathlib import Path

from unaiverse_lab import DataProps, HybridStateMachine, NodeProfile, World, template

from .extractor import WAgent as Extractor
from .stats import WStats
from .user import WAgent as User


class WWorld(World):
    """Roles follow from what a node can do, never from its name; nobody leads."""

    def __init__(self, world_folder: str):
        super().__init__(world_folder, stats=WStats(is_world=True))

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        """``user``: offers a private stream of pictures; ``extractor``: makes words of pictures; else nothing."""
        offers = profile.get_dynamic_profile()

        for stream in offers["streams"] or []:
            props = DataProps.from_dict(stream)
            if props.get_group() != "processor_in" and props.is_img() and not props.is_public():
                return "user"

        takes = [DataProps.from_dict(slot) for slot in offers["proc_inputs"] or []]
        gives = [DataProps.from_dict(slot) for slot in offers["proc_outputs"] or []]
        pictures_in = any((props.is_img() or props.is_all()) and not props.is_public() for props in takes)
        words_out = any(
            not props.is_public()
            and (props.is_text() or props.is_all() or (props.is_tensor() and props.has_tensor_labels()))
            for props in gives
        )
        return "extractor" if pictures_in and words_out else None

    def create_behav_files(self) -> None:
        folder = Path(self.world_folder)

        agent = User(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("user")
        behav.add_wildcards(
            {
                "<provider_role>": "extractor",
                "<providers_filter_fcn>": "filter_addresses",
                "<providers_data_processing_fcn>": "handle_received_data",
            }
        )
        behav.add_transit("init", template("service_requester"), action="nop")
        behav.add_state("ready", action="check_status", args={"result_file": "<result_file>"}, blocking=False)
        behav.apply_wildcards()
        behav.save(folder / "user.json", only_if_changed=agent)

        agent = Extractor(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("extractor")
        behav.add_wildcards({"<requester_role>": "user"})
        behav.add_transit("init", template("service_provider"), action="nop")
        behav.apply_wildcards()
        behav.save(folder / "extractor.json", only_if_changed=agent)
