"""The cells that define a world: ``%%world``, ``%%role``, ``%%action``, ``%%behavior``, ... and ``%lab``."""

# mypy: disable-error-code="no-untyped-call"
# (the decorators of IPython carry no types)

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

if TYPE_CHECKING:
    from unaiverse_lab.notebook.registry import Registry

COMMANDS = ("status", "show", "undo", "rename", "check", "explain", "export", "import", "reset")

_world_option = argument("--world", metavar="W", help="the world; default: the only one, or the one defined last")
_check_option = argument("--check-only", action="store_true", help="check the definition, and do not take it")


class Definitions:
    """What a shell carries: its registry, made when it is first asked for."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._registry: Registry | None = None

    def __call__(self) -> Registry:
        if self._registry is None:
            from unaiverse_lab.notebook.registry import Registry

            self._registry = Registry(self._shell)
        return self._registry


@magics_class
class LabMagics(Magics):
    """Cells that define a world, and ``%lab``, which looks at what was defined."""

    @property
    def registry(self) -> Registry:
        """The definitions of this shell."""
        shell: Any = self.shell
        found: Registry = shell.unaiverse_lab()
        return found

    @staticmethod
    def _told(work: Callable[[], Any]) -> Any:
        """Run something; what a learner did wrong is told in one line."""
        from unaiverse_lab.core.errors import LabError
        from unaiverse_lab.notebook.diagnostics import DefinitionError

        try:
            return work()
        except DefinitionError:
            raise
        except LabError as error:
            raise UsageError(str(error)) from None

    def _define(self, kind: str, line: str, cell: str, name: str, world: Any = None, **options: Any) -> None:
        text = f"%%{kind} {line}\n{cell}"
        for words in self._told(lambda: self.registry.define(kind, name, text, world, **options)):
            print(words)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="its name, which the class gets: %%%%world School")
    @argument("--folder", metavar="DIR", help="keep the world folder DIR up to date with every definition")
    @argument("--delta", type=float, metavar="S", help="seconds per tick of its sessions; default: 1/25")
    @argument("--seed", metavar="N", help="seed of its sessions; default: 0")
    @argument("--masters", metavar="A,B", help="names of the nodes that may lead")
    @argument("--replace", action="store_true", help="forget roles and behaviors of the world of this name")
    @_check_option
    @cell_magic
    def world(self, line: str, cell: str) -> None:
        """A world: the body is that of a subclass of lab.World.

        Example: %%world School, then
        def assign_role(self, profile, is_world_master):
            return "teacher" if is_world_master else "student"
        """
        args = parse_argstring(self.world, line)
        seed = int(args.seed) if args.seed is not None and args.seed.lstrip("-").isdecimal() else args.seed
        masters = [name.strip() for name in (args.masters or "").split(",") if name.strip()]
        if args.replace:
            self._told(lambda: self.registry.forget(args.name))
        self._define(
            "world", line, cell, args.name, delta=args.delta, seed=seed, masters=masters, check_only=args.check_only,
            folder=args.folder,
        )  # fmt: skip

    @no_var_expand
    @magic_arguments()
    @argument("name", help="its name: %%%%role teacher makes the class Teacher")
    @_world_option
    @argument("--base", metavar="CLASS", help="a class of the notebook to derive it from; default: lab.Agent")
    @argument(
        "--keep-state", action="store_true", help="in running sessions, its agents keep their state (the default)"
    )
    @argument("--fresh", action="store_true", help="in running sessions, its agents start over")
    @_check_option
    @cell_magic
    def role(self, line: str, cell: str) -> None:
        """A role: the body is that of a subclass of lab.Agent, in which every 'async def' is an action.

        Example: %%role teacher, then
        async def greet(self, who: str) -> bool:
            return True
        """
        args = parse_argstring(self.role, line)
        if args.fresh and args.keep_state:
            raise UsageError("--fresh and --keep-state say opposite things")
        base = None
        if args.base is not None:
            base = self.registry.shell.user_ns.get(args.base)
            if not isinstance(base, type):
                raise UsageError(f"--base {args.base}: there is no such class in this notebook")
        self._define("role", line, cell, args.name, args.world, base=base, fresh=args.fresh, check_only=args.check_only)

    @no_var_expand
    @magic_arguments()
    @argument("role", help="the role that gets the action")
    @argument("name", nargs="?", help="the action; default: what the definition says")
    @_world_option
    @argument("--many", action="store_true", help="the cell holds several actions")
    @argument("--fresh", action="store_true", help="in running sessions, abandon it where it is pending")
    @_check_option
    @cell_magic
    def action(self, line: str, cell: str) -> None:
        """An action: the body is one 'async def', which is added to the class of a role.

        Example: %%action teacher, then
        async def praise(self) -> bool:
            return True
        """
        args = parse_argstring(self.action, line)
        self._define(
            "action", line, cell, args.role, args.world, method=args.name, many=args.many, fresh=args.fresh,
            check_only=args.check_only,
        )  # fmt: skip

    @no_var_expand
    @magic_arguments()
    @argument("role", help="the role whose behavior it is")
    @_world_option
    @argument("--from", dest="file", metavar="FILE.json", help="take it from a behavior file; the body is ignored")
    @argument("--format", choices=("python", "json"), default="python", help="json: the body is a behavior file")
    @argument("--on-missing", choices=("initial", "pause", "keep-old"), default="initial",
              help="what becomes of agents in a state that is gone")  # fmt: skip
    @argument("--draw", action="store_true", help="draw the machine, also when it has not changed")
    @_check_option
    @cell_magic
    def behavior(self, line: str, cell: str) -> Any:
        """A behavior: the body fills 'behav', a machine; 'world' and 'role' are there, too.

        Example: %%behavior teacher, then
        behav.add_state("init")
        behav.add_transit("init", "done", "greet", {"who": "all"})
        """
        args = parse_argstring(self.behavior, line)
        text = None
        if args.file is not None:
            try:
                text = Path(args.file).read_text(encoding="utf-8")
            except OSError as error:
                raise UsageError(f"--from {args.file}: {error.strerror}") from None
            cell = text
        elif args.format == "json":
            text = cell
        before = self._told(lambda: self.registry.version("behavior", args.role, args.world))
        on_missing = None if args.on_missing == "initial" else args.on_missing
        self._define(
            "behavior", line, cell, args.role, args.world, json=text, on_missing=on_missing, check_only=args.check_only
        )
        if args.draw or self.registry.version("behavior", args.role, args.world) != before:
            return self.registry.machine(args.role, args.world)
        return None

    @no_var_expand
    @magic_arguments()
    @_world_option
    @argument("--migrate", action="store_true", help="accept that a name changes its type")
    @_check_option
    @cell_magic
    def stats(self, line: str, cell: str) -> None:
        """The statistics of a world: the body is that of a subclass of lab.Stats.

        Example: %%stats, then
        CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"mark": (float, 0.0)}
        """
        args = parse_argstring(self.stats, line)
        self._define("stats", line, cell, "stats", args.world, migrate=args.migrate, check_only=args.check_only)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="its name, e.g. Said")
    @_world_option
    @_check_option
    @cell_magic
    def event(self, line: str, cell: str) -> None:
        """An event: the body holds annotated names, 'text: str', and perhaps a docstring."""
        args = parse_argstring(self.event, line)
        self._define("event", line, cell, args.name, args.world, check_only=args.check_only)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="its name")
    @argument("--kind", choices=("object", "agent", "user"), default="object", help="what it is")
    @_world_option
    @_check_option
    @cell_magic
    def entity(self, line: str, cell: str) -> None:
        """An entity that events drive."""
        args = parse_argstring(self.entity, line)
        self._define("entity", line, cell, args.name, args.world, kind_of=args.kind, check_only=args.check_only)

    @no_var_expand
    @line_magic
    def lab(self, line: str) -> Any:
        """Look at what was defined, and change it.

        %lab                         what there is, and what to do next
        %lab status                  what there is
        %lab show NAME [--python|--json]
                                     a definition: as its cell has it, as a decorated class, as a behavior file
        %lab undo NAME               put the version before in place again
        %lab rename OLD NEW          a state of a behavior is called otherwise from its next version on
        %lab check                   what keeps the worlds from running
        %lab explain                 the traceback behind the last error of a definition
        %lab export DIR [--world W]  write a world folder
        %lab import DIR              take in a world folder
        %lab reset                   forget everything
        """
        from unaiverse_lab.core.errors import did_you_mean
        from unaiverse_lab.notebook.commands import run

        try:
            command, *rest = shlex.split(line) or ["next"]
        except ValueError as error:
            raise UsageError(f"%lab {line}: {error}") from None
        if command not in (*COMMANDS, "next"):
            raise UsageError(f"%lab has no command {command!r}.{did_you_mean(command, COMMANDS)}")
        return self._told(lambda: run(self.registry, command, rest))


def load(shell: Any) -> None:
    """Give a shell its registry, its magics and their completion; once is enough."""
    if isinstance(getattr(shell, "unaiverse_lab", None), Definitions):
        return
    shell.unaiverse_lab = Definitions(shell)
    shell.register_magics(LabMagics)
    if getattr(shell, "Completer", None) is not None:
        from unaiverse_lab.notebook.complete import matcher_for

        shell.Completer.custom_matchers.append(matcher_for(shell))
