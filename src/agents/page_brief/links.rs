//! Where a page leads.

use std::collections::{HashMap, HashSet};

use dom_query::Document;
use url::Url;

use super::Link;

/// Of a page that has more, the first.
pub const LINKS_MAX: usize = 200;
/// Characters of a link's words and of its address: more is data.
const WORDS_MAX: usize = 120;
const ADDRESS_MAX: usize = 2_000;

/// An address of the web; or one as it stands there, where nothing says what it is relative to. `None`: it leads nowhere on the web.
pub fn resolved(href: &str, base: Option<&Url>) -> Option<String> {
    let href = href.trim();
    if href.len() > ADDRESS_MAX {
        return None;
    }
    let url = match (Url::parse(href), base) {
        (Ok(url), _) => url,
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => base.join(href).ok()?,
        (Err(url::ParseError::RelativeUrlWithoutBase), None) => return (!href.is_empty() && !href.starts_with('#')).then(|| href.to_owned()),
        _ => return None,
    };
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// What the page's links are relative to: its own word (`<base>`), else where it was found.
pub fn base_of(page: &Document, url: Option<&Url>) -> Option<Url> {
    let own = page.select_single("base[href]").attr("href");
    match (own, url) {
        (Some(own), Some(url)) => url.join(&own).ok().filter(|base| matches!(base.scheme(), "http" | "https")).or_else(|| Some(url.clone())),
        (Some(own), None) => Url::parse(&own).ok().filter(|base| matches!(base.scheme(), "http" | "https")),
        (None, url) => url.cloned(),
    }
}

/// Each address once, without fragments and the page itself; and how many there are in all. `read`: addresses of the readable text.
pub fn of_page(page: &Document, read: &Document, base: Option<&Url>) -> (Vec<Link>, usize) {
    let here = base.map(without_fragment);
    let host = base.and_then(Url::host_str).map(bare);
    let in_text: HashSet<String> = hrefs(read, base).map(|(url, _)| url).collect();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut links: Vec<Link> = Vec::new();
    for (url, words) in hrefs(page, base) {
        if Some(&url) == here.as_ref() {
            continue;
        }
        if let Some(link) = places.get(&url).and_then(|at| links.get_mut(*at)) {
            if link.words.is_empty() {
                link.words = words;
            }
            continue;
        }
        let is_external = Url::parse(&url).is_ok_and(|to| to.host_str().map(bare) != host);
        let is_in_text = in_text.contains(&url);
        places.insert(url.clone(), links.len());
        links.push(Link { url, words, is_external, is_in_text });
    }
    let all = links.len();
    links.sort_by_key(|link| !link.is_in_text); // stable: otherwise as they stand
    links.truncate(LINKS_MAX);
    (links, all)
}

fn hrefs<'d>(page: &'d Document, base: Option<&'d Url>) -> impl Iterator<Item = (String, String)> + 'd {
    let nodes: Vec<_> = page.select("a[href]").nodes().to_vec();
    nodes.into_iter().filter_map(move |node| {
        let url = resolved(&node.attr("href")?, base)?;
        let url = Url::parse(&url).map(|url| without_fragment(&url)).unwrap_or(url);
        let words: String = node.text().split_whitespace().collect::<Vec<_>>().join(" ").chars().take(WORDS_MAX).collect();
        Some((url, words))
    })
}

fn without_fragment(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

fn bare(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_is_told_once_and_where_it_leads() {
        let html = "<nav><a href=/home>Home</a></nav><a href='b#c'></a><a href=b>B</a><a href='https://www.shop.example/d'>D</a>\
            <a href='https://other.example/'>O</a><a href='mailto:a@b.c'>M</a><a href='javascript:x'>J</a><a href='#top'>top</a><a href='http://[bad'>x</a>";
        let (page, read) = (Document::from(html), Document::from("<a href=b>B</a>"));
        let base = Url::parse("https://shop.example/a/").ok();
        let (links, all) = of_page(&page, &read, base.as_ref());
        let told: Vec<_> = links.iter().map(|link| (link.url.as_str(), link.words.as_str(), link.is_external, link.is_in_text)).collect();
        assert_eq!(
            told,
            [
                ("https://shop.example/a/b", "B", false, true),
                ("https://shop.example/home", "Home", false, false),
                ("https://www.shop.example/d", "D", false, false),
                ("https://other.example/", "O", true, false),
            ]
        );
        assert_eq!(all, 4);
    }

    #[test]
    fn without_an_address_relative_links_stay_as_they_stand() {
        let page = Document::from("<a href='b?c'>B</a><a href='#x'>X</a><a href='https://other.example/y'>Y</a>");
        let (links, _) = of_page(&page, &page, None);
        let told: Vec<_> = links.iter().map(|link| (link.url.as_str(), link.is_external)).collect();
        assert_eq!(told, [("b?c", false), ("https://other.example/y", true)]);
    }

    #[test]
    fn the_page_s_own_base_counts_but_only_on_the_web() {
        let url = Url::parse("https://shop.example/a/b").ok();
        let base = |html: &str| base_of(&Document::from(html), url.as_ref()).map(String::from);
        assert_eq!(base("<base href=/c/>").as_deref(), Some("https://shop.example/c/"));
        assert_eq!(base("<base href='file:///etc/'>").as_deref(), Some("https://shop.example/a/b"));
        assert_eq!(base("").as_deref(), Some("https://shop.example/a/b"));
    }
}
