//! What is known about one word while code is followed: enough to see who is asked for and what is written.

use alloy::primitives::U256;

use super::{flow::Walk, op};

/// Where in storage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Slot(U256),
    /// An entry of the mapping or array whose own slot this is.
    Member {
        slot: U256,
        by_caller: bool,
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
            (Self::Slot(a), Self::Slot(b)) | (Self::Member { slot: a, .. }, Self::Member { slot: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// Bytes of a word in storage, counted from its low end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub place: Place,
    pub first: u8,
    pub last: u8,
}

impl Part {
    fn of(place: Place, mask: U256) -> Self {
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    CallerIs(Part),
    CallerIsFixed(U256),
    /// It is not zero.
    Truth(Part),
    /// The call at this place in the code succeeded.
    Succeeded(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Known(U256),
    Caller,
    /// Computed from call data.
    Input,
    /// Read from storage: these bits of the word (`mask`, where they are stored), moved down by `shift` bits.
    Stored {
        place: Place,
        mask: U256,
        shift: u16,
    },
    /// A stored word with the bits outside `kept` replaced: how a packed variable is written.
    Patched {
        place: Place,
        kept: U256,
        by: Change,
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
            Self::Known(slot) => Place::Slot(*slot),
            Self::Hash(place) => place.clone(),
            _ => Place::Unknown,
        }
    }

    /// The hash of this word (an array), or of a key and this word (a mapping).
    pub fn member(&self, by_caller: bool) -> Self {
        match self {
            Self::Known(slot) => Self::Hash(Place::Member { slot: *slot, by_caller }),
            Self::Hash(Place::Member { slot, by_caller: outer }) => {
                Self::Hash(Place::Member { slot: *slot, by_caller: by_caller || *outer })
            }
            _ => Self::Other,
        }
    }

    pub fn source(&self) -> Source {
        match self {
            Self::Known(address) => Source::Fixed(*address),
            Self::Stored { place, .. } => Source::Stored(place.clone()),
            Self::Caller => Source::Caller,
            Self::Input => Source::Input,
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
            walk.reads(part);
        }
    }

    pub fn note_decision(&self, walk: &mut Walk) {
        if let Some((Test::Truth(part), _)) = self.as_test() {
            walk.is_decided_by(part);
        }
    }

    /// What storing this word at `place` changes.
    pub fn into_write(self, place: Place, walk: &mut Walk) -> (Part, Change) {
        match self {
            Self::Patched { place: old, kept, by } if old.same(&place) => (Part::of(place, !kept), by),
            Self::Stored { place: old, mask, shift: 0 } if old.same(&place) && mask != U256::MAX => {
                (Part::of(place, !mask), Change::Clear)
            }
            other => {
                let change = other.change(&place);
                if !matches!(other, Self::Moved { .. }) {
                    other.note_use(walk);
                }
                (Part::of(place, U256::MAX), change)
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
            Self::Input => Change::ToInput,
            _ => Change::Set,
        }
    }

    /// The result of an instruction that neither jumps nor touches memory or storage. `a` was on top of the stack.
    pub fn of(opcode: u8, arguments: &[Self], walk: &mut Walk) -> Self {
        match arguments {
            [a] => Self::of_one(opcode, a, walk),
            [a, b] => Self::of_two(opcode, a, b, walk),
            _ => Self::mixed(arguments, walk),
        }
    }

    fn of_one(opcode: u8, a: &Self, walk: &mut Walk) -> Self {
        match (opcode, a) {
            (op::ISZERO, Self::Known(word)) => Self::truth(word.is_zero()),
            (op::NOT, Self::Known(word)) => Self::Known(!*word),
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
            (op::SHL, Self::Known(_), Self::Caller) => Self::Caller,
            (op::MUL, Self::Known(by), Self::Caller) | (op::MUL, Self::Caller, Self::Known(by)) if by.count_ones() == 1 => {
                Self::Caller
            }
            (op::OR, Self::Stored { place, mask, shift: 0 }, new) | (op::OR, new, Self::Stored { place, mask, shift: 0 })
                if *mask != U256::MAX =>
            {
                new.note_use(walk);
                Self::Patched { place: place.clone(), kept: *mask, by: new.change(place) }
            }
            (op::OR, Self::Patched { place, kept, by }, new) | (op::OR, new, Self::Patched { place, kept, by }) => {
                new.note_use(walk);
                Self::Patched { place: place.clone(), kept: *kept, by: *by }
            }
            (op::EQ, Self::Caller, other) | (op::EQ, other, Self::Caller) => Self::caller_is(other, false),
            (op::SUB | op::XOR, Self::Caller, other) | (op::SUB | op::XOR, other, Self::Caller) => Self::caller_is(other, true),
            (op::EQ, stored @ Self::Stored { .. }, Self::Known(word))
            | (op::EQ, Self::Known(word), stored @ Self::Stored { .. }) => match stored.part() {
                Some(part) => Self::Test { test: Test::Truth(part), negated: word.is_zero() },
                None => Self::Other,
            },
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
            _ => Self::Other,
        }
    }

    fn masked(&self, bits: U256, walk: &mut Walk) -> Self {
        match self {
            Self::Caller => Self::Caller,
            Self::Test { .. } => self.clone(),
            Self::Stored { place, mask, shift } => {
                Self::Stored { place: place.clone(), mask: *mask & (bits << usize::from(*shift)), shift: *shift }
            }
            _ => Self::mixed(std::slice::from_ref(self), walk),
        }
    }

    fn moved_down(&self, by: U256, walk: &mut Walk) -> Self {
        match (self, u16::try_from(by)) {
            (Self::Caller, _) => Self::Caller,
            (Self::Stored { place, mask, shift }, Ok(by)) if by < 256 && shift + by < 256 => {
                let shift = shift + by;
                Self::Stored { place: place.clone(), mask: *mask & (U256::MAX << usize::from(shift)), shift }
            }
            _ => Self::mixed(std::slice::from_ref(self), walk),
        }
    }

    /// Nothing is known but whether the caller can choose it.
    fn mixed(arguments: &[Self], walk: &mut Walk) -> Self {
        arguments.iter().for_each(|argument| argument.note_use(walk));
        if arguments.iter().any(|argument| matches!(argument, Self::Input)) { Self::Input } else { Self::Other }
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
