"""How long does the studio keep people waiting, and does it hold when twenty come at once, on this machine?

    python benchmarks/studio.py [--starts 3] [--uploads 7] [--users 20] [--rounds 3] [--size 512]
                                [--checkpoints NAME …] [--crowd-checkpoint horse2zebra]

The studio is started as a user starts it: `translate studio` in a process of its own, for this computer alone, at a
free port. Measured are

- the start: seconds from the start of the process until the first page is served (its HTML), and until it is there in
  Chromium with the cards to choose from. The browser is open already, as a user's is;
- an upload: seconds from the file in the photo's place to the translation in the slider, in Chromium and by its page's
  clock, for each built-in checkpoint. The first two of each are not counted: weights are read when first used;
- a crowd: users with a session each, who upload at the same moment, wait and download, through the API; round after
  round, with the memory that the server's process held before, at most and afterwards. First they all send squares,
  then a mixture of sizes with a few of 3000×2000 pixels.

What must hold on two cores: the first page is served within 3 s, an upload takes less than 0.6 s (medians), all of a
crowd get a picture of the size they sent, and later rounds need no more memory than the first. The exit code is 1 where
it does not. Playwright and the system's Chromium are needed; without them the crowd alone is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crowds import PATIENCE, Crowd, Studio, crowd, mixture, photograph, studio
from rich.console import Console
from rich.progress import track
from rich.table import Table

from translate.checkpoints.settings import CheckpointConfig
from translate.checkpoints.zoo import BUILT_IN
from translate.devices import choose_device, describe

START, UPLOAD, GROWTH = 3.0, 0.6, 1.15
"""What must hold: seconds to the first page, seconds of an upload, peak memory of later rounds in the first one's."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

# The page's own clock, from the file's arrival until both pictures of the slider are new and decoded.
WATCH = """() => document.addEventListener('change', event => {
  if (!event.target.matches('#photo input[type=file]')) return;
  const begun = performance.now(), images = () => [...document.querySelectorAll('#result img')];
  const before = images().map(image => image.src);
  window.waited = null;
  const look = () => {
    const now = images();
    const ready = now.length === 2 && now.every(each => each.naturalWidth && !before.includes(each.src));
    if (ready) window.waited = performance.now() - begun;
    else setTimeout(look, 4);
  };
  look();
}, true)"""


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """The system's Chromium, headless; a string that says why not where it or Playwright is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        yield "Playwright is missing; `pip install playwright` brings it"
        return
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        yield "there is no Chromium or Chrome on this computer"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS, timeout=PATIENCE * 1e3)
        yield browser
        browser.close()


def open_page(browser: Any, at: Studio) -> tuple[Any, float]:
    """The page with its cards in sight, in a context of its own, and seconds since the studio's process was started."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE * 1e3)  # a slow machine is measured too; Playwright gives up after 30 s
    page = context.new_page()
    page.goto(at.url)
    page.locator(".card .title").first.wait_for()
    return page, time.perf_counter() - at.begun


def upload(page: Any, photo: Path) -> float:
    """Seconds from the file to its translation in the slider."""
    page.set_input_files("#photo input[type=file]", photo)
    return float(page.wait_for_function("window.waited").json_value()) / 1e3


def uploads(page: Any, title: str, photos: Sequence[Path]) -> list[float]:
    """Seconds of each upload of these photos but the first two, with the checkpoint of this title chosen."""
    page.locator(".card", has_text=title).first.click()
    times = []
    for photo in track(photos, title, transient=True):
        times.append(upload(page, photo))
        page.wait_for_timeout(300)  # nobody is as quick as that; what the page still does is not the next one's
    return times[2:]


def built_in() -> dict[str, str]:
    """Names of the built-in checkpoints, and what their cards are called."""
    configs = {path.parent.name: path.read_text(encoding="utf-8") for path in sorted(BUILT_IN.glob("*/config.json"))}
    return {name: CheckpointConfig.model_validate_json(config).title or name for name, config in configs.items()}


