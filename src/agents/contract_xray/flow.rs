//! Follows each function through the code, symbolically, and notes who is let in and what happens then.
//!
//! Everything is bounded: steps, branches, stack and memory. Code that branches more than that is followed as far as the
//! bounds go, the same way each time, and says so (`complete`).

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;

use super::{
    op,
    shape::{Narrow, Step},
    value::{Change, Part, Place, Source, Test, Value},
    way::State,
};

/// Instructions in one function, over all its branches. Ordinary functions take a few thousand.
const FUNCTION_STEPS: u32 = 40_000;
/// Instructions on one way through a function: what loops is cut here.
const WAY_STEPS: u32 = 10_000;
/// Instructions in the whole contract: a second of work at most.
const CONTRACT_STEPS: u32 = 3_000_000;
/// How often one side of one branch is taken with the same checks behind it: what a loop does, it has done by then.
const BRANCH_VISITS: u8 = 12;
/// The EVM's own limit.
const STACK_WORDS: usize = 1024;
/// Parts of storage that are remembered of one function.
const PARTS: usize = 256;
/// Ways in which they are taken.
const SHAPES: usize = 512;
/// Words of the stack, from its top, that are looked through for return addresses.
const CALLERS_WORDS: usize = 64;
/// What a caller seems to send: room for 64 words of arguments after the selector.
const CALL_DATA_BYTES: u64 = 4 + 64 * 32;

/// A check of the caller, passed: they are...
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// ... the address stored here.
    Is(Part),
    /// ... this address.
    Fixed(U256),
    /// ... the contract itself.
    Itself,
    /// ... whom another contract names.
    Told,
    /// ... somebody with an entry in this mapping.
    In(Place),
}

/// Bytes of storage that were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    pub part: Part,
    pub change: Change,
}

/// A call, creation or end, wherever in the code it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deed {
    pub opcode: u8,
    pub offset: u32,
    /// Whose code is called, or who gets the coins.
    pub target: Source,
    /// It may carry coins.
    pub value: bool,
    /// The function that it calls there, where the code fixes that.
    pub calls: Option<[u8; 4]>,
}

/// What one function does, over all the ways through it that end well.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// Checks of the caller that every way to a good end passes.
    pub guards: BTreeSet<Check>,
    /// Where no check is on every way, but each way passes some: all of them.
    pub either: BTreeSet<Check>,
    /// Whom the caller was compared with, whatever came of it.
    pub asks: BTreeSet<Check>,
    /// Selectors that the code compares the caller's with.
    pub selectors: BTreeSet<[u8; 4]>,
    /// How wide each place is taken.
    pub shapes: BTreeSet<(Part, Narrow)>,
    /// How each mapping's key is taken.
    pub keys: BTreeSet<(Place, Narrow)>,
    /// How long arrays of fixed length are, by their slot.
    pub lengths: BTreeSet<(U256, u32)>,
    /// The last number that something was held to be below.
    pub(super) bound: u32,
    pub writes: BTreeSet<Write>,
    /// What is read to compute with.
    pub reads: BTreeSet<Part>,
    /// What decides a branch by being zero or not.
    pub decides: BTreeSet<Part>,
    /// Each with the caller checks that every way to it passes.
    pub deeds: BTreeMap<Deed, BTreeSet<Check>>,
    /// Some way ends well.
    pub ends: bool,
    /// No bound of ours cut it short.
    pub complete: bool,
}

impl Walk {
    pub(super) fn shape(&mut self, part: &Part, narrow: Narrow) {
        if part.place == Place::Unknown || self.shapes.len() >= SHAPES {
            return;
        }
        if let Place::Member { slot, path, .. } = &part.place
            && path.contains(&Step::Index)
            && self.bound > 1
        {
            self.lengths.insert((*slot, self.bound));
        }
        self.shapes.insert((part.clone(), narrow));
    }

    pub(super) fn reads(&mut self, part: Part) {
        if self.reads.len() < PARTS {
            self.reads.insert(part);
        } else {
            self.complete = false;
        }
    }

    pub(super) fn is_decided_by(&mut self, part: Part) {
        if self.decides.len() < PARTS {
            self.decides.insert(part);
        } else {
            self.complete = false;
        }
    }
}

