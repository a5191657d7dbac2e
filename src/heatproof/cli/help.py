"""The text of `--help`, as lists of terms and meanings that fit any terminal, and the end of a command that the user stops."""

import inspect
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from heatproof.cli.console import definitions, out, problem
from heatproof.cli.stopping import exit_code


class Command(TyperCommand):
    """A command that explains itself, and that says so when the user stops it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help text; the formatter of the parser stays empty."""
        show_help(self, ctx)

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: The command was stopped (exit code 130 or 143).
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            problem("stopped; what is already written stays")
            raise typer.Exit(exit_code()) from None


class Group(TyperGroup):
    """The command `heatproof` itself."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help text; the formatter of the parser stays empty."""
        show_help(self, ctx)


def show_help(command: Any, ctx: Any) -> None:
    """Print what a command does, its arguments, its options and its commands."""
    parameters = [item for item in command.get_params(ctx) if not getattr(item, "hidden", False)]
    arguments = [item for item in parameters if item.param_type_name == "argument"]
    options = [item for item in parameters if item.param_type_name == "option"]
    subcommands = getattr(command, "commands", {})
    words = [ctx.command_path, *map(_usage, arguments), "[OPTIONS]", *(["COMMAND …"] if subcommands else [])]
    out.print(" ".join(words), style="bold", markup=False)
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        out.print()
        out.print(" ".join(paragraph.split()), markup=False)
    _print_list("Arguments", [(_name(item), _text(item)) for item in arguments])
    _print_list("Commands", [(name, " ".join((item.help or "").split("\n\n")[0].split())) for name, item in subcommands.items()])
    _print_list("Options", [(_flags(item), _text(item)) for item in options])


def _print_list(title: str, rows: Sequence[tuple[str, tuple[str, str] | str]]) -> None:
    if rows:
        out.print()
        out.print(definitions(title, [(term, *([text] if isinstance(text, str) else text)) for term, text in rows]))


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name).upper().strip("[]")


def _usage(argument: Any) -> str:
    name = _name(argument) + (" …" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _flags(option: Any) -> str:
    """The names of an option, the short one first, and the word for its value: `-o, --out FOLDER`."""
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag or not option.metavar else f"{names} {option.metavar}"


def _text(parameter: Any) -> tuple[str, str]:
    """What a parameter means, and its limits and its default."""
    least, default = getattr(parameter, "min", None), parameter.default
    facts = [f"at least {least}"] if least is not None else []
    if default is not None and default is not False and str(default) and getattr(parameter, "show_default", True):
        facts.append(f"default: {default}")
    return " ".join((parameter.help or "").split()), ", ".join(facts)
