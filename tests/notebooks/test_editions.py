"""One master makes all editions; each holds what it should and nothing else."""

import nbformat
import pytest
from course import masters
from course.editions import edition, exercises, plan_of_lesson

KINDS = ["student", "solutions", "teacher", "bare", "tested"]


def text(notebook, kind="markdown"):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def lesson(notebook):
    """The code that is no exercise."""
    exercise = {"stub", "check", "solution"}
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and not exercise & set(cell.metadata.get("tags", []))
    ]


@pytest.fixture
def editions(template):
    return {kind: edition(template, kind) for kind in KINDS}


def test_students_see_stubs_and_folded_help(editions):
    student = editions["student"]
    assert text(student, "code").count("# your code here") == 3
    for title in ("Hint", "Solution"):
        assert text(student).count(f"<details><summary>{title}</summary>") == 3
    assert text(student).count("<details><summary>Answers</summary>") == 1
    for hidden in ("# says", "Teacher.", "Discuss.", "Plan of the lesson"):
        assert hidden not in text(student) + text(student, "code")


def test_solutions_stand_where_the_stubs_stood(editions):
    solved = editions["solutions"]
    assert "# your code here" not in text(solved, "code")
    assert "<summary>Solution</summary>" not in text(solved)
    code = [cell.source for cell in solved.cells if cell.cell_type == "code"]
    for word in ("nearest", "speed", "still"):
        at = next(i for i, source in enumerate(code) if source.startswith(f"def {word}("))
        assert f"print(check_{word}({word}))" in code[at + 1]
    assert text(solved).startswith("# 99 · Keyframes: a box for every frame\n\n*Solution edition")


def test_teachers_get_notes_prompts_plan_mistakes_and_slides(editions):
    teacher = editions["teacher"]
    assert text(teacher).count("> **Teacher.**") == 1
    assert text(teacher).count("> **Discuss.**") == 2
    assert text(teacher).count("> **Hint.**") == 3
    assert "Wrong answer: “… the last frame is number …”" in text(teacher)
    assert "| Exercise 2 · How fast? | 10 | 25 |" in text(teacher)
    kinds = [cell.metadata.slideshow.slide_type for cell in teacher.cells]
    assert kinds.count("slide") == 3
    assert kinds.count("notes") == 1
    assert set(kinds) == {"slide", "notes", "skip"}


def test_slides_hold_what_is_tagged_for_them(editions):
    from nbconvert import SlidesExporter

    slides, _ = SlidesExporter().from_notebook_node(editions["teacher"])
    assert "1 · One rule per coordinate" in slides
    assert "What the lesson is for" in slides  # in the speaker's notes
    assert "Exercise 1" not in slides
    assert "import numpy" not in slides


def test_bare_is_headings_and_the_lessons_code(editions):
    bare = editions["bare"]
    prose = [line for line in text(bare).splitlines() if line and not line.startswith("#")]
    assert prose == []
    assert lesson(bare) == lesson(editions["student"])
    assert "check_" not in text(bare, "code")


def test_all_run_the_same_lesson(name):
    student, solved, teacher, bare = (edition(name, kind) for kind in KINDS[:4])
    assert lesson(student) == lesson(solved) == lesson(teacher) == lesson(bare)
    assert text(solved, "code") == text(teacher, "code")


def test_links_and_badges_are_those_of_the_edition(template):
    path = masters.MASTERS / f"{template}.py"
    path.write_text(path.read_text().replace("No network, no GPU.", "A [word](glossary.md#gate)."))
    for kind, folder in {"student": "", "solutions": "solutions/", "teacher": "teacher/"}.items():
        head = edition(template, kind).cells[0].source
        assert f"/notebooks/{folder}{template}.ipynb)" in head
        assert f"({'../' if folder else ''}glossary.md#gate)" in head
        assert "(00_start_here.ipynb)" in head


def test_folds_of_sites_and_editors_hide_checks_and_nothing_else(editions):
    for cell in editions["student"].cells:
        folded = "hide-input" in cell.metadata.get("tags", [])
        assert folded == cell.source.startswith("# @title")
        assert folded == cell.metadata.get("jupyter", {}).get("source_hidden", False)


def test_the_same_master_makes_the_same_notebook(template):
    assert nbformat.writes(edition(template, "student")) == nbformat.writes(
        edition(template, "student")
    )


def test_the_map_links_to_what_is_there():
    table = masters.course_map()
    for notebook, *_ in masters.ROAD:
        assert (f"({notebook}.ipynb)" in table) == (notebook in masters.names())
    assert {"00_start_here", *(notebook for notebook, *_ in masters.ROAD)} >= set(masters.names())


def test_the_plan_adds_up(name):
    cells = masters.read(name).cells
    rows = [row.split("|")[2:4] for row in plan_of_lesson(cells).splitlines()[4:]]
    assert sum(int(minutes) for minutes, _ in rows) == int(rows[-1][1])
    assert len(rows) >= 3 + len(exercises(cells))


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        ('tags=["stub"]', 'tags=["stubb"]', "is tagged stubb; it may be .*stub"),
        ('[markdown] tags=["hint"]', 'tags=["hint"]', "a code cell is tagged hint"),
        ("{{TIMES}}", "{{TIME}}", "{{TIME}} is no mark; there are COLAB, SOURCE, TIMES, MAP"),
        ('tags=["solution"]', "", "an exercise has no solution: 'def nearest"),
        ("# says: ", "# said: ", "a wrong answer opens with '# says: …'"),
        ("print(check_still(still))", "check_still(still)", "a check ends with print"),
    ],
)
def test_slips_in_a_master_are_named(template, good, bad, sentence):
    path = masters.MASTERS / f"{template}.py"
    path.write_text(path.read_text().replace(good, bad))
    with pytest.raises(masters.MasterError, match=sentence):
        for kind in KINDS:
            edition(template, kind)
