//! From a page to what it says. Pure: the same page, the same report.

use std::ops::Range;

use dom_query::Document;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Heading, Language, Link, PageDate, Price, Report, Sentence,
    amount::Decimal,
    dates, extract, links, prices,
    readable::{self, TooLarge, one_line},
    write::{Block, Kind, Written, write},
};
use crate::{
    agents::sheet::{Note, Severity},
    text::{self, Places},
};

/// A page as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub html: String,
    /// Where it was found, after all redirects.
    pub url: Option<String>,
    /// It is plain text, not HTML.
    pub is_plain: bool,
}

/// Why there is nothing to say of it. The same page will always end so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    #[error("there is no text on the page. Some pages write theirs with scripts, which are not run.")]
    NothingToRead,
    #[error("the page has more elements than are read.")]
    TooLarge,
}

/// Sentences of an extract.
const EXTRACT: usize = 5;
/// Characters of the text that a report holds. The Markdown's bound is in bytes, and leaves room for its signs and links.
const TEXT_MAX: usize = 60_000;
const MARKDOWN_MAX: usize = 150_000;
/// Of a page that has more, the first.
const HEADINGS_MAX: usize = 200;
const FOUND_MAX: usize = 100;
/// Bytes of a sentence around a price or a date; of a longer one, what is nearest.
const AROUND_MAX: usize = 300;
/// Words a minute (Brysbaert, 2019).
const READING_SPEED: usize = 238;

/// # Errors
/// [`Unreadable`]: there is no text, or too much of everything.
pub fn brief(page: &Page) -> Result<Report, Unreadable> {
    let url = page.url.as_deref().and_then(|url| Url::parse(url).ok());
    let mut notes = Vec::new();
    let read = if page.is_plain { plain(&page.html) } else { html(&page.html, url.as_ref(), &mut notes)? };
    let words = text::words(&read.written.text).count();
    if words == 0 {
        return Err(Unreadable::NothingToRead);
    }
    let written = bounded(read.written, &mut notes);
    let language = text::language(&written.text);
    let sentences = extract::all(&written.text, &written.blocks);
    let standing = Standing { written: &written, places: Places::of(&written.text), sentences: &sentences };
    let habit = Decimal::of_language(language.map_or("en", text::Language::code));
    let chosen = extract::sentences(&written.text, &sentences, language, EXTRACT);
    let extract = chosen.into_iter().map(|span| standing.sentence(span)).collect();
    let outline = first(outline(&written), HEADINGS_MAX, "headings", &mut notes);
    let prices = standing.prices(habit, &mut notes);
    let dates = standing.dates(&mut notes);
    let site = read.site.or_else(|| url.as_ref().and_then(|url| url.host_str().map(str::to_owned)));
    let language = language.map(|language| Language {
        code: language.code().to_owned(),
        name: language.name().to_owned(),
        is_reliable: language.is_reliable,
        declared: read.declared,
    });
    if language.as_ref().is_some_and(|language| !language.is_reliable) {
        notes.push(note("The language is a guess", "The text is short, or mixed: it may be in another language than is said here."));
    }
    let reading_minutes = number(words.div_ceil(READING_SPEED));
    Ok(Report {
        engine: "computed".to_owned(),
        explanation: None,
        headline: headline(read.title.as_deref(), words, reading_minutes, language.as_ref(), site.as_deref()),
        url: page.url.clone(),
        title: read.title,
        byline: read.byline,
        site,
        published: read.published,
        language,
        words: number(words),
        reading_minutes,
        extract,
        outline,
        prices,
        dates,
        links: read.links,
        notes,
        text: written.text,
        markdown: written.markdown,
    })
}

/// What there is before anything is looked for.
#[derive(Default)]
struct Read {
    written: Written,
    title: Option<String>,
    byline: Option<String>,
    site: Option<String>,
    published: Option<String>,
    declared: Option<String>,
    links: Vec<Link>,
}

fn html(html: &str, url: Option<&Url>, notes: &mut Vec<Note>) -> Result<Read, Unreadable> {
    let page = Document::from(html);
    let base = links::base_of(&page, url);
    let readable = readable::readable(html, url.map(Url::as_str)).map_err(|TooLarge| Unreadable::TooLarge)?;
    if readable.is_all {
        notes.push(note(
            "No article was found",
            "What is read here is all of the page’s text, and some of it may be around what was meant.",
        ));
    }
    let (links, all) = links::of_page(&page, &readable.content, base.as_ref());
    if all > links.len() {
        notes.push(note("Not all links are listed", &format!("The page has {all}; these are {}.", links.len())));
    }
    Ok(Read {
        written: write(&readable.content.root(), base.as_ref()),
        title: readable.title,
        byline: readable.byline,
        site: readable.site,
        published: readable.published,
        declared: page.html_root().attr("lang").and_then(|lang| one_line(&lang)).filter(|lang| lang.len() <= 35),
        links,
    })
}