/// Code, prepared once for all its functions.
pub struct Code<'a> {
    bytes: &'a [u8],
    jump_destinations: Vec<bool>,
    steps_left: u32,
    /// Where the code hands calls on: what happens there is not what the called function does.
    pub handed_on: BTreeSet<u32>,
}

/// Who calls, as far as the dispatcher asks.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Function([u8; 4]),
    /// No call data.
    Receive,
}

/// How an instruction went on.
enum Next {
    Step,
    Jump(usize),
    Branch(usize, Value),
    End { well: bool },
}

impl<'a> Code<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut jump_destinations = vec![false; bytes.len()];
        let mut pc = 0;
        while pc < bytes.len() {
            jump_destinations[pc] = bytes[pc] == op::JUMPDEST;
            pc += 1 + op::push_bytes(bytes[pc]);
        }
        Self { bytes, jump_destinations, steps_left: CONTRACT_STEPS, handed_on: BTreeSet::new() }
    }

    /// Follows one entry. The order of the calls matters only when the contract's bound is reached.
    pub fn walk(&mut self, entry: Entry) -> Walk {
        let mut walk = Walk { complete: true, ..Walk::default() };
        let mut visits: BTreeMap<(usize, bool, usize, u64), u8> = BTreeMap::new();
        let mut first_end = true;
        let mut open = false;
        let mut all_passed = BTreeSet::new();
        let mut steps = 0;
        let mut ways = vec![State::default()];
        while let Some(mut state) = ways.pop() {
            loop {
                if steps >= FUNCTION_STEPS || self.steps_left == 0 {
                    walk.complete = false;
                    ways.clear();
                    break;
                }
                if state.steps >= WAY_STEPS {
                    walk.complete = false;
                    break;
                }
                steps += 1;
                self.steps_left -= 1;
                state.steps += 1;
                match self.step(&mut state, entry, &mut walk) {
                    Some(Next::Step) => {}
                    Some(Next::Jump(to)) => {
                        if !self.is_destination(to) {
                            break;
                        }
                        state.pc = to;
                    }
                    Some(Next::Branch(to, condition)) => {
                        if let Some((test, _)) = condition.as_test()
                            && let Some(check) = Check::of(&test)
                        {
                            walk.asks.insert(check);
                        }
                        // Ways that passed fewer checks are not taken for those that passed more: a guard must hold on all.
                        // Nor are the ways into code that many places share, one for another.
                        let (here, passed, caller) = (state.pc, state.passed.len(), self.caller(&state));
                        let mut take = |jump: bool| {
                            let visits = visits.entry((here, jump, passed, caller)).or_default();
                            *visits = visits.saturating_add(1);
                            *visits <= BRANCH_VISITS
                        };
                        if self.is_destination(to) && take(true) {
                            // Copying a way is work too, and is paid for like it.
                            steps += state.stack.len() as u32 / 8;
                            let mut other = state.clone();
                            other.pc = to;
                            other.pass(&condition, true);
                            ways.push(other);
                        }
                        if !take(false) {
                            break;
                        }
                        state.pass(&condition, false);
                        state.pc += 1;
                    }
                    Some(Next::End { well: true }) => {
                        walk.ends = true;
                        if walk.writes.len() < PARTS {
                            walk.writes.append(&mut state.writes);
                        } else {
                            walk.complete = false;
                        }
                        open |= state.passed.is_empty();
                        all_passed.extend(state.passed.iter().cloned());
                        if first_end {
                            walk.guards = std::mem::take(&mut state.passed);
                            first_end = false;
                        } else {
                            walk.guards.retain(|check| state.passed.contains(check));
                        }
                        break;
                    }
                    // It reverts, or does what no compiler writes: nothing of it stays.
                    Some(Next::End { well: false }) | None => break,
                }
            }
        }
        if walk.guards.is_empty() && !open && walk.ends {
            walk.either = all_passed;
        }
        walk
    }

    /// Where this way will return to, from the inside out, as one number.
    fn caller(&self, state: &State) -> u64 {
        let inner = state.stack.iter().rev().take(CALLERS_WORDS);
        let returns = inner.filter_map(Value::small).filter(|word| self.is_destination(*word as usize));
        // FNV-1a, over whole words.
        returns.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    fn is_destination(&self, pc: usize) -> bool {
        self.jump_destinations.get(pc).copied().unwrap_or(false)
    }

    /// One instruction. `None`: the stack is not as it should be.
    fn step(&self, state: &mut State, entry: Entry, walk: &mut Walk) -> Option<Next> {
        let Some(&opcode) = self.bytes.get(state.pc) else { return Some(Next::End { well: true }) };
        let push_bytes = op::push_bytes(opcode);
        if state.stack.len() >= STACK_WORDS {
            return None;
        }
        match opcode {
            op::PUSH0..=op::PUSH32 => {
                let from = state.pc + 1;
                let to = (from + push_bytes).min(self.bytes.len());
                state.push(Value::Known(U256::from_be_slice(&self.bytes[from.min(to)..to])));
                state.pc = to;
                return Some(Next::Step);
            }
            op::DUP1..=op::DUP16 => {
                let at = state.stack.len().checked_sub(usize::from(opcode - op::DUP1) + 1)?;
                state.push(state.stack[at].clone());
            }
            op::SWAP1..=op::SWAP16 => {
                let top = state.stack.len().checked_sub(1)?;
                let other = top.checked_sub(usize::from(opcode - op::SWAP1) + 1)?;
                state.stack.swap(top, other);
            }
            op::POP => {
                state.pop()?;
            }
            op::JUMPDEST => {}
            op::STOP | op::RETURN => return Some(Next::End { well: true }),
            op::REVERT | op::INVALID => return Some(Next::End { well: false }),
            op::JUMP => {
                return match state.pop()?.known() {
                    Some(to) => Some(Next::Jump(usize::try_from(to).ok()?)),
                    None => {
                        walk.complete = false;
                        Some(Next::End { well: false })
                    }
                };
            }
            op::JUMPI => {
                let to = state.pop()?;
                let condition = state.pop()?;
                let Some(to) = to.known() else {
                    walk.complete = false;
                    return Some(Next::End { well: false });
                };
                let to = usize::try_from(to).ok()?;
                if let Some(condition) = condition.known() {
                    if !condition.is_zero() {
                        return Some(Next::Jump(to));
                    }
                } else {
                    condition.note_decision(walk);
                    return Some(Next::Branch(to, condition));
                }
            }
            op::CALLER => state.push(Value::Caller),
            op::CALLDATASIZE => state.push(Value::Known(match entry {
                Entry::Function(_) => U256::from(CALL_DATA_BYTES),
                Entry::Receive => U256::ZERO,
            })),
            op::CALLDATALOAD => {
                let at = state.pop()?;
                let word = match (entry, at.known()) {
                    (Entry::Function(selector), Some(at)) if at.is_zero() => {
                        Value::Known(U256::from(u32::from_be_bytes(selector)) << 224)
                    }
                    _ => Value::Input(Narrow::Whole),
                };
                state.push(word);
            }
            op::SLOAD => {
                let place = state.pop()?.place();
                state.push(Value::stored(place));
            }
            op::SSTORE => {
                let place = state.pop()?.place();
                for (part, change) in state.pop()?.into_writes(&place, walk) {
                    if state.writes.len() < PARTS {
                        state.writes.insert(Write { part, change });
                    } else {
                        walk.complete = false;
                    }
                }
            }
            op::MLOAD => {
                let at = state.pop()?;
                state.push(state.word(&at));
            }
            op::MSTORE => {
                let at = state.pop()?;
                let word = state.pop()?;
                word.note_use(walk);
                state.store(&at, word);
            }
            op::KECCAK256 => {
                let at = state.pop()?;
                let size = state.pop()?;
                let hash = state.hash(&at, &size, walk);
                state.push(hash);
            }
            op::CODESIZE => state.push(Value::Known(U256::from(self.bytes.len()))),
            op::PC => state.push(Value::Known(U256::from(state.pc))),
            op::CALLDATACOPY | op::CODECOPY | op::RETURNDATACOPY | op::MCOPY => {
                let at = state.pop()?;
                let from = state.pop()?;
                let size = state.pop()?;
                state.forget(&at, &size);
                // Where a constant is long and frequent, solc keeps it beside the code and copies it.
                if opcode == op::CODECOPY
                    && size.small() == Some(0x20)
                    && let Some(from) = from.small()
                    && let Some(word) = self.bytes.get(from as usize..from as usize + 0x20)
                {
                    state.store(&at, Value::Known(U256::from_be_slice(word)));
                }
            }
            op::CALL | op::CALLCODE | op::DELEGATECALL | op::STATICCALL => {
                state.pop()?; // gas
                let target = state.pop()?;
                let value = match opcode {
                    // The caller's own coins, handed on, are nobody else's.
                    op::CALL | op::CALLCODE => match state.pop()? {
                        Value::Known(coins) => !coins.is_zero(),
                        Value::Coins => false,
                        coins => {
                            coins.note_use(walk);
                            true
                        }
                    },
                    _ => false,
                };
                let (input, _size) = (state.pop()?, state.pop()?);
                let calls = state.selector(&input);
                let (answer, size) = (state.pop()?, state.pop()?);
                state.forget(&answer, &size);
                if opcode == op::STATICCALL {
                    state.told(&answer, &size);
                }
                if opcode == op::DELEGATECALL && self.handed_on.contains(&(state.pc as u32)) {
                    return Some(Next::End { well: false });
                }
                state.note_deed(walk, Deed { opcode, offset: state.pc as u32, target: target.source(), value, calls });
                state.push(Value::Answer(state.pc as u32));
            }
            op::CREATE | op::CREATE2 => {
                for _ in 0..3 + usize::from(opcode == op::CREATE2) {
                    state.pop()?;
                }
                state.note_deed(walk, Deed { opcode, offset: state.pc as u32, target: Source::Other, value: false, calls: None });
                state.push(Value::Other);
            }
            op::SELFDESTRUCT => {
                let target = state.pop()?.source();
                state.note_deed(walk, Deed { opcode, offset: state.pc as u32, target, value: true, calls: None });
                return Some(Next::End { well: true });
            }
            _ => {
                let (takes, gives) = op::arity(opcode)?;
                let arguments = (0..takes).map(|_| state.pop()).collect::<Option<Vec<_>>>()?;
                if let (op::EQ | op::XOR | op::SUB | op::ADD, Entry::Function(sent), [a, b]) = (opcode, entry, arguments.as_slice()) {
                    note_selector(opcode, sent, a, b, walk);
                }
                if gives {
                    state.push(Value::of(opcode, &arguments, walk));
                } else {
                    arguments.iter().for_each(|argument| argument.note_use(walk));
                }
            }
        }
        state.pc += 1;
        Some(Next::Step)
    }
}

