//! Document Brief against pysbd (sentences), sumy (the extract), the CMU Pronouncing Dictionary and textstat (readability), viem (checksums) and
//! dateparser (dates); and against itself, where only the text can say what is right: each quotation stands where it is said to stand.

mod corpus;

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use coinslot::{
    agents::document_brief::{At, OnChainKind, brief},
    text,
};
use serde_json::{Value, json};

use crate::table::Row;

const AGENT: &str = "Document Brief";

/// A text of the corpus.
pub struct Document {
    name: String,
    /// ISO 639-1, as whoever wrote it knows.
    language: &'static str,
    text: String,
}

impl Document {
    fn new(name: String, language: &'static str, text: &str) -> Self {
        Self { name, language, text: text.to_owned() }
    }

    fn like(&self, what: &str, text: String) -> Self {
        Self { name: format!("{}, {what}", self.name), language: self.language, text }
    }
}

pub fn rows() -> Vec<Row> {
    let written = corpus::written();
    let all: Vec<Document> = written.into_iter().chain(corpus::dressed()).collect();
    let written = corpus::written();
    let others = asked(&written);
    let longer = asked(&longer(&written));
    vec![
        verbatim(&all),
        languages(&written),
        sentences(&written, &others["sentences"]),
        extracts(&longer["extracts"], "lexrank", "5 sentences of some 25 (sumy LexRank)", 4_000),
        extracts(&longer["extracts"], "textrank", "5 sentences of some 25 (sumy TextRank)", 5_000),
        syllables(&written, &others["syllables"]),
        readability(&written, &others["recounted"], "reading ease, within 3 points (CMU, pysbd)", 3.0, 10_000),
        readability(&written, &others["readability"], "reading ease, within 5 points (textstat)", 5.0, 7_500),
        checksums(),
        dates(),
    ]
}

/// Of every quotation of every document: it is there, at its offset, in bytes and in characters, in its line.
fn verbatim(all: &[Document]) -> Row {
    let mut row = Row {
        agent: AGENT,
        what: "quotations verbatim at their offset (the text)",
        target: 10_000,
        cases: 0,
        differences: Vec::new(),
    };
    for document in all {
        let characters: Vec<char> = document.text.chars().collect();
        let report = brief::of(&document.text, 12);
        let quoted: Vec<(&String, At)> = (report.extract.iter().map(|one| (&one.text, one.at)))
            .chain(report.actions.iter().map(|one| (&one.text, one.at)))
            .chain(report.dates.iter().map(|one| (&one.text, one.at)))
            .chain(report.amounts.iter().map(|one| (&one.text, one.at)))
            .chain(report.links.iter().map(|one| (&one.text, one.at)))
            .chain(report.on_chain.iter().map(|one| (&one.text, one.at)))
            .collect();
        if report.extract.is_empty() {
            row.differences.push(format!("{}: nothing was quoted", document.name));
        }
        row.cases += usize::from(report.extract.is_empty());
        for (text, at) in quoted {
            row.cases += 1;
            let in_bytes = document.text.get(at.byte as usize..at.byte_end as usize) == Some(text);
            let in_characters = characters[at.character as usize..at.character_end as usize].iter().collect::<String>() == *text;
            let in_line = document.text[..at.byte as usize].matches('\n').count() + 1 == at.line as usize;
            if !(in_bytes && in_characters && in_line) {
                row.differences.push(format!("{}: {text:?} is not at {at:?}", document.name));
            }
        }
    }
    row
}

fn languages(written: &[Document]) -> Row {
    let mut row = Row { agent: AGENT, what: "language (who wrote it)", target: 10_000, cases: 0, differences: Vec::new() };
    for document in written {
        let said = text::language(&document.text).map(text::Language::code);
        row.cases += 1;
        if said != Some(document.language) {
            row.differences.push(format!("{}: {} was taken for {said:?}", document.name, document.language));
        }
    }
    row
}

/// Each end of a sentence that either of the two sees is a case; ends are compared by the letters before them.
fn sentences(written: &[Document], theirs: &Value) -> Row {
    let mut row = Row { agent: AGENT, what: "ends of sentences (pysbd)", target: 9_500, cases: 0, differences: Vec::new() };
    for document in written {
        let Some(theirs) = theirs[&document.name].as_array() else { continue };
        let ours = text::sentences(&document.text).into_iter().map(|range| document.text[range].to_owned());
        let (ours, theirs) = (ends(ours), ends(theirs.iter().map(|one| one.as_str().unwrap().to_owned())));
        row.cases += ours.union(&theirs).count();
        for end in ours.symmetric_difference(&theirs) {
            let whose = if ours.contains(end) { "only ours ends" } else { "only pysbd's ends" };
            row.differences.push(format!("{}: {whose} after {:?}", document.name, before(&document.text, *end)));
        }
    }
    row
}

