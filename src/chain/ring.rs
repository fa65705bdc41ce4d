//! The blocks that were read and may still vanish: a chain of their own, link by link.
//!
//! It keeps what little a payment needs of *every* transaction in them, so that a hash which is waited for only later is
//! found without reading the block again. Nothing here asks a node.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{
    Cursor, Interest,
    wire::{Block, Header},
};
use crate::evm::TxHash;

/// Blocks that may wait for finality: above what Ethereum takes (64 to 96), and hours of a chain that stands still.
const BLOCKS_MAX: usize = 1024;

/// About 25 MB of transactions: some forty of the fullest blocks of Monad, of which two wait.
const TRANSACTIONS_MAX: usize = 200_000;

#[derive(Default)]
pub(super) struct Ring {
    blocks: VecDeque<Block>,
    transactions: usize,
}

/// What became of a block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Added,
    /// It stands on another block than the newest here, which was dropped.
    Replaced,
    /// It stands on another block than the cursor's.
    NotOnCursor,
    /// It is not the next one.
    Elsewhere,
}

/// Did it fit what is waited for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aligned {
    Kept,
    Cleared,
}

impl Ring {
    /// Lets go of what the cursor has passed, or of all if it does not fit what is waited for now.
    pub fn align(&mut self, interest: &Interest) -> Aligned {
        let Some(first) = self.blocks.front() else { return Aligned::Kept };
        let (first, parent) = (first.height, first.parent);
        let fits = match interest.cursor {
            Some(cursor) if cursor.height >= first => self.at(cursor.height).is_some_and(|block| block.hash == cursor.hash),
            Some(cursor) if cursor.height + 1 == first => cursor.hash == parent,
            _ => first <= start(interest), // else something below is waited for that was not read
        };
        if !fits {
            *self = Self::default();
            return Aligned::Cleared;
        }
        if let Some(cursor) = interest.cursor {
            self.drop_through(cursor.height);
        }
        Aligned::Kept
    }

    /// The next block to read.
    pub fn next(&self, interest: &Interest) -> u64 {
        self.blocks.back().map_or_else(|| start(interest), |last| last.height + 1)
    }

    pub fn last(&self) -> Option<u64> {
        self.blocks.back().map(|block| block.height)
    }

    /// Is there no room until some of it is final?
    pub fn is_full(&self) -> bool {
        self.blocks.len() >= BLOCKS_MAX || self.transactions >= TRANSACTIONS_MAX
    }

    pub fn link(&mut self, block: Block, interest: &Interest) -> Link {
        if block.height != self.next(interest) {
            return Link::Elsewhere;
        }
        match (self.blocks.back(), interest.cursor) {
            (Some(last), _) if last.hash != block.parent => {
                self.drop_from(last.height);
                return Link::Replaced;
            }
            (None, Some(cursor)) if cursor.height + 1 == block.height && cursor.hash != block.parent => {
                return Link::NotOnCursor;
            }
            _ => {}
        }
        self.transactions += block.transactions.len();
        self.blocks.push_back(block);
        Link::Added
    }

    /// Compares with a block of the canonical chain, and drops what contradicts it. How far up is it the same chain?
    /// `None`: it cannot tell.
    pub fn agree(&mut self, canonical: &Header) -> Option<u64> {
        if let Some(block) = self.at(canonical.height) {
            if block.hash == canonical.hash {
                return Some(canonical.height);
            }
            self.drop_from(canonical.height);
            return None;
        }
        self.blocks.back().filter(|last| last.height + 1 == canonical.height && last.hash == canonical.parent).map(|b| b.height)
    }

    /// In order, up to this height.
    pub fn through(&self, height: u64) -> impl Iterator<Item = &Block> {
        self.blocks.iter().take_while(move |block| block.height <= height)
    }

    /// At which heights these hashes are.
    pub fn find(&self, hashes: &HashSet<TxHash>) -> HashMap<TxHash, u64> {
        let places =
            self.blocks.iter().flat_map(|block| block.transactions.iter().map(|transaction| (transaction.hash, block.height)));
        places.filter(|(hash, _)| hashes.contains(hash)).collect()
    }

    pub fn drop_through(&mut self, height: u64) {
        while let Some(block) = self.blocks.pop_front_if(|block| block.height <= height) {
            self.transactions -= block.transactions.len();
        }
    }

    pub fn drop_from(&mut self, height: u64) {
        while let Some(block) = self.blocks.pop_back_if(|block| block.height >= height) {
            self.transactions -= block.transactions.len();
        }
    }

    fn at(&self, height: u64) -> Option<&Block> {
        let first = self.blocks.front()?.height;
        self.blocks.get(usize::try_from(height.checked_sub(first)?).ok()?)
    }
}

