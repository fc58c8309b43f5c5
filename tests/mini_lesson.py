"""A lesson in the full shape, as small as it can be: what the tests of the tests work on."""

import nbformat
from lesson_shape import SETUP, badges
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NAME = "00_mini.ipynb"

HEADER = f"""\
# A mini lesson

{badges(NAME)}

Does a coin remember?

**What you will be able to do**

- say what a coin does
- count heads

**Prerequisites:** none

**Time:** 5 minutes

**Covers:** nothing at all
"""

DRAW = """\
def draw(fig, p, n):
    axes = fig.subplots()
    axes.bar(range(2), [1 - p, p])
    axes.set(xlabel="heads", ylabel="probability", title=f"{n} tosses")
    return f"heads with probability {p:.2f} in {n} tosses"
"""
STILL = 'show.still(draw, alt="two bars, one for tails and one for heads", p=0.5, n=3)'
EXPLORE = """\
show.explore(
    draw,
    alt="two bars that follow the sliders",
    p=show.slider("Probability p", 0.0, 1.0, 0.5),
    n=show.slider("Tosses n", 1, 9, 3, step=1),
)
"""
PREDICT = """\
show.predict("What happens to the bars as p grows?", ["the right one grows", "nothing"], 0, "It is p.")
"""


def exercise(number: int) -> list[NotebookNode]:
    n, name = number, f"answer_{number}"
    return [
        new_markdown_cell(f"### Exercise {n}: the number {n} (warm-up)\n\nSet the answer to {n}."),
        new_code_cell(f"{name} = ...", metadata={"tags": ["exercise", f"exercise-{n}"]}),
        new_code_cell(
            f'show.check("Exercise {n}", {name}, lambda a: a == {n}, hint="count again")',
            metadata={"tags": ["check", f"check-{n}"]},
        ),
        new_markdown_cell(
            f"<details><summary>Solution</summary>\n\n```python\n{name} = {n}\n```\n\nCounting does it.\n</details>",
            metadata={"tags": ["solution", f"solution-{n}"]},
        ),
    ]


def mini_lesson() -> NotebookNode:
    """The lesson as its author writes it: no outputs yet."""
    setup = SETUP + "\nimport jax\nimport jax.numpy as jnp\nimport numpy as np\nfrom ebmlab import show"
    cells = [
        new_markdown_cell(HEADER),
        new_code_cell(setup, metadata={"tags": ["setup"]}),
        new_markdown_cell("## The coin"),
        new_code_cell(DRAW),
        new_code_cell(STILL),
        new_code_cell(PREDICT),
        new_code_cell(EXPLORE),
        new_code_cell(EXPLORE),
        new_markdown_cell("## Exercises"),
        *exercise(1),
        *exercise(2),
        *exercise(3),
        new_markdown_cell("## Where this breaks\n\nAt n = 0."),
        new_code_cell("1 + 1"),
        new_markdown_cell("## Summary\n\nHeads."),
        new_markdown_cell("## What comes next\n\nTails."),
        new_markdown_cell("## References\n\nNone."),
    ]
    return new_notebook(cells=cells)


def stored_mini_lesson() -> NotebookNode:
    """The same lesson as if it had been run and stored, without running it."""
    from notebooks import normalise

    notebook = mini_lesson()
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
        if cell.source == STILL:
            picture = {"image/png": "iVBORw0KGgo=", "text/plain": "two bars, one for tails and one for heads"}
            cell.outputs = [nbformat.v4.new_output("display_data", data=picture)]
    normalise(notebook)
    return notebook