fn ends(sentences: impl Iterator<Item = String>) -> BTreeSet<usize> {
    sentences
        .scan(0, |letters, sentence| {
            *letters += sentence.chars().filter(|c| c.is_alphanumeric()).count();
            Some(*letters)
        })
        .collect()
}

fn before(text: &str, letters: usize) -> String {
    let end = text.char_indices().filter(|(_, c)| c.is_alphanumeric()).nth(letters - 1).map_or(0, |(at, c)| at + c.len_utf8());
    let from = text[..end].char_indices().rev().nth(30).map_or(0, |(at, _)| at);
    text[from..end].to_owned()
}

/// How many of our sentences the other has chosen too. Both were given the same sentences.
fn extracts(extracts: &Value, algorithm: &str, what: &'static str, target: usize) -> Row {
    let mut row = Row { agent: AGENT, what, target, cases: 0, differences: Vec::new() };
    for extract in extracts.as_array().unwrap() {
        let theirs: BTreeSet<u64> = extract[algorithm].as_array().unwrap().iter().map(|index| index.as_u64().unwrap()).collect();
        for ours in extract["ours"].as_array().unwrap() {
            row.cases += 1;
            if !theirs.contains(&ours.as_u64().unwrap()) {
                row.differences.push(format!("{}: sentence {ours}, not among {theirs:?}", extract["name"].as_str().unwrap()));
            }
        }
    }
    row
}

fn words_of(written: &[Document]) -> BTreeSet<String> {
    let english = written.iter().filter(|document| document.language == "en");
    english.flat_map(|document| text::words(&document.text).map(|range| document.text[range].to_lowercase())).collect()
}

fn syllables(written: &[Document], theirs: &Value) -> Row {
    let mut row =
        Row { agent: AGENT, what: "syllables of words (CMU dictionary)", target: 9_500, cases: 0, differences: Vec::new() };
    for word in words_of(written) {
        let Some(possible) = theirs[&word].as_array() else { continue };
        let ours = brief::syllables(&word);
        row.cases += 1;
        if !possible.contains(&json!(ours)) {
            row.differences.push(format!("{word}: {ours}, not {possible:?}"));
        }
    }
    row
}

/// Within some points of a hundred: sentences and syllables are counted by each in its own way.
fn readability(written: &[Document], theirs: &Value, what: &'static str, points: f64, target: usize) -> Row {
    let mut row = Row { agent: AGENT, what, target, cases: 0, differences: Vec::new() };
    for document in written {
        let (Some(ours), Some(theirs)) = (brief::of(&document.text, 1).figures.readability, theirs[&document.name].as_f64())
        else {
            continue;
        };
        row.cases += 1;
        if (ours.reading_ease - theirs).abs() > points {
            row.differences.push(format!("{}: {}, not {theirs:.1}", document.name, ours.reading_ease));
        }
    }
    row
}

/// Two hundred addresses, each right, with one letter's case turned, and in one case.
fn checksums() -> Row {
    let mut row = Row { agent: AGENT, what: "checksums of addresses (viem)", target: 10_000, cases: 0, differences: Vec::new() };
    let mut seed = 0x0c01_3517_u64;
    let mut addresses = Vec::new();
    for _ in 0..200 {
        let mut bytes = [0; 20];
        for byte in &mut bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (seed >> 33) as u8;
        }
        let right = alloy::primitives::Address::from(bytes).to_checksum(None);
        let turned: String = {
            let at = right.char_indices().skip(2).find(|(_, c)| c.is_alphabetic()).map_or(2, |(at, _)| at);
            let turn = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            right.char_indices().map(|(place, c)| if place == at { turn(c) } else { c }).collect()
        };
        addresses.extend([right.to_lowercase(), format!("0x{}", right[2..].to_uppercase()), right, turned]);
    }
    let theirs = run(Command::new("node").arg("end2end/agents/document_brief.mjs"), &json!(addresses));
    let text = addresses.join("\n");
    let ours: Vec<_> = addresses.iter().map(|address| brief::of(&format!("Pay {address} soon."), 1).on_chain).collect();
    assert!(brief::of(&text, 1).on_chain.len() <= 200, "a list is bounded");
    for ((address, ours), theirs) in addresses.iter().zip(ours).zip(theirs.as_array().unwrap()) {
        row.cases += 1;
        let ours = match ours.first().map(|one| one.kind) {
            Some(OnChainKind::AddressValid) => "valid",
            Some(OnChainKind::AddressWrong) => "wrong",
            Some(OnChainKind::AddressUnchecked) => "unchecked",
            _ => "not seen",
        };
        if theirs != ours {
            row.differences.push(format!("{address}: {ours}, not {theirs}"));
        }
    }
    row
}

