"""The room `show`: controls move pictures, errors surface, threads do not mix, checks never raise."""

import ast
import asyncio
import io
import pathlib
import sys
import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("ipywidgets")

from matplotlib.figure import Figure
from PIL import Image

from ebmlab import energies, graphs, show, units
from ebmlab.energies import AbstractEnergy
from ebmlab.rugged import landscape
from ebmlab.show import plots, style

ROOM = pathlib.Path(show.__file__).parent


def line(fig, T=1.0, n=3, kind="a", grid=True, seed=0):
    """A picture that differs for every setting."""
    ax = fig.subplots()
    x = np.linspace(0, 1, 50)
    ax.plot(x, x**T * n + seed, linestyle="--" if kind == "b" else "-")
    ax.grid(grid)
    style.axis_labels(ax, "T", "u")
    return f"T = {T:.3g}, n = {n}, kind {kind}, grid {grid}, seed {seed}"


def five_controls(**options):
    return show.explore(
        line,
        alt="a power law",
        T=show.slider("temperature T", 0.1, 5.0, 1.0, unit="J/k_B"),
        n=show.slider("number n", 1, 9, 3),
        kind=show.choice("line", ["a", "b"]),
        grid=show.toggle("grid", True),
        seed=show.button("new random numbers"),
        **options,
    )


def flat(fig, shade):
    """One colour from edge to edge: two settings cannot be mistaken for one another."""
    fig.patch.set_facecolor((shade / 255, 0, 1 - shade / 255))
    return f"{shade}"


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.quick
def test_no_pyplot_anywhere_in_the_room():
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = getattr(node, "module", "") or ""
            assert not any("pyplot" in name or "pylab" in name for name in [*names, module]), path


@pytest.mark.quick
def test_every_control_changes_picture_and_reading():
    made = five_controls()
    seen = {(made.png, made.reading)}
    settings = list(made.extremes())
    assert settings[0] == {"T": 1.0, "n": 3, "kind": "a", "grid": True, "seed": 0}
    assert {s["T"] for s in settings} == {0.1, 1.0, 5.0}
    assert {s["kind"] for s in settings} == {"a", "b"}
    assert settings[-2]["T"] == 0.1
    assert settings[-1]["T"] == 5.0
    assert settings[-1]["n"] == 9
    for setting in settings[1:]:
        made.set(**setting)
        assert made.values == setting
        assert pixels(made.png).shape == (432, 864, 3)  # 7.2 x 3.6 inches at QUICK_DPI
        seen.add((made.png, made.reading))
    assert len({png for png, _ in seen}) == len(settings)
    assert len({reading for _, reading in seen}) == len(settings)


@pytest.mark.quick
def test_widgets_move_like_the_reader_moves_them():
    made = five_controls()
    for name, value in (("T", 2.0), ("n", 5), ("kind", 1), ("grid", False)):
        before = made.png, made.version
        made.controls[name].value = value
        assert made.png != before[0]
        assert made.version == before[1] + 1
    made.controls["seed"].click()
    made.controls["seed"].click()
    assert made.values == {"T": 2.0, "n": 5, "kind": "b", "grid": False, "seed": 2}
    assert "seed 2" in made.reading


@pytest.mark.quick
def test_set_draws_once_and_refuses_what_no_reader_could_do():
    made = five_controls()
    version = made.version
    assert made.set(T=3.0, n=4, kind="b") is made
    assert made.version == version + 1
    for bad in ({"T": 9.0}, {"n": 2.5}, {"kind": "c"}, {"grid": "yes"}, {"nothing": 1}, {"T": "warm"}):
        with pytest.raises(ValueError, match="expected"):
            made.set(**bad)
    assert made.values["T"] == 3.0


