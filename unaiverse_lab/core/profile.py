"""A node's business card: what it tells the world about itself."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.core.errors import WorldError

STATIC_REQUIRED = ("node_id", "node_type", "node_name")
TEMPORARY = "tmp_"
DYNAMIC_KINDS: dict[str, type] = {"proc_inputs": list, "proc_outputs": list, "streams": list, "connections": dict}


class NodeProfile:
    """Identity (static half), live state (dynamic half) and badges (the CV) of a node.

    Args:
        static: at least ``node_id``, ``node_type`` (``"agent"``, ``"human"`` or ``"world"``) and ``node_name``.
        dynamic: what the node offers and where it sits: ``proc_inputs``, ``proc_outputs``, ``streams`` (lists of
            stream properties), ``connections`` (``{"role": ...}``), ``peer_id``. Keys starting with ``tmp_`` hold
            the options of a join request and are removed once the role is assigned.
        cv: list of badges.

    Raises:
        WorldError: a required static field is missing.

    The getters return copies: reading a profile can never change it. Inside, values are replaced, never changed in
    place, so that copies may share them.
    """

    __slots__ = ("_cv", "_dynamic", "_static")

    def __init__(
        self,
        static: dict[str, Any],
        dynamic: dict[str, Any] | None = None,
        cv: list[dict[str, Any]] | None = None,
    ) -> None:
        missing = [key for key in STATIC_REQUIRED if key not in static]
        if missing:
            raise WorldError(f"a profile needs {', '.join(STATIC_REQUIRED)}; missing: {', '.join(missing)}")
        self._static = static
        self._dynamic: dict[str, Any] = {
            "peer_id": None,
            "proc_inputs": [],
            "proc_outputs": [],
            "streams": [],
            "connections": {"role": None},
        }
        self._dynamic.update(dynamic or {})
        self._cv: list[dict[str, Any]] = list(cv or [])

    def get_static_profile(self) -> dict[str, Any]:
        """Identity: ``node_id``, ``node_type``, ``node_name``, and whatever the owner added."""
        return dict(self._static)

    def get_dynamic_profile(self) -> dict[str, Any]:
        """Live state: streams, slots, connections, join options."""
        return _copied(self._dynamic)  # type: ignore[no-any-return]

    def offered_streams(self) -> list[dict[str, Any]]:
        """Properties of what the node produces: output slots, then its other streams."""
        return [*self._dynamic["proc_outputs"], *self._dynamic["streams"]]

    def get_cv(self) -> list[dict[str, Any]]:
        """Badges, oldest first."""
        return _copied(self._cv)  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        """The node's name."""
        return str(self._static["node_name"])

    @property
    def node_id(self) -> str:
        """The identifier that allow-lists and lists of masters contain."""
        return str(self._static["node_id"])

    @property
    def peer_id(self) -> str:
        """The identifier by which members of a world know the node."""
        return str(self._dynamic["peer_id"])

    @property
    def is_human(self) -> bool:
        """Whether a person sits behind the node."""
        return bool(self._static["node_type"] == "human")

    @property
    def role(self) -> str | None:
        """Augmented name of the role held (``"world_agent~student"``); None outside a world."""
        role = self._dynamic["connections"].get("role")
        return None if role is None else str(role)

    def with_dynamic(self, **changes: Any) -> NodeProfile:
        """A copy with some dynamic fields replaced."""
        return NodeProfile(self._static, {**self._dynamic, **changes}, self._cv)

    def update_dynamic(self, changes: dict[str, Any]) -> None:
        """Change some dynamic fields (for the node that owns the profile)."""
        self._dynamic.update(changes)

    def with_offers_of(self, told: NodeProfile) -> NodeProfile:
        """A copy that takes what a node tells of itself later; identity, place in the world and badges stay."""
        kept = ("peer_id", "connections")
        offers = {key: value for key, value in told._dynamic.items() if key not in kept}
        return NodeProfile(self._static, {**self._dynamic, **offers}, self._cv).without_temporary()

    def with_cv(self, cv: list[dict[str, Any]]) -> NodeProfile:
        """A copy with other badges."""
        return NodeProfile(self._static, self._dynamic, cv)

    def set_cv(self, cv: list[dict[str, Any]]) -> None:
        """Put other badges into the CV (for the node that owns the profile)."""
        self._cv = list(cv)

    def add_badge(self, badge: dict[str, Any]) -> None:
        """Append a badge to the CV (for the node that owns the profile)."""
        self._cv = [*self._cv, badge]

    def without_temporary(self) -> NodeProfile:
        """A copy without the options of the join request (``tmp_*``)."""
        kept = {key: value for key, value in self._dynamic.items() if not key.startswith(TEMPORARY)}
        return NodeProfile(self._static, kept, self._cv)

    def to_dict(self) -> dict[str, Any]:
        """``{"static", "dynamic", "cv"}``, ready for the wire."""
        return {"static": dict(self._static), "dynamic": dict(self._dynamic), "cv": list(self._cv)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NodeProfile:
        """Rebuild a profile from :meth:`to_dict`.

        Raises:
            WorldError: not a mapping with a ``static`` mapping inside, or a field that is not what it should be.
        """
        if not isinstance(data.get("static"), dict):
            raise WorldError("a profile is a mapping with the keys 'static', 'dynamic' and 'cv'")
        static, dynamic, cv = data["static"], data.get("dynamic") or {}, data.get("cv") or []
        _need(dynamic, dict, "dynamic")
        _need(cv, list, "cv")
        for key in STATIC_REQUIRED:
            _need(static.get(key, ""), str, key)
        for key, kind in DYNAMIC_KINDS.items():
            _need(dynamic.get(key, kind()), kind, key)
        return cls(dict(static), dict(dynamic), list(cv))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _need(value: Any, kind: type, field: str) -> None:
    if not isinstance(value, kind):
        what = "a mapping" if kind is dict else "a list" if kind is list else "text"
        raise WorldError(f"the field {field!r} of a profile is {what}, not {value!r:.80}")
