"""The plan's viewer: what directors tell arrives, in Python and on the page."""

import numpy as np
import pytest
from plan.directors.scripted import ALONE, DEAD, TOGETHER, TWO, Scripted

pytest.importorskip("anywidget")

from vdjax.plan import PlanError
from vdjax.plan import plan as make_plan
from vdjax.plan.answers import SceneIdea
from vdjax.plan.directors.language import LanguageDirector
from vdjax.plan.vocabulary import Vocabulary
from vdjax.widgets.plan_picture import plan_html, report_words
from vdjax.widgets.plan_viewer import PlanViewer

PROMPT = "A cat walks on the beach, then meets a dog"
IDEAS = [
    SceneIdea("A cat <b>walks</b>", ("cat",), "beach"),
    SceneIdea("The cat meets a dog", ("cat", "dog"), "park"),
]


def director(*answers, **options):
    return LanguageDirector(Scripted(*answers), vocabulary=Vocabulary.storybook(), **options)


def test_a_story_is_seen_as_it_arrives_and_each_call_is_counted():
    viewer, seen = PlanViewer(), []
    viewer.observe(lambda change: seen.append((change["name"], change["new"])), ["scenes", "state"])
    asked = director(TWO, ALONE, "no layout", TOGETHER)
    model = asked.model
    made = viewer.watch(PROMPT, asked)
    assert [value for name, value in seen if name == "state"] == ["story", "layouts", "done"]
    sizes = [len(value) for name, value in seen if name == "scenes"]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert viewer.plan == made
    assert viewer.groups == {name: list(numbers) for name, numbers in made.groups.items()}
    calls = viewer.report["of_calls"]
    assert [call["what"] for call in calls] == [
        "story",
        "boxes of scene 1",
        "boxes of scene 2",
        "boxes of scene 2",
    ]
    assert sum(call["completion_tokens"] for call in calls) == viewer.report["completion_tokens"]
    assert (asked.model, asked.on_scenes, asked.on_placed) == (model, None, None)


def test_a_call_that_fails_is_counted_and_ones_own_callbacks_are_called():
    placed = []
    asked = director(TWO, ALONE, DEAD, on_placed=lambda *told: placed.append(told))
    viewer = PlanViewer()
    made = viewer.watch(PROMPT, asked)
    assert placed == list(enumerate(made.scenes, 1))
    assert len(viewer.report["of_calls"]) == 3
    assert viewer.report["of_calls"][-1]["completion_tokens"] == 0


def test_it_serves_a_director_as_a_live_view_by_its_callbacks():
    viewer = PlanViewer()
    asked = director(TWO, ALONE, TOGETHER, on_scenes=viewer.tell, on_placed=viewer.add)
    made = asked.plan(PROMPT)
    assert viewer.state == "layouts"
    assert all(scene["keyframes"] for scene in viewer.scenes)
    assert viewer.scenes[0]["reasoning"] == "nothing moves"
    viewer.finish(made, asked.last_report)
    assert viewer.state == "done"
    assert viewer.report["words"].startswith("Planned by scripted in ")
    assert "3 calls, 0 answers sent back, 300 tokens asked" in viewer.report["words"]


def test_rules_have_nothing_to_stream_and_are_shown_at_the_end():
    viewer = PlanViewer()
    made = viewer.watch(PROMPT)
    assert made == make_plan(PROMPT)
    assert viewer.state == "done"
    with pytest.raises(PlanError):
        viewer.watch("")
    assert viewer.plan is None


def test_boxes_may_come_before_their_scene_was_told(plan):
    viewer = PlanViewer()
    viewer.add(2, plan.scene(2))
    assert [bool(scene["keyframes"]) for scene in viewer.scenes] == [False, True]
    assert viewer.groups == {"cat": [2], "dog": [2], "park": [2]}


def test_its_fallback_and_its_plain_function_hold_the_plan(plan, clips):
    viewer = PlanViewer(plan, clips, {"calls": 1, "seconds": 2.5})
    content = viewer._repr_mimebundle_()[0]["text/html"]
    assert plan_html(plan, clips, viewer.report) in content
    assert "the same over scenes: cat in scenes 1, 2" in content
    assert "<tr><th>dog</th><td></td><td>●</td></tr>" in content
    assert "<summary>Notes on scene 2</summary><ul><li>puppy -&gt; dog</li></ul>" in content
    assert "Planned in 2.5 s: 1 call" in content
    assert "No finished plan yet; scenes so far: none" in PlanViewer().fallback()
    alone = plan.replace(groups={**plan.groups, "cat": (1,)})
    assert "<tr><th>cat</th><td>●</td><td>○</td></tr>" in plan_html(alone, clips)


