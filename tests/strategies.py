"""Hypothesis strategies that several tests share."""

from __future__ import annotations

from hypothesis import strategies as st

from polycall.interop.values import Value

__all__ = ["plain_values"]


def plain_values(*, with_bytes: bool = True, allow_nan: bool = False) -> st.SearchStrategy[Value]:
    """Values of every plain type, nested; integers stay within 64 signed bits, text has no lone surrogates."""
    scalars: list[st.SearchStrategy[Value]] = [
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=allow_nan, allow_infinity=allow_nan),
        st.text(st.characters(exclude_categories=["Cs"])),
    ]
    if with_bytes:
        scalars.append(st.binary())
    return st.recursive(
        st.one_of(scalars),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5),
        ),
        max_leaves=12,
    )
