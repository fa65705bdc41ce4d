//! Which sentences say most of a text: TextRank (Mihalcea and Tarau, 2004). A sentence counts for as much as the sentences that share its
//! words count; the words that many sentences share count less (inverse document frequency), as in LexRank (Erkan and Radev, 2004).
//!
//! All numbers are floats because nothing of this is money; the order of every sum is fixed, so the same text gives the same answer.

use std::{collections::BTreeMap, ops::Range};

use super::{Language, content_words};

/// Sentences that are ranked: the comparison is of each with each. Of a longer text, these are its first.
const RANKED_MAX: usize = 600;
/// A sentence with fewer words of content says too little to stand alone.
const WORDS_MIN: usize = 4;
/// One with more cannot be read at a glance.
const WORDS_MAX: usize = 45;
/// Sentences that share more than this of their words say the same: only the better one is taken.
const TOO_ALIKE: f64 = 0.6;
/// How much of a sentence's weight comes from its neighbours.
const DAMPING: f64 = 0.85;
const ROUNDS: usize = 50;

/// The sentences that were chosen, in the order of the text, as indices; and whether sentences were left out of the ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    pub chosen: Vec<usize>,
    pub is_partial: bool,
}

/// The `count` sentences that say most of the text.
pub fn extract(text: &str, sentences: &[Range<usize>], language: Option<Language>, count: usize) -> Ranking {
    let ranked = &sentences[..sentences.len().min(RANKED_MAX)];
    let bags = bags(text, ranked, language);
    let weights = weights(&bags);
    let mut order: Vec<usize> = (0..ranked.len()).collect();
    let is_readable = |index: &usize| (WORDS_MIN..=WORDS_MAX).contains(&bags[*index].words);
    // The first of equals is the one that stands first.
    order.sort_by(|a, b| is_readable(b).cmp(&is_readable(a)).then(weights[*b].total_cmp(&weights[*a])).then(a.cmp(b)));
    let mut chosen: Vec<usize> = Vec::new();
    for index in order {
        if chosen.len() == count {
            break;
        }
        if chosen.iter().all(|other| bags[index].alike(&bags[*other]) <= TOO_ALIKE) {
            chosen.push(index);
        }
    }
    chosen.sort_unstable();
    Ranking { chosen, is_partial: ranked.len() < sentences.len() }
}

/// A sentence's words, as numbers, with how much each counts in it.
struct Bag {
    /// Words of content, repeated ones too.
    words: usize,
    counts: Vec<(usize, f64)>,
    length: f64,
}

impl Bag {
    /// Cosine: 0 for nothing in common, 1 for the same words.
    fn alike(&self, other: &Self) -> f64 {
        let (mut a, mut b, mut sum) = (self.counts.iter().peekable(), other.counts.iter().peekable(), 0.0);
        while let (Some((word, count)), Some((theirs, their_count))) = (a.peek(), b.peek()) {
            match word.cmp(theirs) {
                std::cmp::Ordering::Less => drop(a.next()),
                std::cmp::Ordering::Greater => drop(b.next()),
                std::cmp::Ordering::Equal => {
                    sum += count * their_count;
                    a.next();
                    b.next();
                }
            }
        }
        if sum == 0.0 { 0.0 } else { sum / (self.length * other.length) }
    }
}

fn bags(text: &str, sentences: &[Range<usize>], language: Option<Language>) -> Vec<Bag> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut counted: Vec<BTreeMap<usize, usize>> = Vec::new();
    for span in sentences {
        let mut counts = BTreeMap::new();
        for (stem, _) in content_words(&text[span.clone()], language) {
            let next = numbers.len();
            *counts.entry(*numbers.entry(stem).or_insert(next)).or_default() += 1;
        }
        counted.push(counts);
    }
    let mut found_in = vec![0_usize; numbers.len()];
    counted.iter().flat_map(BTreeMap::keys).for_each(|word| found_in[*word] += 1);
    let all = sentences.len();
    counted
        .into_iter()
        .map(|counts| {
            let words = counts.values().sum();
            let weigh = |word: usize, count: usize| real(count) * (1.0 + real(all) / real(found_in[word])).ln();
            let counts: Vec<(usize, f64)> = counts.into_iter().map(|(word, count)| (word, weigh(word, count))).collect();
            let length = counts.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            Bag { words, counts, length }
        })
        .collect()
}

fn weights(bags: &[Bag]) -> Vec<f64> {
    let count = bags.len();
    let mut links: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    for a in 0..count {
        for b in a + 1..count {
            let alike = bags[a].alike(&bags[b]);
            if alike > 0.0 {
                links[a].push((b, alike));
                links[b].push((a, alike));
            }
        }
    }
    let given: Vec<f64> = links.iter().map(|links| links.iter().map(|(_, alike)| alike).sum()).collect();
    let mut weights = vec![1.0; count];
    for _ in 0..ROUNDS {
        weights = (links.iter())
            .map(|links| {
                let from: f64 = links.iter().map(|(other, alike)| weights[*other] * alike / given[*other]).sum();
                (1.0 - DAMPING) + DAMPING * from
            })
            .collect();
    }
    weights
}

/// Counts here are far below 2⁵³.
#[allow(clippy::cast_precision_loss)]
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{language, sentences};

    const TEXT: &str = "The shop sells answers of agents. Each answer of an agent has a price. The price is paid before the agent of the shop answers. \
        Bananas are yellow. The weather was fine on Tuesday. A payer pays the price of the answer, and the agent answers the payer. \
        Nobody knows why the cat sat there.";

    fn chosen(text: &str, count: usize) -> Vec<&str> {
        let spans = sentences(text);
        extract(text, &spans, language(text), count).chosen.into_iter().map(|index| &text[spans[index].clone()]).collect()
    }

    #[test]
    fn what_the_text_is_about_is_chosen_in_its_order() {
        let all = chosen(TEXT, 3);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|sentence| sentence.contains("price") || sentence.contains("agent")), "{all:?}");
        assert!(all.windows(2).all(|pair| TEXT.find(pair[0]) < TEXT.find(pair[1])));
        assert_eq!(chosen(TEXT, 3), all, "the same text, the same answer");
    }

    #[test]
    fn what_is_said_twice_is_taken_once() {
        let twice = format!("{TEXT} {TEXT}");
        let all = chosen(&twice, 4);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    }

    #[test]
    fn a_text_without_sentences_has_no_extract_and_a_short_one_all_of_it() {
        assert!(chosen("", 5).is_empty());
        assert_eq!(chosen("Only one sentence is here.", 5), ["Only one sentence is here."]);
    }

    #[test]
    fn a_long_text_ends_in_time() {
        let text: String =
            (0..5_000).map(|n| format!("Word{} and word{} meet the agent of the shop number {n}. ", n % 97, n % 31)).collect();
        let spans = sentences(&text);
        let began = std::time::Instant::now();
        let ranking = extract(&text, &spans, language(&text), 5);
        assert!(ranking.is_partial && ranking.chosen.len() == 5);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
