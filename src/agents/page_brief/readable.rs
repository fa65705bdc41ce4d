//! Which part of a page is read: the article where there is one, else everything but what is plainly around it.

use dom_query::Document;
use dom_smoothie::{Config, Readability, ReadabilityError};

/// Elements. A page with more is data.
const ELEMENTS_MAX: usize = 60_000;
/// Of what was found to be the article, against what is there in all: letters in a hundred. Less of a short page is a wrong guess.
const ARTICLE_PERCENT_MIN: usize = 30;
/// Letters of a page that is short.
const SHORT_PAGE: usize = 2_000;

/// What a page has around its text.
const AROUND: &str = "script, style, noscript, template, nav, header, footer, aside, form, iframe, \
    [role=navigation], [role=banner], [role=contentinfo], [role=search]";

pub struct Readable {
    pub content: Document,
    pub title: Option<String>,
    pub byline: Option<String>,
    pub site: Option<String>,
    pub published: Option<String>,
    /// No article was found: it is all of the page's text.
    pub is_all: bool,
}

/// There are more elements than are looked at.
pub struct TooLarge;

/// # Errors
/// [`TooLarge`]
pub fn readable(html: &str, url: Option<&str>) -> Result<Readable, TooLarge> {
    let page = Document::from(html);
    // What a heading is called in a style sheet says nothing about whether it belongs to the text.
    page.select("h1, h2, h3, h4, h5, h6").remove_attrs(&["class", "id"]);
    let first_heading = one_line(&page.select_single("h1").text());
    let config = Config { max_elements_to_parse: ELEMENTS_MAX, ..Config::default() };
    let mut reader = Readability::with_document(page, url, Some(config)).map_err(|_| TooLarge)?;
    let (article, title, byline, site, published) = match reader.parse() {
        Ok(found) => (Some(found.content), found.title, found.byline, found.site_name, found.published_time),
        Err(ReadabilityError::TooManyElements(..)) => return Err(TooLarge),
        Err(_) => {
            let found = reader.get_article_metadata(None);
            (None, found.title, found.byline, found.site_name, found.published_time)
        }
    };
    let article = article.map(Document::fragment).filter(|article| is_enough(article, html));
    let line = |text: Option<String>| text.as_deref().and_then(one_line);
    Ok(Readable {
        is_all: article.is_none(),
        content: article.unwrap_or_else(|| all_of(html)),
        title: one_line(&title).or(first_heading),
        byline: line(byline),
        site: line(site),
        published: line(published),
    })
}

/// A short page has no room for much around its article: what is found must be a good part of it.
fn is_enough(article: &Document, html: &str) -> bool {
    let found = letters(&article.root().text());
    found >= SHORT_PAGE || {
        let all = letters(&all_of(html).root().text());
        all >= SHORT_PAGE || found * 100 >= all * ARTICLE_PERCENT_MIN
    }
}

fn all_of(html: &str) -> Document {
    let page = Document::from(html);
    page.select(AROUND).remove();
    page.select("head").remove();
    page
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// Characters of a title or a name.
const LINE_MAX: usize = 300;

pub fn one_line(text: &str) -> Option<String> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = words.chars().filter(|c| !c.is_control()).take(LINE_MAX).collect();
    (!line.is_empty()).then_some(line)
}
