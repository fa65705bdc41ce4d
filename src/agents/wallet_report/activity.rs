//! What moved lately, from the logs that public nodes still tell: a bounded look back, and how far it went.

use std::collections::HashSet;

use alloy::primitives::keccak256;

use super::{
    answers,
    ask::{Asker, StateSource},
    report::{Activity, Token, Transfer, short},
    tokens::shown,
};
use crate::{
    chain::state::{LogsOf, Written},
    evm::Address,
    money::Amount,
};

/// Blocks that are looked at, at most: five minutes of Monad.
const BLOCKS_MAX: u64 = 1000;
/// Blocks in one request, widest first: what small public nodes allow, and what Monad's smallest do.
const WIDTHS: [u64; 2] = [100, 10];
/// Ranges in one batch, after a first one alone that shows whether the node goes along; each is asked twice, for what came and what went.
const RANGES: u64 = 5;
/// Ranges in all, of either width: with the rest of a run below the 25 requests a second of the strictest public nodes.
const RANGES_MAX: u64 = 11;
/// Transfers that are counted; whoever has more in so few blocks is a market.
const TRANSFERS_MAX: usize = 2000;
/// Transfers that are listed.
const LISTED_MAX: usize = 40;
/// Tokens that are looked at because they moved.
const SEEN_MAX: usize = 8;

/// What was written down, newest first, and how far it was looked.
pub struct Window {
    transfers: Vec<Moves>,
    first: Option<u64>,
    last: u64,
    why: &'static str,
}

struct Moves {
    log: Written,
    from: Address,
    to: Address,
    /// An amount, or of a collection the piece.
    value: Amount,
    is_piece: bool,
}

/// A node that tells no logs only shortens the look: everything else is known all the same.
pub async fn window<S: StateSource>(account: Address, asker: &Asker<'_, S>) -> Window {
    let last = asker.at.height;
    let oldest = last.saturating_sub(BLOCKS_MAX - 1);
    let mut window = Window { transfers: Vec::new(), first: None, last, why: "" };
    let mut known = HashSet::new();
    let (mut widths, mut ranges) = (WIDTHS.iter(), 0);
    let mut width = widths.next().copied().unwrap_or(1);
    let mut next = Some(last);
    while let Some(end) = next.filter(|end| *end >= oldest) {
        if ranges >= RANGES_MAX {
            window.why = "The node tells so few blocks at once that no more were asked for.";
            return window;
        }
        let batch = back_from(end, oldest, width, if ranges == 0 { 1 } else { RANGES });
        ranges += batch.len() as u64;
        let wanted: Vec<LogsOf> = batch.iter().flat_map(|range| both_ways(account, *range)).collect();
        let Ok(said) = asker.source.written(&asker.at, &wanted).await else {
            window.why = "The node did not answer when it was asked for more.";
            return window;
        };
        for ((first, _), said) in batch.iter().zip(said.chunks_exact(2)) {
            let [Some(went), Some(came)] = said else {
                match widths.next() {
                    Some(narrower) => width = *narrower,
                    None => {
                        window.why = "The node tells no logs further back.";
                        return window;
                    }
                }
                break;
            };
            window.take(went.iter().chain(came), &mut known);
            window.first = Some(*first);
            next = first.checked_sub(1);
            if window.transfers.len() > TRANSFERS_MAX {
                window.why = "There are more transfers than are counted.";
                return window;
            }
        }
    }
    window.why = if oldest == 0 { "The chain begins there." } else { "Older ones were not looked at." };
    window
}

/// Newest first.
fn back_from(end: u64, oldest: u64, width: u64, count: u64) -> Vec<(u64, u64)> {
    let ends = (0..count).map_while(|step| end.checked_sub(step * width)).filter(|end| *end >= oldest);
    ends.map(|end| (oldest.max((end + 1).saturating_sub(width)), end)).collect()
}

