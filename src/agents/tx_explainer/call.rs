//! Call data, read as calls and the calls inside them.

use super::{
    abi::{self, Budget, Misfit, Value},
    lexicon::Names,
    nested::{self, Inner},
    report::{Argument, Call, KnownBy},
    shape::Shape,
};
use crate::{
    evm::Address,
    money::Amount,
};

/// Calls inside calls, at most; the transaction's own is at 0.
pub const DEPTH_MAX: u8 = 8;
/// Calls in one report.
pub const CALLS_MAX: usize = 150;
/// Words of call data that nobody can name.
const WORDS_MAX: usize = 24;

/// A call as it was read, for whoever draws conclusions from it.
#[derive(Clone, Debug)]
pub struct Told {
    pub depth: u8,
    /// Who calls; `None`: nobody knows yet.
    pub from: Option<Address>,
    pub to: Option<Address>,
    pub value: Amount,
    /// It runs foreign code as its own (DELEGATECALL).
    pub is_delegate: bool,
    pub selector: Option<[u8; 4]>,
    /// `None`: the name is not known, or the data does not fit it.
    pub shape: Option<Shape>,
    pub known_by: KnownBy,
    pub values: Vec<Value>,
    /// Where nobody knows the name: the data as it is, its beginning at most.
    words: Vec<u8>,
    notes: Vec<String>,
}

impl Told {
    pub fn signature(&self) -> &str {
        self.shape.as_ref().map(|shape| shape.signature.as_str()).unwrap_or_default()
    }

    pub fn name(&self) -> Option<&str> {
        self.shape.as_ref().map(|shape| shape.name.as_str())
    }

    pub fn is_guessed(&self) -> bool {
        self.known_by == KnownBy::Guess
    }
}

/// The calls, and how many more there were.
#[derive(Debug, Default)]
pub struct Calls {
    pub told: Vec<Told>,
    pub left_out: u32,
    /// Some lie deeper than is followed.
    pub is_cut: bool,
    /// Something unfolds to more than is read.
    pub is_too_much: bool,
}

/// Reads a call and what is inside it.
pub fn read(call: Inner, names: Names<'_>, budget: &mut Budget) -> Calls {
    let mut teller = Teller { names, budget, calls: Calls::default() };
    teller.tell(call, 0);
    teller.calls
}

struct Teller<'a> {
    names: Names<'a>,
    budget: &'a mut Budget,
    calls: Calls,
}

impl Teller<'_> {
    /// Calls itself for what is inside: [`DEPTH_MAX`] bounds that.
    fn tell(&mut self, call: Inner, depth: u8) {
        if self.calls.told.len() >= CALLS_MAX {
            self.calls.left_out = self.calls.left_out.saturating_add(1);
            return;
        }
        let Inner { from, to, value, data, is_delegate, note, is_hint, command } = call;
        let mut told = Told {
            depth,
            from,
            to,
            value,
            is_delegate,
            selector: None,
            shape: None,
            known_by: KnownBy::Nothing,
            values: Vec::new(),
            words: Vec::new(),
            notes: note.into_iter().collect(),
        };
        if let Some(shape) = command {
            // A router's own command: its input has no selector.
            self.fit(&mut told, shape, KnownBy::Selector, &data, is_hint);
        } else if let Some((selector, arguments)) = data.split_first_chunk::<4>() {
            told.selector = Some(*selector);
            match self.names.function(*selector) {
                Some((shape, known_by)) => self.fit(&mut told, shape.into_owned(), known_by, arguments, is_hint),
                None => guess(&mut told, &data),
            }
        } else if !data.is_empty() {
            guess(&mut told, &data);
        }
        if is_hint && told.shape.is_none() {
            return;
        }
        let inner = match told.shape.as_ref() {
            Some(_) => nested::inside(&told, self.budget),
            None => Vec::new(),
        };
        self.calls.told.push(told);
        if depth >= DEPTH_MAX && !inner.is_empty() {
            self.calls.is_cut = true;
            self.calls.left_out = self.calls.left_out.saturating_add(u32::try_from(inner.len()).unwrap_or(u32::MAX));
            return;
        }
        for call in inner {
            self.tell(call, depth + 1);
        }
    }

    fn fit(&mut self, told: &mut Told, shape: Shape, known_by: KnownBy, arguments: &[u8], is_hint: bool) {
        match abi::decode(&shape.kinds(), arguments, self.budget) {
            Ok(decoded) => {
                match arguments.len() - decoded.read {
                    0 => {}
                    // What only looks like a call must be one to its last byte.
                    _ if is_hint => return,
                    more => told.notes.push(format!("{more} more bytes follow its arguments.")),
                }
                told.values = decoded.values;
                told.shape = Some(shape);
                told.known_by = known_by;
            }
            Err(misfit) => {
                self.calls.is_too_much |= misfit == Misfit::Budget;
                told.notes.push(match misfit {
                    Misfit::Budget => format!("Its arguments unfold to more than is read here ({}).", shape.signature),
                    _ => format!("Its selector is that of {}, but its data does not fit that.", shape.signature),
                });
                guess(told, arguments);
            }
        }
    }
}

