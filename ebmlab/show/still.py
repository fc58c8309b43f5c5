"""`still`: the same drawing function as a static figure in the cell's own output.

Sliders live in widget state, which GitHub, nbconvert and print do not show. A still is stored in the
notebook: the PNG (with its alt text in the output's metadata, where nbconvert looks for it) and, below it,
reading and alt text as Markdown, because GitHub and JupyterLab show PNG outputs without any alt attribute.
"""

import base64
from collections.abc import Callable
from typing import Any

from IPython.display import display

from ebmlab.show import screen, style


class Still:
    """A finished picture: `png`, `reading`, `alt`."""

    def __init__(self, png: bytes, reading: str, alt: str, size: tuple[float, float]) -> None:
        self.png, self.reading, self.alt, self.size = png, reading, alt, size

    def __repr__(self) -> str:
        return f"picture: {self.alt}\n{self.reading}"

    def _repr_markdown_(self) -> str:
        caption = f"\n\n<sub>Picture: {self.alt}</sub>" if self.alt else ""
        return f"**Reading:** {screen.rich(self.reading)}{caption}"

    def _ipython_display_(self) -> None:
        width, height = screen.css_pixels(self.size)
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": repr(self)}
        shape = {"width": width, "height": height, "alt": self.alt}
        display(data, metadata={"image/png": shape, "needs_background": "light"}, raw=True)
        display({"text/markdown": self._repr_markdown_(), "text/plain": self.reading}, raw=True)


def still(
    draw: Callable[..., str],
    *,
    size: tuple[float, float] = (7.2, 3.6),
    alt: str = "",
    **values: Any,
) -> Still:
    """Draw once with fixed values: `still(draw, alt="...", T=1.0)`; the last line of a cell shows it."""
    png, reading = style.picture(draw, size, values)
    return Still(style.shrink(png), reading, alt, size)
