# /// script
# requires-python = ">=3.11"
# dependencies = ["playwright>=1.50"]
# ///
"""Look at every page of the built site in headless Chromium, on a phone's width and on a desk's.

    hatch run docs:build --site-dir site && uv run docs/look.py site

Said is what scrolls sideways, every image that did not load, and what the console complains of; the
exit status is 1 if there is any. A Chromium that is installed is taken, else playwright's own.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

WIDTHS = (390, 1280)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = "[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def serve(site: Path) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def complaints(page: Page, address: str) -> Iterator[str]:
    """What is wrong with one page, in words."""
    heard: list[str] = []
    page.on("console", lambda m: heard.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(address, wait_until="networkidle")
    if page.evaluate(SIDEWAYS) > 0:
        yield "scrolls sideways"
    yield from (f"no image {source}" for source in page.evaluate(BROKEN))
    yield from heard


def main(site: Path) -> int:
    base, found = serve(site), 0
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for file in sorted(site.rglob("*.html")):
            path = file.relative_to(site).as_posix().removesuffix("index.html")
            for width in WIDTHS:
                page = browser.new_page(viewport={"width": width, "height": 900})
                for complaint in complaints(page, base + path):
                    found += 1
                    print(f"{path or '/'} at {width} px: {complaint}")
                page.close()
        browser.close()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
