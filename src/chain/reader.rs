//! One turn of following: what is waited for, one scan, what it means, and handing on what became final.
//!
//! A block is final for us when it is at or below the final head *and* the same batch showed that our copy of it is on the
//! node's chain. Nothing is skipped: a block leaves the ring only after the follower took it.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;
use tracing::error;

use super::{
    Chain, Cursor, FinalBlock, Follower, Interest, Transfer,
    nodes::Owes,
    question::{Outcome, Outcomes, Scan, Scanned, Stands, StillThere},
    ring::{Aligned, Link, Ring},
    wire::{Block, Hash, Transaction},
};
use crate::evm::{Address, TxHash};

/// Blocks in one scan, when far behind: with head and height well below the 100 calls that public nodes take in a batch.
const WIDTH_MAX: u64 = 16;

/// Receipts in one batch: with at most as many blocks below the same 100.
const RECEIPTS_MAX: usize = 40;

/// How a turn ended, and so how long to pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody waits.
    Idle,
    /// A final block has changed; an operator must look.
    Stopped,
    CaughtUp,
    /// There is more to read already.
    Behind,
}

/// Why a turn came to nothing. It is repeated after a pause.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("no RPC answers: {0}")]
    Chain(String),
    #[error("block {height}, which was final, is another one now, {by}: it is asked again before payments stop")]
    Doubt { height: u64, by: &'static str },
    #[error("a final block was not taken: {0}")]
    NotTaken(String),
    #[error("the follower panicked")]
    Panicked,
}

pub(super) struct Reader {
    chain: Chain,
    ring: Ring,
    /// Hashes that the follower was told are included, and where.
    told: HashMap<TxHash, u64>,
    /// The cursor whose block is known to be on the chain.
    vouched: Option<Cursor>,
    /// The cursor whose block has changed.
    changed: Option<Cursor>,
    /// The cursor whose block has changed by the word of a lone node: which block is there now, and since when it says so.
    doubt: Option<(Cursor, Hash, Instant)>,
    /// Height of the newest block, as of the last scan.
    latest: Option<u64>,
    /// Smaller than [`WIDTH_MAX`] where blocks are so full that their answer was too large.
    width_max: u64,
}

impl Reader {
    pub fn new(chain: Chain) -> Self {
        Self {
            chain,
            ring: Ring::default(),
            told: HashMap::new(),
            vouched: None,
            changed: None,
            doubt: None,
            latest: None,
            width_max: WIDTH_MAX,
        }
    }

    /// Forgets all it has read. What a lone node claims is kept, or it would never have said it for long enough.
    pub fn rest(&mut self) {
        *self = Self { doubt: self.doubt, ..Self::new(self.chain.clone()) };
    }

    pub async fn turn<F: Follower>(&mut self, follower: &F) -> Result<Turn, Trouble> {
        let Some(interest) = follower.interest().await else {
            self.rest();
            return Ok(Turn::Idle);
        };
        if !self.stands_on(interest.cursor, follower).await? {
            return Ok(Turn::Stopped);
        }
        self.align(&interest);
        let scanned = self.scan(&interest).await?;
        let newest_asked = scanned.from.saturating_add(scanned.width).saturating_sub(1);
        let final_height = self.take(scanned, &interest);
        self.tell(follower, &interest, final_height).await;
        if let Some(height) = final_height {
            self.hand_on(follower, &interest, height).await?;
        }
        let is_behind = self.latest > Some(newest_asked) && self.ring.next(&interest) > newest_asked && !self.ring.is_full();
        Ok(if is_behind { Turn::Behind } else { Turn::CaughtUp })
    }

