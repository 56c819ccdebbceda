"""The base class of errors that commands report in a sentence."""


class UserError(Exception):
    """An error that a user or an operator can mend; its text is a message for them."""
