"""A talker that has opinions. Put a language model here: any callable from text to text will do."""

from src.talkers import TinyTalker

from unaiverse_lab import Agent, Node

agent = Agent(proc=TinyTalker(), proc_inputs=["text"], proc_outputs=["text"])
node = Node(agent, node_name="ChatAI")
node.run(join_world="ChatRoom")