    /// Is the cursor's block still on the chain? Asked once for each cursor that is not our own work.
    async fn stands_on<F: Follower>(&mut self, cursor: Option<Cursor>, follower: &F) -> Result<bool, Trouble> {
        let Some(cursor) = cursor else { return Ok(true) };
        if self.changed == Some(cursor) {
            return Ok(false);
        }
        self.changed = None;
        if self.vouched == Some(cursor) {
            return Ok(true);
        }
        let chain = self.chain.clone();
        let question = StillThere { cursor, finality: &chain.settings().finality };
        let (node, standing) = chain.ask_one(&question).await.map_err(|failure| Trouble::Chain(failure.cause))?;
        let Stands::Changed(now) = standing else {
            (self.vouched, self.doubt) = (Some(cursor), None);
            return Ok(true);
        };
        let height = cursor.height;
        // One node may lie, or be several behind one name: it takes a second one, or the same word a while later.
        let why = match chain.ask_all_but(&question, node).await {
            Some(others) if others.contains(&standing) => format!("two of its nodes have another block {height} now"),
            Some(others) if others.contains(&Stands::Same) => {
                chain.leave(
                    node,
                    Owes::Block(cursor),
                    format!("it has another block {height} than before, which no other node has"),
                );
                (self.vouched, self.doubt) = (Some(cursor), None);
                return Ok(true);
            }
            Some(_) => return Err(Trouble::Doubt { height, by: "by the word of one node, and no second one says the same" }),
            None => {
                let doubt = match self.doubt {
                    Some((of, hash, since)) if of == cursor && hash == now => since.elapsed(),
                    _ => {
                        self.doubt = Some((cursor, now, Instant::now()));
                        std::time::Duration::ZERO
                    }
                };
                if doubt < chain.patience().doubt {
                    return Err(Trouble::Doubt { height, by: "by the word of its only node" });
                }
                format!("its only node has had another block {height} for {} s", doubt.as_secs())
            }
        };
        let network = &chain.network().name;
        error!(network, height, why, "block {height} of {network} was final and has changed ({why}): its payments stop");
        self.rest();
        (self.changed, self.doubt) = (Some(cursor), None);
        follower.changed_below(height, why).await;
        Ok(false)
    }

    fn align(&mut self, interest: &Interest) {
        if self.ring.align(interest) == Aligned::Cleared {
            self.told.clear(); // it is read again, and told again
        }
        let passed = interest.cursor.map(|cursor| cursor.height);
        self.told.retain(|hash, height| interest.hashes.contains(hash) && Some(*height) > passed);
    }

    async fn scan(&mut self, interest: &Interest) -> Result<Read, Trouble> {
        let chain = self.chain.clone();
        loop {
            let (from, width) = match self.ring.last().filter(|_| self.ring.is_full()) {
                // No room: the newest once more, only to learn whether it is still there.
                Some(last) => (last, 1),
                None => {
                    let from = self.ring.next(interest);
                    // All that there was at the last look, and one more: an answer of none costs next to nothing.
                    let missing = self.latest.map_or(0, |latest| latest.saturating_add(1).saturating_sub(from));
                    (from, missing.saturating_add(1).min(self.width_max))
                }
            };
            let (finality, chain_id) = (&chain.settings().finality, chain.network().chain_id);
            match chain.ask(&Scan { finality, chain_id, interest, from, width }).await {
                Ok(scanned) => return Ok(Read { from, width, scanned }),
                Err(failure) if failure.is_too_large && width > 1 => self.width_max = width / 2,
                Err(failure) => return Err(Trouble::Chain(failure.cause)),
            }
        }
    }

    /// Adds what was read to the ring. The height up to which the ring is final now, if any of it may be.
    fn take(&mut self, Read { scanned: Scanned { head, latest, blocks }, .. }: Read, interest: &Interest) -> Option<u64> {
        self.latest = Some(latest.height);
        let mut canonical = None;
        for block in blocks {
            let header = block.header();
            if self.ring.last() >= Some(header.height) {
                canonical = self.ring.agree(&header);
                continue;
            }
            match self.ring.link(block, interest) {
                Link::Added => canonical = Some(header.height),
                Link::Replaced | Link::Elsewhere => canonical = None,
                Link::NotOnCursor => {
                    self.vouched = None;
                    canonical = None;
                }
            }
            if canonical.is_none() {
                break;
            }
        }
        let canonical = canonical.max(self.ring.agree(&latest)).max(self.ring.agree(&head.header))?;
        // Either may have contradicted, and so dropped, what was just added.
        (self.ring.last() >= Some(canonical)).then_some(canonical.min(head.final_height))
    }