@pytest.mark.quick
def test_errors_are_shown_and_raised():
    def fragile(fig, x):
        if x > 2:
            raise ZeroDivisionError("x is too large")
        return f"x = {x}"

    made = show.explore(fragile, alt="fragile", x=show.slider("x", 0, 3, 1))
    with pytest.raises(ZeroDivisionError):
        made.set(x=3)
    assert "ZeroDivisionError: x is too large" in made.reading
    made.set(x=1)
    assert made.reading == "x = 1"
    made.controls["x"].value = 3  # by hand: shown, not raised
    assert "did not work" in made.reading
    assert "⚠" in made._screen.line.value
    with pytest.raises(ZeroDivisionError):
        show.explore(fragile, x=show.slider("x", 0, 3, 3))
    with pytest.raises(TypeError, match="one-line reading"):
        show.explore(lambda fig: None)
    with pytest.raises(TypeError, match=r"show\.slider"):
        show.explore(line, T=(0, 5))


@pytest.mark.quick
def test_sliders():
    assert show.slider("n", 1, 9, 3).whole
    assert not show.slider("x", 0.0, 9, 3).whole
    assert show.slider("field h", 0.1, 5.0, 1.0, unit="J").label == "field h (J)"
    for low, high, value in ((0.1, 5.0, 1.0), (0.0, 1.0, 0.3), (-2.0, 2.0, 0.44), (0.37, 11.3, 2.269)):
        made = show.slider("x", low, high, value)
        steps = (value - low) / made.step
        assert abs(steps - round(steps)) < 1e-6  # else the browser moves the default
        assert 50 < (high - low) / made.step < 500
    log = show.explore(lambda fig, b: f"{b:.6g}", b=show.slider("β", 0.05, 3.0, 1.0, log=True))
    assert log.reading == "1"
    assert log.set(b=3.0).reading == "3"
    assert log.set(b=0.05).reading == "0.05"
    for bad in ((5, 1, 3), (0, 1, 2)):
        with pytest.raises(ValueError, match="expected low"):
            show.slider("x", *bad)
    with pytest.raises(ValueError, match="low > 0"):
        show.slider("x", 0, 1, 1, log=True)
    with pytest.raises(ValueError, match="browsers would move it"):
        show.slider("x", 0.0, 1.0, 0.5, step=0.3)
    with pytest.raises(ValueError, match="expected one of"):
        show.choice("k", ["a"], "b")


@pytest.mark.quick
def test_choices_pass_the_option_and_show_its_name():
    table = {"small": np.zeros(2), "large": np.ones(3)}
    made = show.explore(lambda fig, a: f"{a.sum():g}", a=show.choice("array", table, "large"))
    assert made.reading == "3"
    assert made.set(a="small").reading == "0"
    assert [s["a"] for s in made.extremes()] == ["large", "small"]


@pytest.mark.quick
def test_fallbacks_are_short_and_stable():
    made = five_controls()
    bundle = made._repr_mimebundle_()
    assert bundle["text/plain"] == "explorable: a power law"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert made in show.explorables()
    assert 'alt="a power law"' in made._screen.image.value
    assert f'data-version="{made.version}"' in made._screen.image.value
    assert 'aria-live="polite"' in made._screen.line.value


def test_many_threads_neither_mix_nor_break_pictures():
    """Each of three explorables is moved by several threads; each picture must be its own reading's."""
    made = [show.explore(flat, size=(1, 1), shade=show.slider("shade", 0, 255, 0)) for _ in range(3)]
    wrong = []

    def move(seed):
        rng = np.random.default_rng(seed)
        for _ in range(12):
            one = made[rng.integers(3)]
            value = int(rng.integers(256))
            try:
                if rng.random() < 0.5:
                    one.set(shade=value)
                else:
                    one.controls["shade"].value = value
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=move, args=(seed,)) for seed in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong
    for one in made:
        assert one.reading == str(one.values["shade"])
        assert pixels(one.png)[0, 0].tolist() == pytest.approx(
            [one.values["shade"], 0, 255 - one.values["shade"]], abs=1
        )


