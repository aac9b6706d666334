"""The report and the page to ask vectors, in a real browser: pytest -m browser (Debian: chromium, chromium-driver).

With SIMGLOVE_SCREENSHOTS=FOLDER each test leaves a picture there, to be looked at.
"""

import base64
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import HOSTILE, write_run

from simglove_spark.asking.pair_table import PairTable
from simglove_spark.evaluate.saved import Scored
from simglove_spark.pages.explore.answers import Answers
from simglove_spark.pages.explore.server import Server
from simglove_spark.pages.report import page
from simglove_spark.pages.report.run_folder import RunFolder
from simglove_spark.vectors import Vectors

pytestmark = pytest.mark.browser
WIDE, NARROW = (1200, 900), (360, 740)
Show = Callable[..., Any]


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browser, service = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or service is None:
        pytest.fail("chromium and chromedriver must be there: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--lang=en", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(service))
    yield driver
    driver.quit()


@pytest.fixture
def show(driver: Any, request: pytest.FixtureRequest) -> Iterator[Show]:
    """Open an address in a window of some size; at the end of the test nothing may have gone wrong in the page."""

    def open_page(url: str, size: tuple[int, int] = WIDE, dark: bool = False) -> Any:
        driver.get_log("performance")
        driver.get_log("browser")
        device = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        driver.get(url)
        return driver

    yield open_page
    picture(driver, request.node.name)
    assert driver.get_log("browser") == []
    assert driver.execute_script("return window.hacked") is None
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


def picture(driver: Any, name: str) -> None:
    folder = os.environ.get("SIMGLOVE_SCREENSHOTS")
    if folder:
        size = driver.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name.replace('/', '_')}.png").write_bytes(base64.b64decode(taken["data"]))


