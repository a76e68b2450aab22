"""Errors that a person can mend: shown as one sentence, without a traceback."""


class UserError(Exception):
    """Something failed that is not a bug (an unreadable image, a full disk): exit code 1.

    The message names the field or file, the value found, what was expected and what to do.
    """

    exit_code = 1


class ConfigError(UserError):
    """Arguments or a config that cannot be used: exit code 2."""

    exit_code = 2
