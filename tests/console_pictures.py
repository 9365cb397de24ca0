"""Pictures of the console for the docs, over plain values: no robot and no ROS.

.venv/bin/python -m tests.console_pictures docs/gallery
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.fake_console import fake_console

COLOURS = 96  # of the files: they stay small
HANDOVER = {
    "key": "m0 0", "mission": "2026-11-29_09-41-12_b71e0c", "what": "jar from C1 to packing",
    "summary": "The jar was to be brought from C1 to packing. It was not found in C1, C2 and C3.",
    "recommendation": "Look for the jar and put it into a bin, then give the order again.",
    "tries": ["grasp jar: ITEM_NOT_FOUND: nothing with its marker is in C1"], "holding": False,
    "folder": "", "cameras": [],
}  # fmt: skip
ENDED = {
    "id": "2026-11-29_09-41-12_b71e0c", "state": "ended", "by": "Ada", "open": False,
    "orders": [
        {"what": "can from A1 to packing", "state": "delivered", "good": True, "detail": ""},
        {"what": "jar from C1 to packing", "state": "handed over", "good": False,
         "detail": "not found in C1, C2 and C3"},
    ],
}  # fmt: skip
RUNS = {
    "id": "2026-11-29_10-00-00_3fa1c2", "state": "runs", "by": "Ada", "open": True,
    "orders": [{"what": "can from A2 to packing", "state": "", "good": None, "detail": ""}],
}  # fmt: skip


def main(folder: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with fake_console() as (fake, given, _), sync_playwright() as playwright:
        doing = "Mission 2026-11-29_10-00-00_3fa1c2: order 1 of 1"
        fake.set(missions={"doing": doing, "list": [RUNS, ENDED]}, handovers=[HANDOVER])
        fake.set(people=[{"by": "Ada", "did": "gave an order", "at": 1796032800.0,
                          "detail": "can from A2 to packing"}])  # fmt: skip
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, who, size, dark, asks in (
            ("console_desk", "Vic", (1360, 900), False, False),
            ("console_approval", "Ada", (1360, 900), True, True),
            ("console_phone", "Ada", (390, 844), False, True),
        ):
            fake.approvals.clear()
            fake.set(approvals=[])
            if asks:
                fake.ask("3f2a9c10")
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
            )
            page = context.new_page()
            page.goto(f"{fake.served.url}/#{given[who]}", timeout=120_000)
            page.wait_for_selector("#link.good", timeout=120_000)
            page.wait_for_selector("#camera-hand_camera", timeout=120_000)
            for image in page.locator("img").all():
                expect(image).to_have_js_property("naturalWidth", 320, timeout=120_000)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(COLOURS).save(folder / f"{name}.png", optimize=True)
            context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
