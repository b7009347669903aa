"""A world of places: one sees and reaches who is at the same place, and what they and oneself hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.events.actions import Action
from unaiverse_lab.events.reacting import EntityCard
from unaiverse_lab.events.standard import AgentMovesToNewLocation, WorldSetsAgentLocationEvent
from unaiverse_lab.events.world import BaseWorld


class WorldSetsAgentLocation(Action):
    trigger_event_class = AgentMovesToNewLocation
    description = "Brings the sender to another place."

    def __call__(self, event: AgentMovesToNewLocation) -> bool:
        world = self.host_object
        try:
            world.move(event.sender_id, event.destination_location)
        except WorldError as error:
            return bool(world.refuse(event, str(error)))
        return True


class LocationWorld(BaseWorld):
    """A world whose entities are at places: their property ``location``.

    Held things are where their holder is. The world and users are everywhere; anything else without place and holder is
    seen by nobody.

    Args:
        name, description: see :class:`BaseWorld`.
        locations: the places; the list is copied.
        options: those of :class:`BaseWorld`.
    """

    def __init__(
        self,
        name: str = "World",
        description: str = "",
        locations: Iterable[str] | None = None,
        *args: Any,
        **options: Any,
    ) -> None:
        self.locations: list[str] = list(locations or ())
        super().__init__(name, description, *args, **options)
        self.register_action(WorldSetsAgentLocation)
        self.entities[self.id] = self.card()

    def add(self, entity: Any, replace: bool = False, **properties: Any) -> Any:
        """Let an entity take part, at the place ``location=``.

        Raises:
            WorldError: there is no such place.
        """
        place = properties.get("location", getattr(entity, "properties", {}).get("location"))
        if place is not None:
            self._need_place(place)
        return super().add(entity, replace, **properties)

    def add_location(self, location: str) -> None:
        """Another place."""
        if location not in self.locations:
            self.locations.append(location)

    def remove_location(self, location: str) -> None:
        """Give a place up.

        Raises:
            WorldError: there is none of that name, or somebody is there.
        """
        self._need_place(location)
        there = [one.id for one in self.entities.values() if one.properties.get("location") == location]
        if there:
            raise WorldError(f"{', '.join(there)} cannot stay in {location!r} without it: move them first")
        self.locations.remove(location)

    def _need_place(self, location: str) -> None:
        if location not in self.locations:
            raise WorldError(f"there is no place {location!r}.{did_you_mean(location, self.locations)}")

    def location_of(self, entity_id: str) -> str | None:
        """Where an entity is; None: nowhere, or everywhere."""
        card, seen = self.entities.get(entity_id), {entity_id}
        while card is not None:
            holder = card.properties.get("held_by")
            if holder is None or holder in seen:
                place: str | None = card.properties.get("location")
                return place
            seen.add(holder)
            card = self.entities.get(holder)
        return None

    def move(self, entity_id: str, location: str) -> None:
        """Bring an entity to a place; all who see it there, and it itself, are told.

        Raises:
            WorldError: no such entity or place.
        """
        if entity_id not in self.entities or entity_id == self.id:
            raise WorldError(f"there is no entity {entity_id!r} to be moved.{did_you_mean(entity_id, self.entities)}")
        self._need_place(location)
        self.entities[entity_id].properties["location"] = location
        if self.link is not None:
            self.send_event(WorldSetsAgentLocationEvent(agent_id=entity_id, location=location))

    def get_available_entities(self, viewer_id: str) -> Mapping[str, EntityCard]:
        """Who is at the same place, what is held there, and the world."""
        if viewer_id in self.users or viewer_id == self.id:
            return self.entities
        here = self.location_of(viewer_id)
        return {
            one: card
            for one, card in self.entities.items()
            if one in (viewer_id, self.id)
            or (here is not None and self.location_of(one) == here)
            or card.properties.get("held_by") == viewer_id
        }
