"""The text of somebody else's exception."""

from __future__ import annotations

__all__ = ["exception_text"]


def exception_text(error: BaseException) -> str:
    """Returns ``KeyError: 'XX'``, whatever the exception's own ``__str__`` does.

    Args:
        error: Raised by code that is not ours.
    """
    try:
        text = str(error)
    except Exception as unreadable:  # noqa: BLE001  # it is foreign code, and it runs while another error is handled
        text = f"(its text cannot be read: __str__ raised {type(unreadable).__name__})"
    return f"{type(error).__name__}: {text}"
