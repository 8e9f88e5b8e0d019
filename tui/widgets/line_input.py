"""`LineInput`: a field for a line of text that nothing pasted can break out of."""

from typing import Final

from textual.widgets import Input

_MOST: Final = 400
"""Characters; a paste may be a whole file."""


class LineInput(Input):
    """A line of text without a frame; what can't be printed is left out of what is pasted.

    Args:
        placeholder: what stands in the empty field.
        limit: characters that it takes.
        disabled: whether it can have the focus.
        id: of the widget.
    """

    def __init__(
        self,
        placeholder: str,
        *,
        limit: int = _MOST,
        disabled: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        self._limit = limit
        super().__init__(
            placeholder=placeholder,
            disabled=disabled,
            compact=True,
            max_length=limit,
            select_on_focus=False,
            id=id,
        )

    def replace(self, text: str, start: int, end: int) -> None:
        """Put text in place of a range; of what is too long, what fits."""
        room = self._limit - len(self.value) + abs(end - start)
        printable = "".join(filter(str.isprintable, text[: 10 * self._limit]))
        super().replace(printable[: max(room, 0)], start, end)
