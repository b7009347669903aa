"""The user, with one wish."""

from unaiverse_lab import Node
from unaiverse_lab.events import User, UserSpeaksWithAgentEvent

wish = UserSpeaksWithAgentEvent(target_id="John", message="The determinant of a 3 by 3 matrix, please.")
Node(User(opening=[wish]), node_name="test_user").run(join_world="collaboration")
