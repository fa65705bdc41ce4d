//! `coinslot new-agent NAME`: a new agent in a checkout, as one file and one name in the list.
//!
//! What it writes is the example of docs/add-an-agent.md under the new name; a test holds the guide to it, so what the guide shows is what
//! compiles. It overwrites nothing; both files are whole or as they were.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// What a new agent begins as: the guide's example. Compiled, linted and tested where agents are (`src/agents/mod.rs`), and on sale nowhere.
const EXAMPLE: &str = include_str!("new_agent/word_count.rs");

const LIST: &str = "src/agents/mod.rs";
/// Characters of a name, at most: longer ones would break the example's longest line.
const NAME_MAX: usize = 30;
/// As in rustfmt.toml.
const LINE_MAX: usize = 130;

/// What cannot be a module's name, now or in an edition to come.
const KEYWORDS: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "macro_rules",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "raw",
    "ref",
    "return",
    "safe",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    #[error(
        "{0:?} is no agent's name: lower-case letters and digits in words joined by `-` (or all by `_`), such as tide-table; {NAME_MAX} characters at most"
    )]
    BadName(String),
    #[error("`{0}` is a word of the Rust language: choose another name, such as {0}-agent")]
    Keyword(String),
    #[error("`{0}` is a name that the new file, or {LIST}, uses itself: choose another, such as {0}-agent")]
    Used(String),
    #[error("{0} is there already; nothing was written")]
    Taken(PathBuf),
    #[error("this is no checkout of Coinslot (there is no {LIST} with a list of what is on sale): run it where Cargo.toml is")]
    NoCheckout,
    #[error("{file} cannot be written: {cause}", file = .0.display(), cause = .1)]
    Io(PathBuf, #[source] io::Error),
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Relative to the checkout.
    pub file: PathBuf,
    /// `tide_table`
    pub module: String,
    /// `tide-table`
    pub slug: String,
}

/// Writes `src/agents/<name>.rs` and its name in the list.
///
/// # Errors
/// The name will not do or is taken, or the files cannot be written. Then everything is as it was.
pub fn new_agent(checkout: &Path, name: &str) -> Result<Written, NotWritten> {
    let names = Names::of(name)?;
    let list = checkout.join(LIST);
    let listed = fs::read_to_string(&list).map_err(|_| NotWritten::NoCheckout)?;
    let longer = with_name(&listed, &names.module).ok_or(NotWritten::NoCheckout)?;
    if words(EXAMPLE).chain(words(&listed)).any(|word| word == names.module || word == names.kind) {
        return Err(match checkout.join(names.file()).exists() {
            true => NotWritten::Taken(names.file()),
            false => NotWritten::Used(names.module),
        });
    }
    let (file, folder) = (checkout.join(names.file()), checkout.join(names.file()).with_extension(""));
    if folder.exists() {
        return Err(NotWritten::Taken(names.file().with_extension("")));
    }
    write_new(&file, &names.put_into(EXAMPLE)).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => NotWritten::Taken(names.file()),
        _ => NotWritten::Io(names.file(), cause),
    })?;
    if let Err(cause) = replace(&list, &longer) {
        // Without its name in the list it is no agent.
        let _ = fs::remove_file(&file);
        return Err(NotWritten::Io(PathBuf::from(LIST), cause));
    }
    Ok(Written { file: names.file(), module: names.module, slug: names.slug })
}

/// What the author does next.
pub fn next_steps(written: &Written) -> String {
    let Written { file, module, slug } = written;
    format!(
        "{file} is written: card, input, work, form, view and tests\n{LIST} has it on the list: it is on sale\n\n\
         Until you change it, it counts words. Next:\n\
         1. its card: name, summary, price, and the work in `count`\n\
         2. cargo test --features ssr --lib agents::{module}\n\
         3. make run, and buy it at /agents/{slug} with play money\n\n\
         docs/add-an-agent.md explains each part.",
        file = file.display()
    )
}

/// One name, in the three ways that it is written, and as the type that the server function's macro makes of it.
struct Names {
    module: String,
    slug: String,
    title: String,
    kind: String,
}