/// Paragraphs are what has an empty line between it.
fn plain(text: &str) -> Read {
    let mut written = Written::default();
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{c}'], "\n");
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.trim_matches('\n').trim_end());
    for paragraph in paragraphs.filter(|paragraph| !paragraph.trim().is_empty()) {
        if !written.text.is_empty() {
            written.text.push_str("\n\n");
        }
        let start = written.text.len();
        written.text.extend(paragraph.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')));
        let end = written.text.len();
        written.blocks.push(Block { kind: Kind::Prose, text: start..end, markdown_end: end });
    }
    written.markdown.clone_from(&written.text);
    Read { written, ..Read::default() }
}

/// The whole blocks that there is room for, and a line that says so.
fn bounded(mut written: Written, notes: &mut Vec<Note>) -> Written {
    let all = written.text.chars().count();
    let end = written.text.char_indices().nth(TEXT_MAX).map_or(written.text.len(), |(at, _)| at);
    let fits = |block: &&Block| block.text.end <= end && block.markdown_end <= MARKDOWN_MAX;
    let kept = written.blocks.iter().take_while(fits).count();
    if kept == written.blocks.len() {
        return written;
    }
    if let Some(last) = kept.checked_sub(1).and_then(|last| written.blocks.get(last)) {
        written.text.truncate(last.text.end);
        written.markdown.truncate(last.markdown_end);
        written.blocks.truncate(kept);
    } else {
        // The first block alone is too much: what fits of it, as plain text.
        written.blocks.truncate(1);
        written.blocks.iter_mut().for_each(|block| block.text.end = block.text.end.min(end));
        written.text.truncate(written.blocks.first().map_or(0, |block| block.text.end));
        written.markdown.clone_from(&written.text);
    }
    written.code.retain(|code| code.end <= written.text.len());
    let shown = written.text.chars().count();
    written.text.push_str(&format!("\n\n[Cut here: {shown} of {all} characters.]"));
    written.markdown.push_str(&format!("\n\n\\[Cut here: {shown} of {all} characters.\\]"));
    notes.push(note("The text is cut", "The page is longer than a report holds. What is found in it is from the part that is shown."));
    written
}

fn outline(written: &Written) -> Vec<Heading> {
    let headings = written.blocks.iter().filter_map(|block| match block.kind {
        Kind::Heading(level) => Some(Heading { level, text: one_line(&written.text[block.text.clone()])? }),
        _ => None,
    });
    headings.collect()
}

/// Where in the text something stands.
struct Standing<'a> {
    written: &'a Written,
    places: Places<'a>,
    sentences: &'a [Range<usize>],
}

impl Standing<'_> {
    fn sentence(&self, span: Range<usize>) -> Sentence {
        Sentence { offset: self.character(span.start), text: self.written.text[span].to_owned() }
    }

    fn prices(&self, habit: Decimal, notes: &mut Vec<Note>) -> Vec<Price> {
        let mut found = prices::prices(&self.written.text, habit);
        found.retain(|price| !self.is_code(&price.at));
        let told = |price: prices::Found| Price {
            amount: price.amount,
            currency: price.currency.to_owned(),
            as_written: self.written.text[price.at.clone()].to_owned(),
            sentence: self.around(&price.at),
            offset: self.character(price.at.start),
        };
        first(found, FOUND_MAX, "prices", notes).into_iter().map(told).collect()
    }

    fn dates(&self, notes: &mut Vec<Note>) -> Vec<PageDate> {
        let mut found = dates::dates(&self.written.text);
        found.retain(|date| !self.is_code(&date.at));
        let told = |date: dates::Found| PageDate {
            date: date.date,
            as_written: self.written.text[date.at.clone()].to_owned(),
            sentence: self.around(&date.at),
            offset: self.character(date.at.start),
        };
        first(found, FOUND_MAX, "dates", notes).into_iter().map(told).collect()
    }

    fn character(&self, byte: usize) -> u32 {
        number(self.places.character(byte))
    }

    fn is_code(&self, at: &Range<usize>) -> bool {
        let overlaps = |code: &Range<usize>| code.start < at.end && at.start < code.end;
        let blocks = self.written.blocks.iter().filter(|block| block.kind == Kind::Code).map(|block| &block.text);
        self.written.code.iter().chain(blocks).any(overlaps)
    }

    /// The sentence or the row that it is in; of a long one, what is around it.
    fn around(&self, at: &Range<usize>) -> String {
        let text = &self.written.text;
        let holds = |span: &&Range<usize>| span.start <= at.start && at.end <= span.end;
        let block = || self.written.blocks.iter().map(|block| &block.text).find(holds);
        let Some(whole) = self.sentences.iter().find(holds).or_else(block) else { return text[at.clone()].to_owned() };
        if whole.len() <= AROUND_MAX {
            return text[whole.clone()].to_owned();
        }
        let mut start = at.start.saturating_sub(AROUND_MAX / 2).max(whole.start);
        let mut end = (at.end + AROUND_MAX / 2).min(whole.end);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[start..end].trim().to_owned()
    }
}

