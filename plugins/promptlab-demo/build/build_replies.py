"""Makes the kept replies of the demo from `phrases.json`: one file a class of `everyday`, under the alias `demo`.

    python build/build_replies.py

The phrases were written by a language model, Claude, which had the 101 class names before it and nothing else: no picture, no score, and
nothing of the half on which the demo is judged. None was chosen or changed afterwards.
"""

import json
import shutil
from pathlib import Path

from promptlab.lab import Lab
from promptlab.llm.cache import Replies
from promptlab.llm.question import Question, Reply
from promptlab.prompts import questions
from promptlab.protocols import Endpoint

HERE = Path(__file__).parent
FOLDER = HERE.parent / "promptlab_demo" / "replies"
WRITER = "Claude"
COUNT = 3
WRITTEN = "2026-11-22T06:08:00"


def main() -> None:
    phrases = json.loads((HERE / "phrases.json").read_text("utf-8"))
    titles = Lab().open("everyday").classes.titles
    assert sorted(phrases) == sorted(titles)
    pack, endpoint = questions.one("features"), Endpoint("demo", WRITER)
    shutil.rmtree(FOLDER, ignore_errors=True)
    kept = Replies(FOLDER)
    for title in titles:
        system, text = questions.render(pack, title, rivals=(), siblings=(), count=COUNT)
        question = Question(title, system, text, pack.schema, pack.max_tokens, pack.temperature, lambda _: "")
        said = json.dumps({pack.list_of: phrases[title]})
        key = question.key(endpoint)
        kept.put(question, endpoint, Reply(key, said, WRITER, None, None, None, 0.0, WRITTEN, 0, False))
    print(f"{len(titles)} replies in {FOLDER}")


if __name__ == "__main__":
    main()
