"""The control: the same network as the slow student, with the same first weights, but isolated."""

from src.models import learner

from unaiverse_lab import Node

node = Node(learner(seed=42, rate=0.001), node_name="DigitClassifier4", clock_delta=1.0 / 15.0)
node.run(join_world="DigitSocialLearning", role_preference="student_isolated", resume_from_checkpoint=True)