    /// Tells where the hashes are that are waited for, if that has changed and is not final.
    async fn tell<F: Follower>(&mut self, follower: &F, interest: &Interest, final_height: Option<u64>) {
        let places = self.ring.find(&interest.hashes);
        let gone = self.told.keys().filter(|hash| !places.contains_key(hash)).map(|hash| (*hash, None));
        let open = |height: &u64| Some(*height) > final_height;
        let found = places.iter().filter(|(hash, height)| open(height) && self.told.get(*hash) != Some(*height));
        let news: Vec<_> = gone.chain(found.map(|(hash, height)| (*hash, Some(*height)))).collect();
        if !news.is_empty() {
            follower.included(news).await;
        }
        self.told = places.into_iter().filter(|(_, height)| open(height)).collect();
    }

    /// Hands on what became final, in order. Of blocks in which nothing was waited for, only the last is told.
    async fn hand_on<F: Follower>(&mut self, follower: &F, interest: &Interest, height: u64) -> Result<(), Trouble> {
        let Some(succeeded) = self.outcomes(interest, height).await? else {
            return Ok(()); // one of them has moved: it is read again
        };
        let mut ready = Vec::new();
        let last = self.ring.last().map_or(height, |last| last.min(height));
        for block in self.ring.through(height) {
            let transfers = transfers(block, interest, &succeeded);
            if !transfers.is_empty() || block.height == last {
                let time_ms = i64::try_from(block.time_s.saturating_mul(1000)).unwrap_or(i64::MAX);
                ready.push(FinalBlock { cursor: Cursor { height: block.height, hash: block.hash }, time_ms, transfers });
            }
        }
        for block in ready {
            let cursor = block.cursor;
            follower.became_final(block).await.map_err(|refusal| Trouble::NotTaken(refusal.0))?;
            self.ring.drop_through(cursor.height);
            self.vouched = Some(cursor);
        }
        Ok(())
    }

    /// Which of the transactions that are waited for, up to this height, succeeded. `None`: their block has moved.
    async fn outcomes(&mut self, interest: &Interest, height: u64) -> Result<Option<HashMap<TxHash, bool>>, Trouble> {
        let wanted: Vec<(u64, [u8; 32], TxHash)> = (self.ring.through(height))
            .flat_map(|block| block.transactions.iter().map(move |transaction| (block, transaction)))
            .filter(|(_, transaction)| is_wanted(transaction, interest))
            .map(|(block, transaction)| (block.height, block.hash, transaction.hash))
            .collect();
        let mut all = HashMap::new();
        for some in wanted.chunks(RECEIPTS_MAX) {
            let blocks: HashSet<_> = some.iter().map(|(height, hash, _)| (*height, *hash)).collect();
            let question = Outcomes {
                blocks: blocks.into_iter().collect(),
                transactions: some.iter().map(|(_, block, transaction)| (*transaction, *block)).collect(),
            };
            match self.chain.ask(&question).await.map_err(|failure| Trouble::Chain(failure.cause))? {
                Outcome::Known(known) => all.extend(known),
                Outcome::Moved { height } => {
                    self.ring.drop_from(height);
                    return Ok(None);
                }
            }
        }
        Ok(Some(all))
    }
}

/// A scan and what was asked for.
struct Read {
    from: u64,
    width: u64,
    scanned: Scanned,
}

pub(super) fn is_wanted(transaction: &Transaction, interest: &Interest) -> bool {
    pays(transaction, interest) || interest.hashes.contains(&transaction.hash)
}