def test_reports_are_told_in_words():
    report = {"director": "qwen", "calls": 1, "rounds": 2, "prompt_tokens": 1200, "seconds": 3.14}
    words = "Planned by qwen in 3.14 s: 1 call, 2 answers sent back, 1,200 tokens asked"
    assert report_words(report) == words
    assert report_words({"director": "rules"}) == "Planned by rules"


@pytest.mark.browser
def test_scenes_appear_on_the_page_as_they_arrive(page_with, plan):
    viewer = PlanViewer()
    view = page_with(viewer, width=380)
    page, cards = view.page, view.page.locator(".pv-card")
    said = page.locator(".vdjax-said")
    assert said.inner_text() == "Waiting for a plan …"
    viewer.tell(IDEAS[:1], False)
    view.settle()
    assert cards.count() == 1
    assert page.locator(".pv-text").inner_text() == "A cat <b>walks</b>"  # never read as HTML
    viewer.tell(IDEAS, True)
    viewer.add(2, plan.scene(2))
    view.settle()
    assert cards.count() == 2
    assert "waits for its boxes" in cards.nth(0).inner_text()
    assert cards.nth(1).locator(".fs-stage").count() == 5
    assert cards.nth(1).locator(".fs-boxes rect").count() == 5 + 2  # the dog comes at keyframe 6
    assert said.inner_text() == "The story has 2 scenes; 1 with boxes …"
    cards.nth(1).get_by_text("Notes (1)").click()
    viewer.add(1, plan.scene(1))
    view.settle()
    assert cards.nth(1).locator("li").inner_text() == "puppy -> dog"  # what was open stays so
    viewer.finish(plan)
    view.settle()
    assert said.inner_text() == "The plan is done: 2 scenes."


@pytest.mark.browser
def test_groups_are_lines_through_the_scenes_that_share_a_look(page_with, plan):
    three = plan.replace(scenes=[*plan.scenes, plan.scene(2)], groups=None)
    three = three.replace(groups={**three.groups, "cat": (1, 3)})
    viewer = PlanViewer(three)
    view = page_with(viewer)
    page = view.page
    rows = page.locator(".pv-map tbody tr")
    names = [text.replace("▭", "").strip() for text in rows.locator("th").all_inner_texts()]
    assert names == ["cat", "dog", "beach", "park"]
    cat = rows.nth(0).locator("td")
    assert [text.strip() for text in cat.all_text_contents()] == [
        "the same",
        "a look of its own",
        "the same",
    ]
    assert cat.nth(1).locator(".pv-alone").count() == 1
    assert [cell.locator("line").count() for cell in cat.all()] == [1, 1, 1]
    beach = rows.nth(2).locator("td")
    assert [cell.locator("line").count() for cell in beach.all()] == [0, 0, 0]
    page.get_by_role("button", name="dog").focus()
    page.keyboard.press("Enter")
    view.settle()
    assert viewer.selected == "dog"
    assert page.locator(".pv-card").nth(1).locator(".fs-boxes rect").count() == 2
    assert page.evaluate("document.activeElement.dataset.name") == "dog"
    page.keyboard.press("Enter")
    view.settle()
    assert viewer.selected == ""


@pytest.mark.browser
def test_an_exported_page_has_frames_under_the_boxes(page_with, plan, clips):
    page = page_with(PlanViewer(plan, clips, {"calls": 2}).to_html(), theme="dark").page
    canvas = page.locator(".pv-card canvas")
    assert canvas.count() == 10
    page.wait_for_function("document.querySelectorAll('.pv-card canvas')[9].width === 48")
    pixel = page.evaluate(
        "[...document.querySelectorAll('.pv-card canvas')[9].getContext('2d')"
        ".getImageData(24, 16, 1, 1).data]"
    )
    assert np.abs(np.array(pixel[:3]) - clips[1][15, 0, 0]).max() < 12
    assert page.locator(".pv-report").inner_text() == "Planned: 2 calls"
