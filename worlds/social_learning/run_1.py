"""The teacher; it keeps the last answers of its students."""

from unaiverse_lab import Agent, Node

agent = Agent(proc=None, buffer_generated_by_others="one")
node = Node(agent, node_name="DigitClassifier1", clock_delta=1.0 / 15.0)
node.run(join_world="DigitSocialLearning", resume_from_checkpoint=True)
