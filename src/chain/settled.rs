//! Whether a signed token transfer took place: the chain's word, which no facilitator's answer replaces.
//!
//! Its nonce says whether it was used; a transaction's logs say for what. That the nonce is used and that money moved must
//! be one event: whoever uses up a second nonce beside a transfer that pays for the first has still paid once.

use alloy::{
    hex,
    primitives::{Address as Word20, B256, U256},
    sol_types::{SolCall, SolEvent},
};
use serde_json::json;

use super::{
    Finality,
    habits::{fewer_blocks, is_too_wide},
    node::{Blame, Call, Fault, Node, Said, parse},
    question::{Head, Question, by_tag, header_at, receipt_of},
    token::{EXACT_PROXY, ExactProxy, PERMIT2, Permit2, PermitTransferFrom, Token, Witness},
    wire::{Called, Header, Log, LoggedReceipt, Number, Quantity},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// A search begins so many blocks before the transfer was shown.
const LOG_BLOCKS: u64 = 100;

/// Requests for logs in one batch.
const LOG_REQUESTS: u64 = 10;

/// More blocks than this are first made fewer, by the time until which the signature was good.
const UNTIMED_BLOCKS_MAX: u64 = 1_000;

/// More blocks than a signature can be good for on any chain we know (a day of 300 ms, and as much again).
const BLOCKS_MAX: u64 = 600_000;

/// Transactions that are looked into for one authorization. Each costs a request or two, and anybody can send the same amount again and again.
const CANDIDATES_MAX: usize = 40;

/// Which block's state is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest: fast, and may be undone.
    Latest,
    /// The newest that is final by the network's rule: for the books.
    Final,
}

/// What lets a signed transfer through once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonce {
    /// The token's own, 32 random bytes.
    Eip3009([u8; 32]),
    /// A big-endian number: one bit of Permit2's bitmap.
    Permit2([u8; 32]),
}

/// A transfer that its payer signed, as far as a chain can show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTransfer {
    pub token: Address,
    pub from: Address,
    pub to: Address,
    pub value: Amount,
    pub nonce: Nonce,
    /// Unix seconds; no block that is later can have used it.
    pub valid_before_s: u64,
}

/// What became of a signed transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its nonce is unused in the block that was asked, which was made then (Unix milliseconds).
    Unused { block_time_ms: i64 },
    /// It took place, whoever sent it.
    Paid {
        transaction: TxHash,
        block: u64,
        /// Unix milliseconds (the block's seconds × 1000).
        block_time_ms: i64,
    },
    /// As `Paid`, but through somebody's contract, which Permit2 leaves no trace of: its nonce was used up in the block of this transaction (or a
    /// facilitator named it), which moved the money for no authorization that is named in it. Each of its transfers pays for one of its payer's
    /// nonces, whichever comes first.
    Wrapped {
        transaction: TxHash,
        block: u64,
        /// Unix milliseconds.
        block_time_ms: i64,
        /// So many transfers of this very amount from this payer to the shop are in it that are tied to no other authorization.
        transfers: u64,
    },
    /// Its nonce is used, and the transfer did not take place: cancelled, spent for something else, or long before.
    Elsewhere,
    /// Its nonce is used, and this node does not tell for what: it lags, has no state that old, or there is too much to look through.
    Unclear,
}

pub(super) struct Settled<'a> {
    pub transfer: &'a SignedTransfer,
    /// The transaction that is known to have been sent for it, by us or by a facilitator.
    pub hash: Option<TxHash>,
    /// Logs are read from here (and a little before), where `hash` does not tell.
    pub since: u64,
    /// Transactions that are known to have paid for others only: not looked at.
    pub but: &'a [TxHash],
    pub at: At,
    pub finality: &'a Finality,
}

