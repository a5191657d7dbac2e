"""`python docs/screenshots.py runs/demo/faithfulness` writes docs/pictures/report-*.webp: on a screen, a phone, dark and on paper.

It needs Chromium (`apt-get install chromium`) and Playwright, which `make test` installs.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "pictures"
# name: width and height of the picture, whether it is dark, whether it is on paper
VIEWS = {
    "desktop": (1280, 1500, False, False),
    "phone": (390, 1500, False, False),
    "dark": (1280, 1100, True, False),
    "print": (718, 1000, False, True),
}
DRAWN = "[...document.querySelectorAll('.chart')].every(place => place.querySelector('svg'))"


def main(folder: str) -> None:
    """Take the pictures of the report in the folder of a run."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (width, height, dark, paper) in VIEWS.items():
            page = browser.new_page(
                viewport={"width": 1280 if paper else width, "height": height}, color_scheme="dark" if dark else "light"
            )
            page.goto((Path(folder) / "report.html").resolve().as_uri())
            page.wait_for_function(DRAWN)
            if paper:
                page.emulate_media(media="print")
                page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(300)  # charts follow the width of the page
            Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(PICTURES / f"report-{name}.webp", quality=80, method=6)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
