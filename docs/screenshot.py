"""A page as Debian's chromium shows it, in light and in dark; and smaller PNG files."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image, ImageChops

from experiments.errors.messages import UserError

WIDTH, HEIGHT, DENSITY = 1200, 1080, 1.2


def screenshots(page: Path) -> dict[str, bytes]:
    """Return the top of a page as PNG, by theme.

    Raises:
        UserError: there is no chromium.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise UserError("A picture of the report needs chromium. Type apt-get install chromium")
    # Of the extra dev, and needed here alone.
    from playwright.sync_api import sync_playwright

    shots = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT},
                device_scale_factor=DENSITY,
                color_scheme=theme,
            )
            opened = context.new_page()
            opened.goto(page.as_uri())
            opened.locator(".plot.drawn svg").first.wait_for()
            shots[theme] = opened.screenshot()
        browser.close()
    return shots


def trimmed(png: bytes, margin: int = 24) -> bytes:
    """Return a picture without the empty part of a slide above and below what is drawn."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    paper = Image.new("RGB", image.size, image.getpixel((0, 0)))
    box = ImageChops.difference(image, paper).getbbox()
    assert box is not None
    top, bottom = max(0, box[1] - margin), min(image.height, box[3] + margin)
    buffer = io.BytesIO()
    image.crop((0, top, image.width, bottom)).save(buffer, "png")
    return buffer.getvalue()


def smaller(png: bytes, colours: int = 128) -> bytes:
    """Return a picture with so many colours, a third as large as one with all."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    few = image.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "png", optimize=True)
    return buffer.getvalue()