fn guess(told: &mut Told, data: &[u8]) {
    told.known_by = KnownBy::Guess;
    if let Some(words) = readable(data) {
        told.selector = None;
        told.notes.push(format!("Its data reads as text: “{words}”."));
        return;
    }
    let arguments = if told.selector.is_some() && data.len() >= 4 && Some(&data[..4]) == told.selector.as_ref().map(|s| &s[..]) {
        &data[4..]
    } else {
        data
    };
    let kept = arguments.len().min(WORDS_MAX * 32);
    told.words = arguments[..kept].to_vec();
    told.notes.push(match arguments.len() {
        0 => "The name of this function is not known here.".to_owned(),
        length if length > kept => format!("The name of this function is not known here; of its {length} bytes the first {kept} are shown, and what they are is guessed."),
        _ => "The name of this function is not known here; what its words are is guessed.".to_owned(),
    });
}

/// People write messages into transactions.
fn readable(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok()?;
    let is_prose = text.chars().all(|c| !c.is_control() || c == '\n') && text.chars().filter(|c| c.is_alphabetic()).count() >= 4;
    is_prose.then(|| text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(200).collect())
}

/// As it is told in the report. `note`: what an argument is to a person, by its place.
pub fn report(told: &Told, value: Option<super::report::Sum>, budget: &mut Budget, note: impl Fn(usize) -> Option<String>) -> Call {
    let arguments = match &told.shape {
        Some(shape) => (shape.parameters.iter().zip(&told.values).enumerate())
            .map(|(place, (parameter, value))| Argument {
                name: parameter.name.clone(),
                kind: parameter.kind_text.clone(),
                value: value.text(budget),
                note: note(place),
            })
            .collect(),
        None => words(&told.words),
    };
    Call {
        depth: told.depth,
        to: told.to.map(|to| to.to_string()),
        value,
        selector: told.selector.map(alloy::hex::encode_prefixed),
        signature: told.shape.as_ref().map(|shape| shape.signature.clone()),
        known_by: told.known_by,
        arguments,
        note: (!told.notes.is_empty()).then(|| told.notes.join(" ")),
    }
}

/// Bytes that nobody can name, word by word.
pub fn words(data: &[u8]) -> Vec<Argument> {
    (data.chunks(32).take(WORDS_MAX))
        .map(|word| Argument {
            name: None,
            kind: format!("bytes{}", word.len()),
            value: alloy::hex::encode_prefixed(word),
            note: looks_like(word),
        })
        .collect()
}

/// What a word may be, by how it looks.
fn looks_like(word: &[u8]) -> Option<String> {
    if word.len() != 32 {
        return None;
    }
    let zeros = word.iter().take_while(|byte| **byte == 0).count();
    match zeros {
        // A number of 96 to 160 bits is rarer than an address.
        12..=15 => Some(format!("perhaps the address {}", alloy::hex::encode_prefixed(&word[12..]))),
        16..=32 => {
            let number = alloy::primitives::U256::from_be_slice(word);
            Some(format!("perhaps the number {number}"))
        }
        0 => {
            let text = word.split(|byte| *byte == 0).next().unwrap_or_default();
            let rest_is_zero = word[text.len()..].iter().all(|byte| *byte == 0);
            let words = std::str::from_utf8(text).ok()?;
            (rest_is_zero && words.len() >= 3 && words.chars().all(|c| c.is_ascii_graphic() || c == ' '))
                .then(|| format!("perhaps the text “{words}”"))
        }
        _ => None,
    }
}
