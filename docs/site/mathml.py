"""A Sphinx extension: formulas as MathML, which browsers draw by themselves, without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)


def markup(node: nodes.Element, is_block: bool) -> str:
    """Return a formula as MathML; one that cannot be read is a warning, and is shown as typed."""
    try:
        return str(tex2mathml(node.astext(), as_block=is_block))
    except MathError as error:
        LOGGER.warning("a formula that is not read: %s", error, location=node)
        return f"<code>{node.astext()}</code>"


def visit_math(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(markup(node, is_block=False))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(f'<div class="formula">{markup(node, is_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