/// `Transfer(address,address,uint256)`: the same of ERC-20 and ERC-721.
fn transfer_topic() -> [u8; 32] {
    keccak256("Transfer(address,address,uint256)").0
}

fn both_ways(account: Address, (first, last): (u64, u64)) -> [LogsOf; 2] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&account.0);
    let topics = |from, to| LogsOf { topics: [Some(transfer_topic()), from, to], first, last };
    [topics(Some(word), None), topics(None, Some(word))]
}

impl Window {
    fn take<'a>(&mut self, logs: impl Iterator<Item = &'a Written>, known: &mut HashSet<(u64, u64)>) {
        // What an account sends itself is told twice.
        let mut new: Vec<Moves> = logs.filter(|log| known.insert((log.block, log.index))).filter_map(moves).collect();
        new.sort_by_key(|moved| std::cmp::Reverse((moved.log.block, moved.log.index)));
        self.transfers.extend(new);
    }

    /// Tokens that moved, the newest first, a few at most.
    pub fn tokens(&self, besides: &[Address]) -> Vec<Address> {
        let mut seen: HashSet<Address> = besides.iter().copied().collect();
        self.transfers.iter().map(|moved| moved.log.by).filter(|token| seen.insert(*token)).take(SEEN_MAX).collect()
    }

    /// Tokens that wrote down a transfer of nothing from this account: anybody can, to make it look as if it had paid somebody.
    pub fn poisoned_by(&self, account: Address) -> Vec<Address> {
        let nothing = self.transfers.iter().filter(|moved| !moved.is_piece && moved.value.is_zero());
        let mut tokens: Vec<Address> =
            nothing.filter(|moved| moved.from == account && moved.to != account).map(|moved| moved.log.by).collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    pub fn told(&self, account: Address, tokens: &[(Address, Token)]) -> Activity {
        let received = self.transfers.iter().filter(|moved| moved.to == account).count();
        let blocks = self.first.map_or(0, |first| self.last - first + 1);
        Activity {
            blocks,
            first_block: self.first,
            words: match self.first {
                Some(first) => format!("Token transfers in {blocks} blocks, {first} to {}. {}", self.last, self.why),
                None => format!("No block was looked at for transfers. {}", self.why),
            },
            received: u32::try_from(received).unwrap_or(u32::MAX),
            sent: u32::try_from(self.transfers.len() - received).unwrap_or(u32::MAX),
            transfers: self.transfers.iter().take(LISTED_MAX).map(|moved| transfer(moved, account, tokens)).collect(),
        }
    }
}

/// `None`: it only calls itself a transfer.
fn moves(log: &Written) -> Option<Moves> {
    let from = answers::address_or_zero(log.topics.get(1)?)?;
    let to = answers::address_or_zero(log.topics.get(2)?)?;
    let (value, is_piece) = match (log.topics.len(), log.data.len()) {
        (3, 32) => (answers::word(&log.data)?, false),
        (4, 0) => (answers::word(log.topics.get(3)?)?, true),
        _ => return None,
    };
    Some(Moves { log: log.clone(), from, to, value, is_piece })
}

fn transfer(moved: &Moves, account: Address, tokens: &[(Address, Token)]) -> Transfer {
    let received = moved.to == account;
    let token = tokens.iter().find(|(address, _)| *address == moved.log.by).map(|(_, token)| token);
    let title = token.map_or_else(|| short(&moved.log.by.to_string()), Token::title);
    let value = moved.value.to_string();
    Transfer {
        block: moved.log.block,
        transaction: moved.log.transaction.to_string(),
        token: moved.log.by.to_string(),
        received,
        other: if received { moved.from } else { moved.to }.to_string(),
        shown: match (moved.is_piece, token) {
            (true, _) => format!("{title} #{value}"),
            (false, Some(token)) => shown(moved.value, token),
            (false, None) => format!("{value} smallest units of {title}"),
        },
        amount: (!moved.is_piece).then(|| value.clone()),
        piece: moved.is_piece.then_some(value),
    }
}