/// Days of twelve months, as seven languages write them.
fn dates() -> Row {
    let mut row = Row { agent: AGENT, what: "dates (dateparser)", target: 10_000, cases: 0, differences: Vec::new() };
    let months = [
        ("en", "January February March April May June July August September October November December"),
        ("de", "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
        ("fr", "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
        ("es", "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        ("it", "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
        ("pt", "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
        ("nl", "januari februari maart april mei juni juli augustus september oktober november december"),
    ];
    let mut written: Vec<(&str, String)> = Vec::new();
    for (language, names) in months {
        for (place, month) in names.split(' ').enumerate() {
            let (day, year, number) = (place * 2 + 3, 2024 + place % 4, place + 1);
            written.push((
                language,
                match language {
                    "de" => format!("{day}. {month} {year}"),
                    "es" | "pt" => format!("{day} de {month} de {year}"),
                    _ => format!("{day} {month} {year}"),
                },
            ));
            written.push((language, format!("{year}-{number:02}-{day:02}")));
            match language {
                "en" => written.extend([
                    (language, format!("{month} {day}, {year}")),
                    (language, format!("{} {day} {year}", &month[..3])),
                    (language, format!("{number}/{}/{year}", day + 12 - place)),
                ]),
                "de" => written.push((language, format!("{day}.{number}.{year}"))),
                _ => {}
            }
        }
    }
    let theirs = python(&json!({ "dates": written }))["dates"].clone();
    for ((_, text), theirs) in written.iter().zip(theirs.as_array().unwrap()) {
        let found = brief::of(&format!("It is due on {text} at the latest."), 1).dates;
        let ours = found.first().and_then(|date| date.iso.clone());
        row.cases += 1;
        if ours.as_deref() != theirs.as_str() || found.first().is_none_or(|date| date.text != *text) {
            row.differences.push(format!("{text}: {ours:?}, not {theirs}"));
        }
    }
    row
}

/// Three documents of a language in one, so that a choice by chance agrees rarely.
fn longer(written: &[Document]) -> Vec<Document> {
    let in_one = |language: &'static str, from: usize| {
        let all: Vec<&Document> = written.iter().filter(|document| document.language == language).collect();
        let some: Vec<&Document> =
            (from..from + 3).filter_map(|place| all.get(place % all.len()).copied()).take(all.len()).collect();
        let texts: Vec<&str> = some.iter().map(|document| document.text.as_str()).collect();
        Document::new(format!("{language}, three from {}", from + 1), language, &texts.join("\n\n"))
    };
    let english = (0..8).map(|from| in_one("en", from));
    english.chain(["de", "fr", "es"].map(|language| in_one(language, 0))).collect()
}

/// What Python's tools say of the documents.
fn asked(written: &[Document]) -> Value {
    let documents: Vec<Value> = written
        .iter()
        .map(|document| {
            let sentences = text::prose(&document.text);
            let ranking = text::central(&document.text, &sentences, text::language(&document.text), 5);
            let texts: Vec<&str> = sentences.iter().map(|sentence| &document.text[sentence.range.clone()]).collect();
            json!({ "name": document.name, "language": document.language, "text": document.text, "sentences": texts, "ours": ranking.chosen })
        })
        .collect();
    python(&json!({ "documents": documents, "words": words_of(written) }))
}

fn python(question: &Value) -> Value {
    let python = std::env::var("X402_PYTHON").ok().filter(|path| !path.is_empty()).unwrap_or_else(|| "python3".to_owned());
    run(Command::new(python).arg("end2end/agents/document_brief.py"), question)
}

/// Gives a tool its question as JSON and reads its answer.
fn run(command: &mut Command, question: &Value) -> Value {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("make setup FOR=agents installs it");
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
