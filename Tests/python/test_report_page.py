"""The report's page in a real browser: Debian's chromium, headless, by Playwright. CAMBER_SCREENSHOTS=FOLDER keeps pictures of it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import camber as cb

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (.ci/deps installs it)")


def sick_report():
    """Everything that a page can show."""
    rng = np.random.default_rng(0)
    f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    solver = cb.Solver("minimize", f, np.zeros(10), method="lbfgs")
    found = solver.run(np.full(10, -1.1))
    c = cb.curvature(f, dense=0)(found.x)
    d = cb.curvature(f)(found.x)
    xs = [found.x + 0.05 * rng.normal(size=10) for _ in range(8)]
    g = cb.grad(f)
    d.add_pairs("L-BFGS, 7 pairs", [b - a for a, b in zip(xs, xs[1:])], [g(b) - g(a) for a, b in zip(xs, xs[1:])])
    d.add_diagonal("diagonal")
    d.add_differences("central differences")
    r = cb.Report("Sick network: 40 tanh layers")
    r.finding("vanish", "The gradient's root mean square falls by a factor of 0.41 a layer; at dense/3 it is 2e-14, below f16's smallest number.", severity="error", place="dense/3", action="Initialise by He's rule with gain 5/3, and scale the loss by 2^14.")
    r.finding("rounding", "The loss has lost 14 of 24 bits; 93 % of that in sub.", severity="warning", place="loss", action="Rewrite log(1 + exp x) as log1p.")
    r.add(solver).add(d)
    r.section("Gradient flow", "Layer by layer, from the input.")
    r.bars("Gradient by layer", {f"dense/{i}": float(0.41 ** (12 - i)) for i in range(12)}, "gradient, root mean square")
    r.histogram("Gradients", rng.normal(size=5000) * np.exp(rng.normal(size=5000) * 3 - 16))
    r.section("Where the first NaN was born")
    r.graph("Origin of the first NaN", ["logits", "max", "sub", "exp", "sum", "log"], [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5)],
            ["[64, 10], finite", "inf", "inf - inf", "NaN", "NaN", "NaN"], origin=2)  # fmt: skip
    r.section("Digits lost")
    r.bars("Bits lost by operator", {"sub": 13.2, "exp": 1.1, "div": 0.4, "mul": 0.1}, "bits")
    r.section("Derivative check")
    h = np.logspace(-8, -1, 24)
    r.series("Taylor remainder", h**2 * 3 + 1e-17 / h, h, name="first order").series("Taylor remainder", h**3 * 2 + 1e-17 / h, h, name="second order")
    r.axes("Taylor remainder", "step h", "remainder", log_x=True, log_y=True)
    r.section("Structure")
    i, j = np.arange(120), np.r_[np.arange(1, 120), 0]
    r.pattern("Pattern of the Jacobian", (120, 120), np.r_[i, i, i], np.r_[i, j, (i * 7) % 120])
    r.section("Program").add(cb.function(f).program(found.x))
    other = cb.Report("other").add(solver)
    r.compare(other, "first run", "second run")
    return r, d, found, c


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield b
        b.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    r, d, found, _ = sick_report()
    path = tmp_path_factory.mktemp("page") / "report.html"
    r.save(path)
    return r, d, found, path


def open_page(browser, path, width, scheme="light", scripts=True):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts)
    page = context.new_page()
    page.said, page.asked = [], []
    page.on("console", lambda m: page.said.append(m.text))
    page.on("pageerror", lambda e: page.said.append(str(e)))
    page.on("request", lambda q: page.asked.append(q.url))
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("width", [360, 900, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_and_asks_for_nothing(browser, written, width, scheme):
    r, d, found, path = written
    page = open_page(browser, path, width, scheme)
    assert page.said == []
    assert page.asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate("""() => [...document.querySelectorAll('body *')].filter(e => {
      if (e.closest('.scroll') || e.closest('.wide') || e.closest('details:not([open])')) return false;
      const b = e.getBoundingClientRect();
      return b.width > 0 && (b.left < -1 || b.right > innerWidth + 1);
    }).map(e => e.tagName + '.' + e.className.toString() + ': ' + e.textContent.slice(0, 40))""")
    assert outside == []
    # Words of a picture do not lie over each other.
    clashes = page.evaluate("""() => [...document.querySelectorAll('.xl,.yl')].flatMap(l => {
      const b = [...l.children].map(c => c.getBoundingClientRect());
      return b.flatMap((p, i) => b.slice(i + 1).filter(q => p.left < q.right && q.left < p.right && p.top < q.bottom - 2 && q.top < p.bottom - 2).map(() => l.textContent));
    })""")
    assert clashes == []
    background, ink = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light") and ink != background
    folder = os.environ.get("CAMBER_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{scheme}-{width}.png"), full_page=True)
    page.context.close()


def test_elements_are_those_of_the_data(browser, written):
    r, d, found, path = written
    page = open_page(browser, path, 900)
    data = r.data()
    items = [item for s in data["sections"] for item in s["items"]]
    of = lambda kind: [i for i in items if i["type"] == kind]
    pictures = len(of("chart")) + len(of("graph")) + len(of("spy"))
    count = lambda selector: page.locator(selector).count()
    assert count("section") == len(data["sections"]) and count("nav a") == len(data["sections"])
    assert count(".verdict li") == len(data["findings"])
    folded = [t for t in of("table") if len(t["rows"]) > 12]
    assert count("figure") == pictures == count("details") - len(folded)
    assert folded and count(".wide table") == len(of("table")) - len(folded)
    assert count("svg.graph g") == sum(len(g["nodes"]) for g in of("graph")) and count("svg.graph line") == sum(len(g["edges"]) for g in of("graph")) and count("svg.graph .bad") == 1
    assert count("svg.spy rect") == sum(sum(1 for c in s["counts"] if c) for s in of("spy"))
    assert count("path.band") == sum(1 for c in of("chart") for s in c["series"] if "low" in s)
    assert count(".rows svg") == sum(len(s["y"]) for c in of("chart") if c["kind"] == "rows" for s in c["series"])
    tables = page.evaluate("[...document.querySelectorAll('details')].map(d => d.querySelectorAll('tbody tr').length)")
    expected = []
    for i in items:
        if i["type"] == "table" and len(i["rows"]) > 12:
            expected.append(len(i["rows"]))
        elif i["type"] == "chart":
            expected.append(len(i["names"]) if i["kind"] == "rows" else sum(len(s["y"]) for s in i["series"]))
        elif i["type"] == "graph":
            expected.append(len(i["nodes"]))
        elif i["type"] == "spy":
            expected.append(sum(1 for c in i["counts"] if c))
    assert tables == expected
    page.context.close()


def test_numbers_are_the_apis(browser, written):
    r, d, found, path = written
    page = open_page(browser, path, 900)
    read = """t => [...t.querySelectorAll('tbody tr')].map(r => [...r.cells].map(c => c.querySelector('data') ? c.querySelector('data').value : c.textContent))"""
    tables = page.evaluate(f"[...document.querySelectorAll('.wide table')].map({read})")
    folded = page.evaluate(f"[...document.querySelectorAll('.scroll table')].map({read})")
    journal = next(t for t in tables + folded if len(t[0]) == 7)
    assert [float(row[1]) for row in journal] == [step.value for step in found.journal]
    figures = {row[0]: [float(x) for x in row[1:]] for row in next(t for t in tables if t[0][0] == "value")}
    for name, numbers in figures.items():
        f = d.figure(name)
        assert numbers == [f.value, f.low, f.high], name
    errors = {(row[0], row[1]): float(row[2]) for row in next(t for t in tables + folded if len(t[0]) == 5 and t[0][1] == "operator")}
    for name in d.approximations:
        for kind, f in d.errors(name).items():
            assert errors[name, kind] == f.value or np.isnan(f.value), (name, kind)
    page.context.close()


def test_readable_without_scripts_and_on_paper(browser, written):
    r, d, found, path = written
    page = open_page(browser, path, 900, scripts=False)
    page.locator("summary").first.click()
    assert page.locator("details[open] table").first.is_visible()
    assert page.locator(".plot svg").first.is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    page.context.close()


def test_hostile_names_do_nothing(browser, tmp_path):
    evil = "<img src=x onerror=alert(1)>\"'><script>document.title='owned'</script>&lt;"
    r = cb.Report(evil)
    r.finding(evil, evil, place=evil, action=evil)
    r.section(evil, evil).paragraph(evil)
    r.bars(evil, {evil: 1.0}, evil).series("x" + evil, [1, 2], name=evil).axes("x" + evil, evil, evil)
    r.graph(evil, [evil, evil], [(0, 1)], [evil, evil])
    r.table(evil, [evil, evil], [[1.0]], [evil])
    r.save(tmp_path / "evil.html")
    page = open_page(browser, tmp_path / "evil.html", 360)
    assert page.said == [] and len(page.asked) == 1 and page.title() == evil
    assert page.locator("img").count() == 0 and page.locator("script").count() == 0
    assert page.locator("h1").text_content() == evil
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