/// The code compares the selector that was sent with another: that one is a function of its own.
fn note_selector(opcode: u8, sent: [u8; 4], a: &Value, b: &Value, walk: &mut Walk) {
    let (Some(a), Some(b)) = (a.known(), b.known()) else { return };
    let sent = U256::from(u32::from_be_bytes(sent));
    let other = |mine: U256, other: U256, shift: usize| {
        // solc also adds what makes zero of it.
        let other = if opcode == op::ADD { U256::ZERO.wrapping_sub(other) } else { other };
        let word = other >> shift;
        (mine == sent << shift && word << shift == other).then(|| u32::try_from(word).ok()).flatten()
    };
    let found = [other(a, b, 0), other(b, a, 0), other(a, b, 224), other(b, a, 224)];
    walk.selectors.extend(found.into_iter().flatten().map(u32::to_be_bytes));
}

impl Check {
    /// What a test asks of the caller, if it does.
    pub fn of(test: &Test) -> Option<Self> {
        match test {
            Test::CallerIs(part) => Some(Self::Is(part.clone())),
            Test::CallerIsFixed(address) => Some(Self::Fixed(*address)),
            Test::CallerIsThis => Some(Self::Itself),
            Test::CallerIsTold => Some(Self::Told),
            Test::Truth(Part { place: place @ Place::Member { by_caller: true, .. }, .. }) => Some(Self::In(place.clone())),
            Test::Truth(_) | Test::Succeeded(_) => None,
        }
    }
}
