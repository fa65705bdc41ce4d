//! Which sentences the others lean on: LexRank (Erkan and Radev, 2004), with the similarities themselves as weights.
//!
//! Two sentences are as similar as the cosine of their words' weights (how often × how rare); a sentence is as central as those are that are
//! similar to it. Of sentences that say the same, one is taken.

use std::{collections::BTreeMap, ops::Range};

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

/// The sentences that were chosen, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// Their places among the sentences that were given.
    pub chosen: Vec<usize>,
    /// How central each of them is, in hundredths of the most central one.
    pub scores: Vec<u8>,
    /// There were more than [`RANKED_MAX`] to rank.
    pub is_partial: bool,
}

/// Of sentences of which nothing is known but where they are. [`central`] knows headings, and rather leaves them out.
pub fn extract(text: &str, sentences: &[Range<usize>], language: Option<Language>, count: usize) -> Ranking {
    let known: Vec<Sentence> =
        sentences.iter().map(|range| Sentence { range: range.clone(), kind: Kind::Text, whole: true }).collect();
    central(text, &known, language, count)
}

/// A sentence's terms with their weights, by term, of length 1.
type Terms = Vec<(u32, f64)>;

/// The `n` most central of a text's sentences, in the order of the text: fewer where there are fewer, or where the rest repeats them.
pub fn central(text: &str, sentences: &[Sentence], language: Option<Language>, n: usize) -> Ranking {
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
    let (chosen, is_partial) = worth_ranking(sentences, &counts, n);
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
    Ranking {
        chosen: taken.iter().map(|place| chosen[*place]).collect(),
        scores: taken.iter().map(|place| (scores[*place] / best * 100.0).round() as u8).collect(),
        is_partial,
    }
}

/// Sentences of prose that say enough; those that say less only where there are too few others; headings last.
fn worth_ranking(sentences: &[Sentence], counts: &[BTreeMap<u32, f64>], n: usize) -> (Vec<usize>, bool) {
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
    let is_partial = chosen.len() > RANKED_MAX;
    if is_partial {
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
    (chosen, is_partial)
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

    use super::central;
    use crate::text::{Language, prose};

    const STORY: &str = "Coin shops sell answers for coins. A coin buys one answer from the shop. The weather was fine on Sunday. \
        Every answer of the shop costs one coin. Bob likes tea. The shop keeps the coins that buy answers in its books.";

    fn chosen(text: &str, n: usize) -> Vec<&str> {
        let sentences = prose(text);
        let ranking = central(text, &sentences, Language::of(text), n);
        ranking.chosen.into_iter().map(|index| &text[sentences[index].range.clone()]).collect()
    }

    #[test]
    fn what_others_lean_on_is_chosen_in_the_order_of_the_text() {
        let three = chosen(STORY, 3);
        assert_eq!(three.len(), 3);
        assert!(three.iter().all(|sentence| sentence.to_lowercase().contains("coin")), "{three:?}");
        assert!(three.windows(2).all(|pair| STORY.find(pair[0]) < STORY.find(pair[1])));
        assert_eq!(three, chosen(STORY, 3), "the same text, the same answer");
    }

    #[test]
    fn a_repeated_sentence_is_quoted_once() {
        let text = "The ledger of the shop balances every single day. ".repeat(9)
            + "Nobody in the village trusts the old ledger keeper.";
        assert_eq!(chosen(&text, 5).len(), 2);
    }

    #[test]
    fn headings_are_quoted_only_where_there_is_nothing_else() {
        let text =
            "# The ledger of the coin shop balances\n\nThe ledger of the coin shop balances, Ada says, and Bob counts coins.";
        assert_eq!(chosen(text, 3), [&text[40..]]);
        assert_eq!(chosen("# The ledger of the shop", 3), ["The ledger of the shop"]);
        assert!(chosen("...", 3).is_empty());
    }

    #[test]
    fn of_more_sentences_than_can_be_ranked_the_telling_ones_are() {
        let text = "Alpha wrote beta number gamma today. ".repeat(700) + "Coins pay the shop owner well. ";
        let sentences = prose(&text);
        let ranking = central(&text, &sentences, Language::of(&text), 3);
        assert!(ranking.is_partial && ranking.scores.contains(&100));
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
            assert!(chosen(&text, 12).len() <= 12);
            assert!(began.elapsed() < Duration::from_secs(3), "{head:?} took {:?}", began.elapsed());
        }
    }
}
