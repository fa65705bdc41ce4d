//! Which sentences the others lean on: LexRank (Erkan and Radev, 2004), with the similarities themselves as weights.
//!
//! Two sentences are as similar as the cosine of their words' weights (how often × how rare); a sentence is as central as those are that are
//! similar to it. Of sentences that say the same, one is taken.

use std::collections::BTreeMap;

use super::{Kind, Language, Sentence, Vocabulary};

/// Sentences that are ranked, at most: comparing each with each takes their square. Of more, those with the most of the text's
/// frequent words are.
pub const RANKED_MAX: usize = 600;

/// Terms that a sentence needs to be worth quoting, unless there are no others.
const TERMS_MIN: usize = 4;

/// Of LexRank: how much of a sentence's rank comes from others.
const DAMPING: f64 = 0.85;

/// Rounds of handing rank on; it moves no longer after some thirty.
const ROUNDS: usize = 60;

/// Cosine below which two sentences have nothing to do with each other, of LexRank too.
const RELATED: f64 = 0.1;

/// Cosine above which two sentences say the same.
const THE_SAME: f64 = 0.75;

/// A sentence that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Central {
    /// Its place among the sentences that were ranked.
    pub index: usize,
    /// In bytes of the text.
    pub start: usize,
    /// In bytes of the text.
    pub end: usize,
    /// How central it is, in hundredths of the most central one.
    pub score: u8,
}

/// A sentence's terms with their weights, by term, of length 1.
type Terms = Vec<(u32, f64)>;

/// The `n` most central of a text's sentences, in the order of the text: fewer where there are fewer, or where the rest repeats them.
pub fn central(text: &str, sentences: &[Sentence], language: Option<Language>, n: usize) -> Vec<Central> {
    let mut vocabulary = Vocabulary::of(language);
    let counts: Vec<BTreeMap<u32, f64>> = sentences
        .iter()
        .map(|sentence| {
            let mut counts = BTreeMap::new();
            for term in vocabulary.read(text, sentence.range.clone()).into_iter().filter_map(|word| word.term) {
                *counts.entry(term).or_default() += 1.0;
            }
            counts
        })
        .collect();
    let chosen = worth_ranking(sentences, &counts, n);
    let weighed = weigh(&chosen, &counts, vocabulary.len());
    let scores = lex_rank(&weighed);
    let best = scores.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let mut taken: Vec<usize> = Vec::new();
    for place in order {
        if taken.len() == n {
            break;
        }
        if taken.iter().all(|other| cosine(&weighed[*other], &weighed[place]) < THE_SAME) {
            taken.push(place);
        }
    }
    taken.sort_unstable();
    taken
        .into_iter()
        .map(|place| {
            let index = chosen[place];
            let range = sentences[index].range.clone();
            Central { index, start: range.start, end: range.end, score: (scores[place] / best * 100.0).round() as u8 }
        })
        .collect()
}

/// Sentences of prose that say enough; those that say less only where there are too few others; headings last.
fn worth_ranking(sentences: &[Sentence], counts: &[BTreeMap<u32, f64>], n: usize) -> Vec<usize> {
    let prose = |index: &usize| !matches!(sentences[*index].kind, Kind::Heading(_));
    let enough = |index: &usize| counts[*index].len() >= TERMS_MIN;
    let all = || 0..sentences.len();
    let mut chosen: Vec<usize> = all().filter(|index| prose(index) && enough(index)).collect();
    if chosen.len() < n {
        chosen = all().filter(prose).collect();
    }
    if chosen.is_empty() {
        chosen = all().collect();
    }
    if chosen.len() > RANKED_MAX {
        let mut total: BTreeMap<u32, f64> = BTreeMap::new();
        for (term, count) in chosen.iter().flat_map(|index| &counts[*index]) {
            *total.entry(*term).or_default() += count;
        }
        let weight = |index: &usize| {
            let terms = &counts[*index];
            terms.keys().filter_map(|term| total.get(term)).sum::<f64>() / (terms.len().max(TERMS_MIN) as f64).sqrt()
        };
        let mut by_weight: Vec<(usize, f64)> = chosen.iter().map(|index| (*index, weight(index))).collect();
        by_weight.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        chosen = by_weight.into_iter().take(RANKED_MAX).map(|(index, _)| index).collect();
        chosen.sort_unstable();
    }
    chosen
}

/// How often × how rare, of length 1.
fn weigh(chosen: &[usize], counts: &[BTreeMap<u32, f64>], terms: usize) -> Vec<Terms> {
    let mut holding = vec![0_u32; terms];
    for term in chosen.iter().flat_map(|index| counts[*index].keys()) {
        holding[*term as usize] += 1;
    }
    let all = chosen.len() as f64;
    chosen
        .iter()
        .map(|index| {
            let weighed: Terms = counts[*index]
                .iter()
                .map(|(term, count)| (*term, count * (1.0 + all / f64::from(holding[*term as usize])).ln()))
                .collect();
            let length = weighed.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            weighed.into_iter().map(|(term, weight)| (term, weight / length)).collect()
        })
        .collect()
}

