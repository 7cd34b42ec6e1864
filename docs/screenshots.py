"""Take the README's pictures of the studio anew, with the built-in checkpoints and the pictures that may ship.

    python docs/screenshots.py [--port 7899]

Needs playwright and the system's Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "datasets"


def shoot(page: Page, name: str) -> None:
    """Save what the window shows as docs/NAME.webp."""
    page.wait_for_timeout(800)
    with Image.open(BytesIO(page.screenshot())) as image:
        image.save(HERE / f"{name}.webp", quality=85, method=6)


def main() -> int:
    """Open a studio, visit it, close it."""
    parser = argparse.ArgumentParser(description="Take the README's pictures of the studio anew.")
    parser.add_argument("--port", default="7899")
    url = f"http://127.0.0.1:{parser.parse_args().port}/"
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, HERE.parent / "app.py", "--port", url.split(":")[-1].strip("/"), "--runs", runs]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(url, timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.2)
            with sync_playwright() as playwright:
                chromium = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(url)
                page.locator(".card", has_text="Horse").click()
                page.set_input_files("#photo input[type=file]", EXAMPLES / "horse2zebra" / "examples" / "horse.jpg")
                page.locator("#result img").first.wait_for(timeout=60_000)
                shoot(page, "studio-translate")
                page.get_by_role("tab", name="Draw", exact=True).click()
                page.get_by_role("radio", name="Façade").check()
                page.locator("#drawn img").wait_for(timeout=60_000)
                shoot(page, "studio-draw")
                browser.close()
        finally:
            server.terminate()
            server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
