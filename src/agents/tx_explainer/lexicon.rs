//! Who knows which name: the ABI that was given, and what is well known.

use std::{collections::HashMap, sync::LazyLock};

use alloy::json_abi::{AbiItem, Error, Event, Function};
use serde_json::Value;

use super::{
    known,
    report::KnownBy,
    shape::{Shape, quoted},
};
use crate::agents::names;

/// Characters of one signature, at most.
const LINE_MAX: usize = 2_000;
/// Functions, events and errors, at most.
const ENTRIES_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub struct Lexicon {
    functions: HashMap<[u8; 4], Shape>,
    errors: HashMap<[u8; 4], Shape>,
    /// Those that share a topic differ in what is indexed.
    events: HashMap<[u8; 32], Vec<Shape>>,
}

/// A shape and how sure it is.
pub type Found<'a> = Option<(std::borrow::Cow<'a, Shape>, KnownBy)>;

/// Both: what was given comes first.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a>(pub Option<&'a Lexicon>);

impl<'a> Names<'a> {
    pub fn function(self, selector: [u8; 4]) -> Found<'a> {
        use std::borrow::Cow::{Borrowed, Owned};
        let given = self.0.and_then(|given| given.functions.get(&selector)).map(|shape| (Borrowed(shape), KnownBy::Abi));
        let known = || KNOWN.functions.get(&selector).map(|shape| (Borrowed(shape), KnownBy::Selector));
        // The list that all agents share has no names of arguments.
        let listed = || Shape::of_signature(names::signature(selector)?).map(|shape| (Owned(shape), KnownBy::Selector));
        given.or_else(known).or_else(listed)
    }

    pub fn error(self, selector: [u8; 4]) -> Found<'a> {
        use std::borrow::Cow::Borrowed;
        let given = self.0.and_then(|given| given.errors.get(&selector)).map(|shape| (Borrowed(shape), KnownBy::Abi));
        given.or_else(|| KNOWN.errors.get(&selector).map(|shape| (Borrowed(shape), KnownBy::Selector)))
    }

    /// All that have this topic and as many indexed parameters, the given ones first.
    pub fn events(self, topic: [u8; 32], indexed: usize) -> Vec<(&'a Shape, KnownBy)> {
        let given = self.0.and_then(|given| given.events.get(&topic)).into_iter().flatten().map(|shape| (shape, KnownBy::Abi));
        let known = KNOWN.events.get(&topic).into_iter().flatten().map(|shape| (shape, KnownBy::Selector));
        given.chain(known).filter(|(shape, _)| shape.indexed() == indexed).collect()
    }
}

static KNOWN: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut lexicon = Lexicon::default();
    for line in known::LINES.iter().flat_map(|group| group.lines()).map(str::trim).filter(|line| !line.is_empty()) {
        // A test reads each of them.
        let _ = lexicon.line(line);
    }
    lexicon
});

/// Reads a JSON ABI, or signatures as Solidity writes them.
///
/// # Errors
/// A sentence for whoever wrote it.
pub fn read(text: &str) -> Result<Lexicon, String> {
    let text = text.trim();
    let mut lexicon = Lexicon::default();
    if text.starts_with(['[', '{']) {
        let json: Value = serde_json::from_str(text).map_err(|e| format!("This ABI is no JSON: {e}."))?;
        // What compilers write has the ABI as one of its fields.
        let entries = json.get("abi").unwrap_or(&json).as_array().ok_or("An ABI in JSON is a list of functions, events and errors.")?;
        for (place, entry) in entries.iter().enumerate() {
            lexicon.room().and_then(|()| lexicon.entry(entry)).map_err(|why| format!("Entry {} of this ABI: {why}.", place + 1))?;
        }
    } else {
        for (place, line) in text.split(['\n', ';']).enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with("//") {
                lexicon.room().and_then(|()| lexicon.line(line)).map_err(|why| format!("Signature {}: {why}.", place + 1))?;
            }
        }
    }
    if lexicon.len() == 0 {
        return Err("There is no function, event or error in this ABI.".to_owned());
    }
    Ok(lexicon)
}

