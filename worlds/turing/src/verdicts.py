"""Votes are free text. This reads them: who is said to be human, who is said to be a machine.

Every word becomes a letter (``N`` a name, ``H`` human, ``B`` bot, ``V`` a verb, ``X`` a negation, ``G`` a guess, ``A``
and, ``C`` a comma, ``o`` anything else), and a few patterns over these letters do the rest.

Four things that readers of such votes get wrong are read rightly here: a list after a keyword (``humans: Ivy, Cal``
is about both), a bare denial (``not Pax``: a bot), a short denial (``Ivy isn't human``), a keyword that belongs to all
the names before it (``Zoe and Max seemed like robots``). Three readings are a choice: a name alone means human; an
empty answer and "nobody" mean that all are bots; keywords without names go by the order of the names, if there are as
many.
"""

import re
from collections.abc import Iterable

HUMAN, AI = "human", "ai"

_NOBODY = {
    *("nobody", "none", "no one", "noone", "no human", "no humans", "bots", "all bot", "all bots", "all ai"),
    *("all machines", "all robots", "everyone bot", "everyone ai", "everybody bot"),
}
_EVERYBODY = {
    *("all", "both", "everyone", "everybody", "humans", "all human", "all humans", "everyone human"),
    *("everybody human", "no bot", "no bots", "no ai", "no machines"),
}
_FILLERS = {"is", "are", "was", "were", "a", "the", "they", "of", "them", "i", "think"}

_LETTERS = {
    "H": "human humans person persons people man men woman women real",
    "B": "ai ais bot bots robot robots machine machines artificial computer computers chatbot chatbots llm llms fake "
    "program programs",
    "V": "is are was were be been being seem seems seemed look looks looked sound sounds sounded feel feels felt act "
    "acts acted appear appears appeared",
    "X": "not isnt arent wasnt werent aint never neither hardly",
    "G": "vote votes guess guesses pick choose",
    "A": "and or nor",
    "C": ",",
}
_LETTER_OF = {word: letter for letter, words in _LETTERS.items() for word in words.split()}
_LIST = "N(?:[AC]+N)*"
_NO_VERB_NEXT = "(?![Vo]?V|XV)"
_IS = f"X?(?P<names>{_LIST})o?[VX][VXo]*(?P<kind>[HB])"
_WAS = f"(?P<kind>[HB])[Vo]*(?P<names>N(?:[AC]+N{_NO_VERB_NEXT})*)"
_BARE = f"(?P<names>{_LIST})[oX]{{0,2}}(?P<kind>[HB])"
_GUESS = f"G[Vo]*(?P<names>{_LIST})"
_DENIED = "X(?P<names>N(?:A+N)*)"


def parse_vote_msg(text: str, agents: list[str], bots: Iterable[str], humans: Iterable[str]) -> dict[str, str]:
    """Name -> ``"human"`` or ``"ai"``, as far as a text says so.

    Args:
        text: what the voter wrote.
        agents: all names it may speak of.
        bots, humans: the names that were at its table (who is what plays no part: together they are the roster).
    """
    known = {name.lower(): name for name in agents}
    present = {*bots, *humans}
    roster = [name for name in agents if name in present]
    text = text.lower().replace("’", "'").strip()
    if roster:
        words = re.findall(r"[a-z]+", text)
        for phrase in (" ".join(words), " ".join(word for word in words if word not in _FILLERS)):
            if phrase in _NOBODY or not text:
                return dict.fromkeys(roster, AI)
            if phrase in _EVERYBODY:
                return dict.fromkeys(roster, HUMAN)

    verdicts: dict[str, str] = {}
    bare: list[str] = []
    kinds = ""
    for clause in re.split(r"[.;!?\n]|\bbut\b|\bwhile\b", text):
        found, left, letters = _read_clause(clause, known)
        verdicts.update(found)
        bare += left
        kinds += letters
    if not verdicts and bare:
        return dict.fromkeys(bare, HUMAN)
    if not verdicts and roster and len(kinds) == len(roster):
        return {name: HUMAN if kind == "H" else AI for name, kind in zip(roster, kinds, strict=True)}
    return verdicts


def _read_clause(clause: str, known: dict[str, str]) -> tuple[dict[str, str], list[str], str]:
    """Verdicts, names without verdict, and the letters of the keywords, of one clause."""
    words = _words(clause)
    letters = "".join("N" if word in known else _LETTER_OF.get(word, "o") for word in words)
    names_first = re.match("[^HB]*N", letters) is not None
    patterns = [_IS, _BARE, _WAS] if names_first else [_WAS, _IS, _BARE]
    found: dict[str, str] = {}
    for pattern in [*patterns, _GUESS, _DENIED]:
        for match in list(re.finditer(pattern, letters)):
            parts = match.groupdict()
            start, end = match.span()
            kind = parts.get("kind") or "H"
            denied = letters[start:end].count("X") % 2 == 1
            verdict = HUMAN if (kind == "H") != denied else AI
            first, last = match.span("names")
            for word in words[first:last]:
                if word in known:
                    found.setdefault(known[word], verdict)
            letters = letters[:start] + "_" * (end - start) + letters[end:]
    left = [known[word] for word, letter in zip(words, letters, strict=True) if letter == "N"]
    return found, left, "".join(letter for letter in letters if letter in "HB")


def _words(clause: str) -> list[str]:
    """Words and commas; ``isn't`` is one word, ``Cal's`` are two, ``don't think`` is a negation."""
    clause = re.sub(r"\b(is|are|was|were|ai)n't\b", r"\1nt", clause)
    clause = re.sub(r"\b(?:do|does|did)(?:n't| not)\s+(?:think|believe|feel)\b(?:\s+that\b)?", "not", clause)
    clause = re.sub(r"'s\b", " is", clause)
    return re.findall(r"[a-z']+|,", clause)
