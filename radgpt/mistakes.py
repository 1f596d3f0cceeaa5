"""Say an error in one line of the user's own terms, where it is the user's or the machine's to mend."""

import errno
import re

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from radgpt.errors import UserError
from radgpt.governance.redaction import redacted_words
from radgpt.validation import no_setting, suggestion

OF_A_PATH = (errno.EROFS, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ELOOP)
"""Errors that a path has, whoever gave it."""


def explain(error: BaseException) -> str | None:
    """The line, or None for an error of ours, which deserves its traceback."""
    for cause in chain(error):
        if isinstance(cause, UserError):
            return one_line(str(cause))
    if isinstance(error, MissingConfigException):
        return missing_option(str(error))
    if isinstance(error, OverrideParseException):
        typed = redacted_words([str(error.override)])[0]
        if typed.lstrip("+").startswith("models"):
            return f"{typed}: cannot be read; write 'models={{NAME: \"tuning=none\"}}': names bare, the settings of each in double quotes"
        return f"{typed}: cannot be read as setting=value; quote values with spaces, commas, ~ or other signs: 'data.path=\"~/my reports\"'"
    if isinstance(error, ConfigCompositionException | OmegaConfBaseException | HydraException):
        return composition(error)
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return "a group takes the name of one of its options, such as teacher=local; see --help for the groups and their options"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = f" writing {error.filename}" if error.filename else ""
        mend = "free space, or set outputs=FOLDER on another disk, and give the same command again"
        return f"the disk is full{place}; {mend}: finished work is kept"
    if isinstance(error, PermissionError):
        return f"no permission for {error.filename}; change its rights, or choose another place"
    if isinstance(error, OSError) and error.errno in OF_A_PATH:
        return f"{error.filename or 'a path that was given'}: {(error.strerror or '').lower()}; choose another place, or mend what is there"
    return None


def chain(error: BaseException) -> list[BaseException]:
    """An error and its explicit causes."""
    found = [error]
    while found[-1].__cause__ is not None:
        found.append(found[-1].__cause__)
    return found


def missing_option(message: str) -> str:
    """`Could not find 'group/option'` with the options that there are."""
    wanted = re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']+)'", message)
    listed = message.partition("Available options")[2].partition("Config search path")[0]
    options = [line.strip() for line in listed.splitlines()[1:] if line.strip()]
    if not wanted:
        return one_line(message)
    group, _, option = wanted[1].rpartition("/")
    near = suggestion(option, options, f"{group}={{}}")
    if not options:
        return f"{group}={option}: no such file in conf; see --help for the groups and their options"
    return f"{group}={option} is no option{near}; there are {', '.join(options)}"


def composition(error: Exception) -> str:
    """An error of Hydra or OmegaConf, with the setting as typed and the nearest known one."""
    texts = [str(cause) for cause in chain(error)]
    whole = "\n".join(texts)
    if missing := next((cause for cause in chain(error) if isinstance(cause, MissingMandatoryValue)), None):
        return f"{missing.full_key} has no value; set {missing.full_key}=…"
    path = next((match[1] for match in re.finditer(r"full_key: (\S+)", whole)), None)
    place = re.search(r"In '([^']+)'", whole)
    inside = f" (in {place[1]}.yaml)" if place else ""
    if unknown := re.search(r"Could not override '([^']+)'", whole):
        return no_setting(unknown[1])
    if path and re.search(r"Key '[^']+' (?:not in|is not in struct)", whole):
        return f"{no_setting(path)}{inside}"
    reason = re.search(r"((?:Value|Invalid value|Cannot convert|Incompatible value|Unsupported)[^\n]*)", whole)
    if path and reason and path.startswith("chat."):
        # What was typed may quote a report.
        return f"{path} takes a text; quote values with spaces, commas or braces: '{path}=\"…\"'"
    if path and reason:
        return f"{path}: {reason[1].rstrip('.')}{inside}"
    if typed := re.search(r"Error merging override ([^\s=]+)=", texts[0]):
        # What was typed is not told: it may be a key pasted in the wrong place.
        return f"{typed[1]} cannot take that value; --cfg job without it shows one that it can"
    if several := re.search(r"Ambiguous value for argument '([^'=]+)=", texts[0]):
        return f"{several[1]} has several values; quote one with commas ('{several[1]}=\"…\"'), write a list as [a,b], or sweep with -m"
    return one_line(texts[0])


def one_line(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())