impl Lexicon {
    fn len(&self) -> usize {
        self.functions.len() + self.errors.len() + self.events.len()
    }

    fn room(&self) -> Result<(), String> {
        if self.len() < ENTRIES_MAX { Ok(()) } else { Err(format!("there are more than {ENTRIES_MAX}")) }
    }

    fn entry(&mut self, entry: &Value) -> Result<(), String> {
        if let Some(line) = entry.as_str() {
            return self.line(line.trim());
        }
        if !matches!(entry.get("type").and_then(Value::as_str), Some("function" | "event" | "error")) {
            return Ok(()); // a constructor, a fallback: nothing that has a selector
        }
        calm(entry)?;
        match serde_json::from_value(entry.clone()).map_err(|e| quoted(&e.to_string()))? {
            AbiItem::Function(function) => self.function(Shape::of_function(&function)?),
            AbiItem::Event(event) if !event.anonymous => self.event(Shape::of_event(&event)?),
            AbiItem::Error(error) => self.error(Shape::of_error(&error)?),
            _ => {}
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        shallow(line)?;
        let odd = |_| format!("{} is no signature", quoted(line));
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            "event" => {
                let event = Event::parse(line).map_err(odd)?;
                if !event.anonymous {
                    self.event(Shape::of_event(&event)?);
                }
            }
            "error" => self.error(Shape::of_error(&Error::parse(line).map_err(odd)?)?),
            "constructor" | "fallback" | "receive" | "fallback()" | "receive()" => {}
            "struct" => return Err("structs are not read: write their fields in parentheses, where they are used".to_owned()),
            _ => self.function(Shape::of_function(&Function::parse(line).map_err(odd)?)?),
        }
        Ok(())
    }

    fn function(&mut self, shape: Shape) {
        self.functions.entry(shape.selector()).or_insert(shape);
    }

    fn error(&mut self, shape: Shape) {
        self.errors.entry(shape.selector()).or_insert(shape);
    }

    fn event(&mut self, shape: Shape) {
        let all = self.events.entry(shape.topic()).or_default();
        if !all.contains(&shape) {
            all.push(shape);
        }
    }
}

/// The parser of signatures calls itself for each level: what nests too deep never gets there.
fn shallow(line: &str) -> Result<(), String> {
    if line.len() > LINE_MAX {
        return Err(format!("it is longer than {LINE_MAX} characters"));
    }
    let (mut depth, mut brackets) = (0_usize, 0_usize);
    for c in line.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '[' => brackets += 1,
            ',' | ' ' => brackets = 0,
            _ => {}
        }
        if depth > 8 || brackets > 8 {
            return Err("its types nest more than 8 levels deep".to_owned());
        }
    }
    Ok(())
}