impl Question for Settled<'_> {
    type Answer = Seen;

    async fn put_to(&self, node: &Node) -> Result<Seen, Fault> {
        let height = self.height(node).await?;
        let (is_used, block) = self.state(node, height).await?;
        if !is_used {
            return Ok(Seen::Unused { block_time_ms: milliseconds(block.time_s) });
        }
        let mut needs_end = false;
        if let Some(hash) = self.hash.filter(|hash| !self.but.contains(hash)) {
            needs_end = match self.paid_by(node, hash, height, Tie::Known).await? {
                Found::Paid(paid) => return Ok(paid),
                // It has our own transaction, and may show any time that this is what used it.
                Found::Untold => true,
                // It does not know of it at all. Where all blocks were searched that does not matter: had it been carried out, the search had
                // found its log. A token's own nonce, though, never ends without an event: who shows none has not all logs yet.
                Found::Nothing => !self.searches() || matches!(self.transfer.nonce, Nonce::Eip3009(_)),
                Found::Another => false,
            };
        }
        self.search(node, height, needs_end).await
    }
}

impl Settled<'_> {
    async fn height(&self, node: &Node) -> Result<u64, Fault> {
        match self.at {
            At::Latest => Ok(node.batch(&[by_tag("latest")]).await?.read::<Header>()?.height),
            At::Final => Ok(Head::read(self.finality, &mut node.batch(&[Head::call(self.finality)]).await?)?.final_height),
        }
    }

    /// Is its nonce used in that block? With the block, from the same batch: who does not have it cannot know.
    async fn state(&self, node: &Node, height: u64) -> Result<(bool, Header), Fault> {
        let state = state_of(self.transfer.token, self.transfer.from, self.transfer.nonce);
        let transaction = json!({"to": state.contract, "data": hex::encode_prefixed(&state.data)});
        let call = Call::new("eth_call", json!([transaction, format!("{height:#x}")]));
        let mut answers = node.batch(&[call, header_at(height)]).await?;
        // A revert or no code says nothing about the nonce: another node, or nobody, knows.
        let word: Quantity = read_asked(answers.raw()?)?;
        let block: Option<Header> = answers.read()?;
        let block = block.ok_or_else(|| asked("it does not have the block that was asked for"))?;
        Ok((is_used(word.0, &state), block))
    }

    /// Is this transaction it, as of that height?
    async fn paid_by(&self, node: &Node, hash: TxHash, height: u64, tie: Tie) -> Result<Found, Fault> {
        let mut answers = node.batch(&[receipt_of(hash), Call::new("eth_getTransactionByHash", json!([hash]))]).await?;
        let (receipt, called): (Option<LoggedReceipt>, Option<Called>) = (answers.read()?, answers.read()?);
        let (receipt, called) = match (receipt, called) {
            (Some(receipt), Some(called)) => (receipt, called),
            (None, None) => return Ok(Found::Nothing),
            _ => return Ok(Found::Untold),
        };
        if receipt.transaction_hash != hash || called.hash != hash {
            return Err(Fault::of_node("an answer about something else than what was asked"));
        }
        let transfers = self.transfer.paid_by(&receipt, &called, tie);
        if receipt.height > height || transfers == 0 {
            return Ok(Found::Another);
        }
        match tie {
            // What was on the chain before it was signed for us is another payment.
            Tie::Known if self.searches() && receipt.height < self.first() => return Ok(Found::Another),
            Tie::Block => match self.is_used_up_in(node, receipt.height).await {
                Ok(true) => {}
                Ok(false) => return Ok(Found::Another),
                // Nodes forget old states.
                Err(Fault { blame: Blame::Question, .. }) => return Ok(Found::Untold),
                Err(fault) => return Err(fault),
            },
            Tie::Known | Tie::Arguments => {}
        }
        // Once more, with the block that is canonical there.
        let mut answers = node.batch(&[receipt_of(hash), header_at(receipt.height)]).await?;
        let (again, block): (Option<LoggedReceipt>, Option<Header>) = (answers.read()?, answers.read()?);
        match (again, block) {
            (Some(again), Some(block)) if again.block_hash == block.hash && block.hash == receipt.block_hash => {
                let block_time_ms = milliseconds(block.time_s);
                let (transaction, block) = (hash, block.height);
                Ok(Found::Paid(match self.transfer.is_named(&called, tie) {
                    false => Seen::Wrapped { transaction, block, block_time_ms, transfers },
                    true => Seen::Paid { transaction, block, block_time_ms },
                }))
            }
            _ => Err(asked("its block is being replaced")),
        }
    }

    async fn is_used_up_in(&self, node: &Node, block: u64) -> Result<bool, Fault> {
        Ok(!self.state(node, block.saturating_sub(1)).await?.0 && self.state(node, block).await?.0)
    }

    /// Is it known from which block on?
    fn searches(&self) -> bool {
        self.since != u64::MAX
    }

    /// A little before it was shown: the node that told where to start may have been ahead of the one that said "unused".
    fn first(&self) -> u64 {
        self.since.saturating_sub(LOG_BLOCKS)
    }

    /// Who used it, if not a transaction that we know? `needs_end`: that it was for something else is believed only where the event is there that
    /// ended it.
    async fn search(&self, node: &Node, height: u64, needs_end: bool) -> Result<Seen, Fault> {
        let mut from = self.first();
        let last = self.last_possible(node, from, height).await?;
        if last.saturating_sub(from) > BLOCKS_MAX {
            return Err(asked("more blocks to search than are searched"));
        }
        let (mut candidates, mut is_clear, mut is_ended, mut is_taken_back) = (Vec::new(), true, false, false);
        // As many blocks at once as this node tells; fewer if it refuses, which is believed once it has answered to fewer.
        let (mut width, mut refused) = (node.habits.log_blocks(), None);
        'parts: while from <= last {
            let firsts: Vec<u64> =
                (0..LOG_REQUESTS).map(|range| from + range * width).take_while(|first| *first <= last).collect();
            let mut calls: Vec<_> = firsts.iter().map(|first| self.logs(*first, last.min(first + width - 1))).collect();
            let end = last.min(from + width * LOG_REQUESTS - 1);
            // Behind one address are many nodes: one that lags has no logs to show, and says so only here.
            calls.push(header_at(end));
            let mut answers = node.batch(&calls).await?;
            for first in firsts {
                let logs: Vec<Log> = match (answers.raw()?, fewer_blocks(width)) {
                    (Err(error), Some(fewer)) if is_too_wide(&error) => {
                        refused.get_or_insert(error);
                        (from, width) = (first, fewer);
                        continue 'parts;
                    }
                    (said, _) => read_asked(said)?,
                };
                if let Some(error) = refused.take() {
                    node.tells_no_more_logs(width, error);
                }
                is_ended |= logs.iter().any(|log| self.transfer.is_ended_by(log));
                is_taken_back |= logs.iter().any(|log| self.transfer.is_taken_back(log));
                for log in logs.iter().filter(|log| self.transfer.may_be_of(log)) {
                    let is_new = |hash: &TxHash| !candidates.contains(hash) && !self.but.contains(hash);
                    let Some(hash) = log.transaction_hash.filter(is_new) else { continue };
                    if candidates.len() == CANDIDATES_MAX {
                        return Ok(Seen::Unclear);
                    }
                    match self.paid_by(node, hash, height, Tie::Arguments).await? {
                        Found::Paid(paid) => return Ok(paid),
                        Found::Nothing | Found::Untold => is_clear = false,
                        Found::Another => {}
                    }
                    candidates.push(hash);
                }
            }
            if answers.read::<Option<Header>>()?.is_none() {
                return Err(asked("it does not have the blocks that were asked for"));
            }
            from = end + 1;
        }
        // Nobody named it. Permit2 alone leaves it at that.
        if let Nonce::Permit2(_) = self.transfer.nonce {
            for hash in candidates {
                match self.paid_by(node, hash, height, Tie::Block).await? {
                    Found::Paid(wrapped) => return Ok(wrapped),
                    Found::Nothing | Found::Untold => is_clear = false,
                    Found::Another => {}
                }
            }
        }
        let is_elsewhere = is_clear && (is_ended || !needs_end);
        Ok(if is_elsewhere || is_taken_back { Seen::Elsewhere } else { Seen::Unclear })
    }

    fn logs(&self, first: u64, last: u64) -> Call {
        let SignedTransfer { token, from, to, nonce, .. } = self.transfer;
        let topics = match nonce {
            Nonce::Eip3009(nonce) => {
                let ends = [Token::AuthorizationUsed::SIGNATURE_HASH, Token::AuthorizationCanceled::SIGNATURE_HASH];
                json!([ends, word(*from), B256::from(*nonce)])
            }
            // Permit2 writes nothing down.
            Nonce::Permit2(_) => json!([Token::Transfer::SIGNATURE_HASH, word(*from), word(*to)]),
        };
        let (first, last) = (format!("{first:#x}"), format!("{last:#x}"));
        Call::new("eth_getLogs", json!([{"address": token, "topics": topics, "fromBlock": first, "toBlock": last}]))
    }

    /// The last block, up to `height`, that can have used it.
    async fn last_possible(&self, node: &Node, from: u64, height: u64) -> Result<u64, Fault> {
        let (mut good, mut over) = (from, height);
        if height.saturating_sub(from) <= UNTIMED_BLOCKS_MAX {
            return Ok(height);
        }
        // The first block that is too late is above `good` and at or below `over`, or there is none.
        while over - good > 1 {
            let middle = good + (over - good) / 2;
            let header: Option<Header> = node.batch(&[header_at(middle)]).await?.read()?;
            let header = header.ok_or_else(|| asked("it does not have a block that it has passed"))?;
            if header.time_s > self.transfer.valid_before_s { over = middle } else { good = middle }
        }
        Ok(over)
    }
}

