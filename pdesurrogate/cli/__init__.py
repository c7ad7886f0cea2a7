"""The command line: `pdesurrogate COMMAND ...`."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

__all__ = ["main"]

_TEXT = '"<unicode string>"'
"""What the YAML reader calls a file."""

_LISTS = (
    "--resolutions",
    "--protocols",
    "--fields",
    "--conditioning",
    "--models",
    "--domain_extent",
    "--references",
    "--loss.fields",
    "--loss.weights",
    "--trackers",
    "--seeds",
)
_USERS_SYSTEM = (
    "ENOSPC",
    "ENOENT",
    "EACCES",
    "EPERM",
    "EROFS",
    "EISDIR",
    "ENOTDIR",
    "EDQUOT",
    "ENAMETOOLONG",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; None for this process's.

    Returns:
        0 when done; 2 for a mistake of the user's, told in one sentence on standard error; 1 for a
        fault of ours, with a traceback; 130 after Ctrl-C and 143 after SIGTERM, with all that was
        finished kept. Of the processes that `torchrun` started the first one speaks for all.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK") != "0":
        logging.disable(logging.WARNING)
        said = StringIO()
        with redirect_stdout(StringIO()), redirect_stderr(said):
            code = _exit_code(arguments)
        if code == 1:  # a fault that the first process may not have
            print(said.getvalue(), file=sys.stderr)
        return code
    return _exit_code(arguments)


def _exit_code(arguments: list[str]) -> int:
    try:
        _run(arguments)
    except KeyboardInterrupt:
        print("pdesurrogate: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    except SystemExit as stopped:
        if stopped.code == 143:
            print("pdesurrogate: terminated; what was finished is kept", file=sys.stderr)
        raise
    except BrokenPipeError:
        # Whoever read our output has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not _is_users_mistake(error):
            traceback.print_exc()
            return 1
        print(f"pdesurrogate: {_sentence(error)}", file=sys.stderr)
        return 2
    return 0


def _sentence(error: Exception) -> str:
    """What went wrong, on one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _run(arguments: list[str]) -> None:
    # Importing the toolkit takes seconds: not before it is needed.
    from pdesurrogate.cli.commands import COMMANDS, model_names
    from pdesurrogate.cli.networks import name_networks
    from pdesurrogate.cli.parsing import Parser, UsageError, bracket_lists, check_class
    from pdesurrogate.cli.sweeping import refuse_two_kinds_of_seeds
    from pdesurrogate.data.recipe import check_distributions, find_recipe, refusal_of_a_part

    parser = Parser(
        prog="pdesurrogate",
        description="Train PDE surrogates on one grid and find out what they are worth on others.",
        version=_version(),
    )
    commands = parser.add_subcommands()
    for name, command in COMMANDS.items():
        commands.add_subcommand(name, command.parser(), help=command.summary)
    if not arguments:
        raise UsageError(f"give a command: {', '.join(COMMANDS)}")
    arguments = bracket_lists(arguments, _LISTS)
    if arguments[:1] == ["generate"]:
        recipe = _first_positional(arguments[1:])
        # What --print_config wrote holds the recipe's name and all its fields.
        is_told = any(a.partition("=")[0] in ("-h", "--help", "--config") for a in arguments)
        if recipe is None and not is_told:
            raise UsageError("missing: RECIPE, a recipe's name or a YAML file")
        if recipe is not None:
            # The recipe is a configuration whose fields the options override.
            arguments[1:1] = ["--config", str(find_recipe(recipe))]
    if arguments[:1] == ["check-model"]:
        model = _first_positional(arguments[1:])
        if model is not None:
            # Only an option can have options of its own: --model.width.
            arguments.remove(model)
            arguments[1:1] = ["--model", model]
    if arguments[:1] == ["train"]:
        refuse_two_kinds_of_seeds(arguments)
    if arguments[:1] in (["train"], ["find-rate"], ["count"], ["check-model"]):
        arguments = name_networks(arguments)
        for option, value in itertools.pairwise(arguments):
            if option == "--model":
                check_class("model", value, model_names())
    try:
        try:
            parsed = parser.parse_args(arguments)
        except UsageError as error:
            raise UsageError(_with_its_file(str(error), arguments)) from None
        check_distributions(parsed[parsed.subcommand].get("parameters"))
        parsed = parser.instantiate(parsed)
    except ValueError as error:
        if reason := refusal_of_a_part(error):
            raise UsageError(reason) from None
        raise
    COMMANDS[parsed.subcommand].run(parsed[parsed.subcommand])


def _with_its_file(sentence: str, arguments: Sequence[str]) -> str:
    """A sentence about the content of a configuration file, with the file's name."""
    words = list(itertools.chain.from_iterable(word.split("=", 1) for word in arguments))
    if "--config" not in words[:-1]:
        return sentence
    path = words[words.index("--config") + 1]
    if "parsing config" in sentence:
        return f"{path} is no YAML: " + sentence.partition(": ")[2].replace(_TEXT, "it")
    if sentence.startswith("Unexpected config"):
        return f"{path} must hold options and their values, got" + sentence.partition(":")[2]
    if unknown := re.fullmatch(r"Subcommand '[\w-]+' does not accept option '(.*)'", sentence):
        return f"{path}: there is no option {unknown[1]!r} here"
    return sentence


def _first_positional(arguments: Sequence[str]) -> str | None:
    """The first argument that is neither an option nor an option's value."""
    flags = ("--overwrite", "--help", "-h", "--print_config")
    is_value = False
    for argument in arguments:
        if argument.startswith("-"):
            is_value = "=" not in argument and argument not in flags
        elif is_value:
            is_value = False
        else:
            return argument
    return None


def _is_users_mistake(error: Exception) -> bool:
    """Whether this package refused something, rather than broke on it."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in {
            getattr(errno, name) for name in _USERS_SYSTEM if hasattr(errno, name)
        }
    if not isinstance(error, (ValueError, FileNotFoundError, FileExistsError)):
        return False
    frame = traceback.extract_tb(error.__traceback__)[-1]
    # A refusal is a `raise` of ours. A ValueError out of `int()` or `zip()` is a bug of ours.
    is_ours = Path(frame.filename).is_relative_to(Path(__file__).parents[1])
    return is_ours and (frame.line or "").startswith("raise ")


def _version() -> str:
    from importlib import metadata

    return metadata.version("pdesurrogate")