fn pays(transaction: &Transaction, interest: &Interest) -> bool {
    let is_ours = |to: Address| to == interest.pay_to || interest.former.contains(&to);
    transaction.to.is_some_and(is_ours) && !transaction.value.is_zero()
}

fn transfers(block: &Block, interest: &Interest, succeeded: &HashMap<TxHash, bool>) -> Vec<Transfer> {
    let wanted = block.transactions.iter().filter(|transaction| is_wanted(transaction, interest));
    // Each wanted one has an outcome: they were asked for with the same interest.
    let known = wanted.filter_map(|transaction| succeeded.get(&transaction.hash).map(|succeeded| (transaction, *succeeded)));
    known
        .filter(|(transaction, succeeded)| *succeeded || interest.hashes.contains(&transaction.hash))
        .map(|(transaction, succeeded)| Transfer::new(transaction, succeeded, block.height, block.hash, block.time_s))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{
        chain::{ChainSettings, Finality, question::Head, wire::Header},
        money::Amount,
        network::Network,
    };

    fn hash(height: u64) -> [u8; 32] {
        Amount::from_atomic(u128::from(height)).to_be_bytes()
    }

    fn block(height: u64) -> Block {
        Block { height, hash: hash(height), parent: hash(height - 1), time_s: height, transactions: vec![] }
    }

    fn reader() -> Reader {
        let network = Network {
            id: "eip155:1".into(),
            chain_id: 1,
            name: String::new(),
            slug: String::new(),
            symbol: String::new(),
            decimals: 18,
            wallet_rpc_url: String::new(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::ZERO,
            wallet_sponsors_gas: false,
            tokens: Vec::new(),
        };
        let (finality, time) = (Finality::Confirmations(9), std::time::Duration::ZERO);
        Reader::new(Chain::new(ChainSettings {
            network,
            rpc_urls: vec![],
            finality,
            poll: time,
            timeout: time,
            trace_urls: vec![],
            idle_look: time,
        }))
    }

    /// A scan that found these blocks, with this final height, on a chain of this height.
    fn read(blocks: impl Iterator<Item = u64>, latest: Header, final_height: u64) -> Read {
        let head = Head { header: latest, final_height };
        Read { from: 0, width: 0, scanned: Scanned { head, latest, blocks: blocks.map(block).collect() } }
    }

    #[test]
    fn only_what_the_same_scan_shows_to_be_on_the_chain_is_final() {
        let interest = Interest { pay_to: Address([1; 20]), former: vec![], hashes: HashSet::new(), from_block: 5, cursor: None };
        let far = block(90).header();
        let mut reader = reader();
        assert_eq!(reader.take(read(5..=9, far, 7), &interest), Some(7), "read now");
        assert_eq!(reader.take(read(0..0, far, 80), &interest), None, "nothing here shows that they are still there");
        assert_eq!(reader.take(read(0..0, block(9).header(), 8), &interest), Some(8), "the newest is ours");
        assert_eq!(reader.take(read(0..0, block(10).header(), 8), &interest), Some(8), "the newest stands on ours");
        let other = Header { hash: hash(99), ..block(8).header() };
        assert_eq!(reader.take(read(10..=10, other, 8), &interest), None, "the node contradicts itself");
        assert_eq!(reader.ring.last(), Some(7));
        assert_eq!(reader.take(read(9..=9, far, 80), &interest), None, "a gap is not bridged");
    }

    #[test]
    fn a_ring_without_room_is_final_once_its_newest_is_seen_again() {
        let interest = Interest { pay_to: Address([1; 20]), former: vec![], hashes: HashSet::new(), from_block: 1, cursor: None };
        let mut reader = reader();
        let mut height = 0;
        while !reader.ring.is_full() {
            height += 1;
            assert_eq!(reader.take(read(height..=height, block(height).header(), 0), &interest), Some(0));
        }
        let far = block(9_999).header();
        assert_eq!(reader.take(read(height..=height, far, 9_000), &interest), Some(height));
    }
}
