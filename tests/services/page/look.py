"""Looks at the status page in Chromium, as a person with or without a mouse, scripts, light or good eyes would.

Usage: look.py CHROMIUM URL [FOLDER]; prints one JSON document of what was seen. With FOLDER, screenshots go there.
"""

import json
import os
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


def watch(page, seen):
    page.on("console", lambda message: seen["console"].append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen["console"].append(f"error: {error}"))
    page.on("request", lambda request: seen["requests"].append(request.url))
    page.on("requestfailed", lambda request: seen["console"].append(f"failed: {request.url}"))


def text_of(page):
    return page.inner_text("main")


def keyboard(page):
    """Where Tab leads, and whether that can be seen."""
    steps = []
    for _ in range(60):
        page.keyboard.press("Tab")
        step = page.evaluate(
            """() => {
                const e = document.activeElement;
                if (!e || e === document.body) return null;
                const box = e.getBoundingClientRect(), style = getComputedStyle(e);
                return {
                    name: e.innerText.trim(), tag: e.tagName,
                    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                    seen: box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth,
                };
            }"""
        )
        if step is None:
            break
        steps.append(step)
    return steps


def main():
    chromium, url = sys.argv[1], sys.argv[2]
    folder = sys.argv[3] if len(sys.argv) > 3 else None
    seen = {"console": [], "requests": [], "looks": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            for name, size in (("desk", DESK), ("phone", PHONE)):
                context = browser.new_context(viewport=size, color_scheme=scheme)
                page = context.new_page()
                watch(page, seen)
                page.goto(url)
                for summary in page.query_selector_all("summary"):
                    summary.click()
                faults = Axe().run(page).response["violations"]
                seen["looks"].append(
                    {
                        "scheme": scheme,
                        "size": name,
                        "width": page.evaluate("document.documentElement.scrollWidth"),
                        "room": size["width"],
                        "paper": page.evaluate("getComputedStyle(document.body).backgroundColor"),
                        "faults": [f"{fault['id']}: {node['html']}" for fault in faults for node in fault["nodes"]],
                    }
                )
                if folder:
                    page.screenshot(path=os.path.join(folder, f"{scheme}-{name}.png"), full_page=True)
                context.close()
        context = browser.new_context(viewport=DESK, java_script_enabled=False)
        page = context.new_page()
        watch(page, seen)
        page.goto(url)
        seen["text"] = text_of(page)
        seen["title"] = page.title()
        context.close()
        page = browser.new_page(viewport=DESK)
        page.goto(url)
        seen["text_with_scripts"] = text_of(page)
        seen["charts"] = page.evaluate(
            """() => [...document.querySelectorAll('figure svg[role=img]')].map(svg => ({
                title: svg.querySelector('title').textContent,
                words: svg.querySelector('desc').textContent,
                drawn: [...svg.querySelectorAll('path, rect')].filter(e => {
                    const box = e.getBoundingClientRect();
                    return box.width + box.height > 1;
                }).length,
            }))"""
        )
        seen["marks"] = page.evaluate(
            "() => Object.fromEntries(['done', 'failed'].map(c => [c, document.querySelectorAll('.lane .' + c).length]))"
        )
        seen["command"] = page.evaluate(
            """() => {
                const command = document.querySelector('.problems .command');
                getSelection().selectAllChildren(command);
                return getSelection().toString().trim();
            }"""
        )
        seen["steps"] = keyboard(page)
        browser.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