def test_only_one_figure_is_ever_in_work():
    inside, most = [], []

    def draw(fig, x):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return f"{x}"

    made = [show.explore(draw, size=(1, 1), x=show.slider("x", 0, 100, 0)) for _ in range(4)]
    threads = [threading.Thread(target=one.set, kwargs={"x": 5}) for one in made for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert max(most) == 1
    assert [one.reading for one in made] == ["5"] * 4


def test_slider_events_that_pile_up_are_merged():
    drawn = []

    def slow(fig, x):
        drawn.append(x)
        time.sleep(0.15)
        return f"{x}"

    made = show.explore(slow, size=(1, 1), x=show.slider("x", 0, 100, 0))
    drawn.clear()

    def drag(value):
        made.controls["x"].value = value

    first = threading.Thread(target=drag, args=(1,))
    first.start()
    time.sleep(0.05)
    for value in range(2, 50):
        drag(value)  # returns at once: someone is drawing
    first.join()
    assert made.reading == "49"
    assert len(drawn) <= 3


@pytest.mark.quick
def test_still_goes_into_the_output(monkeypatch):
    shown = []
    module = sys.modules["ebmlab.show.still"]
    monkeypatch.setattr(module, "display", lambda data, **kw: shown.append((data, kw)))
    made = show.still(line, alt="a power law", T=2.0)
    made._ipython_display_()
    (picture, how), (words, _) = shown
    assert picture["text/plain"] == f"picture: a power law\n{made.reading}"
    assert how["metadata"]["image/png"] == {"width": 691, "height": 346, "alt": "a power law"}
    assert made.reading in words["text/markdown"]
    assert "a power law" in words["text/markdown"]
    assert len(made.png) < 80_000


def test_pictures_fit_the_budget():
    """A noisy picture is packed below 80 kB; a typical line plot takes well under the 150 ms of a key press."""
    noise = np.random.default_rng(0).normal(size=(3, 2000))

    def noisy(fig):
        for ax, row in zip(fig.subplots(1, 3), noise, strict=True):
            ax.plot(row)
        return "noise"

    assert len(show.still(noisy).png) < 80_000
    made = five_controls()
    times = []
    for T in np.linspace(0.2, 4.8, 9):
        before = time.process_time()  # processor time: the machine may be busy with other tests
        made.set(T=float(T))
        times.append(time.process_time() - before)
        assert made.last_ms > 0
    assert np.median(times) < 0.150


@pytest.mark.quick
def test_margins_are_reused_but_labels_are_never_cut_off():
    def growing(fig, scale):
        ax = fig.subplots()
        ax.set_ylim(0, scale)
        positions.append(ax)
        return "grown"

    positions = []
    layouts = style.Layouts()
    for scale in (1, 1, 90_000, 1):
        style.picture(growing, (4, 3), {"scale": scale}, layouts)
    left = [ax.get_position().x0 for ax in positions]
    assert left[0] == left[1]
    assert left[2] > left[0]
    assert left[3] == left[2]  # the axes have come to rest


def counting(**options):
    return show.live(
        lambda rate: [0],
        lambda state, rate: [state[0] + rate],
        lambda fig, state, rate: f"count {state[0]}",
        size=(1, 1),
        alt="a counter",
        rate=show.slider("rate", 1, 5, 1),
        **options,
    )


@pytest.mark.quick
def test_live_in_plain_python():
    run = counting(chunks=10)
    assert run.reading == "count 0"
    assert run.step(3).reading == "count 3"
    assert run.set(rate=5).step().reading == "count 8"
    assert run.step(50).finished
    assert run.reading == "count 38"
    assert "finished · 10 of 10" in run._progress.value
    assert run.buttons["play"].disabled
    run.buttons["reset"].click()
    assert run.reading == "count 0"
    assert not run.buttons["play"].disabled
    with pytest.raises(RuntimeError, match=r"\.step\(n\)"):
        run.play()
    assert run._repr_mimebundle_()["text/plain"] == "live: a counter"
    assert run in show.explorables()
    again = counting(restart=["rate"]).step(4)
    assert again.set(rate=2).reading == "count 0"
    with pytest.raises(ValueError, match="restart"):
        counting(restart=["speed"])


def test_live_plays_pauses_and_hears_sliders_on_a_loop():
    async def play():
        run = counting(fps=50)
        run.buttons["play"].click()
        await asyncio.sleep(0.4)
        assert run.playing
        assert run.done > 0
        versions, done = run.version, run.done
        assert versions < 40  # a picture is due at most 50 times a second
        run.buttons["pause"].click()
        await asyncio.sleep(0.2)
        stopped = run.done
        assert run.reading == f"count {stopped}"
        await asyncio.sleep(0.2)
        assert run.done == stopped >= done
        other = threading.Thread(target=run.buttons["play"].click)  # kernels with subshells do this
        other.start()
        await asyncio.sleep(0.2)
        other.join()
        assert run.done > stopped
        run.controls["rate"].value = 5
        run.buttons["reset"].click()
        assert not run.playing
        assert run.reading == "count 0"
        await asyncio.sleep(0.1)
        run.buttons["step"].click()
        assert run.reading == "count 5"

    asyncio.run(play())


@pytest.mark.quick
def test_live_says_what_went_wrong():
    async def play():
        def advance(state):
            raise FloatingPointError("overflow in chunk")

        run = show.live(lambda: 0, advance, lambda fig, state: "fine", size=(1, 1))
        run.buttons["play"].click()
        await asyncio.sleep(0.1)
        assert not run.playing
        assert "FloatingPointError: overflow in chunk" in run.reading

    asyncio.run(play())


@pytest.mark.quick
def test_live_finishes_by_itself():
    async def play():
        run = counting(chunks=5)
        run.play()
        await asyncio.sleep(0.3)
        assert run.finished
        assert not run.playing
        assert run.reading == "count 5"

    asyncio.run(play())


@pytest.mark.quick
def test_predict_tells_nothing_before_the_choice():
    asked = show.predict("Up or down?", ["up", "down"], "down", "Because of k_B T.")
    assert asked._after.value == ""
    assert repr(asked) == "predict: Up or down? (up / down)"
    assert asked._repr_mimebundle_()["text/plain"] == repr(asked)
    asked._buttons[0].click()
    assert asked.committed == "up"
    assert "You predict: <b>up</b>" in asked._after.value
    assert "<details>" in asked._after.value
    assert "k<sub>B</sub>" in asked._after.value
    for bad in ({"options": ["a"]}, {"answer": "c"}, {"answer": 7}):
        with pytest.raises(ValueError, match="expected"):
            show.predict(**{"question": "?", "options": ["a", "b"], "answer": 0, "because": "", **bad})


def stub_returns_nothing(x):
    """An exercise nobody touched."""


def stub_raises(x):
    raise NotImplementedError


def crashes(x):
    return x.no_such_thing


@pytest.mark.quick
def test_check_has_three_answers_and_never_raises():
    square = lambda f: np.allclose(f(3.0), 9.0)  # noqa: E731
    cases = [
        (None, square, "not attempted yet", ""),
        (..., square, "not attempted yet", ""),
        ((None, ...), square, "not attempted yet", ""),
        (stub_returns_nothing, square, "not attempted yet", ""),
        (stub_raises, square, "not attempted yet", ""),
        (crashes, square, "hint", "AttributeError"),
        (lambda x: x**3, square, "hint", "think of area"),
        (lambda x: x**2, square, "passed", ""),
        (lambda x, y: x, square, "hint", "TypeError"),
        (3.0, show.close(3.0), "passed", ""),
        (3.0, show.close(3.1), "hint", "think of area"),
        (-3.1, show.close(3.1), "hint", "sign"),
        (6.2, show.close(3.1), "hint", "Twice"),
        (1.55, show.close(3.1), "hint", "Half"),
        ([1.0, 2.0], show.close([1.0, 2.0, 3.0]), "hint", "shape"),
        (np.nan, show.close(1.0), "hint", "NaN"),
        ("three", show.close(3.0), "hint", "number was expected"),
        (np.ones(3), show.close(np.ones(3)), "passed", ""),
        (2, lambda n: "Closer to 3." if n != 3 else True, "hint", "Closer to 3."),
    ]
    for attempt, test, state, part in cases:
        outcome = show.check("1. square", attempt, test, "think of area")
        assert outcome.state == state, attempt
        assert part in outcome.message
        assert outcome.passed == (state == "passed")
        assert state in repr(outcome)
        assert state in outcome._repr_html_()

    def asserting(f):
        assert f(2) == 5, "f(2) should be 5"

    assert show.check("2", lambda x: 5, asserting).passed
    assert show.check("2", lambda x: 4, asserting).message.startswith("f(2) should be 5")


@pytest.mark.quick
def test_shared_plots_draw_and_say_what_they_found():
    rng = np.random.default_rng(0)
    lattice = graphs.square(4, 4)
    states = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    levels = -(states * np.roll(states, 1, 1)).sum(1)
    p = np.exp(-levels) / np.exp(-levels).sum()
    x = np.linspace(-3, 3, 100)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    P = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
    unsatisfied, signs = [], np.ones(32)
    signs[5] = -1  # one bond frustrates the two plaquettes beside it
    valleys = landscape(energies.Pairwise(lattice, signs))
    triangle = graphs.complete(3)
    jobs = [
        lambda ax: plots.state_grid(ax, rng.choice([-1, 1], (5, 5))),
        lambda ax: plots.state_grid(ax, rng.choice([0, 1], (7, 3, 3))),
        lambda ax: plots.spin_key(ax),
        lambda ax: plots.trace(ax, rng.normal(size=(3, 50)), warmup=10, exact=0.0, error=0.1),
        lambda ax: plots.autocorrelation(ax, 0.8 ** np.arange(20), tau=4.5, window=12),
        lambda ax: plots.histogram_exact(ax, rng.normal(size=300), x, density),
        lambda ax: plots.histogram_exact(ax, rng.choice(3, 99), np.arange(3), np.ones(3) / 3, discrete=True),
        lambda ax: plots.levels(ax, levels, p, samples=rng.choice(levels, 50, p=p)),
        lambda ax: plots.graph(ax, lattice, graphs.ferromagnet(lattice)),
        lambda ax: unsatisfied.append(plots.graph(ax, triangle, -np.ones(3), [1, 1, -1])),
        lambda ax: unsatisfied.append(plots.glass(ax, lattice, signs, np.ones(16))),
        lambda ax: unsatisfied.append(plots.disconnectivity(ax, valleys)),
        lambda ax: unsatisfied.append(plots.disconnectivity(ax, valleys, most=3)),
        lambda ax: plots.matrix(ax, P, labels=["A", "B", "C"]),
        lambda ax: plots.matrix(ax, rng.normal(size=(20, 14)), signed=True),
        lambda ax: plots.chain_graph(ax, P, ["A", "B", "C"], here=1),
        lambda ax: plots.chain_graph(ax, P[:2, :2]),
        lambda ax: plots.layered(ax, rng.normal(size=(5, 3)), rng.choice([0, 1], 5)),
        lambda ax: plots.exact_line(ax, x, density),
        lambda ax: plots.error_points(ax, x, density, 0.1, kind="data"),
    ]
    pictures = {style.picture(lambda fig, job=job: str(job(fig.subplots())), (3, 2), {})[0] for job in jobs}
    assert len(pictures) == len(jobs)
    assert unsatisfied == [1, (2, 1), len(valleys.energies), 3]  # an antiferromagnetic triangle always keeps one
    with pytest.raises(ValueError, match="kind"):
        style.picture(lambda fig: plots.error_points(fig.subplots(), x, x, kind="theory"), (3, 2), {})


@pytest.mark.quick
@pytest.mark.parametrize("lattice", [graphs.square(3), graphs.square(4, 5), graphs.triangular(3, 5)])
def test_frustrated_plaquettes_round_a_periodic_lattice_are_drawn_inside_the_axes(lattice):
    """Each bond turned alone frustrates two plaquettes, whose crosses lie half a cell beside the bond."""
    for bond in range(len(lattice.edges)):
        couplings = np.ones(len(lattice.edges))
        couplings[bond] = -1
        ax = Figure().subplots()
        assert plots.glass(ax, lattice, couplings, np.ones(lattice.n)) == (2, 1)
        polygons = ax.collections[0].get_paths()
        crosses = ax.collections[1].get_offsets()
        assert len(polygons) == len(crosses) == 2
        for polygon, cross in zip(polygons, crosses, strict=True):
            corners = polygon.vertices[:-1]
            sides = np.linalg.norm(corners - np.roll(corners, 1, 0), axis=1)
            np.testing.assert_allclose(sides, 1, atol=1e-9)  # no plaquette is torn or skewed
            np.testing.assert_allclose(corners.mean(0), cross)
            at = np.abs(corners[:, None] - lattice.positions).max(-1) < 1e-9  # corners that are nodes as drawn
            assert at.any()
            (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
            assert left < cross[0] < right
            assert bottom < cross[1] < top


@pytest.mark.quick
def test_glasses_that_are_not_drawn_are_refused_and_the_key_stays():
    def one(*given, **options):
        ax = Figure().subplots()
        plots.glass(ax, *given, **options)
        return [text.get_text() for text in ax.get_legend().get_texts()]

    lattice = graphs.square(3, periodic=False)
    for couplings in (np.ones(12), -np.ones(12), np.r_[-1, np.ones(11)]):
        assert one(lattice, couplings) == ["J > 0", "J < 0"]
        assert one(lattice, couplings, np.ones(9)) == ["J > 0", "J < 0", "unsatisfied"]
    for other in (graphs.cubic(3), graphs.ring(4), graphs.from_edges([(0, 1), (1, 2), (0, 2)]), graphs.complete(4)):
        with pytest.raises(ValueError, match=r"plots\.graph"):
            one(other, np.ones(len(other.edges)))
    with pytest.raises(TypeError, match="Graph"):
        one("lattice", np.ones(12))
    with pytest.raises(ValueError, match=r"shape \(9,\)"):
        one(lattice, np.ones(12), np.ones(8))
    with pytest.raises(ValueError, match="entry"):
        one(lattice, np.ones(12), np.zeros(9))
    with pytest.raises(ValueError, match="9 nodes"):
        plots.graph(Figure().subplots(), lattice, np.ones(12), np.ones(8))
    with pytest.raises(ValueError, match="most must be at least 1"):
        plots.disconnectivity(Figure().subplots(), landscape(energies.Pairwise(graphs.ring(4))), most=0)


@pytest.mark.quick
def test_colours_can_be_told_apart_in_grey():
    """Up and down differ in luminance, and no two of the course's line colours are the same grey and hue."""

    def luminance(colour):
        r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    assert luminance(style.UP) - luminance(style.DOWN) > 0.4
    assert len({style.EXACT, style.SAMPLES, style.MODEL, style.DATA, style.ACCENT, style.UP, style.DOWN}) == 7
    assert style.label("u").startswith("energy per spin")
    assert style.label("anything else") == "anything else"


class Bump(AbstractEnergy):
    """A user's own energy: a harmonic well with a bump, three lines of formula."""

    stiffness: float = 1.0
    bump: float = 2.0

    @property
    def units(self):
        return (units.Gaussian(1),)

    def energy(self, x):
        return 0.5 * self.stiffness * x[0][0] ** 2 + self.bump * jnp.exp(-2 * x[0][0] ** 2)


def test_a_users_own_real_energy_gets_sliders():
    made = show.energy_explorer(Bump(), stiffness=(0.1, 5.0), bump=(0.0, 5.0))
    assert made.values == {"beta": 1.0, "stiffness": 1.0, "bump": 2.0, "seed": 0}
    pictures = {made.set(**setting).png for setting in made.extremes()}
    assert len(pictures) == len(list(made.extremes()))
    made.set(beta=1.0, stiffness=4.0, bump=0.0, seed=0)
    assert "standard deviation 0.500" in made.reading  # 1 / sqrt(beta k)
    drawn = float(made.reading.split(" and ")[1].split(",")[0])
    assert drawn == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2 * 64 * 10))
    with pytest.raises(ValueError, match="expected one of"):
        show.energy_explorer(Bump(), width=(0.0, 1.0))
    with pytest.raises(TypeError, match="expected"):
        show.energy_explorer(Bump(), bump=3.0)


