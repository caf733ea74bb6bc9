"""Types for annotations."""

from __future__ import annotations

from typing import TypeAlias, Union

__all__ = ["Buffer"]

Buffer: TypeAlias = Union[bytes, bytearray, memoryview]
"""Objects whose bytes the library takes."""
