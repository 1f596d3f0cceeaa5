"""ROUGE, BLEU and chrF beside their reference packages, row by row and summed."""

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from radgpt.evaluation.overlap import BLEU_WIDTH, CHRF_WIDTH, bleu, chrf, corpus_bleu, corpus_chrf, rouge, signatures

PAIRS = [
    ("No pneumothorax. Small left pleural effusion, 4.5 cm.", "No pneumothorax. Small left pleural effusion, 4.5 cm."),
    ("Left effusions of 4.5 cm; no small pneumothorax.", "No pneumothorax. Small left pleural effusion, 4.5 cm."),
    ("", "Clear lungs."),
    ("no", "No acute cardiopulmonary abnormality."),
    ("small " * 30, "Small effusions\nat both bases."),
    ("정상 흉부 사진", "정상 사진"),
    ("The heart is enlarged.", "The lungs are clear and the heart is of normal size."),
    ("X", "Y"),
    ("Heart size is normal; lungs are clear & expanded (no effusion).", "Heart size is normal. The lungs are clear, expanded."),
]
"""(answer, reference): equal, empty, one word, a loop, another script, nothing in common."""


@pytest.mark.parametrize("stemmer", [False, True])
def test_rouge_is_the_packages(stemmer: bool) -> None:
    package = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stemmer)
    score = rouge(stemmer=stemmer)
    for answer, reference in PAIRS:
        expected = {name: value.fmeasure for name, value in package.score(reference, answer).items()}
        found = score(answer, reference)
        assert found is None or found == pytest.approx(expected, abs=1e-9)
        assert (found is None) is (reference == "정상 사진")


def test_rouge_by_hand() -> None:
    found = rouge(stemmer=False)("no acute effusion", "no effusion is seen")
    assert found is not None
    # 2 common words of 3 and 4; no common bigram; the common subsequence is "no effusion".
    assert found["rouge1"] == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert found["rouge2"] == 0
    assert found["rougeL"] == found["rouge1"]


def test_stems_are_compared_where_asked() -> None:
    plain, stemmed = rouge(stemmer=False)("effusions", "effusion"), rouge(stemmer=True)("effusions", "effusion")
    assert plain is not None and stemmed is not None
    assert (plain["rouge1"], stemmed["rouge1"]) == (0, 1)


@pytest.mark.parametrize("rows", [range(len(PAIRS)), [0], [2], [3, 7], [1, 1, 6], [5, 8, 8, 4], [7]])
def test_summed_statistics_give_the_packages_corpus_scores(rows: list[int]) -> None:
    answers, references = [PAIRS[row][0] for row in rows], [PAIRS[row][1] for row in rows]
    of_bleu, of_chrf = bleu(), chrf()
    grams = np.sum([of_bleu(*pair)[0] for pair in zip(answers, references, strict=True)], axis=0)
    letters = np.sum([of_chrf(*pair) for pair in zip(answers, references, strict=True)], axis=0)
    assert corpus_bleu(grams) == pytest.approx(BLEU().corpus_score(answers, [references]).score, abs=1e-9)
    assert corpus_chrf(letters) == pytest.approx(CHRF().corpus_score(answers, [references]).score, abs=1e-9)


def test_many_sums_are_scored_at_once() -> None:
    of_bleu, of_chrf = bleu(), chrf()
    grams, letters = np.array([of_bleu(*pair)[0] for pair in PAIRS]), np.array([of_chrf(*pair) for pair in PAIRS])
    assert grams.shape == (len(PAIRS), BLEU_WIDTH) and letters.shape == (len(PAIRS), CHRF_WIDTH)
    draws = np.random.default_rng(1).integers(len(PAIRS), size=(2, 5, 4))
    for statistics, combine in ((grams, corpus_bleu), (letters, corpus_chrf)):
        sums = statistics[draws].sum(axis=2)
        assert combine(sums).shape == (2, 5)
        assert combine(sums)[1, 3] == combine(sums[1, 3])


def test_no_sum_at_all_scores_nothing() -> None:
    assert corpus_bleu(np.zeros(BLEU_WIDTH)) == 0
    assert corpus_chrf(np.zeros(CHRF_WIDTH)) == 0


def test_a_sentence_alone_is_scored_over_the_orders_that_it_has() -> None:
    package = BLEU(effective_order=True)
    for answer, reference in PAIRS:
        assert bleu()(answer, reference)[1] == pytest.approx(package.sentence_score(answer, [reference]).score, abs=1e-9)
    # Two words, both right: 100 over the two orders there are; a corpus of them has no 4-gram and scores 0.
    grams, sentence = bleu()("clear lungs", "clear lungs")
    assert (sentence, corpus_bleu(np.array(grams))) == (pytest.approx(100), 0)


def test_signatures_say_what_scores_depend_on() -> None:
    found = signatures(stemmer=True)
    assert found["rouge"].startswith("rouge-score|f1|stemmer:yes|version:")
    assert found["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "eff:yes" in found["sentence_bleu"]
    assert found["chrf"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
