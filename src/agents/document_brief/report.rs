//! What Document Brief answers: plain data, in the order of the text unless said otherwise.

use crate::agents::explanation::Explanation;
use serde::{Deserialize, Serialize};

use crate::agents::sheet::Note;

/// Entries of each list, at most. What is left out is told in `notes`, with its number.
pub const LISTED_MAX: usize = 200;

/// What a text says, in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    /// What made the answer: always `computed`. No language model has a part in it; what one says of it is in `explanation`.
    pub engine: String,
    /// What this text is, in one sentence.
    pub headline: String,
    /// What a reader should know before acting on the text, the worst first.
    pub notes: Vec<Note>,
    /// Absent where the text has too few letters to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageFound>,
    /// The most central sentences by LexRank, verbatim. Fewer than asked for where the text has fewer, or where the rest repeats them.
    pub extract: Vec<Quote>,
    /// Words and phrases that are repeated, the weightiest first, by their stems. Empty for languages without spaces between words.
    pub key_words: Vec<KeyWord>,
    /// What somebody is asked to do, found by rules: a hint, not a promise that there is nothing else.
    pub actions: Vec<Task>,
    pub dates: Vec<DateFound>,
    pub amounts: Vec<Amount>,
    /// E-mail addresses and web addresses, each once.
    pub links: Vec<Link>,
    /// What names something on an EVM chain, each spelling once.
    pub on_chain: Vec<OnChain>,
    pub figures: Figures,
    /// The report in plain words, by the shop's language model; absent where there is none. No fact is only here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// Where something stands. `text[byte..byte_end]` in bytes of UTF-8 and `text[character..character_end]` in Unicode code points, as Python
/// counts them, are exactly what is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct At {
    /// From 1. Only a line feed ends a line.
    pub line: u32,
    /// Unicode code points before its first.
    pub character: u32,
    /// Unicode code points before what follows it.
    pub character_end: u32,
    /// Bytes of UTF-8 before its first.
    pub byte: u32,
    /// Bytes of UTF-8 before what follows it.
    pub byte_end: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct LanguageFound {
    /// ISO 639-1, or ISO 639-3 where that has none: `en`.
    pub code: String,
    /// In English: `German`.
    pub name: String,
    /// How far ahead of the next likely language, in hundredths, by whatlang's trigrams.
    pub confidence: u8,
    /// False for short or mixed texts.
    pub reliable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Quote {
    /// Verbatim, line ends included.
    pub text: String,
    pub at: At,
    /// How central it is, in hundredths of the most central sentence.
    pub score: u8,
    /// False for a piece of a sentence of more than 1,000 characters.
    pub whole: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct KeyWord {
    /// As it is written most often; a phrase as it is written first.
    pub text: String,
    /// How often it is there, in any of its forms.
    pub count: u32,
    /// The line where it is first.
    pub line: u32,
}

/// Why something is taken for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A list item with a box to tick.
    Box,
    /// It says `TODO`, `FIXME` or `Action:`.
    Marked,
    /// It says please.
    Please,
    /// It says must, have to, need to, required to.
    Must,
    /// It says should.
    Should,
    /// It begins with a verb that asks for something.
    Imperative,
}

impl Rule {
    pub fn words(self) -> &'static str {
        match self {
            Self::Box => "box to tick",
            Self::Marked => "marked",
            Self::Please => "please",
            Self::Must => "must",
            Self::Should => "should",
            Self::Imperative => "imperative",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Task {
    /// The sentence or list item, verbatim.
    pub text: String,
    pub rule: Rule,
    /// Of a box: is it ticked?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
    /// By when: ISO 8601 where the text says it clearly, else as it is written (`Friday`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Who, where it begins with a name or mentions one (`@ada`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    pub at: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct DateFound {
    /// As written.
    pub text: String,
    /// ISO 8601, a day or a month; absent where the text leaves it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iso: Option<String>,
    /// Why there is no ISO date: `day or month first?`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    pub at: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Amount {
    /// As written.
    pub text: String,
    /// ISO 4217 or a token's symbol, or the sign as it is written where it stands for several currencies (`$`).
    pub currency: String,
    /// A decimal number with a point; absent where `1.234` may be either of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    Email,
    Web,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Link {
    pub kind: LinkKind,
    pub text: String,
    /// Where it is first.
    pub at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnChainKind {
    /// 20 bytes, and its letters' case is the right check sum (EIP-55).
    AddressValid,
    /// 20 bytes, and its letters' case is a wrong check sum: a typing error.
    AddressWrong,
    /// 20 bytes, in one case: a typing error would not show.
    AddressUnchecked,
    /// 32 bytes: a transaction, a block, or a private key.
    Hash,
}

impl OnChainKind {
    pub fn words(self) -> &'static str {
        match self {
            Self::AddressValid => "address, checksum right",
            Self::AddressWrong => "address, checksum WRONG",
            Self::AddressUnchecked => "address without checksum",
            Self::Hash => "32 bytes: hash or key",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct OnChain {
    /// As written.
    pub text: String,
    pub kind: OnChainKind,
    /// Where it is first.
    pub at: At,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Figures {
    /// Unicode code points.
    pub characters: u32,
    /// UTF-8.
    pub bytes: u32,
    pub lines: u32,
    /// Outside of headings, lists, tables and code.
    pub paragraphs: u32,
    pub headings: u32,
    pub list_items: u32,
    /// Headings and list items count as sentences; tables and code have none.
    pub sentences: u32,
    /// By UAX 29, without links, tables and code. For languages without spaces it says little.
    pub words: u32,
    /// 238 words a minute (Brysbaert 2019); 500 characters a minute for languages without spaces.
    pub reading_seconds: u32,
    /// English only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readability: Option<Readability>,
    /// Why there is none: `computed for English only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readability_absent: Option<String>,
}

/// Over sentences outside of headings. Syllables are counted by rules: a few words in a hundred are one off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Readability {
    /// Flesch 1948: 206.835 − 1.015 × words per sentence − 84.6 × syllables per word, to a tenth. 60 to 70 is plain English.
    pub reading_ease: f64,
    /// Flesch-Kincaid 1975: the American school year that it takes, to a tenth.
    pub grade: f64,
    /// To a tenth.
    pub words_per_sentence: f64,
    /// To a hundredth.
    pub syllables_per_word: f64,
}
