//! Page Brief as it runs in the shop: in a process of its own, on pages that were made to break whoever reads them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use coinslot::{
    agents::page_brief::{
        CARD, Form, HTML_BYTES_MAX, Input, Report, ReportView,
        apart::read_page,
        brief::{Page, brief},
        example, sample,
    },
    error::{CallError, Code, FieldError, Retry},
    runs::apart,
};
use garde::Validate;
use leptos::prelude::*;

async fn read(html: String) -> Result<Report, CallError> {
    apart::work_with(env!("CARGO_BIN_EXE_coinslot").into());
    read_page(&Page { html, url: Some("https://shop.example/a".to_owned()), is_plain: false }).await
}

#[tokio::test]
async fn the_process_of_its_own_says_what_we_would_say() {
    let html = include_str!("../src/agents/page_brief/example.html").to_owned();
    let here = brief(&Page { html: html.clone(), url: Some("https://shop.example/a".to_owned()), is_plain: false }).unwrap();
    assert_eq!(read(html.clone()).await, Ok(here.clone()));
    assert_eq!(serde_json::to_vec(&read(html).await.unwrap()).unwrap(), serde_json::to_vec(&here).unwrap(), "to the byte");
}

/// Whatever the page, it ends in time, with an answer or a failure that is final. The shop's process is the one that asks here: it lives.
#[tokio::test]
async fn pages_made_to_break_their_reader_end_in_time() {
    let text = "<p>The lamp of the lighthouse was lit by its keeper every evening, for forty years.</p>";
    let attributes: String = (0..150_000).map(|n| format!(" a{n}=x")).collect();
    let pages = [
        ("a thousand levels", format!("{}{text}", "<div>".repeat(1_000)), true),
        ("a hundred thousand levels", format!("{}{text}", "<div>".repeat(100_000)), false),
        ("a hundred thousand levels of emphasis", format!("{}{text}", "<b>".repeat(100_000)), false),
        ("tables in tables", format!("{}{text}", "<table><tr><td>".repeat(20_000)), false),
        ("lists in lists", format!("{}{text}", "<ul><li>x".repeat(30_000)), false),
        ("a line of 100 KB", format!("<p>{}</p>", "word ".repeat(20_000)), true),
        ("a word of 500 KB", format!("<p>{}</p>", "x".repeat(500_000)), false),
        ("a sea of attributes", format!("<p{attributes}>{text}"), false),
        ("nothing is closed", format!("<p><a href=/x><b><table><tr><td><!-- <p {text}"), false),
        ("everything is closed twice", format!("{text}{}", "</p></div></body></html>".repeat(20_000)), true),
        ("a hundred thousand links", format!("{text}{}", "<a href=/x>x</a>".repeat(32_000)), false),
        ("a hundred thousand paragraphs", "<p>a".repeat(120_000), false),
        ("entities", "&amp;&lt;&#0;&#x110000;&nosuch;".repeat(16_000), false),
        ("nul and controls", "\0\u{1}\u{7f}\u{202e}<p>word</p>".repeat(20_000), false),
        ("a script's open end", format!("{text}<script>{}", "<p>".repeat(100_000)), true),
        ("data in JSON", format!("<script type='application/ld+json'>{}</script>{text}", "[".repeat(400_000)), false),
    ];
    for (what, html, is_read) in pages {
        let began = Instant::now();
        let told = read(html).await;
        assert!(began.elapsed() < CARD.time_limit - Duration::from_secs(10), "{what}: {:?}", began.elapsed());
        match told {
            Ok(report) => {
                assert!(report.words > 0 && report.text.chars().count() < 61_000 && report.markdown.len() < 152_000, "{what}")
            }
            Err(why) => {
                assert_eq!((why.code, why.retry, is_read), (Code::AgentFailed, Retry::No, false), "{what}: {why}");
                assert!(why.error.contains("You were not charged."), "{what}: {why}");
            }
        }
    }
}

#[test]
fn what_is_wrong_is_told_at_its_field() {
    let long = format!("https://example.org/{}", "a".repeat(2_000));
    for (input, field, part) in [
        (Input::default(), "url", "Enter a page's address"),
        (Input { url: Some("https://example.org/".into()), html: Some("<p>x".into()) }, "url", "not both"),
        (Input { url: Some("example.org".into()), html: None }, "url", "https://example.org/page"),
        (Input { url: Some("http://127.0.0.1/".into()), html: None }, "url", "127.0.0.1 is a private address"),
        (Input { url: Some("http://[::ffff:a9fe:a9fe]/".into()), html: None }, "url", "is a private address"),
        (Input { url: Some("http://localhost:4020/".into()), html: None }, "url", "a name on a private network"),
        (Input { url: Some("ftp://example.org/".into()), html: None }, "url", "Only pages at http:// and https://"),
        (Input { url: Some("https://a:b@example.org/".into()), html: None }, "url", "a user name or password"),
        (Input { url: Some("https://example.org:22/".into()), html: None }, "url", "port 22"),
        (Input { url: Some(long), html: None }, "url", "longer than 2000"),
        (Input { url: None, html: Some(" \n".into()) }, "html", "no HTML"),
        (Input { url: None, html: Some("x".repeat(HTML_BYTES_MAX + 1)) }, "html", "512 KB"),
    ] {
        let report = input.validate().expect_err(part);
        let told: Vec<(String, String)> = report.iter().map(|(path, error)| (path.to_string(), error.to_string())).collect();
        assert!(told.len() == 1 && told[0].0 == field && told[0].1.contains(part), "{part}: {told:?}");
    }
    assert!(example().validate().is_ok());
    assert!(Input { url: Some("https://example.org/page?a=b#c".into()), html: None }.validate().is_ok());
}

#[test]
fn the_report_shows_everything_and_none_of_it_is_markup() {
    let hostile = "<script>alert(1)</script>".to_owned();
    let mut report = sample();
    report.title = Some(hostile.clone());
    report.outline[0].text = hostile.clone();
    report.links[0].url = "javascript:alert(1)".to_owned();
    report.markdown = format!("# {hostile}");
    let (extract, count) = (report.extract.clone(), report.extract.len());
    let html = Owner::new().with(|| view! { <ReportView report/> }.to_html());
    assert!(!html.contains("<script") && !html.contains("href=\"javascript"), "{html}");
    assert_eq!(html.matches("<mark ").count(), count);
    for sentence in extract {
        let place = format!("-{}\"", sentence.offset);
        assert!(html.contains("rel=\"external\" href=\"#page-") && html.matches(&place).count() == 2, "{place}");
    }
    // The page's headings are no headings of ours.
    assert!(!html.contains("<h1") && !html.contains("<h2") && !html.contains("<h4"), "{html}");
    assert!(html.contains("€12.50") && html.contains("2026-04-04") && html.contains("https://council.example/market"), "{html}");
}

#[test]
fn the_form_says_what_is_wrong_beside_the_field() {
    let html = Owner::new().with(|| {
        let errors = Signal::derive(|| vec![FieldError { field: "url".to_owned(), error: "Refused: it is private.".to_owned() }]);
        view! { <Form input=RwSignal::new(Input::default()) errors/> }.to_html()
    });
    assert!(html.contains("Refused: it is private.") && html.contains("aria-describedby=\"url-hint url-error\""), "{html}");
}