fn headline(title: Option<&str>, words: usize, minutes: u32, language: Option<&Language>, site: Option<&str>) -> String {
    let what = title.map_or_else(|| "A page without a title".to_owned(), |title| format!("“{title}”"));
    let site = site.filter(|site| Some(*site) != title).map(|site| format!(" on {site}")).unwrap_or_default();
    let language =
        language.filter(|language| language.is_reliable).map(|language| format!(" of {}", language.name)).unwrap_or_default();
    let words = if words == 1 { "one word".to_owned() } else { format!("{words} words") };
    let minutes = if minutes == 1 { "a minute".to_owned() } else { format!("about {minutes} minutes") };
    format!("{what}{site}: {words}{language}, {minutes} to read.")
}

fn first<T>(mut all: Vec<T>, max: usize, what: &str, notes: &mut Vec<Note>) -> Vec<T> {
    if all.len() > max {
        notes.push(note(&format!("Not all {what} are listed"), &format!("There are {}; these are the first {max}.", all.len())));
        all.truncate(max);
    }
    all
}

fn note(title: &str, detail: &str) -> Note {
    Note { severity: Severity::Info, title: title.to_owned(), detail: detail.to_owned() }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::agents::page_brief::{form::EXAMPLE_HTML, sample};

    fn of(html: &str) -> Result<Report, Unreadable> {
        brief(&Page { html: html.to_owned(), url: None, is_plain: false })
    }

    /// Characters, as the report counts them.
    #[track_caller]
    fn stands(report: &Report, offset: u32, written: &str) {
        let at: String = report.text.chars().skip(offset as usize).take(written.chars().count()).collect();
        assert_eq!(at, written);
    }

    #[track_caller]
    fn all_stands(report: &Report) {
        report.extract.iter().for_each(|sentence| stands(report, sentence.offset, &sentence.text));
        report.prices.iter().for_each(|price| stands(report, price.offset, &price.as_written));
        report.dates.iter().for_each(|date| stands(report, date.offset, &date.as_written));
        let sentences = report.prices.iter().map(|price| &price.sentence).chain(report.dates.iter().map(|date| &date.sentence));
        sentences.for_each(|sentence| assert!(report.text.contains(sentence.as_str()), "{sentence}"));
    }

    /// `COINSLOT_WRITE_SAMPLE=1` writes it anew.
    #[test]
    fn the_sample_is_what_the_example_gives() {
        let report = of(EXAMPLE_HTML).unwrap();
        if std::env::var_os("COINSLOT_WRITE_SAMPLE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/agents/page_brief/sample.json");
            std::fs::write(path, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
            return;
        }
        assert_eq!(report, sample());
        all_stands(&report);
        assert_eq!(report.extract.len(), 5);
        assert!(!report.prices.is_empty() && !report.dates.is_empty() && report.links.len() > 1 && report.outline.len() > 1);
    }

    #[test]
    fn what_is_found_stands_where_it_is_said_to_stand() {
        let html = "<article><h1>Ünïcode 💰</h1><p>Ä ö ü — 日本語。 The 💶 ticket costs €12.50 since 2024-05-01. See <code>$5</code>.</p>\
            <pre>$7 on 2020-01-01</pre><table><tr><th>Seat<th>Price<tr><td>Front<td>$20</table>\
            <p>It is worth its price, say those who have bought the ticket. Others say the ticket is too dear.<br>Both are right.</p></article>";
        let report = of(html).unwrap();
        all_stands(&report);
        let prices: Vec<_> = report.prices.iter().map(|price| (price.amount.as_str(), price.currency.as_str(), price.sentence.as_str())).collect();
        let sentence = "The 💶 ticket costs €12.50 since 2024-05-01.";
        assert_eq!(prices, [("12.50", "EUR", sentence), ("20", "$", "Front | $20")]);
        let dates: Vec<_> = report.dates.iter().map(|date| (date.date.as_deref(), date.sentence.as_str())).collect();
        assert_eq!(dates, [(Some("2024-05-01"), sentence)]);
    }

    #[test]
    fn what_is_around_the_article_is_not_in_its_text() {
        let paragraph = "<p>The lighthouse was built by the harbour company, and its keeper wrote down every ship that passed, \
            in all weathers, for forty years, until the lamp was made electric.</p>";
        let html = format!(
            "<html lang=en><head><title>The lighthouse</title><meta name=author content='A. Keeper'><meta property='og:site_name' content='Harbour News'>\
             <meta property='article:published_time' content='2026-02-03T10:00:00Z'></head><body><nav><a href=/>Home</a> <a href=/ads>Buy now!</a></nav>\
             <main><article><h1>The lighthouse</h1>{}</article></main><footer>Cookie settings</footer></body></html>",
            paragraph.repeat(6)
        );
        let report = of(&html).unwrap();
        assert!(report.text.contains("lighthouse was built") && !report.text.contains("Buy now") && !report.text.contains("Cookie"), "{}", report.text);
        assert_eq!(
            (report.title.as_deref(), report.byline.as_deref(), report.site.as_deref(), report.published.as_deref()),
            (Some("The lighthouse"), Some("A. Keeper"), Some("Harbour News"), Some("2026-02-03T10:00:00Z"))
        );
        let language = report.language.unwrap();
        assert_eq!((language.code.as_str(), language.is_reliable, language.declared.as_deref()), ("en", true, Some("en")));
        assert_eq!(report.words, 6 * 29);
        assert_eq!(report.reading_minutes, 1);
        assert_eq!(report.links.iter().map(|link| link.words.as_str()).collect::<Vec<_>>(), ["Home", "Buy now!"]);
    }

    #[test]
    fn a_long_page_is_cut_between_blocks_and_says_so() {
        let html = format!("<article>{}</article>", "<p>Somebody wrote a sentence, and then the same one again, for money.</p>".repeat(2_000));
        let report = of(&html).unwrap();
        let shown = report.text.split_once("\n\n[Cut here: ").unwrap();
        assert!(shown.0.ends_with("for money.") && shown.1.ends_with(" of 135998 characters.]"), "{}", shown.1);
        assert!(report.markdown.ends_with("characters.\\]"));
        assert!(report.text.chars().count() < TEXT_MAX + 100);
        assert_eq!(report.words, 2_000 * 12);
        assert!(report.notes.iter().any(|note| note.title == "The text is cut"));
        all_stands(&report);
    }

    #[test]
    fn a_line_of_100_kb_is_read_and_cut() {
        let report = of(&format!("<p>{}</p>", "word $5 ".repeat(20_000))).unwrap();
        assert_eq!((report.prices.len(), report.words), (FOUND_MAX, 40_000));
        assert!(report.prices.iter().all(|price| price.sentence.len() <= AROUND_MAX + 10));
        all_stands(&report);
    }

    #[test]
    fn plain_text_is_its_own_text() {
        let page = Page { html: "One paragraph.\r\nIt goes on.\r\n\r\n\r\nAnother <b>one</b>.".to_owned(), url: Some("https://a.example/b.txt".to_owned()), is_plain: true };
        let report = brief(&page).unwrap();
        assert_eq!(report.text, "One paragraph.\nIt goes on.\n\nAnother <b>one</b>.");
        assert_eq!((report.site.as_deref(), report.title.as_deref()), (Some("a.example"), None));
        all_stands(&report);
    }

    #[test]
    fn a_page_without_text_says_so() {
        for html in ["<p></p>", "<html><body><script>document.write('x')</script></body></html>", "…", "<!-- a comment -->"] {
            assert_eq!(of(html), Err(Unreadable::NothingToRead), "{html}");
        }
    }

    #[test]
    fn d4_what_a_page_says_stays_text() {
        let report = of("<article><p>&lt;script&gt;alert(1)&lt;/script&gt; is <a href='javascript:alert(1)'>here</a> to be read.</p></article>").unwrap();
        assert!(report.text.contains("<script>alert(1)</script>"));
        assert!(!report.markdown.contains("<script") || report.markdown.contains("\\<script"));
        assert_eq!(report.links, []);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]
        #[test]
        fn every_offset_holds_whatever_the_page(parts in proptest::collection::vec("(<[a-z]{1,5}>|</[a-z]{1,5}>|\\PC{0,20}|[$€]\\d+\\. |\\d{4}-0\\d-1\\d )", 0..40)) {
            if let Ok(report) = of(&parts.concat()) {
                all_stands(&report);
            }
        }
    }
}
