"""Screens: which events a world shows, where, and how. Data, words and a static page; no front end is needed."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.events.actions import Action
from unaiverse_lab.events.standard import (
    UserRequestsScreensToWorldEvent,
    WorldSendsScreensToUserEvent,
)
from unaiverse_lab.events.world import BaseWorld


class FieldShown(msgspec.Struct):
    """A field of an event to show; ``format`` is a style for terminals."""

    name: str
    format: str | None = None


class Filter(msgspec.Struct):
    """A field and the value it has to have."""

    field: str
    value: Any = None


class Tracked(msgspec.Struct):
    """Events of a type that a screen shows: those that pass all ``filters``."""

    event_type: str
    fields_to_display: list[FieldShown] = []
    filters: list[Filter] = []
    css_classes: list[str] = []

    def fits(self, wire: Mapping[str, Any]) -> bool:
        """Whether it is one of these events."""
        return wire.get("event_type") == self.event_type and all(wire.get(f.field) == f.value for f in self.filters)


class Screen(msgspec.Struct):
    """A list of events."""

    name: str
    has_input: bool = False
    screen_type: str = "event_history"
    tracked_events: list[Tracked] = []


class ScreensConfig(msgspec.Struct):
    """How the screens of a world are laid out, in GenWorlds' format."""

    name: str
    screens: list[Screen]
    settings: dict[str, Any] = {}


def read_config(source: str | Path | Mapping[str, Any]) -> ScreensConfig:
    """Read a layout: a path, or the JSON object.

    Raises:
        WorldError: there is no such file, or it is not a layout; the message names the place.
    """
    content: Any = source
    if not isinstance(source, Mapping):
        try:
            content = json.loads(Path(source).read_text(encoding="utf-8"))
        except OSError:
            raise WorldError(f"there is no file of screens {str(source)!r}") from None
        except ValueError as error:
            raise WorldError(f"{source} is not valid JSON: {error}") from None
    try:
        return msgspec.convert(content, ScreensConfig)
    except msgspec.ValidationError as error:
        raise WorldError(f"the layout of screens is wrong: {error}") from None


class Line(msgspec.Struct):
    """An event as a screen shows it."""

    header: str
    body: str
    footer: str
    css_classes: list[str]


class Screens:
    """What the screens of a world show at this moment; a notebook shows it as tabs.

    Args:
        config: the layout.
        wires: the events of the log, as data.
    """

    def __init__(self, config: ScreensConfig, wires: list[dict[str, Any]]) -> None:
        self.config = config
        self.lines: dict[str, list[Line]] = {}
        for screen in config.screens:
            found = ((wire, next((one for one in screen.tracked_events if one.fits(wire)), None)) for wire in wires)
            self.lines[screen.name] = [_line(wire, tracked) for wire, tracked in found if tracked is not None]

    def counts(self) -> dict[str, int]:
        """How many events each screen shows."""
        return {name: len(lines) for name, lines in self.lines.items()}

    def __str__(self) -> str:
        parts = []
        for name, lines in self.lines.items():
            parts.append(f"== {name} ({len(lines)})")
            parts += [f"{line.header}\n    {line.body}\n    [{line.footer}]" for line in lines]
        return "\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = ['<div class="unaiverse-screens">']
        for index, (name, lines) in enumerate(self.lines.items()):
            shown = " open" if index == 0 else ""
            parts.append(f"<details{shown}><summary><b>{html.escape(name)}</b> ({len(lines)})</summary>")
            for line in lines:
                classes = html.escape(" ".join(["unaiverse-event", *line.css_classes]), quote=True)
                parts.append(
                    f'<div class="{classes}" style="border-left:3px solid #8886;margin:4px 0;padding:2px 8px">'
                    f'<div style="opacity:.7;font-size:85%">{html.escape(line.header)}</div>'
                    f'<div style="white-space:pre-wrap">{html.escape(line.body)}</div>'
                    f'<div style="opacity:.6;font-size:75%">{html.escape(line.footer)}</div></div>'
                )
            parts.append("</details>")
        return "".join([*parts, "</div>"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


def _line(wire: dict[str, Any], tracked: Tracked) -> Line:
    target = f" -> {wire['target_id']}" if wire.get("target_id") else ""
    if tracked.fields_to_display:
        body = "\n".join(f"{field.name}: {wire.get(field.name)}" for field in tracked.fields_to_display)
        if len(tracked.fields_to_display) == 1:
            body = str(wire.get(tracked.fields_to_display[0].name))
    else:
        body = next(
            (str(wire[key]) for key in ("message", "summary", "description") if wire.get(key)), json.dumps(wire)
        )
    return Line(f"{wire['sender_id']}{target} · {wire['created_at']}", body, wire["event_type"], tracked.css_classes)


class WorldSendsScreensToUser(Action):
    trigger_event_class = UserRequestsScreensToWorldEvent
    description = "Sends the layout of the screens."

    def __call__(self, event: UserRequestsScreensToWorldEvent) -> bool:
        world = self.host_object
        try:
            config = msgspec.to_builtins(world.screens_config())
        except WorldError as error:
            return bool(world.refuse(event, str(error)))
        world.send_event(WorldSendsScreensToUserEvent(target_id=event.sender_id, screens_config=config))
        return True


class ChatInterfaceWorld(BaseWorld):
    """A world with screens: it tells whoever asks how they are laid out, and shows them.

    Args:
        args, options: those of :class:`BaseWorld`.
        screens_config_path: the layout: a path or the JSON object; read when it is needed first.
    """

    def __init__(self, *args: Any, screens_config_path: Any = "./screens_config.json", **options: Any) -> None:
        self.screens_config_path = (
            screens_config_path if isinstance(screens_config_path, Mapping) else str(screens_config_path)
        )
        self._screens: Any = None
        super().__init__(*args, **options)
        self.register_action(WorldSendsScreensToUser)
        self.entities[self.id] = self.card()

    def screens_config(self) -> ScreensConfig:
        """The layout.

        Raises:
            WorldError: it cannot be read.
        """
        if self._screens is None:
            self._screens = msgspec.to_builtins(read_config(self.screens_config_path))
        return read_config(self._screens)

    def screens(self) -> Screens:
        """What the screens show now.

        Raises:
            WorldError: the layout cannot be read.
        """
        return Screens(self.screens_config(), self.events.wires)
