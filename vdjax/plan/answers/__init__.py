"""What a language model answered, read tolerantly.

Enters: the text of an answer, whatever it looks like. Leaves: a `StoryAnswer` or a `LayoutAnswer`,
whose notes tell every repair, or an `AnswerError` whose message can be quoted back to the model.
The two steps are those of VideoDirectorGPT (section 3.1); there an answer that does not parse is
lost (appendix H.1). Three formats are read: JSON, the papers' brackets, and layouts in words, which
small models manage better than numbers. Text is data here: nothing in it is run.

The reader of crooked JSON is our own: a repair must be told, and the time be bounded by the length.
"""

from __future__ import annotations

from vdjax.plan.answers.forms import AnswerError, LayoutAnswer, SceneIdea, StoryAnswer
from vdjax.plan.answers.layout import read_layout
from vdjax.plan.answers.schemas import layout_schema, story_schema, words_schema
from vdjax.plan.answers.story import partial_scenes, read_story

__all__ = [
    "AnswerError",
    "LayoutAnswer",
    "SceneIdea",
    "StoryAnswer",
    "layout_schema",
    "partial_scenes",
    "read_layout",
    "read_story",
    "story_schema",
    "words_schema",
]
