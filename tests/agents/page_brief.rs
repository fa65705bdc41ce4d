//! Page Brief against trafilatura and readability, on real pages that are on this machine anyway: Rust's documentation, or Debian's. And
//! against itself, where only the text can say what is right: each quotation stands where it is said to stand.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use coinslot::agents::page_brief::brief::{Page, brief};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::table::Row;

const AGENT: &str = "Page Brief";
/// A page with fewer words leads to another, or is a list of links: there is no text to compare.
const WORDS_MIN: usize = 150;
/// Of a token, as `F` in hundredths: within five percent.
const ALIKE: f64 = 0.95;

/// Where pages are, what they are called, and every how many-th of them is read: a rule, so that nobody picks.
const RUST: &[(&str, usize)] = &[
    ("book", 6),
    ("edition-guide", 4),
    ("reference", 5),
    ("nomicon", 4),
    ("cargo", 6),
    ("rustc", 6),
    ("rustdoc", 4),
    ("style-guide", 3),
    ("embedded-book", 5),
    ("rust-by-example", 12),
];
const DEBIAN: &[(&str, usize)] = &[
    ("debian-policy/policy.html", 1),
    ("developers-reference/developers-reference.html", 1),
    ("valgrind/html", 3),
    ("python3", 1),
];

#[derive(Deserialize)]
struct Told {
    path: String,
    /// In trafilatura's text.
    words: usize,
    /// How much of ours is theirs, how much of theirs is ours, and both in one.
    trafilatura: (f64, f64, f64),
    readability: (f64, f64, f64),
    misplaced: Vec<String>,
    quoted: usize,
}

pub fn rows() -> Vec<Row> {
    let asked: Vec<Value> = pages().iter().filter_map(|path| question(path)).collect();
    let told: Vec<Told> = serde_json::from_value(python(&Value::Array(asked))).unwrap();
    vec![
        alike("readable text within 5 % (trafilatura)", 9_000, &told, |told| told.trafilatura),
        alike("readable text within 5 % (readability-lxml)", 7_500, &told, |told| told.readability),
        verbatim(&told),
    ]
}

/// `None`: it is too short, or longer than a report holds.
fn question(path: &Path) -> Option<Value> {
    let html = String::from_utf8(std::fs::read(path).ok()?).ok()?;
    let page = Page { html, url: Some(format!("https://docs.example{}", path.display())), is_plain: false };
    let report = brief(&page).ok()?;
    let is_whole = !report.notes.iter().any(|note| note.title == "The text is cut");
    (is_whole && report.words as usize >= WORDS_MIN).then(|| json!({ "path": path, "report": report }))
}

fn alike(what: &'static str, target: usize, told: &[Told], of: impl Fn(&Told) -> (f64, f64, f64)) -> Row {
    let mut row = Row { agent: AGENT, what, target, cases: 0, differences: Vec::new() };
    for page in told.iter().filter(|page| page.words >= WORDS_MIN) {
        row.cases += 1;
        let (precision, recall, both) = of(page);
        if both < ALIKE {
            let name = page.path.rsplit("/html/").next().unwrap_or(&page.path);
            row.differences.push(format!(
                "{name}: F {both:.3}; {:.0} % of ours is theirs, {:.0} % of theirs is ours",
                precision * 100.0,
                recall * 100.0
            ));
        }
    }
    row
}

fn verbatim(told: &[Told]) -> Row {
    let mut row = Row {
        agent: AGENT,
        what: "quotations verbatim at their offset (the text)",
        target: 10_000,
        cases: 0,
        differences: Vec::new(),
    };
    for page in told {
        row.cases += page.quoted;
        row.differences.extend(page.misplaced.iter().map(|quoted| format!("{}: {quoted}", page.path)));
    }
    row
}

fn pages() -> Vec<PathBuf> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
    let rust = Path::new(String::from_utf8_lossy(&sysroot.stdout).trim()).join("share/doc/rust/html");
    let debian = Path::new("/usr/share/doc");
    let of = |root: &Path, families: &[(&str, usize)]| -> Vec<PathBuf> {
        families
            .iter()
            .flat_map(|(name, nth)| {
                let mut all = Vec::new();
                html_in(&root.join(name), &mut all);
                all.sort();
                all.into_iter().step_by(*nth)
            })
            .collect()
    };
    let mut pages = of(&rust, RUST);
    pages.extend(of(debian, DEBIAN));
    pages
}

fn html_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Translations are other texts of the same pages; what prints all of a book is too long.
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && name.len() > 2 => html_in(&path, found),
            Ok(kind)
                if kind.is_file()
                    && name.ends_with(".html")
                    && !matches!(name.as_str(), "print.html" | "toc.html" | "404.html") =>
            {
                found.push(path);
            }
            _ => {}
        }
    }
}

fn python(question: &Value) -> Value {
    let python = std::env::var("X402_PYTHON").ok().filter(|path| !path.is_empty()).unwrap_or_else(|| "python3".to_owned());
    let mut child = Command::new(python)
        .arg("end2end/agents/page_brief.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python: make setup FOR=agents");
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let answered = child.wait_with_output().unwrap();
    assert!(answered.status.success(), "end2end/agents/page_brief.py failed");
    serde_json::from_slice(&answered.stdout).unwrap()
}
