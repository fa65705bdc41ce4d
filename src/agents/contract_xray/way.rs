//! One way through the code: its stack, its memory, and the checks that it has passed.

use std::collections::{BTreeSet, btree_map::Entry};

use alloy::primitives::U256;

use super::{
    flow::{Check, Deed, Walk, Write},
    shape::Step,
    value::{Test, Value},
};

/// Words of memory that are remembered on one way.
const MEMORY_WORDS: usize = 96;
/// Mappings that are remembered of one function.
const KEYS: usize = 256;

#[derive(Clone, Default)]
pub struct State {
    pub pc: usize,
    pub steps: u32,
    pub stack: Vec<Value>,
    memory: Vec<(u32, Value)>,
    /// The first four bytes of known words: they outlive the word, because arguments are written from the fifth on.
    selectors: Vec<(u32, [u8; 4])>,
    last_selector: Option<[u8; 4]>,
    pub passed: BTreeSet<Check>,
    /// On this way only: it counts when the way ends well.
    pub writes: BTreeSet<Write>,
}

impl State {
    pub fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    pub fn pop(&mut self) -> Option<Value> {
        self.stack.pop()
    }

    /// This way goes on where `condition` is true, or false: what that says about the caller is remembered.
    pub fn pass(&mut self, condition: &Value, truth: bool) {
        let Some((test, negated)) = condition.as_test() else { return };
        let holds = truth != negated;
        if let Test::Succeeded(call) = test {
            // A later branch on the same answer goes the same way: try and catch leave different stacks.
            for word in self.stack.iter_mut().filter(|word| **word == Value::Answer(call)) {
                *word = Value::Known(U256::from(holds));
            }
        }
        if !holds {
            return;
        }
        if let Some(check) = Check::of(&test) {
            self.passed.insert(check);
        }
    }

    pub fn note_deed(&self, walk: &mut Walk, deed: Deed) {
        match walk.deeds.entry(deed) {
            Entry::Vacant(first) => {
                first.insert(self.passed.clone());
            }
            Entry::Occupied(mut again) => {
                again.get_mut().retain(|check| self.passed.contains(check));
            }
        }
    }

    pub fn word(&self, at: &Value) -> Value {
        let Some(at) = at.small() else { return Value::Other };
        self.memory.iter().rev().find(|(offset, _)| *offset == at).map_or(Value::Other, |(_, word)| word.clone())
    }

    pub fn store(&mut self, at: &Value, word: Value) {
        let begins = word.known().and_then(|word| {
            let [a, b, c, d, ..] = word.to_be_bytes::<32>();
            (word << 32 == U256::ZERO && !word.is_zero()).then_some([a, b, c, d])
        });
        let Some(at) = at.small() else {
            // Where memory is handed out in pieces of any size, the last one that looks like a call's beginning is meant.
            self.last_selector = begins.or(self.last_selector);
            return;
        };
        self.forget_bytes(at, at.saturating_add(32));
        if let (Some(word), true) = (word.known(), self.selectors.len() < MEMORY_WORDS) {
            let [a, b, c, d, ..] = word.to_be_bytes::<32>();
            self.selectors.push((at, [a, b, c, d]));
        }
        if self.memory.len() < MEMORY_WORDS {
            self.memory.push((at, word));
        }
    }

    /// What another contract answers will lie there.
    pub fn told(&mut self, at: &Value, size: &Value) {
        if size.small() == Some(0x20) {
            self.store(at, Value::Told);
        }
    }

    /// The function that a call with its input here names.
    pub fn selector(&self, at: &Value) -> Option<[u8; 4]> {
        let Some(at) = at.small() else { return self.last_selector };
        self.selectors.iter().find(|(offset, _)| *offset == at).map(|(_, selector)| *selector)
    }

    /// Something that we do not follow was copied there.
    pub fn forget(&mut self, at: &Value, size: &Value) {
        let (Some(from), Some(size)) = (at.small(), size.small()) else { return };
        self.forget_bytes(from, from.saturating_add(size));
    }

    fn forget_bytes(&mut self, from: u32, to: u32) {
        self.memory.retain(|(offset, _)| *offset >= to || offset.saturating_add(32) <= from);
        self.selectors.retain(|(offset, _)| *offset >= to || offset.saturating_add(4) <= from);
    }

    /// A hash of one word is where an array begins, of two words a mapping's entry.
    pub fn hash(&self, at: &Value, size: &Value, walk: &mut Walk) -> Value {
        let (Some(at), Some(size)) = (at.small(), size.small()) else { return Value::Other };
        match size {
            0x20 => self.word(&Value::Known(U256::from(at))).member(Step::Element, false),
            0x40 => {
                let key = self.word(&Value::Known(U256::from(at)));
                let base = self.word(&Value::Known(U256::from(at.saturating_add(0x20))));
                let entry = base.member(Step::Key, matches!(key, Value::Caller));
                if let (Value::Hash(place), true) = (&entry, walk.keys.len() < KEYS) {
                    walk.keys.insert((place.clone(), key.narrow()));
                }
                entry
            }
            _ => Value::Other,
        }
    }
}