def test_a_users_own_discrete_energy_gets_sliders():
    ring = graphs.ring(4)
    made = show.energy_explorer(lambda J, h: energies.Pairwise(ring, J, h), J=(-1.0, 1.0), h=(0.0, 1.0))
    made.set(beta=0.5, J=1.0, h=0.0)
    transfer = 2 * np.cosh(0.5) ** 4 * 2**3 * (1 + np.tanh(0.5) ** 4)
    mean = -4 * (np.tanh(0.5) + np.tanh(0.5) ** 3) / (1 + np.tanh(0.5) ** 4)
    assert f"exact mean energy {mean:.3f}" in made.reading
    assert f"has probability {np.exp(2) / transfer:.3f}" in made.reading
    drawn = float(made.reading.split("draws gave ")[1].split(". ")[0])
    assert drawn == pytest.approx(mean, abs=0.3)
    with pytest.raises(ValueError, match="at most 4096"):
        show.energy_explorer(energies.Pairwise(graphs.ring(13)))


def test_a_board_turns_cells_over_at_a_click():
    def draw(fig, bonds):
        fig.subplots().imshow(bonds)
        return f"the product is {int(np.prod(bonds[bonds != 0]))}"

    shown = show.explore(draw, alt="a plaquette", bonds=show.board("bonds", [[0, 1, 0], [1, 0, -1], [0, 1, 0]]))
    assert shown.reading == "the product is -1"
    assert [made.description for made in (shown.controls["bonds"].cell(0, 1), shown.controls["bonds"].cell(1, 2))] == [
        "+",
        "−",
    ]
    version = shown.version
    shown.controls["bonds"].cell(1, 2).click()
    assert shown.version == version + 1
    assert shown.reading == "the product is 1"
    assert shown.controls["bonds"].cell(1, 2).description == "+"
    shown.set(bonds=[[0, -1, 0], [1, 0, 1], [0, 1, 0]])
    assert shown.reading == "the product is -1"
    assert shown.version == version + 2
    assert len(list(shown.extremes())) == 2
    with pytest.raises(ValueError, match="gaps"):
        shown.set(bonds=np.ones((3, 3)))
    with pytest.raises(ValueError, match="gap"):
        show.board("bonds", [[1, 2]])
    with pytest.raises(ValueError, match="fill the gaps"):
        show.board("bonds", [[1, 1], [1]])
    with pytest.raises(ValueError, match="two texts"):
        show.board("bonds", [[1]], signs=("+",))
    with pytest.raises(ValueError, match="at least 8"):
        show.board("bonds", [[1]], cell=-1)
    with pytest.raises(ValueError, match="limit 144"):
        show.board("bonds", np.ones((13, 13)))