fn cosine(a: &Terms, b: &Terms) -> f64 {
    let (mut sum, mut at) = (0.0, 0);
    for (term, weight) in a {
        while b.get(at).is_some_and(|(other, _)| other < term) {
            at += 1;
        }
        if let Some((other, with)) = b.get(at)
            && other == term
        {
            sum += weight * with;
        }
    }
    sum
}

/// Each sentence hands its rank to those that it is similar to, in proportion, until that changes nothing.
fn lex_rank(sentences: &[Terms]) -> Vec<f64> {
    let n = sentences.len();
    if n == 0 {
        return Vec::new();
    }
    let similar = similarities(sentences);
    let sums: Vec<f64> = similar.iter().map(|row| row.iter().map(|(_, weight)| weight).sum()).collect();
    let mut rank = vec![1.0 / n as f64; n];
    for _ in 0..ROUNDS {
        let mut next = vec![(1.0 - DAMPING) / n as f64; n];
        for (from, row) in similar.iter().enumerate() {
            for (to, weight) in row {
                next[*to] += DAMPING * rank[from] * weight / sums[from];
            }
        }
        rank = next;
    }
    rank
}

/// For each sentence the others that have something to do with it. By terms, so that sentences with none in common cost nothing.
fn similarities(sentences: &[Terms]) -> Vec<Vec<(usize, f64)>> {
    let mut holding: BTreeMap<u32, Vec<(usize, f64)>> = BTreeMap::new();
    for (index, terms) in sentences.iter().enumerate() {
        for (term, weight) in terms {
            holding.entry(*term).or_default().push((index, *weight));
        }
    }
    let mut row = vec![0.0; sentences.len()];
    let mut all = Vec::with_capacity(sentences.len());
    for (index, terms) in sentences.iter().enumerate() {
        row.fill(0.0);
        for (term, weight) in terms {
            for (other, with) in holding.get(term).into_iter().flatten() {
                row[*other] += weight * with;
            }
        }
        let related = |(other, weight): (usize, &f64)| (other != index && *weight > RELATED).then_some((other, *weight));
        all.push(row.iter().enumerate().filter_map(related).collect());
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::text::{extract, sentences};

    const STORY: &str = "Coin shops sell answers for coins. A coin buys one answer from the shop. The weather was fine on Sunday. \
        Every answer of the shop costs one coin. Bob likes tea. The shop keeps the coins that buy answers in its books.";

    #[test]
    fn what_others_lean_on_is_chosen_in_the_order_of_the_text() {
        let chosen: Vec<&str> = extract(STORY, 3).into_iter().map(|one| &STORY[one.start..one.end]).collect();
        assert_eq!(chosen.len(), 3);
        assert!(chosen.iter().all(|sentence| sentence.to_lowercase().contains("coin")), "{chosen:?}");
        assert!(extract(STORY, 3).windows(2).all(|pair| pair[0].end <= pair[1].start));
    }

    #[test]
    fn a_repeated_sentence_is_quoted_once() {
        let text = "The ledger of the shop balances every single day. ".repeat(9)
            + "Nobody in the village trusts the old ledger keeper.";
        let chosen: Vec<&str> = extract(&text, 5).into_iter().map(|one| &text[one.start..one.end]).collect();
        assert_eq!(chosen.len(), 2, "{chosen:?}");
    }

    #[test]
    fn the_same_text_gives_the_same_extract() {
        assert_eq!(extract(STORY, 4), extract(STORY, 4));
    }

    /// Unoptimised; an optimised build takes a tenth of it.
    #[test]
    fn no_text_takes_long() {
        let hostile = [
            "a".repeat(100_000),
            "a.".repeat(50_000),
            "a. ".repeat(33_000),
            "A. B (".repeat(17_000),
            "x (Y. ".repeat(17_000),
            ". ".repeat(50_000),
            "e\u{301}".repeat(33_000),
            format!("e{}", "\u{301}".repeat(50_000)),
            "\u{200b}".repeat(33_000) + "a",
            "שלום עולם. ".repeat(5_000),
            "漢字。".repeat(11_000),
            "One two three four five six.\n".repeat(3_500),
            (0..12_000).map(|n| format!("w{n} ")).collect::<String>(),
            (0..2_400).map(|n| format!("Alpha beta gamma delta {n}x {}y. ", n * 7)).collect::<String>(),
            ">".repeat(100_000),
            "- ".repeat(50_000),
            "(".repeat(100_000),
            "\n".repeat(100_000),
        ];
        for text in hostile {
            let began = Instant::now();
            let head: String = text.chars().take(12).collect();
            for one in extract(&text, 12) {
                assert!(!text[one.start..one.end].is_empty());
            }
            assert!(
                began.elapsed() < Duration::from_secs(3),
                "{head:?} took {:?}, {} sentences",
                began.elapsed(),
                sentences(&text).len()
            );
        }
    }
}
