//! The types of what is stored, built from how the code gets there and how wide it takes it.
//!
//! evmole tells a mapping's or array's first word. What else a struct has beside it, and how long an array of fixed length is, is told
//! by the steps that the code takes from a slot: a key, an element, a field so many words further on.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;

/// From a slot, or from what a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a mapping.
    Key,
    /// Into an array of any length.
    Element,
    /// Into an array of fixed length.
    Index,
    /// So many words further on.
    Field(u32),
}

/// How wide a word is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Narrow {
    Whole,
    /// Bytes, as in the others.
    Unsigned(u8),
    Signed(u8),
    /// At the word's high end.
    Bytes(u8),
    Bool,
    /// `bytes` or `string`.
    Text,
}

impl Narrow {
    /// What is left of it under a mask.
    pub fn masked(self, bits: U256) -> Self {
        let whole_bytes = |bits: usize| u8::try_from(bits / 8).ok().filter(|_| bits.is_multiple_of(8) && bits > 0);
        if bits.is_zero() || self == Self::Bool {
            return self;
        }
        let (ones, low, high) = (bits.count_ones(), bits.trailing_zeros(), bits.leading_zeros());
        if ones + low + high != 256 {
            return self; // not in one piece
        }
        match (whole_bytes(ones), low, high) {
            (Some(bytes), 0, _) if bytes < 32 => match self {
                Self::Signed(signed) if signed == bytes => self,
                _ => Self::Unsigned(bytes),
            },
            (Some(bytes), _, 0) if bytes < 32 => Self::Bytes(bytes),
            _ => self,
        }
    }

    /// As wide as it is taken; `None` where that is not told.
    pub fn bytes(self) -> Option<u8> {
        match self {
            Self::Unsigned(bytes) | Self::Signed(bytes) | Self::Bytes(bytes) => Some(bytes),
            Self::Bool => Some(1),
            Self::Whole | Self::Text => None,
        }
    }

    /// Stored with nothing beside it, a narrow word says less: what is narrowed for a check is stored as it is.
    pub fn of_a_whole_word(self) -> Self {
        match self {
            Self::Signed(32) => self,
            _ => Self::Whole,
        }
    }

    /// As a mapping's key.
    fn key(self) -> String {
        match self {
            Self::Unsigned(20) => "address".to_owned(),
            Self::Unsigned(bytes) => format!("uint{}", u16::from(bytes) * 8),
            Self::Signed(bytes) => format!("int{}", u16::from(bytes) * 8),
            Self::Bytes(bytes) => format!("bytes{bytes}"),
            Self::Bool => "bool".to_owned(),
            Self::Whole | Self::Text => "uint256".to_owned(),
        }
    }
}

/// So many words of one type, one after the other, are a loop over elements, not a struct.
const ALIKE: usize = 6;

/// Bytes of a word, and how they are taken.
type Leaf = (u8, u8, Narrow);

/// What one step leads to.
#[derive(Default)]
pub struct Tree {
    leaves: BTreeSet<Leaf>,
    fields: BTreeMap<u32, Tree>,
    key: Option<(BTreeSet<Narrow>, Box<Tree>)>,
    element: Option<Box<Tree>>,
    index: Option<Box<Tree>>,
}

impl Tree {
    pub fn leaf(&mut self, path: &[Step], leaf: Leaf) {
        self.at(path).leaves.insert(leaf);
    }

    /// The mapping that `path` ends in was asked with such a key.
    pub fn keyed(&mut self, path: &[Step], by: Narrow) {
        if let [before @ .., Step::Key] = path {
            self.at(before).key.get_or_insert_default().0.insert(by);
        }
    }

    fn at(&mut self, path: &[Step]) -> &mut Self {
        path.iter().fold(self, |tree, step| match step {
            Step::Key => &mut tree.key.get_or_insert_default().1,
            Step::Element => tree.element.get_or_insert_default(),
            Step::Index => tree.index.get_or_insert_default(),
            Step::Field(words) => tree.fields.entry(*words).or_default(),
        })
    }

    pub fn is_indexed(&self) -> bool {
        self.index.is_some()
    }

    /// As Solidity would write it; a struct is its members in parentheses.
    pub fn written(&self) -> String {
        let mut members = self.first_word();
        members.extend(self.fields.values().flat_map(|field| field.members()));
        match members.as_slice() {
            [] => "uint256".to_owned(),
            [member] => member.clone(),
            members => format!("({})", members.join(",")),
        }
    }

    /// A struct within a struct is not told from its members.
    fn members(&self) -> Vec<String> {
        let mut members = self.first_word();
        members.extend(self.fields.values().flat_map(Self::members));
        members
    }

    fn first_word(&self) -> Vec<String> {
        if let Some((keys, inner)) = &self.key {
            // Where the code takes a key narrowly, it is that narrow.
            let key = keys.iter().max().copied().unwrap_or(Narrow::Whole);
            return vec![format!("mapping({} => {})", key.key(), inner.written())];
        }
        if self.leaves.iter().any(|(_, _, narrow)| *narrow == Narrow::Text) {
            return vec!["bytes".to_owned()];
        }
        if let Some(element) = &self.element {
            let members = element.members();
            let alike = members.len() >= ALIKE && members.iter().all(|member| *member == members[0]);
            return vec![if alike { format!("{}[]", members[0]) } else { format!("{}[]", element.written()) }];
        }
        let within = |inner: &Leaf, outer: &Leaf| {
            outer.0 <= inner.0 && inner.1 <= outer.1 && (inner.0, inner.1) != (outer.0, outer.1)
        };
        let finest = self.leaves.iter().filter(|leaf| !self.leaves.iter().any(|other| within(other, leaf)));
        let mut words: BTreeMap<(u8, u8), BTreeSet<Narrow>> = BTreeMap::new();
        for (first, last, narrow) in finest {
            words.entry((*first, *last)).or_default().insert(*narrow);
        }
        words.into_iter().map(|((first, last), taken)| of_bytes(last - first + 1, &taken)).collect()
    }
}

pub fn of_bytes(bytes: u8, taken: &BTreeSet<Narrow>) -> String {
    if bytes == 1 && taken.contains(&Narrow::Bool) {
        return "bool".to_owned();
    }
    if taken.contains(&Narrow::Signed(bytes)) {
        return format!("int{}", u16::from(bytes) * 8);
    }
    match bytes {
        20 => "address".to_owned(),
        32 => "uint256".to_owned(),
        _ if taken.contains(&Narrow::Bytes(bytes)) => format!("bytes{bytes}"),
        _ => format!("uint{}", u16::from(bytes) * 8),
    }
}
