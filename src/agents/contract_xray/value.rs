//! What is known about one word while code is followed: enough to see who is asked for and what is written.

use std::{collections::BTreeMap, sync::LazyLock};

use alloy::primitives::{U256, keccak256};

use super::{
    flow::Walk,
    op,
    shape::{Narrow, Step},
};

/// Steps from a slot to what lies in it: deeper than what anybody writes.
const PATH_STEPS: usize = 8;
/// Variables in one word: a word has as many bytes.
const WORD_PIECES: usize = 32;
/// A number above this is no slot that a compiler counts.
const NUMBERED_SLOTS: U256 = U256::from_limbs([u32::MAX as u64, 0, 0, 0]);
/// Slots whose hash (where an array's elements begin) is recognised where the compiler has worked it out beforehand.
const HASHED_SLOTS: u64 = 256;
/// Words after such a hash that are taken for its elements.
const ELEMENT_WORDS: U256 = U256::from_limbs([1 << 16, 0, 0, 0]);

/// Where in storage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Slot(U256),
    /// Something in the mapping or array whose own slot this is, and the way there.
    Member {
        slot: U256,
        by_caller: bool,
        path: Vec<Step>,
    },
    Unknown,
}

impl Place {
    pub fn slot(&self) -> Option<U256> {
        match self {
            Self::Slot(slot) | Self::Member { slot, .. } => Some(*slot),
            Self::Unknown => None,
        }
    }

    /// The same variable, whoever calls.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Slot(a), Self::Slot(b)) => a == b,
            (Self::Member { slot: a, path: to_a, .. }, Self::Member { slot: b, path: to_b, .. }) => a == b && to_a == to_b,
            _ => false,
        }
    }

    /// One step further in.
    fn then(&self, step: Step) -> Self {
        match self {
            Self::Member { slot, by_caller, path } if path.len() < PATH_STEPS => {
                let mut path = path.clone();
                match (path.last_mut(), step) {
                    (Some(Step::Field(at)), Step::Field(more)) => *at = at.saturating_add(more),
                    _ => path.push(step),
                }
                Self::Member { slot: *slot, by_caller: *by_caller, path }
            }
            Self::Slot(slot) => Self::Member { slot: *slot, by_caller: false, path: vec![step] },
            _ => Self::Unknown,
        }
    }
}

/// The numbered slot of the array that has this word among its elements.
pub fn array_of(word: U256) -> Option<U256> {
    element(word).and_then(|(place, _)| place.slot())
}

/// The element that the hash of a numbered slot begins, and how many words after it `word` is.
fn element(word: U256) -> Option<(Place, U256)> {
    static HASHES: LazyLock<BTreeMap<U256, U256>> = LazyLock::new(|| {
        (0..HASHED_SLOTS).map(U256::from).map(|slot| (keccak256(slot.to_be_bytes::<32>()).into(), slot)).collect()
    });
    let (hash, slot) = HASHES.range(..=word).next_back()?;
    let after = word - *hash;
    (after < ELEMENT_WORDS).then(|| (Place::Slot(*slot).then(Step::Element), after))
}

/// Bytes of a word in storage, counted from its low end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub place: Place,
    pub first: u8,
    pub last: u8,
}

impl Part {
    pub fn of(place: Place, mask: U256) -> Self {
        if mask.is_zero() {
            return Self { place, first: 0, last: 31 };
        }
        Self { place, first: (mask.trailing_zeros() / 8) as u8, last: ((mask.bit_len() - 1) / 8) as u8 }
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.place.same(&other.place) && self.first <= other.last && other.first <= self.last
    }
}

/// How a write changes what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    More,
    Less,
    /// To zero.
    Clear,
    ToCaller,
    ToInput,
    Set,
}

/// Where an address comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Fixed(U256),
    Stored(Place),
    Caller,
    Input,
    Other,
}

/// Bits that are replaced, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub bits: U256,
    pub by: Change,
    pub pieces: Pieces,
}

/// Values side by side in one word: the byte where each begins, from the low end, and how wide it was taken.
pub type Pieces = Vec<(u8, Narrow)>;