impl Names {
    fn of(name: &str) -> Result<Self, NotWritten> {
        let bad = || NotWritten::BadName(name.chars().take(60).collect());
        let between = if name.contains('_') { '_' } else { '-' };
        let parts: Vec<&str> = name.split(between).collect();
        let plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if name.len() > NAME_MAX || !parts.iter().all(plain) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(bad());
        }
        let module = parts.join("_");
        if KEYWORDS.contains(&module.as_str()) {
            return Err(NotWritten::Keyword(module));
        }
        let slug = parts.join("-");
        Ok(Self { title: capital(&parts.join(" ")), kind: parts.iter().map(|part| capital(part)).collect(), module, slug })
    }

    fn file(&self) -> PathBuf {
        PathBuf::from(format!("src/agents/{}.rs", self.module))
    }

    /// The example under this name. It says of itself that it is only a beginning.
    fn put_into(&self, example: &str) -> String {
        let named =
            example.replace("word_count", &self.module).replace("word-count", &self.slug).replace("Word count", &self.title);
        let (first, rest) = named.split_once('\n').unwrap_or((&named, ""));
        format!(
            "{first}\n//!\n//! Begun by `coinslot new-agent`: until you change it, it counts words (docs/add-an-agent.md).\n{rest}"
        )
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Every name that code uses: what is no comment and no text.
fn words(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let outside = lines.flat_map(|line| line.split('"').step_by(2));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    outside.flat_map(move |part| part.split(move |c| !is_name(c))).filter(|word| !word.is_empty())
}

/// The list with one name more, as rustfmt would write it. `None`: there is no list.
fn with_name(listed: &str, module: &str) -> Option<String> {
    const BEGINS: &str = "\non_sale![";
    let begins = listed.find(BEGINS)? + BEGINS.len();
    let ends = begins + listed[begins..].find("];")?;
    let (before, now, after) = (&listed[..begins], &listed[begins..ends], &listed[ends..]);
    let longer = if now.contains("//") {
        // Somebody's comments stay where they are.
        format!("{},\n    {module}\n", now.trim_end().trim_end_matches(','))
    } else {
        let names: Vec<&str> = now.split(',').map(str::trim).filter(|name| !name.is_empty()).chain([module]).collect();
        let line = names.join(", ");
        match "on_sale![];".len() + line.len() <= LINE_MAX {
            true => line,
            false => format!("\n    {}\n", names.join(",\n    ")),
        }
    };
    Some(format!("{before}{longer}{after}"))
}

/// Never over what is there.
fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let mut new = fs::OpenOptions::new().write(true).create_new(true).open(file)?;
    let written = new.write_all(text.as_bytes()).and_then(|()| new.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(file);
    }
    written
}