/// Finds out how much this node takes at once: as many calls as a search makes, and as many blocks' logs.
pub(super) async fn try_habits(node: &Node) -> Result<(), Fault> {
    let id = Call::new("eth_chainId", json!([]));
    node.batch(&vec![id; LOG_REQUESTS as usize + 1]).await?;
    let newest: Number = node.batch(&[Call::new("eth_blockNumber", json!([]))]).await?.read()?;
    let (mut width, mut refused) = (node.habits.log_blocks(), None);
    loop {
        let (first, last) = (format!("{:#x}", (newest.0 + 1).saturating_sub(width)), format!("{:#x}", newest.0));
        let topics = json!([Token::AuthorizationUsed::SIGNATURE_HASH]);
        let wanted = json!([{"address": EXACT_PROXY, "topics": topics, "fromBlock": first, "toBlock": last}]);
        match (node.batch(&[Call::new("eth_getLogs", wanted)]).await?.raw()?, fewer_blocks(width)) {
            (Err(error), Some(fewer)) if is_too_wide(&error) => {
                refused.get_or_insert(error);
                width = fewer;
            }
            (Err(error), _) => return Err(error.into_fault(Blame::Question)),
            (Ok(_), _) => {
                if let Some(error) = refused {
                    node.tells_no_more_logs(width, error);
                }
                return Ok(());
            }
        }
    }
}

