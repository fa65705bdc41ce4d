//! What Page Brief answers. Every text in it is the page's own, but for the headline and the notes.

use serde::{Deserialize, Serialize};

use crate::agents::sheet::Note;

/// What a page says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    pub engine: String,
    /// What the page is, in one sentence.
    pub headline: String,
    /// Where it was read, after all redirects. Missing for HTML that was sent.
    pub url: Option<String>,
    pub title: Option<String>,
    /// Who wrote it, where the page says so.
    pub byline: Option<String>,
    /// The site's name, where the page says so; else its host.
    pub site: Option<String>,
    /// When it was published, as the page says it.
    pub published: Option<String>,
    pub language: Option<Language>,
    /// Of the whole readable text, also where `text` was cut.
    pub words: u32,
    /// Minutes, rounded up, at 238 words a minute (Brysbaert, 2019: silent reading of non-fiction).
    pub reading_minutes: u32,
    /// The sentences that say most of it, in the page's order.
    pub extract: Vec<Sentence>,
    pub outline: Vec<Heading>,
    pub prices: Vec<Price>,
    pub dates: Vec<PageDate>,
    /// Each once; those in the readable text first.
    pub links: Vec<Link>,
    /// What was cut, and what is uncertain.
    pub notes: Vec<Note>,
    /// The readable text, plain: blocks with an empty line between them. Offsets are characters (Unicode scalar values) in it.
    pub text: String,
    /// The same as Markdown: headings, lists, tables, code and links kept.
    pub markdown: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Language {
    /// ISO 639-1, else 639-3: what the text looks like, whatever the page says.
    pub code: String,
    /// In English.
    pub name: String,
    /// The text is long and clear enough that it is hardly another one.
    pub is_reliable: bool,
    /// What the page says of itself (`lang`), where it does.
    pub declared: Option<String>,
}

/// A sentence of `text`, to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Sentence {
    pub text: String,
    /// Characters of the report's `text` before it.
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Price {
    /// Exact decimal text: `1299.00`, never a float.
    pub amount: String,
    /// ISO 4217 or a coin's symbol where there is no doubt; else the sign that stands there (`$`, `¥`, `kr`).
    pub currency: String,
    pub as_written: String,
    /// Where it stands: a sentence, or a table's row.
    pub sentence: String,
    /// Of what is written: characters of the report's `text` before it.
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct PageDate {
    /// ISO 8601: a day, or a month (`2026-11`). Missing where it could be two days: 03/04/2026.
    pub date: Option<String>,
    pub as_written: String,
    /// Where it stands: a sentence, or a table's row.
    pub sentence: String,
    /// Of what is written: characters of the report's `text` before it.
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Link {
    /// Without a fragment; as it stands in the page where nothing says where the page is.
    pub url: String,
    pub words: String,
    /// To another host.
    pub is_external: bool,
    /// In the readable text, not around it.
    pub is_in_text: bool,
}
