"""From a prompt to the texts of its scenes.

Enters: one text, or a list of sentences (one per scene, as the paper allows: VideoDirectorGPT,
section 3.1). Leaves: one text per scene. A scene ends with a sentence, a semicolon or a new line,
and where the story moves on in time: "then", "after that", "finally".
"""

from __future__ import annotations

import re
import unicodedata

from vdjax.plan.english.plainer import plainer

_ABBREVIATIONS = re.compile(r"\b(mr|mrs|ms|dr|st|prof|vs|etc|e\.g|i\.e)\.", re.IGNORECASE)
_LABEL = re.compile(
    r"^\s*(?:(?:scene|step|part)\s*\d+\s*[:.)\-]|\d+\s*[.):]|[-*•])\s*", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|[;\n\r]+|(?<=[a-z])[.!?](?=[A-Z])")
#: Words that say "and now something else", with the comma and the "and" before them.
_ONWARD = re.compile(
    r"(?:^|[,\s]+)(?:and\s+|but\s+)?\b(?:"
    r"(?:and\s+)?then(?!\s+(?:again|on))|after\s+that|after\s+this|afterwards?|thereafter|"
    r"finally|lastly|at\s+last|in\s+the\s+end|meanwhile|some\s+time\s+later|a\s+moment\s+later|"
    r"soon\s+after|subsequently|the\s+next\s+(?:day|morning|night|moment)|next(?=\s*,)"
    r")\b[\s,]*",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"^(?:later(?:\s+on)?|next|first(?:ly)?|second(?:ly)?|third(?:ly)?)\b[\s,]+", re.IGNORECASE
)
_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": ", ", "–": ", ", "…": ". "})


def tidy(text: str) -> str:
    """The text with plain quotes and single blanks, without control characters."""
    text = unicodedata.normalize("NFKC", text.translate(_MARKS))
    text = "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else " " for c in text)
    return re.sub(r"[^\S\n]+", " ", text).strip()


def clean(sentence: str) -> str:
    """One sentence without a label ("Scene 2:"), closing marks, or quotes around it."""
    sentence = _LABEL.sub("", tidy(sentence).replace("\n", " "))
    return sentence.strip(" \t.,;:!?\"'")


def scene_texts(text: str) -> list[str]:
    """The texts of the scenes of one prompt, in order; none of them is empty."""
    text = plainer(_ABBREVIATIONS.sub(lambda match: match[1], tidy(text)))
    scenes = []
    for sentence in _SENTENCE.split(text):
        sentence = clean(sentence)
        for part in _ONWARD.split(sentence):
            part = _LATER.sub("", clean(part))
            if re.search(r"\w", part):
                scenes.append(part)
    return scenes


def tokens(text: str) -> list[str]:
    """Words and commas, in lower case; "'s" is a word of its own, "don't" becomes "dont"."""
    text = plainer(text.lower())
    text = re.sub(r"(?<=\w)n't\b", "nt", text)
    text = re.sub(r"(?<=s)'(?=\s|$)", "", text)
    return re.findall(r"'s\b|[^\W_]+(?:-[^\W_]+)*|,", text)