/// What a look at one transaction found.
enum Found {
    Paid(Seen),
    /// It is something else.
    Another,
    /// This node does not know of it.
    Nothing,
    /// This node has it, and not what tells: its receipt, or a state that old.
    Untold,
}

/// What ties a transaction to an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    /// It was sent for it, by us or by our facilitator.
    Known,
    /// It names the authorization: in a log, or as an argument of the proxy.
    Arguments,
    /// Nothing but its block, in which the nonce was used up.
    Block,
}

impl SignedTransfer {
    /// Did this transaction carry it out? In how many transfers that may be it: more than one only where nothing in it says which is whose.
    fn paid_by(&self, receipt: &LoggedReceipt, called: &Called, tie: Tie) -> u64 {
        if !receipt.succeeded {
            return 0;
        }
        if self.is_named(called, tie) {
            return u64::from(self.took_place(receipt));
        }
        // A call of the proxy names what it carries out; here it named another.
        if called.to == Some(EXACT_PROXY) || tie == Tie::Arguments {
            return 0;
        }
        let logs = || receipt.logs.iter().filter(|log| log.address == self.token);
        let moved = logs().filter(|log| self.is_transfer(log)).count();
        // Each authorization of the token itself that the payer used in it, beside or before, has a transfer of its own.
        let named =
            logs().filter(|log| is_of::<Token::AuthorizationUsed>(log) && log.topics.get(1) == Some(&word(self.from).0)).count();
        moved.saturating_sub(named).try_into().unwrap_or(0)
    }