/// Whole, or as it was.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let beside = file.with_extension("rs.new");
    write_new(&beside, text)?;
    fs::rename(&beside, file).inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;

    /// A checkout with what `new_agent` looks at: our own list.
    fn checkout() -> tempfile::TempDir {
        let checkout = tempfile::tempdir().unwrap();
        fs::create_dir_all(checkout.path().join("src/agents")).unwrap();
        fs::write(checkout.path().join(LIST), include_str!("../agents/mod.rs")).unwrap();
        checkout
    }

    fn list(checkout: &tempfile::TempDir) -> String {
        fs::read_to_string(checkout.path().join(LIST)).unwrap()
    }

    /// Everything in the agents' folder, with its text.
    fn all(checkout: &tempfile::TempDir) -> Vec<(PathBuf, String)> {
        let files = fs::read_dir(checkout.path().join("src/agents")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| (file.clone(), fs::read_to_string(&file).unwrap_or_default())).collect()
    }

    #[track_caller]
    fn assert_formatted(files: &[PathBuf]) {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/rustfmt.toml");
        let formatted =
            Command::new("rustfmt").args(["--check", "--edition", "2024", "--config-path", config]).args(files).output();
        let formatted = formatted.expect("rustfmt is part of the toolchain: rustup component add rustfmt");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stdout));
    }

    #[test]
    fn the_guide_shows_what_new_agent_begins_with() {
        let guide = include_str!("../../docs/add-an-agent.md");
        let (_, block) = guide.split_once("```rust\n// src/agents/word_count.rs\n").expect("the example names its file");
        assert_eq!(block.split_once("```\n").unwrap().0, EXAMPLE);
        assert_eq!(guide.matches("```rust").count(), 1, "one file is all that an agent needs");
    }

    #[test]
    fn what_is_written_is_the_example_under_its_own_name() {
        let checkout = checkout();
        let written = new_agent(checkout.path(), "tide-table").unwrap();
        let file = PathBuf::from("src/agents/tide_table.rs");
        assert_eq!(written, Written { file: file.clone(), module: "tide_table".into(), slug: "tide-table".into() });
        let code = fs::read_to_string(checkout.path().join(file)).unwrap();
        for part in ["pub async fn tide_table(", r#"slug: "tide-table""#, r#"endpoint = "tide-table""#, r#"name: "Tide table""#] {
            assert!(code.contains(part), "{part} is missing");
        }
        assert!(!code.to_lowercase().contains("word_count") && !code.to_lowercase().contains("word-count"));
        for part in ["pub fn Form(", "pub fn ReportView(", "mod tests {", "pub(crate) async fn inspect("] {
            assert!(code.contains(part), "{part} is missing");
        }
        // Two files, and of the second one line.
        assert_eq!(all(&checkout).len(), 2);
        let before = include_str!("../agents/mod.rs");
        let changed =
            before.lines().zip(list(&checkout).lines().map(str::to_owned)).filter(|(before, after)| before != after).count();
        assert_eq!(changed, 1);
        assert!(list(&checkout).contains(", tide_table];"), "{}", list(&checkout));
    }

    #[test]
    fn what_is_written_is_formatted_however_long_the_name_is() {
        let checkout = checkout();
        let names = [
            "ab",
            "tide_table",
            "a-name-of-thirty-characters-12",
            "one-more-name-of-some-length",
            "and-a-third-one-of-length",
            "x1",
        ];
        let mut files = vec![checkout.path().join(LIST)];
        for name in names {
            files.push(checkout.path().join(new_agent(checkout.path(), name).unwrap().file));
            // rustfmt would look for the modules that the list only names: it is looked at alone.
            assert_formatted(&files[1..]);
            let on_sale = list(&checkout);
            let on_sale = &on_sale[on_sale.find("\non_sale![").unwrap()..];
            let alone = checkout.path().join("list.rs");
            fs::write(&alone, &on_sale[1..on_sale.find("];").unwrap() + 3]).unwrap();
            assert_formatted(&[alone]);
        }
        assert!(list(&checkout).contains("\n    x1\n];"), "the list is longer than a line by now: {}", list(&checkout));
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused_and_nothing_is_written() {
        let checkout = checkout();
        let before = all(&checkout);
        let refused = |name: &str| new_agent(checkout.path(), name).unwrap_err().to_string();
        for bad in
            ["", "-", "a-", "-a", "a--b", "a-b_c", "Tide", "tide table", "tide.rs", "../evil", "é", "1st", "a/b", &"a".repeat(31)]
        {
            assert!(refused(bad).contains("is no agent's name"), "{bad}: {}", refused(bad));
        }
        for keyword in ["match", "async", "self", "gen", "union", "macro_rules"] {
            assert!(refused(keyword).contains("word of the Rust language"), "{}", refused(keyword));
        }
        // The agents' other modules, what the list is made of, and what the new file calls its own things.
        for used in [
            "panel",
            "answer",
            "form",
            "sheet",
            "contract-xray",
            "leptos",
            "serde_json",
            "input",
            "report",
            "count",
            "example",
            "tests",
            "x402",
        ] {
            assert!(refused(used).contains("uses itself"), "{used}: {}", refused(used));
        }
        assert_eq!(all(&checkout), before);
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let checkout = checkout();
        let mine = checkout.path().join("src/agents/tide_table.rs");
        fs::write(&mine, "mine").unwrap();
        let before = all(&checkout);
        let refused = new_agent(checkout.path(), "tide-table").unwrap_err();
        assert!(matches!(&refused, NotWritten::Taken(file) if file.ends_with("tide_table.rs")), "{refused}");
        assert_eq!(all(&checkout), before);
        fs::remove_file(&mine).unwrap();
        new_agent(checkout.path(), "tide-table").unwrap();
        let before = all(&checkout);
        assert!(matches!(new_agent(checkout.path(), "tide_table").unwrap_err(), NotWritten::Taken(_)), "twice");
        assert_eq!(all(&checkout), before);
        fs::create_dir(checkout.path().join("src/agents/moon_phase")).unwrap();
        assert!(matches!(new_agent(checkout.path(), "moon-phase").unwrap_err(), NotWritten::Taken(_)), "a folder of its own");
    }

    #[test]
    fn a_list_that_cannot_be_written_leaves_no_file_behind() {
        let checkout = checkout();
        // What is written beside the list first is in the way.
        fs::write(checkout.path().join("src/agents/mod.rs.new"), "in the way").unwrap();
        let before = all(&checkout);
        assert!(matches!(new_agent(checkout.path(), "tide-table").unwrap_err(), NotWritten::Io(..)));
        assert_eq!(all(&checkout), before);
    }

    #[test]
    fn elsewhere_than_in_a_checkout_it_says_so() {
        let nowhere = tempfile::tempdir().unwrap();
        assert!(matches!(new_agent(nowhere.path(), "tide-table").unwrap_err(), NotWritten::NoCheckout));
    }

    #[test]
    fn comments_in_the_list_stay() {
        let list = "use x;\n\non_sale![\n    one, // the first\n    two,\n];\n";
        assert_eq!(with_name(list, "three").unwrap(), "use x;\n\non_sale![\n    one, // the first\n    two,\n    three\n];\n");
        assert_eq!(with_name("\non_sale![];\n", "one").unwrap(), "\non_sale![one];\n");
        assert_eq!(with_name("nothing on sale", "one"), None);
    }

    #[test]
    fn the_next_steps_name_what_was_written() {
        let checkout = checkout();
        let said = next_steps(&new_agent(checkout.path(), "tide-table").unwrap());
        for part in ["src/agents/tide_table.rs", "agents::tide_table", "/agents/tide-table", "docs/add-an-agent.md"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