/// The same for JSON, whose own nesting is bounded by its reader (128 levels).
fn calm(entry: &Value) -> Result<(), String> {
    match entry {
        Value::String(text) => shallow(text),
        Value::Array(entries) => entries.iter().try_for_each(calm),
        Value::Object(fields) => fields.values().try_for_each(calm),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

    #[test]
    fn both_ways_to_write_an_abi_say_the_same() {
        let json = r#"[{"type":"constructor","inputs":[]},
            {"type":"function","name":"fill","stateMutability":"payable","outputs":[],
             "inputs":[{"name":"orders","type":"tuple[]","components":[{"name":"to","type":"address"},{"name":"rates","type":"uint64[2]"}]}]},
            {"type":"error","name":"TooLate","inputs":[{"name":"at","type":"uint256"}]},
            {"type":"event","name":"Filled","anonymous":false,"inputs":[{"name":"by","type":"address","indexed":true},{"name":"note","type":"string","indexed":false}]}]"#;
        let lines = "function fill((address to, uint64[2] rates)[] orders) external payable;\nerror TooLate(uint at)\n// a comment\nevent Filled(address indexed by, string note)";
        let (json, lines) = (read(json).unwrap(), read(lines).unwrap());
        let strings = read(r#"["function fill((address,uint64[2])[] orders)", "fill2(uint256)"]"#).unwrap();
        let selector = names::selector("fill((address,uint64[2])[])");
        for lexicon in [&json, &lines, &strings] {
            let (shape, known_by) = Names(Some(lexicon)).function(selector).unwrap();
            assert_eq!((shape.signature.as_str(), known_by), ("fill((address,uint64[2])[])", KnownBy::Abi));
            assert_eq!(shape.parameters[0].name.as_deref(), Some("orders"));
        }
        assert_eq!(json.errors, lines.errors);
        assert_eq!(json.events, lines.events);
        assert!(strings.functions.contains_key(&names::selector("fill2(uint256)")));
    }

    #[test]
    fn a_given_abi_comes_before_what_is_well_known() {
        let known = Names(None).function(TRANSFER).unwrap();
        assert_eq!((known.0.signature.as_str(), known.1), ("transfer(address,uint256)", KnownBy::Selector));
        assert_eq!(known.0.parameters[1].name.as_deref(), Some("amount"));
        let given = read("transfer(address whom, uint256 howMuch)").unwrap();
        let (shape, known_by) = Names(Some(&given)).function(TRANSFER).unwrap();
        assert_eq!((shape.parameters[0].name.as_deref(), known_by), (Some("whom"), KnownBy::Abi));
        assert!(Names(None).function([1, 2, 3, 4]).is_none());
    }

    /// A slip of the pen would be told as a fact.
    #[test]
    fn each_well_known_line_is_read() {
        let mut lexicon = Lexicon::default();
        let lines: Vec<&str> = known::LINES.iter().flat_map(|group| group.lines()).map(str::trim).filter(|line| !line.is_empty()).collect();
        for line in &lines {
            lexicon.line(line).unwrap();
            assert!(line.starts_with("function ") || line.starts_with("event ") || line.starts_with("error "), "{line}");
        }
        assert!(lexicon.functions.len() > 60 && lexicon.errors.len() > 60 && lexicon.events.len() > 50, "{}", lines.len());
        // Where both lists know a selector, they agree.
        for (selector, shape) in &lexicon.functions {
            assert!(names::signature(*selector).is_none_or(|signature| signature == shape.signature), "{}", shape.signature);
        }
    }

    #[test]
    fn an_abi_that_is_none_or_nests_without_end_is_told_in_words() {
        for (odd, why) in [
            ("[", "no JSON"),
            ("{}", "is a list"),
            ("[]", "no function"),
            ("hello", "no signature"),
            ("function f(uint257 x)", ""),
            ("struct A { uint x; }", "structs"),
            (r#"[{"type":"function","name":"f","inputs":[{"name":"","type":"nonsense"}],"outputs":[],"stateMutability":"view"}]"#, "Entry 1"),
            ("function f(uint256[4294967295] x)", "places"),
            ("function f(uint256[1000][1000] x)", "places"),
            ("function f(uint256[0][] x)", "no room"),
        ] {
            let said = read(odd).unwrap_err();
            assert!(said.contains(why), "{odd}: {said}");
        }
        let deep = [
            format!("function f({}uint256{})", "(".repeat(900), ")".repeat(900)),
            format!("function f(uint256{})", "[]".repeat(900)),
            format!(r#"[{{"type":"function","name":"f","inputs":[{{"name":"","type":"uint256{}"}}],"outputs":[],"stateMutability":"view"}}]"#, "[]".repeat(20_000)),
            format!("[{}", "{\"abi\":[".repeat(10_000)),
            "f(uint256)\n".repeat(3_000) + "g(",
        ];
        for odd in deep {
            assert!(read(&odd).is_err(), "{}", &odd[..40]);
        }
    }
}