    /// What the transaction that was sent for it did, by what its canonical block's node shows of it. `None`: it did not pay, or was on the chain before
    /// it was signed for us.
    pub(super) fn known_to_pay(&self, receipt: &LoggedReceipt, called: &Called, block: &Header, since: u64) -> Option<Seen> {
        let (transfers, block_time_ms) = (self.paid_by(receipt, called, Tie::Known), milliseconds(block.time_s));
        if transfers == 0 || since != u64::MAX && block.height < since.saturating_sub(LOG_BLOCKS) {
            return None;
        }
        let (transaction, block) = (receipt.transaction_hash, block.height);
        Some(match self.is_named(called, Tie::Known) {
            false => Seen::Wrapped { transaction, block, block_time_ms, transfers },
            true => Seen::Paid { transaction, block, block_time_ms },
        })
    }

    /// Does a transaction that carries it out, and is tied to it so, say that it does?
    fn is_named(&self, called: &Called, tie: Tie) -> bool {
        match self.nonce {
            Nonce::Eip3009(_) => true,
            Nonce::Permit2(nonce) => tie != Tie::Block && self.is_settled_by(nonce, called),
        }
    }

    /// Did a transaction that names it, if it does, move the money for it?
    fn took_place(&self, receipt: &LoggedReceipt) -> bool {
        // What others did in it moved nothing of this payer's: both events name whose it is first.
        let is_payers = |log: &&Log| log.address == self.token && log.topics.get(1) == Some(&word(self.from).0);
        let logs: Vec<&Log> = receipt.logs.iter().filter(is_payers).collect();
        match self.nonce {
            Nonce::Eip3009(nonce) => {
                let used: Vec<usize> = (0..logs.len()).filter(|at| is_of::<Token::AuthorizationUsed>(logs[*at])).collect();
                let is_ours = |at: &&usize| logs[**at].topics.get(2) == Some(&nonce);
                let Some(ours) = used.iter().find(is_ours) else { return false };
                if used.len() == 1 {
                    return logs.iter().any(|log| self.is_transfer(log));
                }
                // Several of this payer in one transaction: each one's transfer is the next after it.
                let mut after = logs[ours + 1..].iter();
                let next = after.find(|log| is_of::<Token::Transfer>(log) || is_of::<Token::AuthorizationUsed>(log));
                next.is_some_and(|log| self.is_transfer(log))
            }
            Nonce::Permit2(_) => logs.iter().any(|log| self.is_transfer(log)),
        }
    }

    fn is_settled_by(&self, nonce: [u8; 32], called: &Called) -> bool {
        let is_it = |permit: PermitTransferFrom, owner: Word20, witness: Witness| {
            let moved = (permit.permitted.token.into_array(), permit.permitted.amount.to_be_bytes(), witness.to.into_array());
            moved == (self.token.0, self.value.to_be_bytes(), self.to.0)
                && owner.into_array() == self.from.0
                && permit.nonce.to_be_bytes() == nonce
        };
        if called.to != Some(EXACT_PROXY) {
            return false;
        }
        if let Ok(call) = ExactProxy::settleCall::abi_decode(&called.input.0) {
            return is_it(call.permit, call.owner, call.witness);
        }
        ExactProxy::settleWithPermitCall::abi_decode(&called.input.0)
            .is_ok_and(|call| is_it(call.permit, call.owner, call.witness))
    }