def test_a_curve_is_drawn_slider_by_slider():
    seen = []

    def draw(fig, schedule):
        seen.append(schedule)
        fig.subplots().plot(schedule)
        return f"from {schedule[0]:.2f} to {schedule[-1]:.2f}"

    start = np.geomspace(3.0, 0.05, 6)
    shown = show.explore(draw, alt="a schedule", schedule=show.curve("temperature T", 0.05, 3.0, start, log=True))
    assert np.allclose(seen[-1], start)
    assert shown.reading == "from 3.00 to 0.05"
    shown.controls["schedule"].sliders[0].value = 1.0
    assert seen[-1][0] == 1.0
    assert np.allclose(seen[-1][1:], start[1:])
    assert len(seen) == 2
    shown.set(schedule=np.full(6, 0.5))
    assert len(seen) == 3
    assert [slider.value for slider in shown.controls["schedule"].sliders] == [0.5] * 6
    for setting in shown.extremes():
        shown.set(**setting)
        assert (seen[-1] >= 0.05).all()
        assert (seen[-1] <= 3.0).all()
    with pytest.raises(ValueError, match="6 numbers"):
        shown.set(schedule=[1.0, 2.0])
    with pytest.raises(ValueError, match="low <= values <= high"):
        show.curve("T", 0.0, 1.0, [0.5, 2.0])
    with pytest.raises(ValueError, match="finite ends"):
        show.curve("T", 0.0, np.inf, [0.5, 2.0])
    with pytest.raises(ValueError, match="2 to 16"):
        show.curve("T", 0.0, 1.0, np.full(20, 0.5))
    with pytest.raises(ValueError, match="low > 0"):
        show.curve("T", 0.0, 1.0, [0.5, 0.5], log=True)
