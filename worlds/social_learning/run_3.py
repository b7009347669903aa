"""A student that learns slowly, and has the best one to learn from."""

from src.models import learner

from unaiverse_lab import Node

node = Node(learner(seed=42, rate=0.001), node_name="DigitClassifier3", clock_delta=1.0 / 15.0)
node.run(join_world="DigitSocialLearning", resume_from_checkpoint=True)