    fn is_transfer(&self, log: &Log) -> bool {
        is_of::<Token::Transfer>(log)
            && log.topics.get(1..) == Some(&[word(self.from).0, word(self.to).0][..])
            && log.data.0 == self.value.to_be_bytes()
    }

    /// Of the logs that were asked for, is this one worth a look at its transaction?
    fn may_be_of(&self, log: &Log) -> bool {
        match self.nonce {
            Nonce::Eip3009(_) => is_of::<Token::AuthorizationUsed>(log),
            Nonce::Permit2(_) => self.is_transfer(log),
        }
    }

    /// Its payer cancelled it: nobody can use it any more, and nobody has.
    fn is_taken_back(&self, log: &Log) -> bool {
        is_of::<Token::AuthorizationCanceled>(log) && self.is_ended_by(log)
    }

    /// Does it tell that this very nonce was used, for whatever, or cancelled? Permit2 tells of none.
    fn is_ended_by(&self, log: &Log) -> bool {
        let Nonce::Eip3009(nonce) = self.nonce else { return false };
        (is_of::<Token::AuthorizationUsed>(log) || is_of::<Token::AuthorizationCanceled>(log))
            && log.address == self.token
            && log.topics.get(1..) == Some(&[word(self.from).0, nonce][..])
    }
}

/// What a chain is asked about a nonce, and which bits of the answer are it.
pub(super) struct State {
    pub contract: Address,
    pub data: Vec<u8>,
    mask: U256,
}

pub(super) fn state_of(token: Address, payer: Address, nonce: Nonce) -> State {
    let payer = Word20::from(payer.0);
    match nonce {
        Nonce::Eip3009(nonce) => {
            let call = Token::authorizationStateCall { authorizer: payer, nonce: nonce.into() };
            State { contract: token, data: call.abi_encode(), mask: U256::MAX }
        }
        Nonce::Permit2(nonce) => {
            let call = Permit2::nonceBitmapCall { owner: payer, word: U256::from_be_bytes(nonce) >> 8 };
            State { contract: PERMIT2, data: call.abi_encode(), mask: U256::ONE << usize::from(nonce[31]) }
        }
    }
}