class Report:
    """The table, and whether everything in it held."""

    def __init__(self, title: str) -> None:
        self.table = Table("", "measured", "must be", title=title, title_justify="left")
        self.held = True

    def times(self, what: str, times: Sequence[float], limit: float | None = None) -> None:
        """A row of seconds, whose median has to be below the limit."""
        median = statistics.median(times)
        spread = f" ({min(times):.2f}–{max(times):.2f}, {len(times)} times)" if len(times) > 1 else ""
        self._row(what, f"{median:.2f} s{spread}", f"< {limit:g} s" if limit else "", limit is None or median < limit)

    def crowd(self, what: str, round_: Crowd, earlier: Sequence[Crowd]) -> None:
        """A row of a round, whose peak has to be the first round's, give or take what an allocator does."""
        users = len(round_.waited) + len(round_.failed)
        slowest = f", the slowest in {max(round_.waited):.1f} s" if round_.waited else ""
        memory = " → ".join(f"{size / 1e6:.0f}" for size in (round_.before, round_.peak, round_.after))
        limit = GROWTH * (earlier[0] if earlier else round_).peak
        self._row(
            what,
            f"{len(round_.waited)} of {users} served{slowest}; memory {memory} MB",
            f"all served{f', ≤ {limit / 1e6:.0f} MB' if earlier else ''}",
            not round_.failed and round_.peak <= limit,
        )
        for words in sorted(set(round_.failed)):
            self.table.add_row("", words, "")

    def missing(self, why: str) -> None:
        """A row for what could not be measured."""
        self.table.add_row("in the browser", f"not measured: {why}", "")

    def _row(self, what: str, measured: str, limit: str, held: bool) -> None:
        self.held &= held
        self.table.add_row(what, measured, f"{limit}{'' if held else '  missed'}", style=None if held else "bold red")


def measure_start(report: Report, browser: Any, scratch: Path, starts: int) -> None:
    """Open the studio again and again."""
    served, shown = [], []
    for _ in track(range(starts), "Starts", transient=True):
        with studio(scratch) as at:
            served.append(at.served)
            if not isinstance(browser, str):
                page, seconds = open_page(browser, at)
                shown.append(seconds)
                page.context.close()
    if served:
        report.times("first page served", served, START)
    if shown:
        report.times("first page there in Chromium, cards and all", shown)


def measure_uploads(
    report: Report, browser: Any, scratch: Path, titles: Mapping[str, str], photos: Sequence[Path]
) -> None:
    """Upload the photos to each checkpoint, in one page."""
    with studio(scratch) as at:
        page, _ = open_page(browser, at)
        page.evaluate(WATCH)
        for checkpoint, title in titles.items():
            report.times(f"upload → result in the page, {checkpoint}", uploads(page, title, photos), UPLOAD)
        page.context.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    titles = built_in()
    parser = argparse.ArgumentParser(description="Time the studio as its visitors meet it.")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--uploads", type=int, default=7, help="with each checkpoint")
    parser.add_argument("--users", type=int, default=20, help="of a crowd")
    parser.add_argument("--rounds", type=int, default=3, help="of the crowd, of each kind")
    parser.add_argument("--size", type=int, default=512, help="pixels of the square photos")
    parser.add_argument("--checkpoints", nargs="*", default=list(titles), choices=list(titles))
    parser.add_argument("--crowd-checkpoint", default="horse2zebra", choices=list(titles))
    given = parser.parse_args(arguments)
    square = (given.size, given.size)
    machine = describe(choose_device("cpu")).partition(",")[0]
    report = Report(f"The studio, {given.size}×{given.size} pixels; {machine}")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        photos = [scratch / f"photo{number}.jpg" for number in range(given.uploads + 2)]
        for number, photo in enumerate(photos):
            photo.write_bytes(photograph(number, square))
        with chromium() as browser:
            measure_start(report, browser, scratch, given.starts)
            if isinstance(browser, str):
                report.missing(browser)
            elif given.checkpoints:
                named = {checkpoint: titles[checkpoint] for checkpoint in given.checkpoints}
                measure_uploads(report, browser, scratch, named, photos)
        for kind, sizes in (("", [square] * given.users), (", mixed sizes", mixture(given.users))):
            crowds: list[Crowd] = []
            users = [(photograph(number, size), size) for number, size in enumerate(sizes)]
            with studio(scratch) as at:
                for number in track(range(given.rounds), f"Crowds{kind}", transient=True):
                    crowds.append(crowd(at, users, given.crowd_checkpoint))
                    report.crowd(f"{given.users} users at once{kind}, round {number + 1}", crowds[-1], crowds[:-1])
    Console(width=120).print(report.table)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