impl Patch {
    /// The parts of storage that it fills: one for each piece.
    fn parts(&self, place: &Place) -> Vec<(Part, Narrow)> {
        let all = Part::of(place.clone(), self.bits);
        let mut starts: Pieces = self.pieces.iter().filter(|(at, _)| (all.first..=all.last).contains(at)).copied().collect();
        starts.sort_unstable();
        starts.dedup_by_key(|(at, _)| *at);
        if starts.first().is_none_or(|(at, _)| *at != all.first) {
            starts.insert(0, (all.first, Narrow::Whole));
        }
        let ends = starts.iter().skip(1).map(|(at, _)| at - 1).chain([all.last]);
        let parts = starts.iter().zip(ends).map(|((first, narrow), end)| {
            // A narrow value may leave room before the next one.
            let last = narrow.bytes().map_or(end, |bytes| end.min(first.saturating_add(bytes - 1)));
            (Part { place: place.clone(), first: *first, last }, *narrow)
        });
        parts.collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    CallerIs(Part),
    CallerIsFixed(U256),
    CallerIsThis,
    /// ... what another contract answered.
    CallerIsTold,
    /// It is not zero.
    Truth(Part),
    /// The call at this place in the code succeeded.
    Succeeded(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Known(U256),
    Caller,
    /// The contract's own address.
    This,
    /// What the call carries.
    Coins,
    /// The time, or the block's number.
    Now,
    /// A word that another contract answered.
    Told,
    /// Computed from call data; as wide as the code takes it.
    Input(Narrow),
    /// What the caller sends, put side by side.
    Packed(Pieces),
    /// A number of the code and something else: an element of an array of fixed length, if it is a slot.
    Sum {
        base: U256,
        input: bool,
    },
    /// Read from storage: these bits of the word (`mask`, where they are stored), moved down by `shift` bits.
    Stored {
        place: Place,
        mask: U256,
        shift: u16,
    },
    /// A stored word with some bits replaced: how packed variables are written. `open`: cleared, and not yet filled.
    Patched {
        place: Place,
        open: U256,
        patches: Vec<Patch>,
    },
    /// A stored word, more or less something.
    Moved {
        place: Place,
        up: bool,
    },
    /// A hash that addresses storage.
    Hash(Place),
    /// One where the call at this place in the code succeeded, else zero.
    Answer(u32),
    /// One where the test holds (zero where it is `negated`).
    Test {
        test: Test,
        negated: bool,
    },
    Other,
}

impl Value {
    pub fn stored(place: Place) -> Self {
        Self::Stored { place, mask: U256::MAX, shift: 0 }
    }

    pub fn known(&self) -> Option<U256> {
        match self {
            Self::Known(word) => Some(*word),
            _ => None,
        }
    }

    pub fn small(&self) -> Option<u32> {
        self.known().and_then(|word| u32::try_from(word).ok())
    }

    /// The place that this word addresses.
    pub fn place(&self) -> Place {
        match self {
            Self::Known(slot) => match element(*slot) {
                Some((place, after)) if after.is_zero() => place,
                Some((place, after)) => place.then(Step::Field(after.to())),
                None => Place::Slot(*slot),
            },
            Self::Hash(place) => place.clone(),
            Self::Sum { base, input } => match element(*base) {
                Some((place, _)) => place,
                // A caller chooses an element; what is reached otherwise may be anything that is so many words on.
                None if *input && *base <= NUMBERED_SLOTS => Place::Slot(*base).then(Step::Index),
                None => Place::Unknown,
            },
            _ => Place::Unknown,
        }
    }

    /// The hash of this word (an array), or of a key and this word (a mapping).
    pub fn member(&self, step: Step, keyed_by_caller: bool) -> Self {
        let inner = match self {
            Self::Known(slot) => Place::Slot(*slot).then(step),
            Self::Hash(place) => place.then(step),
            Self::Sum { .. } => self.place().then(step),
            _ => return Self::Other,
        };
        match inner {
            Place::Member { slot, by_caller, path } => {
                Self::Hash(Place::Member { slot, by_caller: by_caller || keyed_by_caller, path })
            }
            _ => Self::Other,
        }
    }

    /// How wide the code takes it.
    pub fn narrow(&self) -> Narrow {
        match self {
            Self::Caller | Self::This => Narrow::Unsigned(20),
            Self::Input(narrow) => *narrow,
            Self::Test { .. } => Narrow::Bool,
            Self::Stored { mask, .. } => {
                let part = Part::of(Place::Unknown, *mask);
                match part.last - part.first + 1 {
                    32 => Narrow::Whole,
                    bytes => Narrow::Unsigned(bytes),
                }
            }
            _ => Narrow::Whole,
        }
    }

    /// What it brings into a word, where its own lowest byte comes to lie at bit `low` if it was not moved there.
    fn pieces(&self, low: usize) -> Pieces {
        match self {
            Self::Packed(pieces) => pieces.clone(),
            other => vec![((low / 8) as u8, other.narrow())],
        }
    }

    pub fn source(&self) -> Source {
        match self {
            Self::Known(address) => Source::Fixed(*address),
            Self::Stored { place, .. } => Source::Stored(place.clone()),
            Self::Caller => Source::Caller,
            Self::Input(_) | Self::Packed(_) | Self::Sum { input: true, .. } => Source::Input,
            _ => Source::Other,
        }
    }

    fn part(&self) -> Option<Part> {
        match self {
            Self::Stored { place, mask, .. } => Some(Part::of(place.clone(), *mask)),
            Self::Moved { place, .. } => Some(Part::of(place.clone(), U256::MAX)),
            Self::Test { test: Test::CallerIs(part) | Test::Truth(part), .. } => Some(part.clone()),
            _ => None,
        }
    }

    /// What a branch on this word decides by, and whether it holds where the word is zero.
    pub fn as_test(&self) -> Option<(Test, bool)> {
        match self {
            Self::Test { test, negated } => Some((test.clone(), *negated)),
            Self::Stored { .. } => self.part().map(|part| (Test::Truth(part), false)),
            Self::Answer(call) => Some((Test::Succeeded(*call), false)),
            _ => None,
        }
    }

    pub fn note_use(&self, walk: &mut Walk) {
        if let Some(part) = self.part() {
            let narrow = match self {
                Self::Test { test: Test::Truth(_), .. } => Narrow::Bool,
                other => other.narrow(),
            };
            walk.shape(&part, narrow);
            walk.reads(part);
        }
    }

    pub fn note_decision(&self, walk: &mut Walk) {
        if let Some((Test::Truth(part), _)) = self.as_test() {
            walk.shape(&part, Narrow::Bool);
            walk.is_decided_by(part);
        }
    }

    /// What storing this word at `place` changes: the parts of the slot, and how.
    pub fn into_writes(self, place: &Place, walk: &mut Walk) -> Vec<(Part, Change)> {
        match self {
            Self::Patched { place: old, open, mut patches } if old.same(place) => {
                if !open.is_zero() {
                    patches.push(Patch { bits: open, by: Change::Clear, pieces: Vec::new() });
                }
                let mut written = Vec::new();
                for patch in patches {
                    patch.parts(place).iter().for_each(|(part, narrow)| walk.shape(part, *narrow));
                    written.push((Part::of(place.clone(), patch.bits), patch.by));
                }
                written
            }
            Self::Stored { place: old, mask, shift: 0 } if old.same(place) && mask != U256::MAX => {
                let part = Part::of(place.clone(), !mask);
                walk.shape(&part, Narrow::Whole);
                vec![(part, Change::Clear)]
            }
            other => {
                let change = other.change(place);
                if !matches!(other, Self::Moved { .. }) {
                    other.note_use(walk);
                }
                if let Self::Packed(pieces) = other {
                    let patch = Patch { bits: U256::MAX, by: change, pieces };
                    patch.parts(place).iter().for_each(|(part, narrow)| walk.shape(part, *narrow));
                } else {
                    walk.shape(&Part::of(place.clone(), U256::MAX), other.narrow().of_a_whole_word());
                }
                vec![(Part::of(place.clone(), U256::MAX), change)]
            }
        }
    }

    fn change(&self, place: &Place) -> Change {
        match self {
            Self::Moved { place: old, up } if old.same(place) => match up {
                true => Change::More,
                false => Change::Less,
            },
            Self::Known(word) if word.is_zero() => Change::Clear,
            Self::Caller => Change::ToCaller,
            Self::Input(_) | Self::Packed(_) | Self::Sum { input: true, .. } => Change::ToInput,
            _ => Change::Set,
        }
    }

    /// The result of an instruction that neither jumps nor touches memory or storage. `a` was on top of the stack.
    pub fn of(opcode: u8, arguments: &[Self], walk: &mut Walk) -> Self {
        match arguments {
            [] if opcode == op::ADDRESS => Self::This,
            [] if opcode == op::CALLVALUE => Self::Coins,
            [] if matches!(opcode, op::TIMESTAMP | op::NUMBER) => Self::Now,
            [a] => Self::of_one(opcode, a, walk),
            [a, b] => Self::of_two(opcode, a, b, walk),
            _ => Self::mixed(arguments, walk),
        }
    }

    fn of_one(opcode: u8, a: &Self, walk: &mut Walk) -> Self {
        match (opcode, a) {
            (op::ISZERO, Self::Known(word)) => Self::truth(word.is_zero()),
            (op::NOT, Self::Known(word)) => Self::Known(!*word),
            (op::ISZERO, Self::Input(_)) => Self::Input(Narrow::Bool),
            (op::ISZERO, Self::Test { .. } | Self::Stored { .. } | Self::Answer(_)) => match a.as_test() {
                Some((test, negated)) => Self::Test { test, negated: !negated },
                None => Self::Other,
            },
            _ => Self::mixed(std::slice::from_ref(a), walk),
        }
    }

    fn of_two(opcode: u8, a: &Self, b: &Self, walk: &mut Walk) -> Self {
        if let (Self::Known(a), Self::Known(b)) = (a, b) {
            return Self::computed(opcode, *a, *b);
        }
        match (opcode, a, b) {
            (op::AND, Self::Known(bits), word) | (op::AND, word, Self::Known(bits)) => word.masked(*bits, walk),
            (op::SHR, Self::Known(by), word) => word.moved_down(*by, walk),
            (op::DIV, word, Self::Known(by)) if by.count_ones() == 1 => word.moved_down(U256::from(by.trailing_zeros()), walk),
            // Solidity shifts a mask's worth of caller or input up to where it is packed.
            (op::SHL, Self::Known(by), word) => word.moved_up(*by, walk),
            (op::MUL, Self::Known(by), word) | (op::MUL, word, Self::Known(by)) if by.count_ones() == 1 => {
                word.moved_up(U256::from(by.trailing_zeros()), walk)
            }
            (op::SIGNEXTEND, Self::Known(last), word) => word.signed(*last, walk),
            (op::OR, Self::Stored { place, mask, shift: 0 }, new) | (op::OR, new, Self::Stored { place, mask, shift: 0 })
                if *mask != U256::MAX =>
            {
                new.note_use(walk);
                let patch = Patch { bits: !*mask, by: new.change(place), pieces: new.pieces((!*mask).trailing_zeros()) };
                Self::Patched { place: place.clone(), open: U256::ZERO, patches: vec![patch] }
            }
            (op::OR, Self::Patched { place, open, patches }, new) | (op::OR, new, Self::Patched { place, open, patches }) => {
                new.note_use(walk);
                if patches.iter().map(|patch| 1 + patch.pieces.len()).sum::<usize>() > WORD_PIECES {
                    return Self::Other;
                }
                let mut patches = patches.clone();
                if !open.is_zero() {
                    patches.push(Patch { bits: *open, by: new.change(place), pieces: new.pieces(open.trailing_zeros()) });
                } else if let Some(last) = patches.last_mut() {
                    last.pieces.extend(new.pieces(last.bits.trailing_zeros()));
                }
                Self::Patched { place: place.clone(), open: U256::ZERO, patches }
            }
            (op::OR, Self::Packed(pieces), other @ (Self::Packed(_) | Self::Input(_)))
            | (op::OR, other @ Self::Input(_), Self::Packed(pieces))
                if pieces.len() < WORD_PIECES =>
            {
                Self::Packed([pieces.as_slice(), &other.pieces(0)].concat())
            }
            (op::EQ, Self::Caller, other) | (op::EQ, other, Self::Caller) => Self::caller_is(other, false),
            (op::SUB | op::XOR, Self::Caller, other) | (op::SUB | op::XOR, other, Self::Caller) => Self::caller_is(other, true),
            (op::EQ, stored @ Self::Stored { .. }, Self::Known(word))
            | (op::EQ, Self::Known(word), stored @ Self::Stored { .. }) => match stored.part() {
                Some(part) => {
                    walk.shape(&part, stored.narrow());
                    Self::Test { test: Test::Truth(part), negated: word.is_zero() }
                }
                None => Self::Other,
            },
            // A moment that is stored opens or closes a way, as a switch does.
            (op::LT | op::GT, Self::Now, stored @ Self::Stored { .. }) | (op::LT | op::GT, stored @ Self::Stored { .. }, Self::Now) => {
                if let Some(part) = stored.part() {
                    walk.shape(&part, stored.narrow());
                    walk.is_decided_by(part);
                }
                Self::Other
            }
            (op::SLT | op::SGT, ..) => {
                a.clone().signed(U256::from(31), walk);
                b.clone().signed(U256::from(31), walk);
                Self::mixed(&[a.clone(), b.clone()], walk)
            }
            (op::LT, other, Self::Known(bound)) | (op::GT, Self::Known(bound), other) => {
                walk.bound = bound.try_into().unwrap_or_default();
                Self::mixed(std::slice::from_ref(other), walk)
            }
            (op::ADD, Self::Hash(place), Self::Known(words)) | (op::ADD, Self::Known(words), Self::Hash(place)) => {
                match u16::try_from(*words) {
                    Ok(words) if words > 0 => Self::Hash(place.then(Step::Field(words.into()))),
                    _ => Self::Hash(place.clone()),
                }
            }
            (op::ADD, Self::Hash(place), other) | (op::ADD, other, Self::Hash(place)) => {
                other.note_use(walk);
                Self::Hash(place.clone())
            }
            (op::ADD, Self::Stored { place, mask: U256::MAX, shift: 0 }, other)
            | (op::ADD, other, Self::Stored { place, mask: U256::MAX, shift: 0 }) => {
                other.note_use(walk);
                Self::Moved { place: place.clone(), up: true }
            }
            (op::SUB, Self::Stored { place, mask: U256::MAX, shift: 0 }, other) => {
                other.note_use(walk);
                Self::Moved { place: place.clone(), up: false }
            }
            (op::ADD, Self::Sum { base, input }, Self::Known(more)) | (op::ADD, Self::Known(more), Self::Sum { base, input }) => {
                Self::Sum { base: base.wrapping_add(*more), input: *input }
            }
            (op::ADD, Self::Known(base), other) | (op::ADD, other, Self::Known(base)) => {
                other.note_use(walk);
                Self::Sum { base: *base, input: matches!(other, Self::Input(_)) }
            }
            _ => Self::mixed(&[a.clone(), b.clone()], walk),
        }
    }

    fn caller_is(other: &Self, negated: bool) -> Self {
        match other {
            Self::Stored { place: Place::Slot(_), .. } => match other.part() {
                Some(part) => Self::Test { test: Test::CallerIs(part), negated },
                None => Self::Other,
            },
            Self::Known(address) => Self::Test { test: Test::CallerIsFixed(*address), negated },
            Self::This => Self::Test { test: Test::CallerIsThis, negated },
            Self::Told => Self::Test { test: Test::CallerIsTold, negated },
            _ => Self::Other,
        }
    }

    fn masked(&self, bits: U256, walk: &mut Walk) -> Self {
        match self {
            Self::Caller | Self::This | Self::Told => self.clone(),
            Self::Test { .. } => self.clone(),
            // The lowest bit says where a text of `bytes` or `string` lies.
            Self::Stored { place, mask: U256::MAX, shift: 0 } if bits == U256::from(1) => {
                walk.shape(&Part::of(place.clone(), U256::MAX), Narrow::Text);
                Self::Stored { place: place.clone(), mask: bits, shift: 0 }
            }
            Self::Stored { place, mask, shift } => {
                Self::Stored { place: place.clone(), mask: *mask & (bits << usize::from(*shift)), shift: *shift }
            }
            Self::Patched { patches, .. } if patches.len() > WORD_PIECES => Self::Other,
            Self::Patched { place, open, patches } => {
                let filled = patches.iter().fold(*open, |filled, patch| filled | patch.bits);
                let patches = match open.is_zero() {
                    true => patches.clone(),
                    // Cleared and left so.
                    false => [patches.as_slice(), &[Patch { bits: *open, by: Change::Clear, pieces: Vec::new() }]].concat(),
                };
                Self::Patched { place: place.clone(), open: !bits & !filled, patches }
            }
            Self::Input(narrow) => Self::Input(narrow.masked(bits)),
            Self::Packed(pieces) => {
                let part = Part::of(Place::Unknown, bits);
                let kept = pieces.iter().filter(|(at, _)| (part.first..=part.last).contains(at));
                Self::Packed(kept.map(|(at, narrow)| (*at, narrow.masked(bits >> (usize::from(*at) * 8)))).collect())
            }
            _ => Self::mixed(std::slice::from_ref(self), walk),
        }
    }

    fn moved_down(&self, by: U256, walk: &mut Walk) -> Self {
        match (self, u16::try_from(by)) {
            (Self::Caller | Self::Told, _) => self.clone(),
            // Bytes are kept at a word's high end, and stored at its low one.
            (Self::Input(Narrow::Whole), Ok(by)) if by < 256 && by % 8 == 0 => Self::Input(Narrow::Bytes((32 - by / 8) as u8)),
            (Self::Input(narrow), _) => Self::Input(*narrow),
            (Self::Stored { place, mask, shift }, Ok(by)) if by < 256 && shift + by < 256 => {
                let shift = shift + by;
                Self::Stored { place: place.clone(), mask: *mask & (U256::MAX << usize::from(shift)), shift }
            }
            _ => Self::mixed(std::slice::from_ref(self), walk),
        }
    }

    fn moved_up(&self, by: U256, walk: &mut Walk) -> Self {
        match (self, u16::try_from(by)) {
            (Self::Caller | Self::Told, _) => self.clone(),
            (Self::Input(_) | Self::Test { .. }, Ok(by)) if by < 256 && by % 8 == 0 => Self::Packed(vec![((by / 8) as u8, self.narrow())]),
            (Self::Input(_) | Self::Packed(_), _) => Self::Input(Narrow::Whole),
            (Self::Test { .. }, _) => self.clone(),
            // What is read up to a word's high end is bytes.
            (Self::Stored { place, mask, shift }, Ok(by)) if by < 256 && by % 8 == 0 && *shift < 256 => {
                let below = U256::MAX >> usize::from(by);
                let mask = *mask & (below << usize::from(*shift));
                let part = Part::of(place.clone(), mask);
                if u16::from(part.last - part.first + 1) * 8 == 256 - by {
                    walk.shape(&part, Narrow::Bytes(part.last - part.first + 1));
                }
                walk.reads(part);
                Self::Other
            }
            _ => Self::mixed(std::slice::from_ref(self), walk),
        }
    }

    /// Taken as a number with a sign, whose last byte from the low end is `last`.
    fn signed(&self, last: U256, walk: &mut Walk) -> Self {
        let bytes = u8::try_from(last).unwrap_or(31).min(31) + 1;
        match self {
            Self::Stored { place, mask, shift } => {
                let kept = if bytes == 32 { U256::MAX } else { (U256::from(1) << (usize::from(bytes) * 8)) - U256::from(1) };
                let part = Part::of(place.clone(), *mask & (kept << usize::from(*shift)));
                if part.last - part.first + 1 == bytes {
                    walk.shape(&part, Narrow::Signed(bytes));
                }
                walk.reads(part);
                Self::Other
            }
            Self::Input(_) => Self::Input(Narrow::Signed(bytes)),
            _ => Self::mixed(std::slice::from_ref(self), walk),
        }
    }

    /// Nothing is known but whether the caller can choose it.
    fn mixed(arguments: &[Self], walk: &mut Walk) -> Self {
        arguments.iter().for_each(|argument| argument.note_use(walk));
        let chosen = |argument: &Self| matches!(argument, Self::Input(_) | Self::Packed(_) | Self::Sum { input: true, .. });
        if arguments.iter().any(chosen) { Self::Input(Narrow::Whole) } else { Self::Other }
    }

    fn truth(holds: bool) -> Self {
        Self::Known(U256::from(holds))
    }

    fn computed(opcode: u8, a: U256, b: U256) -> Self {
        let shift = |by: U256| usize::try_from(by).ok().filter(|by| *by < 256);
        Self::Known(match opcode {
            op::ADD => a.wrapping_add(b),
            op::MUL => a.wrapping_mul(b),
            op::SUB => a.wrapping_sub(b),
            op::DIV => a.checked_div(b).unwrap_or_default(),
            op::EXP => a.wrapping_pow(b),
            op::LT => U256::from(a < b),
            op::GT => U256::from(a > b),
            op::SLT | op::SGT => {
                // Two's complement: flipping the sign bit makes the signed order the unsigned one.
                let flip = U256::from(1) << 255;
                U256::from(if opcode == op::SLT { a ^ flip < b ^ flip } else { a ^ flip > b ^ flip })
            }
            op::EQ => U256::from(a == b),
            op::AND => a & b,
            op::OR => a | b,
            op::XOR => a ^ b,
            op::SHL => shift(a).map_or(U256::ZERO, |by| b << by),
            op::SHR => shift(a).map_or(U256::ZERO, |by| b >> by),
            _ => return Self::Other,
        })
    }
}
