"""The picture and its one-line reading as widgets: replaced in place, with a fixed height.

The picture is an `<img>` in an HTML widget, because `ipywidgets.Image` cannot carry an alt text. Browser
tests find it by the class `ebmlab-picture` and wait for `data-version` to grow by one.
"""

import base64
import html
import re

import ipywidgets as widgets

from ebmlab.show import style

CSS = """<style>
.ebmlab-explorable { padding: 4px 0 6px 0; overflow: visible; }
.ebmlab-explorable .widget-html-content, .ebmlab-explorable .jupyter-widget-html-content { line-height: 1.45; }
.ebmlab-screen { max-width: 100%; height: auto; display: block; background: #fff; border-radius: 4px; }
.ebmlab-reading { margin: 2px 0 4px 0; padding: 5px 10px; border-left: 4px solid #0072B2; min-height: 2.9em;
  font-size: 14px; color: var(--jp-ui-font-color1, #1F2430); background: rgba(0, 114, 178, .07);
  white-space: normal; font-variant-numeric: tabular-nums; }
.ebmlab-reading sub, .ebmlab-card sub { line-height: 0; }
.ebmlab-reading.ebmlab-busy { opacity: .55; }
.ebmlab-reading.ebmlab-failed { border-left-color: #D55E00; background: rgba(213, 94, 0, .09); }
.ebmlab-explorable .widget-label { text-align: left; overflow: visible; }
.ebmlab-explorable .widget-toggle-buttons { display: flex; align-items: center; flex-wrap: wrap; height: auto; }
.ebmlab-explorable .widget-toggle-buttons > div { display: flex; gap: 3px; }
.ebmlab-explorable .widget-toggle-buttons .widget-label { flex-shrink: 0; margin-right: 4px; }
.ebmlab-explorable .widget-vslider, .ebmlab-explorable .widget-vslider .slider-container { overflow: visible; }
.ebmlab-board .jupyter-button { font-size: 15px; font-weight: 600; min-width: 0; line-height: 1; }
.ebmlab-explorable .widget-readout { font-variant-numeric: tabular-nums; }
.ebmlab-card { margin: 4px 0; padding: 8px 12px; border-left: 4px solid #9AA3B2; max-width: 46em; line-height: 1.5;
  font-size: 14px; color: var(--jp-ui-font-color1, #1F2430); background: rgba(120, 130, 150, .08); }
.ebmlab-card summary { cursor: pointer; font-weight: 600; }
.ebmlab-bar { display: inline-block; width: 160px; height: 8px; border-radius: 4px; vertical-align: middle;
  background: rgba(120, 130, 150, .25); margin-right: 10px; overflow: hidden; }
.ebmlab-bar > span { display: block; height: 100%; background: #0072B2; }
.ebmlab-progress { font-size: 13px; color: var(--jp-ui-font-color2, #5B6474); font-variant-numeric: tabular-nums; }
</style>"""


def rich(text: str) -> str:
    """HTML of plain text in which k_B, T_c, s_i become subscripts."""
    text = re.sub(r"\bk_B", "k<sub>B</sub>", html.escape(text, quote=False))
    return re.sub(r"\b([^\W\d_])_(\w{1,3})\b", r"\1<sub>\2</sub>", text)


def css_pixels(size: tuple[float, float]) -> tuple[int, int]:
    """Width and height on the page, in CSS pixels, of a figure of `size` inches."""
    return round(size[0] * style.CSS_DPI), round(size[1] * style.CSS_DPI)


class Screen:
    """An image with alt text and a reading below it; both change in place and never change their height."""

    def __init__(self, size: tuple[float, float], alt: str) -> None:
        self.size = size
        self.alt = alt or "interactive picture"
        self.png = b""
        self.reading = ""
        self.version = 0
        width, _ = css_pixels(size)
        self.image = widgets.HTML(layout=widgets.Layout(width=f"{width}px", max_width="100%"))
        self.line = widgets.HTML(layout=widgets.Layout(width=f"{width}px", max_width="100%"))

    def show(self, png: bytes, reading: str) -> None:
        """Replace picture and reading."""
        self.version += 1
        self.png, self.reading = png, reading
        width, height = css_pixels(self.size)
        data = base64.b64encode(png).decode("ascii")
        self.image.value = (
            f'<img class="ebmlab-picture ebmlab-screen" data-version="{self.version}" decoding="sync" '
            f'width="{width}" height="{height}" alt="{html.escape(self.alt)}" src="data:image/png;base64,{data}">'
        )
        self._write(reading, "")

    def busy(self) -> None:
        """Say that a slow picture is on its way; the old one stays."""
        self._write("computing … (the picture still shows the previous setting)", "ebmlab-busy")

    def fail(self, error: Exception) -> None:
        """Say in plain words that this setting did not work; the old picture stays."""
        self.reading = f"This setting did not work. {type(error).__name__}: {error}"
        self._write("⚠ " + self.reading, "ebmlab-failed")

    def _write(self, text: str, kind: str) -> None:
        self.line.value = (
            f'<div class="ebmlab-reading {kind}" role="status" aria-live="polite" data-version="{self.version}">'
            f"{rich(text)}</div>"
        )


def styles() -> widgets.HTML:
    """The style sheet as an invisible widget; every explorable carries one, so each stands alone."""
    return widgets.HTML(CSS, layout=widgets.Layout(display="none"))


def bundle(box: widgets.DOMWidget, text: str, **kwargs: object) -> dict[str, object]:
    """The display data of a widget with a short and stable text for readers without widgets."""
    data = dict(box._repr_mimebundle_(**kwargs) or {})
    data["text/plain"] = text
    return data
