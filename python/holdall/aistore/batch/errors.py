"""What can be wrong with the reply to a batch."""


class MultipartDecodeError(Exception):
    """The reply has no parts, or they cannot be told apart."""
