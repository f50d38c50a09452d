"""The errors a user can cause and mend.

Every refusal in the package is a `UserError` (or a subclass of it) whose text is one clear
message: the thing, the value seen, what is allowed, and the way out. The command line prints that
text as one line and exits with code 2; in Python it is an ordinary `ValueError`. Anything else that
escapes is a fault of the package and keeps its traceback.
"""

from __future__ import annotations


class UserError(ValueError):
    """Something given to vdjax cannot be used; the message says what, and what would do."""


class OutputError(UserError):
    """The result cannot be written there: no permission, no room, or somebody else's files."""


class ImageError(UserError):
    """A file given as a picture cannot be read as one."""


class WeightsError(UserError):
    """A weight file is missing, damaged, or belongs to another configuration."""
