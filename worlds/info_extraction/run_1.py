"""A user with three pictures; the results go to a scratch folder (and back in time with the session)."""

import tempfile
from pathlib import Path

from src.pictures import animal_stream

from unaiverse_lab import Agent, Node
from unaiverse_lab.data.files import KeptFile

pictures = animal_stream()
agent = Agent(proc=None)
agent.add_stream(pictures)
agent.add_behav_wildcard("<stream_name>", pictures.name)
agent.add_behav_wildcard("<stream_len>", len(pictures))
agent.result_file = KeptFile(Path(tempfile.mkdtemp(prefix="info_extraction_")) / "results.json")
agent.add_behav_wildcard("<result_file>", str(agent.result_file.path))
node = Node(agent, node_name="Collector")
node.run(join_world="InfoExtraction")