pub(super) fn is_used(answer: Amount, state: &State) -> bool {
    !(U256::from_be_bytes(answer.to_be_bytes()) & state.mask).is_zero()
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

fn is_of<E: SolEvent>(log: &Log) -> bool {
    log.topics.first() == Some(&E::SIGNATURE_HASH.0)
}

fn word(address: Address) -> B256 {
    Word20::from(address.0).into_word()
}

/// It is about what was asked for, which not every node may have: the node is not put aside.
fn asked(cause: &str) -> Fault {
    Fault { cause: cause.to_owned(), blame: Blame::Question }
}

fn read_asked<T: serde::de::DeserializeOwned>(said: Said) -> Result<T, Fault> {
    match said {
        Ok(raw) => parse(&raw),
        Err(error) => Err(error.into_fault(Blame::Question)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::chain::{token::TokenPermissions, wire::Data};

    const TOKEN: Address = Address([0x70; 20]);
    const PAYER: Address = Address([1; 20]);
    const SHOP: Address = Address([2; 20]);
    const PRICE: u128 = 1000;

    fn of_eip3009(nonce: u8) -> SignedTransfer {
        let nonce = Nonce::Eip3009([nonce; 32]);
        SignedTransfer { token: TOKEN, from: PAYER, to: SHOP, value: Amount::from_atomic(PRICE), nonce, valid_before_s: 0 }
    }

    fn of_permit2(nonce: u8) -> SignedTransfer {
        SignedTransfer { nonce: Nonce::Permit2([nonce; 32]), ..of_eip3009(0) }
    }

    fn used(nonce: u8) -> Log {
        let topics = vec![Token::AuthorizationUsed::SIGNATURE_HASH.0, word(PAYER).0, [nonce; 32]];
        Log { address: TOKEN, topics, data: Data(vec![]), transaction_hash: None }
    }

    fn moved(to: Address, value: u128) -> Log {
        let topics = vec![Token::Transfer::SIGNATURE_HASH.0, word(PAYER).0, word(to).0];
        let data = Data(Amount::from_atomic(value).to_be_bytes().to_vec());
        Log { address: TOKEN, topics, data, transaction_hash: None }
    }

    fn receipt(logs: Vec<Log>) -> LoggedReceipt {
        LoggedReceipt { transaction_hash: TxHash([0; 32]), height: 1, block_hash: [0; 32], succeeded: true, logs }
    }

    fn called(to: Address, input: Vec<u8>) -> Called {
        Called { hash: TxHash([0; 32]), to: Some(to), input: Data(input) }
    }

    fn settle(nonce: u8) -> Vec<u8> {
        let number = |amount: u128| U256::from(amount);
        let permitted = TokenPermissions { token: TOKEN.0.into(), amount: number(PRICE) };
        let permit = PermitTransferFrom { permitted, nonce: U256::from_be_bytes([nonce; 32]), deadline: number(9) };
        let witness = Witness { to: SHOP.0.into(), validAfter: number(0) };
        ExactProxy::settleCall { permit, owner: PAYER.0.into(), witness, signature: vec![7].into() }.abi_encode()
    }

    #[test]
    fn one_transfer_pays_for_one_nonce_however_many_are_used_beside_it() {
        let took_place = |nonce: u8, logs: &[Log]| {
            of_eip3009(nonce).paid_by(&receipt(logs.to_vec()), &called(TOKEN, vec![]), Tie::Arguments) == 1
        };
        let paid = [used(1), moved(SHOP, PRICE)];
        assert!(took_place(1, &paid));
        assert!(!took_place(2, &paid), "another nonce");
        // A token that writes the transfer down first.
        assert!(took_place(1, &[moved(SHOP, PRICE), used(1)]));
        assert!(!took_place(1, &[moved(SHOP, PRICE)]), "a token that does not revert on a used nonce");
        assert!(!took_place(1, &[used(1), moved(SHOP, PRICE - 1)]));
        assert!(!took_place(1, &[used(1), moved(PAYER, PRICE)]));
        // In one transaction: the first pays us, the second only the payer itself.
        let both = [used(1), moved(SHOP, PRICE), used(2), moved(PAYER, 1)];
        assert!(took_place(1, &both));
        assert!(!took_place(2, &both));
        let reversed = [used(2), moved(PAYER, 1), used(1), moved(SHOP, PRICE)];
        assert!(took_place(1, &reversed));
        assert!(!took_place(2, &reversed));
        assert!(!took_place(2, &[used(2), used(1), moved(SHOP, PRICE)]));
    }

    #[test]
    fn another_tokens_logs_and_a_revert_pay_nothing() {
        let mut fake = [used(1), moved(SHOP, PRICE)];
        for log in &mut fake {
            log.address = Address([0x66; 20]);
        }
        let call = called(TOKEN, vec![]);
        assert_eq!(of_eip3009(1).paid_by(&receipt(fake.to_vec()), &call, Tie::Known), 0);
        let reverted = LoggedReceipt { succeeded: false, ..receipt(vec![used(1), moved(SHOP, PRICE)]) };
        assert_eq!(of_eip3009(1).paid_by(&reverted, &call, Tie::Known), 0);
    }

    #[test]
    fn through_permit2_the_proxys_arguments_tie_a_transfer_to_its_nonce() {
        let logs = receipt(vec![moved(SHOP, PRICE)]);
        let direct = called(EXACT_PROXY, settle(1));
        assert_eq!(of_permit2(1).paid_by(&logs, &direct, Tie::Arguments), 1);
        assert_eq!(of_permit2(2).paid_by(&logs, &direct, Tie::Arguments), 0);
        assert_eq!(of_permit2(2).paid_by(&logs, &direct, Tie::Known), 0, "it names another, whatever a facilitator says");
        assert_eq!(of_permit2(1).paid_by(&receipt(vec![]), &direct, Tie::Arguments), 0);
        assert!(of_permit2(1).is_named(&direct, Tie::Known) && !of_permit2(1).is_named(&direct, Tie::Block));
        // Wrapped into somebody's contract, it is believed of what a facilitator sent, and else of a block that used up its nonce.
        let wrapped = called(Address([0x66; 20]), settle(1));
        assert_eq!(of_permit2(1).paid_by(&logs, &wrapped, Tie::Arguments), 0);
        assert_eq!(of_permit2(1).paid_by(&logs, &wrapped, Tie::Known), 1);
        assert_eq!(of_permit2(1).paid_by(&logs, &wrapped, Tie::Block), 1);
        assert!(!of_permit2(1).is_named(&wrapped, Tie::Known), "one of its payer's, and nobody knows which");
        // Not what is tied to another authorization.
        assert_eq!(of_permit2(2).paid_by(&logs, &direct, Tie::Block), 0);
        for others in [vec![used(1), moved(SHOP, PRICE)], vec![]] {
            assert_eq!(of_permit2(1).paid_by(&receipt(others.clone()), &wrapped, Tie::Block), 0, "{others:?}");
        }
    }

    #[test]
    fn m1_each_transfer_of_a_wrapped_transaction_pays_for_one() {
        let wrapped = called(Address([0x66; 20]), vec![]);
        let paid = |logs: Vec<Log>| of_permit2(1).paid_by(&receipt(logs), &wrapped, Tie::Block);
        let of_bob = |log: Log| Log { topics: vec![log.topics[0], [0xb0; 32], log.topics[2]], ..log };
        assert_eq!(paid(vec![moved(SHOP, PRICE), moved(SHOP, PRICE)]), 2, "two of one payer");
        assert_eq!(
            paid(vec![of_bob(moved(SHOP, PRICE)), moved(SHOP, PRICE), of_bob(moved(SHOP, PRICE))]),
            1,
            "others' are others'"
        );
        assert_eq!(paid(vec![of_bob(moved(SHOP, PRICE))]), 0);
        assert_eq!(paid(vec![moved(SHOP, PRICE), moved(SHOP, PRICE + 1), moved(PAYER, PRICE)]), 1);
        // One by the token's own authorization beside one through Permit2, in either order; another payer's takes nothing away.
        assert_eq!(paid(vec![used(1), moved(SHOP, PRICE), moved(SHOP, PRICE)]), 1);
        assert_eq!(paid(vec![moved(SHOP, PRICE), moved(SHOP, PRICE), used(1)]), 1);
        assert_eq!(paid(vec![of_bob(used(1)), of_bob(moved(SHOP, PRICE)), moved(SHOP, PRICE)]), 1);
    }

    #[test]
    fn m9_a_cancellation_is_of_this_token_payer_and_nonce() {
        let cancelled = |nonce: u8| Log {
            topics: vec![Token::AuthorizationCanceled::SIGNATURE_HASH.0, word(PAYER).0, [nonce; 32]],
            ..used(nonce)
        };
        assert!(of_eip3009(1).is_taken_back(&cancelled(1)));
        assert!(!of_eip3009(1).may_be_of(&cancelled(1)), "it moved nothing");
        assert!(!of_eip3009(2).is_taken_back(&cancelled(1)));
        assert!(!of_eip3009(1).is_taken_back(&used(1)));
        assert!(!of_eip3009(1).is_taken_back(&Log { address: Address([0x66; 20]), ..cancelled(1) }));
        assert!(!of_permit2(1).is_taken_back(&cancelled(1)));
    }
}
