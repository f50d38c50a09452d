"""The same said in plainer words: idioms that no single phrase of `phrases` can hold.

Enters: a text in lower case. Leaves: the text with what people say of coming, going and passing put
into the few words that the reader knows: "is nowhere to be seen until the end" appears, "from its
left to its right" is from the left to the right of it. Whatever fits no rule stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from vdjax.plan.english import words
from vdjax.plan.english.phrases import FRAME

_LOOKS = words.COLOURS | words.ADJECTIVES | words.SIZES.keys()
_THEM = {"its": "it", "his": "him", "her": "her", "their": "them"}

_OF = rf"(?: (?:of|through|into) the (?:{FRAME}))?"
_PART = r"(?:half|part|third|(?:few )?(?:seconds?|moments?)|bit)"
_FIRST = (
    r"(?:at first|first|initially|early on|for a (?:while|moment|bit)|to (?:begin|start) with|"
    rf"in the beginning{_OF}|"
    rf"at the (?:very )?(?:beginning|start|outset){_OF}|"
    rf"(?:in|for|during|throughout) the first {_PART}{_OF})"
)
_LAST = (
    rf"(?:later(?: on)?|eventually|finally|soon|at last|in the end|afterwards?|"
    rf"(?:at|towards?|near|by|before) the (?:very )?end{_OF}|in the middle{_OF}|"
    rf"(?:in|for|during|from) the (?:second|last|latter|final|other) {_PART}{_OF}(?: on)?|"
    rf"(?:half ?-?|mid ?-?)way{_OF}(?: through)?|after a (?:while|moment|time|bit)|"
    rf"after (?:some|several|a few) {_PART}|after the (?:first {_PART}|beginning|start){_OF})"
)
_UNTIL = (
    rf"(?:until|till|before) (?:{_LAST}|the (?:very )?(?:end|middle|(?:second|last) {_PART}){_OF}|"
    rf"the {FRAME} (?:is over|ends|is half over))"
)
_BE = r"(?:is|are|was|were|stays?|remains?)"
_SEEN = (
    r"(?:there|here|present|visible|seen|shown|revealed|to be seen|in (?:view|sight|the picture))"
)
_UNSEEN = (
    rf"(?:nowhere(?: to be (?:seen|found)| in sight)?|(?:not|never) {_SEEN}|invisible|hidden|"
    rf"absent|missing|gone|out of (?:sight|view)|not(?: any ?more)?(?= {_LAST}|$|[.,;]))"
)
_AND = r"(?:(?:and|but|then|later),? )+"
_IT = r"(?:it|he|she|they|one)"
_A_THING = r"(?P<thing>(?:an?|the|some|two|three|four) [\w-]+(?: [\w-]+)?)"

Change = str | Callable[[re.Match[str]], str]


def _both(match: re.Match[str]) -> str:
    """Both looks, each with its noun; anything else as it is."""
    one, first, other, second, noun = match[0].lower().replace(" and", "", 1).split()
    if not {first, second} <= _LOOKS or noun in _LOOKS or noun in words.SMALL:
        return match[0]
    return f"{one} {first} {noun} and {other} {second} {noun}"


def _with_its_noun(match: re.Match[str]) -> str:
    return f"from the {match[2]} to the {match[3]} of {_THEM[match[1].lower()]}"


_RULES: list[tuple[re.Pattern[str], Change]] = [
    (re.compile(pattern, re.IGNORECASE), change)
    for pattern, change in (
        # Which of two things it is.
        (r"\b(an?|one|the) ([\w-]+) and (an?|one|the|another) ([\w-]+) ([\w-]+)", _both),
        # Unseen first, or last: it appears, or disappears.
        (r"\b(is|are|was|were|do|does|can|could)n't\b", r"\1 not"),
        (rf"\b{_BE} (?:not |never )?{_SEEN}(?:,? {_FIRST}),? {_AND}(?:{_IT} )?"
         rf"(?:{_BE} )?{_UNSEEN}(?: {_LAST})?", "disappears"),
        (rf"\b{_BE} {_UNSEEN}(?: yet)?,? {_FIRST}(?:,? {_AND}(?:{_IT} )?(?:{_BE} )?"
         rf"(?:{_LAST} )?(?:{_SEEN})?(?: {_LAST})?(?![\w-]))?", "appears"),
        (rf"\b{_BE} {_UNSEEN} (?:{_UNTIL}|until)(?![\w-])", "appears"),
        (rf"\b{_BE} {_UNSEEN},? {_LAST}(?![\w-])", "disappears"),
        (rf"\b(?:you|we|one) (?:cannot|(?:can|do) not) (?:yet )?see {_A_THING} "
         rf"(?:{_UNTIL}|(?:yet )?{_FIRST}(?:,? {_AND}(?:{_LAST},? )?{_IT} {_BE} {_SEEN})?)",
         r"\g<thing> appears"),
        (rf"\b(?:(?:at )?first,? )?(?:there {_BE} nothing|nothing {_BE} there),? "
         rf"{_AND}(?:there {_BE} )?{_A_THING}(?=$|[.,;])",
         r"\g<thing> appears"),
        (rf"\b(?:(?:at )?first,? )?there {_BE} {_A_THING},? {_AND}"
         rf"(?:there {_BE} nothing|nothing {_BE} there|{_IT} {_BE} not)(?: left)?(?=$|[.,;])",
         r"\g<thing> disappears"),
        (r"\ball of a sudden\b|\bout of the blue\b", "suddenly"),
        (rf"\bsuddenly,? there {_BE} {_A_THING}(?=$|[.,;])", r"\g<thing> appears"),
        (rf"\bsuddenly,? {_A_THING} {_BE} (?:there|here)\b", r"\g<thing> appears"),
        (rf"\b(?:(?:can (?:only )?be|{_BE}) (?:only )?{_SEEN}|stays?|remains?) (?:only )?{_UNTIL}",
         "disappears"),
        (rf"\b(?:stays?|remains?|waits?) (?:there )?(?:only )?{_FIRST}", "disappears"),
        (r"\b(?:can|is|are) (?:no longer|not) (?:be )?(?:there|seen|visible)(?: any ?more)?",
         "disappears"),
        (rf"\b(?:becomes?|turns?) visible|\b{_BE} revealed|\bfad(?:es?|ing) in\b|"
         r"\b(?:come?|pop)s? into (?:being|existence)", "appears"),
        (r"\b(?:ceas|stopp?)(?:es?|s) (?:to be|being) (?:visible|there|seen)|"
         r"\b(?:is|are) lost (?:from|to) (?:sight|view)", "disappears"),
        (rf"\b(?:the |a )?{FRAME} (?:starts?|begins?|opens?) without {_A_THING},? (?:and|but) "
         r"(?:ends?|closes?|finish(?:es)?) with (?:one|it|him|her|them)", r"\g<thing> appears"),
        (rf"\b(?:the |a )?{FRAME} (?:starts?|begins?|opens?) with {_A_THING},? (?:and|but) "
         r"(?:ends?|closes?|finish(?:es)?) without (?:one|it|him|her|them)",
         r"\g<thing> disappears"),
        (rf"\bthere (?:is|was) no ([\w-]+(?: [\w-]+)?) (?:yet )?{_FIRST},? {_AND}"
         r"(?:one|it|he|she)\b", r"a \1"),
        (rf"\b(?:the |an? )?(?:{FRAME}|place|scene|stage) {_BE} empty,? (?:until|before)\b", ""),
        (r"\bit takes (?:a while|some time|a moment) (?:until|before)\b", ""),
        # Over the edge of the frame.
        (rf"\bjoin(s|ed|ing)? (?:the |in the )(?:{FRAME}|stage)\b", r"enter\1"),
        (rf"\b(enter|exit|quit)(s|ed|ing)? (?:the )?(?:{FRAME}|stage|view)\b", r"\1\2"),
        (rf"\b(?:out of|from) (?:the )?(?:{FRAME}|sight|view)\b", "offscreen"),
        # From one side of something to the other.
        (r"\b(from|to) (?:its|his|her|a|the) place (?:on|at|in) the (left|right)\b",
         r"\1 the \2 side"),
        (r"\bfrom one side of ((?:the|a|an) [\w-]+(?: [\w-]+)?) to the other(?: side)?,? "
         r"(?:from )?(?:the )?(left|right) to (?:the )?(left|right)\b",
         r"from the \2 to the \3 of \1"),
        (r"\bfrom (?:the |its )?(left|right)(?: side)? of ((?:the|a|an) "
         r"([\w-]+(?: [\w-]+){0,2}?)) (?:over )?to (?:the |its |his |her |their )?(left|right)"
         r"(?: side)?(?: of (?:it|them|him|her|the \3|the [\w-]+))?(?![\w-])",
         r"from the \1 to the \4 of \2"),
        (r"\bfrom (its|his|her|their) (left|right)(?: side)? to (?:the|its|his|her|their) "
         r"(left|right)(?: side)?(?![\w-])", _with_its_noun),
        (r"\bfrom the (left|right) of (it|him|her|them) to the (left|right)(?: of \2)?(?![\w-])",
         r"from the \1 to the \3 of \2"),
        (r"\b(?:to|on|at) (its|his|her|their) (left|right)(?:-hand)?(?: side)?(?![\w-])"
         r"(?! (?:arm|ear|eye|foot|hand|leg|paw|shoulder|wheel|wing)s?\b)",
         lambda match: f"to the {match[2]} of {_THEM[match[1].lower()]}"),
    )
]  # fmt: skip


def plainer(text: str) -> str:
    """The text, in lower case, with idioms put into plainer words."""
    for pattern, change in _RULES:
        text = pattern.sub(change, text)
    return text
