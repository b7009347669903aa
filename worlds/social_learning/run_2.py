"""A student that learns fast."""

from src.models import learner

from unaiverse_lab import Node

node = Node(learner(seed=62, rate=0.005), node_name="DigitClassifier2", clock_delta=1.0 / 15.0)
node.run(join_world="DigitSocialLearning", resume_from_checkpoint=True)
