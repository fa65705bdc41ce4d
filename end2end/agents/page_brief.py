"""What trafilatura and readability say of the pages that Page Brief reads. A list of {path, report} as JSON on stdin, the answers on stdout.

No page is fetched: each is a file of this machine.
"""

import collections
import json
import re
import sys


def tokens(text):
    return re.findall(r"\w+", text.lower())


def agreement(ours, theirs):
    """Of two texts' words, as bags: how much of ours is theirs, how much of theirs is ours, and the harmonic mean of both."""
    a, b = collections.Counter(tokens(ours)), collections.Counter(tokens(theirs))
    shared = sum((a & b).values())
    precision, recall = shared / max(1, sum(a.values())), shared / max(1, sum(b.values()))
    return precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0


def misplaced(report):
    """Everything that is quoted and does not stand where it is said to."""
    text = report["text"]
    quoted = [(one["offset"], one["text"]) for one in report["extract"]]
    quoted += [(one["offset"], one["as_written"]) for one in report["prices"] + report["dates"]]
    return [f"{at}: {words}" for at, words in quoted if not text.startswith(words, at)], len(quoted)


def answer(page):
    import readability
    import trafilatura

    with open(page["path"], "rb") as file:
        html = file.read()
    report = page["report"]
    theirs = trafilatura.extract(html, include_comments=False, include_tables=True) or ""
    others = readability.Document(html.decode("utf-8", "replace")).summary()
    others = trafilatura.utils.load_html(others)
    wrong, quoted = misplaced(report)
    return {
        "path": page["path"],
        "words": len(tokens(theirs)),
        "trafilatura": agreement(report["text"], theirs),
        "readability": agreement(report["text"], " ".join(others.itertext()) if others is not None else ""),
        "misplaced": wrong,
        "quoted": quoted,
    }


if __name__ == "__main__":
    json.dump([answer(page) for page in json.load(sys.stdin)], sys.stdout)
