"""The user, who asks one thing."""

from unaiverse_lab import Node
from unaiverse_lab.events import User, UserSpeaksWithAgentEvent

question = UserSpeaksWithAgentEvent(target_id="agent1", message="How much is 2.45 plus 6.78?")
Node(User(opening=[question]), node_name="test_user").run(join_world="hello-world")
