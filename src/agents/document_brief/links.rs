//! E-mail addresses and web addresses.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    At, Link, LinkKind,
    brief::{apart, once, pattern},
};
use crate::text::Places;

/// Characters of an address that is listed, at most.
const LENGTH_MAX: usize = 2000;

static WEB: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)\b(?:https?://|www\.)[^\s<>"'`“”«»\\^{}|\]]+"#));
static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,63}\b"));

/// The first of each, in the order of the text.
pub(super) fn of(text: &str, places: &Places) -> Vec<Link> {
    let web = WEB.find_iter(text).map(|found| (found.start()..found.start() + bare(found.as_str()).len(), LinkKind::Web));
    let email = EMAIL.find_iter(text).map(|found| (found.range(), LinkKind::Email));
    let all = web
        .chain(email)
        .filter(|(range, _)| range.len() > 7 || !text[range.clone()].contains("://"))
        .filter(|(range, _)| range.len() <= LENGTH_MAX);
    let all = apart(all.collect(), |(range, _)| range.clone()).into_iter().map(|(range, kind)| Link {
        kind,
        text: text[range.clone()].to_owned(),
        at: At::of(places, &range),
    });
    once(all.collect(), |link| link.text.clone())
}

/// Without the marks of the sentence around it; a bracket stays if it was opened within.
fn bare(found: &str) -> &str {
    let mut bare = found;
    let mut closing = bare.matches(')').count() as isize - bare.matches('(').count() as isize;
    while let Some(last) = bare.chars().next_back() {
        match last {
            ')' if closing > 0 => closing -= 1,
            '.' | ',' | ';' | ':' | '!' | '?' | '*' | '_' | '…' | '。' | '、' | '’' => {}
            _ => break,
        }
        bare = &bare[..bare.len() - last.len_utf8()];
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_where_its_sentence_goes_on() {
        let text = "See https://example.com/a_(b), (http://x.example/y?z=1). [www.a.example](https://b.example/#c). Mail Ada <ada.l@a-b.example.org>, \
                    a@b, https://example.com/a_(b)!";
        let found: Vec<String> = of(text, &Places::of(text)).into_iter().map(|link| link.text).collect();
        assert_eq!(
            found,
            [
                "https://example.com/a_(b)",
                "http://x.example/y?z=1",
                "www.a.example",
                "https://b.example/#c",
                "ada.l@a-b.example.org"
            ]
        );
    }
}
