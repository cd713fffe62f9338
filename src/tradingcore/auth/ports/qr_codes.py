"""Pictures that a camera reads."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class QrCodes(Protocol):
    __slots__ = ()

    @abstractmethod
    def svg(self, text: str) -> str:
        """Return a whole SVG document that shows ``text``: dark on light, with the quiet zone around it.

        It refers to nothing outside, runs nothing, and scales with whatever holds it. Raises `InvalidInput` for a text that is too
        long for any code.
        """