/// The first block that is worth reading.
fn start(interest: &Interest) -> u64 {
    let after_cursor = interest.cursor.map_or(0, |Cursor { height, .. }| height.saturating_add(1));
    after_cursor.max(interest.from_block)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{chain::wire::Transaction, evm::Address, money::Amount};

    /// Block `height` of branch `branch`, on a parent of branch `on`, with one transaction.
    fn block(height: u64, branch: u8, on: u8) -> Block {
        let transaction = Transaction {
            hash: TxHash(hash(height, branch | 0x80)),
            from: Address([1; 20]),
            to: None,
            value: Amount::ZERO,
            has_data: false,
        };
        let (hash, parent) = (hash(height, branch), hash(height - 1, on));
        Block { height, hash, parent, time_s: height, transactions: vec![transaction] }
    }

    fn hash(height: u64, branch: u8) -> [u8; 32] {
        let mut hash = [branch; 32];
        hash[..8].copy_from_slice(&height.to_be_bytes());
        hash
    }

    fn header(height: u64, branch: u8, on: u8) -> Header {
        Header { height, hash: hash(height, branch), parent: hash(height - 1, on), time_s: height }
    }

    fn from(from_block: u64, cursor: Option<u64>) -> Interest {
        let cursor = cursor.map(|height| Cursor { height, hash: hash(height, 0) });
        Interest { pay_to: Address([9; 20]), former: vec![], hashes: HashSet::new(), from_block, cursor }
    }

    fn ring(heights: std::ops::RangeInclusive<u64>, interest: &Interest) -> Ring {
        let mut ring = Ring::default();
        for height in heights {
            assert_eq!(ring.link(block(height, 0, 0), interest), Link::Added);
        }
        ring
    }

    #[test]
    fn reading_starts_after_the_cursor_or_where_something_is_waited_for() {
        let ring = Ring::default();
        assert_eq!(ring.next(&from(7, None)), 7);
        assert_eq!(ring.next(&from(7, Some(9))), 10);
        assert_eq!(ring.next(&from(70, Some(9))), 70);
    }

    #[test]
    fn a_block_on_another_parent_drops_the_newest_until_they_meet() {
        let interest = from(5, None);
        let mut ring = ring(5..=7, &interest);
        assert_eq!(ring.link(block(8, 1, 1), &interest), Link::Replaced);
        assert_eq!(ring.link(block(7, 1, 1), &interest), Link::Replaced);
        assert_eq!(ring.link(block(6, 1, 0), &interest), Link::Added);
        assert_eq!(ring.link(block(9, 1, 1), &interest), Link::Elsewhere);
        assert_eq!(ring.last(), Some(6));
        assert_eq!(ring.transactions, 2);
    }

    #[test]
    fn the_first_block_stands_on_the_cursor_unless_there_is_a_gap() {
        let mut ring = Ring::default();
        assert_eq!(ring.link(block(10, 1, 1), &from(0, Some(9))), Link::NotOnCursor);
        assert_eq!(ring.link(block(20, 1, 1), &from(20, Some(9))), Link::Added);
    }

    #[test]
    fn a_canonical_block_vouches_for_everything_below_it() {
        let interest = from(5, None);
        assert_eq!(ring(5..=7, &interest).agree(&header(6, 0, 0)), Some(6));
        assert_eq!(ring(5..=7, &interest).agree(&header(8, 0, 0)), Some(7));
        assert_eq!(ring(5..=7, &interest).agree(&header(9, 0, 0)), None, "too far above to tell");
        assert_eq!(ring(5..=7, &interest).agree(&header(4, 0, 0)), None, "below all of it");
        let mut changed = ring(5..=7, &interest);
        assert_eq!(changed.agree(&header(6, 1, 0)), None);
        assert_eq!(changed.last(), Some(5), "what contradicts it is dropped");
        let mut replaced_at_the_top = ring(5..=7, &interest);
        assert_eq!(replaced_at_the_top.agree(&header(8, 1, 1)), None);
    }

    #[test]
    fn it_lets_go_of_what_the_cursor_has_passed_and_of_all_that_does_not_fit() {
        let held = |interest: Interest| {
            let mut ring = ring(5..=7, &from(5, None));
            let aligned = ring.align(&interest);
            assert_eq!(aligned == Aligned::Cleared, ring.last().is_none());
            (ring.blocks.front().map(|block| block.height), ring.last())
        };
        assert_eq!(held(from(5, None)), (Some(5), Some(7)));
        assert_eq!(held(from(5, Some(5))), (Some(6), Some(7)));
        assert_eq!(held(from(5, Some(4))), (Some(5), Some(7)));
        assert_eq!(held(from(6, Some(2))), (Some(5), Some(7)), "reading goes on, although it could start later");
        assert_eq!(held(from(3, None)), (None, None), "something lower is waited for now");
        assert_eq!(held(from(5, Some(8))), (None, None), "somebody else read further");
        let other = Cursor { height: 6, hash: hash(6, 1) };
        assert_eq!(held(Interest { cursor: Some(other), ..from(5, None) }), (None, None), "another chain");
    }

    #[test]
    fn a_hash_that_is_waited_for_later_is_still_found() {
        let ring = ring(5..=7, &from(5, None));
        let late = HashSet::from([TxHash(hash(6, 0x80)), TxHash(hash(99, 0x80))]);
        assert_eq!(ring.find(&late), HashMap::from([(TxHash(hash(6, 0x80)), 6)]));
    }

    #[test]
    fn it_is_bounded() {
        let interest = from(1, None);
        assert!(!ring(1..=BLOCKS_MAX as u64 - 1, &interest).is_full());
        let mut full = ring(1..=BLOCKS_MAX as u64, &interest);
        assert!(full.is_full());
        full.drop_through(1);
        assert!(!full.is_full());
        let mut crowded = block(1, 0, 0);
        crowded.transactions = vec![crowded.transactions[0].clone(); TRANSACTIONS_MAX];
        let mut ring = Ring::default();
        assert_eq!(ring.link(crowded, &interest), Link::Added);
        assert!(ring.is_full());
    }
}
