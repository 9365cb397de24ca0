"""HTML pages of all reports: one base template, one style sheet, a few macros.

A report is a template beside its code that extends `base.html`; what it is given is escaped. The
page is a single file: pictures and plots are inside it.
"""

import base64
import io
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent
PLOT_STYLE = FOLDER / "plots.mplstyle"  # for matplotlib.rc_context(fname=PLOT_STYLE)


class Drawn(Protocol):
    """A figure of matplotlib."""

    def savefig(self, fname: Any, *, format: str, metadata: dict[str, Any]) -> None: ...


def write_page(path: Path, template: Path, **values: Any) -> None:
    """Fill a template with values and write the page; a value that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template.name).render(values)
    path.write_text(text + "\n", encoding="utf-8")


def embedded(data: bytes, kind: str) -> str:
    """A picture as an address that holds it; kind: of MIME, such as image/png."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def inline_svg(figure: Drawn) -> Markup:
    """A figure of matplotlib as an element of the page."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    _, _, svg = file.getvalue().partition("<svg")
    return Markup(f"<svg{svg}")
