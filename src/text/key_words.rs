//! What a text speaks of most: words, and phrases of two or three that come together again and again.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Language, Sentence, Vocabulary, Word};

/// A word or phrase that is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWord {
    /// As it is written most often; a phrase as it is written first.
    pub text: String,
    /// How often it is there, in any of its forms.
    pub count: u32,
    /// Where it is first, in bytes of the text.
    pub start: usize,
}

/// Words together, at most.
const TOGETHER_MAX: usize = 3;

struct Seen {
    count: u32,
    start: usize,
    end: usize,
}

/// The `n` that weigh most, the heaviest first: how often, and phrases more than words. What is there once is no key word.
///
/// Empty for languages that set no spaces between words.
pub fn key_words(text: &str, sentences: &[Sentence], language: Option<Language>, n: usize) -> Vec<KeyWord> {
    if language.is_some_and(Language::without_spaces) {
        return Vec::new();
    }
    let mut vocabulary = Vocabulary::of(language);
    let mut seen: HashMap<Vec<u32>, Seen> = HashMap::new();
    let mut forms: HashMap<u32, BTreeMap<&str, (u32, usize)>> = HashMap::new();
    for sentence in sentences {
        let words = vocabulary.read(text, sentence.range.clone());
        for (place, word) in words.iter().enumerate() {
            let Some(term) = word.term else { continue };
            let form = forms.entry(term).or_default().entry(&text[word.range.clone()]).or_insert((0, word.range.start));
            form.0 += 1;
            for phrase in phrases(text, &words[place..]) {
                let end = words[place + phrase.len() - 1].range.end;
                seen.entry(phrase).or_insert(Seen { count: 0, start: word.range.start, end }).count += 1;
            }
        }
    }
    let mut all: Vec<(Vec<u32>, Seen)> = seen.into_iter().filter(|(_, seen)| seen.count > 1).collect();
    // In hundredths: a phrase says more than its words.
    let weight = |phrase: &[u32], seen: &Seen| seen.count * [100, 170, 230].get(phrase.len() - 1).copied().unwrap_or(100);
    all.sort_by(|a, b| {
        weight(&b.0, &b.1).cmp(&weight(&a.0, &a.1)).then(a.1.start.cmp(&b.1.start)).then(b.0.len().cmp(&a.0.len()))
    });
    let mut chosen: Vec<(Vec<u32>, KeyWord)> = Vec::new();
    for (phrase, seen) in all {
        if chosen.len() == n {
            break;
        }
        // Part of what is chosen, or made of it, and not much more often there on its own.
        let told = chosen.iter().any(|(other, word)| {
            let shared = phrase.iter().collect::<HashSet<_>>().intersection(&other.iter().collect()).count();
            shared == phrase.len().min(other.len()) && (phrase.len() > other.len() || seen.count * 2 <= word.count * 3)
        });
        if !told {
            let text = match phrase[..] {
                [term] => usual(forms.get(&term)),
                _ => text[seen.start..seen.end].split_whitespace().collect::<Vec<_>>().join(" "),
            };
            chosen.push((phrase, KeyWord { text, count: seen.count, start: seen.start }));
        }
    }
    chosen.into_iter().map(|(_, word)| word).collect()
}

/// The word itself, and with those after it that nothing but a blank or a hyphen parts from it.
fn phrases(text: &str, words: &[Word]) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    let mut phrase: Vec<u32> = Vec::new();
    for (place, word) in words.iter().take(TOGETHER_MAX).enumerate() {
        let parted = place > 0 && {
            let between = &text[words[place - 1].range.end..word.range.start];
            between.is_empty() || !between.chars().all(|c| c.is_whitespace() || c == '-')
        };
        let Some(term) = word.term.filter(|term| !parted && !phrase.contains(term)) else { break };
        phrase.push(term);
        found.push(phrase.clone());
    }
    found
}

/// As it is written most often; of two, the one that comes first.
fn usual(forms: Option<&BTreeMap<&str, (u32, usize)>>) -> String {
    let most = forms.into_iter().flatten().max_by(|a, b| a.1.0.cmp(&b.1.0).then(b.1.1.cmp(&a.1.1)));
    most.map(|(form, _)| (*form).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::prose;

    fn found(text: &str) -> Vec<(String, u32)> {
        key_words(text, &prose(text), Language::of(text), 12).into_iter().map(|word| (word.text, word.count)).collect()
    }

    #[test]
    fn forms_count_together_and_phrases_stand_for_their_words() {
        let text = "The payment channel opens when a payer signs the contract. Payment channels are cheap. A payment channel closes once.\n\
                    Payers like invoices. An invoice is short, and one payer wrote the invoice.";
        let found = found(text);
        assert_eq!(found[0], ("payment channel".to_owned(), 3));
        assert!(found.contains(&("invoice".to_owned(), 3)), "{found:?}");
        assert!(found.contains(&("payer".to_owned(), 3)), "{found:?}");
        assert!(!found.iter().any(|(word, _)| word == "payment" || word == "contract"), "{found:?}");
    }
}