def requested(driver: Any) -> list[str]:
    """Addresses that the page asked for since it was opened."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def wait(driver: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 15, 0.05).until(lambda found: found.execute_script(f"return {script}"))


def press(driver: Any, *keys: str) -> None:
    driver.switch_to.active_element.send_keys(*keys)


def focused(driver: Any) -> str:
    return driver.execute_script("const a = document.activeElement; return a.id || a.textContent.trim()")


def ring(driver: Any) -> str:
    """Width of the line around what has the focus."""
    return driver.execute_script(
        "const s = getComputedStyle(document.activeElement); return s.outlineStyle === 'none' ? '' : s.outlineWidth"
    )


def overlapping(driver: Any, selector: str) -> list[list[str]]:
    """Pairs of elements, none within the other, that cover each other on the screen."""
    return driver.execute_script(
        """
        const found = [...document.querySelectorAll(arguments[0])].map((e) => [e, e.getBoundingClientRect()])
          .filter(([, r]) => r.width > 0 && r.height > 0);
        const bad = [];
        found.forEach(([a, r], i) => found.slice(i + 1).forEach(([b, s]) => {
          const apart = r.right <= s.left + 1 || s.right <= r.left + 1 || r.bottom <= s.top + 1 || s.bottom <= r.top + 1;
          if (!apart && !a.contains(b) && !b.contains(a)) bad.push([a.outerHTML.slice(0, 60), b.outerHTML.slice(0, 60)]);
        }));
        return bad;
        """,
        selector,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "run"
    write_run(folder, ["机场", "飞机", "king", "queen", "kingdom", *HOSTILE], 80)
    return folder


# --- the report ---


@pytest.fixture(scope="module")
def report(run: Path) -> str:
    scores = [Scored("similarity", "ws.txt", "spearman", "all", 0.5, (0.4, 0.6), 3, 4)]
    path = run.parent / "run.report.html"
    path.write_text(page.render(RunFolder.read(run), [("scores.json", scores)], ["king", "飞机"], 80, "pca"), "utf-8")
    return path.as_uri()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_the_report_is_drawn_and_fetches_nothing(show: Show, report: str, size: tuple[int, int], dark: bool) -> None:
    driver = show(report, size, dark)
    assert set(requested(driver)) - {"data:,"} == {report}
    for chart in ("map", "losses", "norms"):
        assert inked(driver, chart) > 300, chart
    assert overlapping(driver, "h1, h2, h3, p, label, input, button, .chart, nav a, dt, dd") == []
    background = driver.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert background == ("rgb(20, 23, 27)" if dark else "rgb(251, 251, 250)")
    assert driver.execute_script("return document.querySelectorAll('h3 bdi')[1].textContent") == "飞机"


def inked(driver: Any, chart: str) -> int:
    """Pixels of a chart that something was drawn on."""
    return driver.execute_script(
        """
        return [...document.querySelectorAll(`#${arguments[0]} canvas`)].reduce((sum, canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let place = 3; place < data.length; place += 4) if (data[place] > 0) count += 1;
          return sum + count;
        }, 0);
        """,
        chart,
    )


def test_words_are_found_on_the_map_by_the_keyboard_alone(show: Show, report: str) -> None:
    from selenium.webdriver.common.keys import Keys

    driver = show(report)
    reached = []
    for _ in range(13):
        press(driver, Keys.TAB)
        reached.append(focused(driver))
        assert ring(driver) not in ("", "0px"), reached
    assert reached[:8] == ["Map", "Neighbours", "Losses", "Norms", "Evaluation", "Stages", "Lineage", "Settings"]
    assert reached[8:] == ["query", "Next match", "zoom-in", "zoom-out", "zoom-all"]
    press(driver, Keys.SHIFT, Keys.TAB * 4)
    assert focused(driver) == "query"
    press(driver, "king")
    told = "return document.getElementById('found').textContent"
    assert driver.execute_script(told) == "2 words hold “king”. Enter goes there."
    whole = inked(driver, "map")
    press(driver, Keys.ENTER)
    assert driver.execute_script(told).startswith("king: ")
    assert zoomed(driver) == pytest.approx(12)
    press(driver, Keys.ENTER)
    assert driver.execute_script(told).startswith("kingdom: ")
    press(driver, Keys.ESCAPE)
    assert driver.execute_script(told).startswith("Drag to move;")
    assert zoomed(driver) == 100
    press(driver, "机场" + Keys.ENTER)
    assert driver.execute_script(told).startswith("机场: ")
    press(driver, Keys.ESCAPE, "nowhere")
    assert driver.execute_script(told) == "No word on the map holds “nowhere”."
    press(driver, Keys.ESCAPE, "<script>")
    assert "“<script>”. Enter goes there." in driver.execute_script(told)
    assert whole > 300


def zoomed(driver: Any) -> float:
    """Share of the map in sight, in per cent of its width."""
    script = "const z = echarts.getInstanceByDom(document.getElementById('map')).getOption().dataZoom[0]; return z.end - z.start"
    return driver.execute_script(script)


def test_the_map_is_moved_and_zoomed_by_the_mouse_and_tells_of_words(show: Show, report: str) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    driver = show(report)
    driver.find_element(By.ID, "zoom-in").click()
    assert zoomed(driver) == pytest.approx(100 / 1.6)
    driver.find_element(By.ID, "zoom-out").click()
    assert zoomed(driver) == 100
    place = driver.execute_script(
        """
        const chart = echarts.getInstanceByDom(document.getElementById("map"));
        const data = JSON.parse(document.getElementById("data").textContent).map;
        const at = data.words.findIndex((word) => word.startsWith("<script>"));
        document.getElementById("map").scrollIntoView({ block: "center", behavior: "instant" });
        const box = document.getElementById("map").getBoundingClientRect();
        const [x, y] = chart.convertToPixel({ seriesIndex: 0 }, data.places[at]);
        return [x - box.width / 2, y - box.height / 2];
        """
    )
    chart = driver.find_element(By.ID, "map")
    ActionChains(driver).move_to_element_with_offset(chart, *map(round, place)).perform()
    told = wait(driver, "[...document.querySelectorAll('#map div b')].map((e) => e.textContent).join()")
    assert told == HOSTILE[0]


# --- the page to ask vectors ---


@pytest.fixture(scope="module")
def server(run: Path) -> Iterator[Server]:
    vectors = Vectors.load(run / "vectors")
    with Server(Answers(vectors, PairTable(run / "pairs")), 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def answered(driver: Any, name: str) -> str:
    """Text of an answer once it is there."""
    return wait(driver, f"!document.querySelector('.busy') && document.getElementById('{name}-answer').innerText")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_everything_is_asked_by_the_keyboard_alone(
    show: Show, server: Server, size: tuple[int, int], dark: bool
) -> None:
    from selenium.webdriver.common.keys import Keys

    driver = show(server.url, size, dark)
    wait(driver, "document.querySelectorAll('#examples button').length === 5")
    assert focused(driver) == "word-word"
    assert ring(driver) not in ("", "0px")
    press(driver, "飞机" + Keys.ENTER)
    assert "飞机" in answered(driver, "word")
    lists = driver.execute_script("return [...document.querySelectorAll('#word-answer h3')].map((e) => e.textContent)")
    assert lists == ["飞机", "Alike", "Said together", "Counted together"]
    driver.execute_script("document.getElementById('analogy-first').focus()")
    press(driver, "机场", Keys.TAB, "king", Keys.TAB, "queen", Keys.TAB)
    assert focused(driver) == "is to what?"
    assert ring(driver) not in ("", "0px")
    press(driver, Keys.ENTER)
    assert len(answered(driver, "analogy").splitlines()) > 20
    driver.execute_script("document.getElementById('pair-first').focus()")
    press(driver, "king", Keys.TAB, "queen", Keys.ENTER)
    told = answered(driver, "pair")
    assert "predicted pmi, nats" in told and "inner product, nats (counts evened to the power 0.75)" in told
    driver.execute_script("document.getElementById('keywords-text').focus()")
    press(driver, "king and queen 飞机场 <b>", Keys.CONTROL, Keys.ENTER, Keys.NULL)
    told = answered(driver, "keywords")
    assert "Known words: 3. Different unknown ones: 2." in told
    assert "in standard deviations above an average text" in told
    assert overlapping(driver, "h1, h2, h3, p, label, input, textarea, button, dt, dd, td") == []
    picture(driver, f"explore-{size[0]}-{dark}")
    press(driver, Keys.ESCAPE)
    assert driver.execute_script("return document.getElementById('keywords-answer').textContent") == ""
    assert {url.split("/")[2] for url in requested(driver) if url != "data:,"} == {f"127.0.0.1:{server.server_port}"}


def test_hostile_words_are_text(show: Show, server: Server) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = show(server.url)
    for word in ("<script>window.hacked = 1</script>", '"><img src=x onerror="window.hacked = 1">'):
        field = driver.find_element(By.ID, "word-word")
        field.clear()
        field.send_keys(word, Keys.ENTER)
        wait(driver, f"document.querySelector('#word-answer h3')?.textContent === {json.dumps(word)}")
        field.clear()
        field.send_keys(word, "?", Keys.ENTER)
        told = wait(driver, "document.querySelector('#word-answer .warning')?.textContent")
        assert told.startswith("word must be one of the vocabulary's 80; got ")
    assert driver.execute_script("return document.querySelectorAll('main script, main img').length") == 0
    logged = [line for line in driver.get_log("browser") if "422" not in line["message"]]
    assert logged == []


def test_a_word_of_an_answer_is_asked_in_its_turn_and_the_page_speaks_chinese(show: Show, server: Server) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = show(server.url)
    driver.find_element(By.ID, "word-word").send_keys("机场", Keys.ENTER)
    answered(driver, "word")
    first = driver.find_element(By.CSS_SELECTOR, "#word-answer .word")
    word = first.text
    first.click()
    wait(driver, f"document.querySelector('#word-answer h3').textContent === {json.dumps(word)}")
    assert driver.find_element(By.ID, "word-word").get_attribute("value") == word
    driver.find_element(By.ID, "language").click()
    titles = driver.execute_script("return [...document.querySelectorAll('h2')].map((e) => e.textContent)")
    assert titles == ["查一个词", "类比", "两个词", "文本关键词"]
    assert driver.execute_script("return document.querySelector('#word-answer dt').textContent") == "出现次数"
    assert driver.execute_script("return document.documentElement.lang") == "zh"


def test_a_page_from_elsewhere_gets_no_answer(show: Show, server: Server, tmp_path: Path) -> None:
    """Another site's script may send what it likes: it reads nothing, and nothing is answered."""
    script = f"""fetch("{server.url}api/word", {{method: "POST", headers: {{"Content-Type": "application/json"}}, body: "{{}}"}})
      .then(() => document.title = "read", () => document.title = "refused")"""
    path = tmp_path / "elsewhere.html"
    path.write_text(f"<!doctype html><title>asked</title><script>{script}</script>")
    driver = show(path.as_uri())
    assert wait(driver, "document.title !== 'asked' && document.title") == "refused"
    driver.get_log("browser")  # which tells of the refusal
