"""Fill the template of a page in the house's style."""

from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.wording import counted, share

if TYPE_CHECKING:
    from jinja2 import Template


def page_template(path: Path) -> "Template":
    """A template that finds `style.css` and `histogram.html.j2` beside what stands in its own folder.

    What is filled in may come from reports or teachers: in HTML, nothing of it is read as markup.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([path.parent, Path(__file__).parent]),
        autoescape=".html" in path.suffixes,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": "{:,}".format, "one": "{:,.1f}".format, "xy": "{:.1f}".format, "counted": counted}
    environment.globals["share_of"] = unbroken_share
    return environment.get_template(path.name)


def unbroken_share(part: int, whole: int) -> str:
    """A percentage whose sign never stands alone on the next line."""
    return share(part, whole).replace(" ", "\N{NO-BREAK SPACE}")
