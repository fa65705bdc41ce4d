//! Blocks between which no node has the recipient's balance, and that are too many to be read in one go: a shop that was closed for an hour, at nodes
//! that keep the state of minutes.
//!
//! They are one open rise first, so that newer blocks do not wait for them, and then read bit by bit: their plain transfers, and where those do not
//! explain the difference, once more by their calls. What is found is its payers' credit at once. How far it was read is known to this process alone:
//! after a restart it begins anew, and books nothing twice.

use futures::{StreamExt, stream};
use tracing::debug;

use super::{
    arrivals::{Arrivals, READ_AT_ONCE, READ_MAX, Trouble},
    brought::{Difference, difference},
    desk::now_ms,
};
use crate::{
    ledger::{Account, Rise, RiseState},
    money::Amount,
};

/// Blocks that are read in one look; the next one comes after a pause, so nodes are not kept busy by it.
const BLOCKS_AT_ONCE: u64 = 1_024;

/// Is it more than is read in one go?
pub(super) fn is_long(rise: &Rise) -> bool {
    rise.after.height.saturating_sub(rise.before.height) > READ_MAX
}

/// How far a long rise was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Its id.
    pub rise: String,
    /// The next block.
    next: u64,
    /// Its plain transfers are booked and do not explain it: the calls are asked for.
    by_calls: bool,
    /// The calls of some block cannot be told: its node has no state of it any more.
    missed: bool,
    /// What the blocks that were read took away.
    left: Amount,
}

impl Reading {
    pub fn of(rise: &Rise) -> Self {
        Self { rise: rise.id.clone(), next: rise.before.height + 1, by_calls: false, missed: false, left: Amount::ZERO }
    }

    /// What is left unexplained, what left, and whether that is the last word.
    fn account(&self, rise: &Rise, came: Amount) -> (Option<(RiseState, Amount)>, Amount, bool) {
        let is_through = self.next > rise.after.height;
        let open = |amount| Some((RiseState::Open, amount));
        let all_left = |more| self.left.plus(more).unwrap_or(self.left);
        match (difference(rise.before.balance, rise.after.balance, came, self.left), self.by_calls, is_through) {
            // Of blocks that were not read yet, some may cancel each other out: only the calls end as soon as nothing is missing.
            (Difference::None, true, _) | (Difference::None, _, true) => (None, self.left, true),
            (Difference::Rose(amount), true, true) if self.missed => (open(amount), self.left, false),
            (Difference::Rose(amount), true, true) => (Some((RiseState::Nobody, amount)), self.left, true),
            // A chain that charges otherwise than we count.
            (Difference::Fell(more), true, true) => (None, all_left(more), true),
            (Difference::None, ..) => (open(Amount::ZERO), self.left, false),
            (Difference::Rose(amount), ..) => (open(amount), self.left, false),
            (Difference::Fell(more), ..) => (open(Amount::ZERO), all_left(more), false),
        }
    }
}

impl Arrivals {
    /// Reads on in a long rise. `reading` is `None` afterwards where that was the end of it, or where it begins anew.
    pub(super) async fn read_on(&self, reading: &mut Option<Reading>, rise: &Rise) -> Result<(), Trouble> {
        let (books, pay_to, last) = (&self.desk.books, rise.pay_to, rise.after.height);
        let mut now = reading.clone().filter(|known| known.rise == rise.id).unwrap_or_else(|| Reading::of(rise));
        let booked = books.deposits_between(self.network(), pay_to, rise.before.height, last).await?;
        let mut new = Vec::new();
        let to = last.min(now.next.saturating_add(BLOCKS_AT_ONCE - 1));
        let heights = stream::iter(now.next..=to);
        let mut blocks =
            heights.map(|height| async move { (height, self.chain.touched(height, &[pay_to]).await) }).buffered(READ_AT_ONCE);
        while let Some((height, touched)) = blocks.next().await {
            let (found, left) = match touched {
                Ok(touched) if height == last && touched.hash != rise.after.hash => return Err(self.moved(height)),
                Ok(touched) if now.by_calls => match self.inside(pay_to, height, &touched, &booked, |_| false).await {
                    Ok(inside) => inside,
                    // The nodes are away: it is tried again with the next look.
                    Err(cause) if self.chain.final_head().await.is_err() => {
                        debug!(network = self.network(), height, %cause, "no node answers");
                        break;
                    }
                    // Later blocks may be told all the same. What stays open is not read again before a restart.
                    Err(cause) => {
                        debug!(network = self.network(), height, %cause, "no node traces block {height}");
                        now.missed = true;
                        (Vec::new(), Amount::ZERO)
                    }
                },
                Ok(touched) => (self.plain(pay_to, height, &touched, &booked), touched.of(pay_to).1),
                // It is tried again with the next look.
                Err(cause) => {
                    debug!(network = self.network(), height, %cause, "no node has block {height} now");
                    break;
                }
            };
            new.extend(found);
            now.left = now.left.plus(left).unwrap_or(now.left);
            now.next = height + 1;
        }
        let came = booked.iter().chain(&new).fold(Amount::ZERO, |sum, deposit| sum.plus(deposit.amount).unwrap_or(sum));
        let (rest, left, is_over) = now.account(rise, came);
        if !self.store_bit(rise, Account { deposits: new, left, rest }).await? || is_over {
            *reading = None;
            return Ok(());
        }
        if now.next > last && !now.by_calls {
            now = Reading { by_calls: true, left: now.left, ..Reading::of(rise) };
        }
        *reading = Some(now);
        Ok(())
    }

    /// `false`: the rise was changed meanwhile, by hand or by another instance, and nothing was written.
    async fn store_bit(&self, rise: &Rise, account: Account) -> Result<bool, Trouble> {
        let is_same = account.rest == Some((RiseState::Open, rise.amount)) && account.left == rise.left;
        if is_same && account.deposits.is_empty() {
            return Ok(true);
        }
        let Some(new) = self.desk.books.explain_rise(rise, &account, now_ms()).await? else { return Ok(false) };
        // That something is still open was said when it was written down.
        let told = Account { rest: account.rest.filter(|(state, _)| *state != RiseState::Open), ..account };
        self.tell(&new, &told, &format!("in {}", rise.blocks()));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evm::Address, ledger::Standing};

    fn wei(wei: u128) -> Amount {
        Amount::from_atomic(wei)
    }

    /// Of blocks 11 to 20, in which the balance rose from 100 to 130.
    fn rise() -> Rise {
        let stands = |height, balance| Standing { height, hash: [0; 32], balance: wei(balance), nonce: 0 };
        Rise {
            id: "r".into(),
            network: "eip155:143".into(),
            pay_to: Address([0x50; 20]),
            before: stands(10, 100),
            after: stands(20, 130),
            amount: wei(30),
            left: Amount::ZERO,
            state: RiseState::Open,
        }
    }

    #[test]
    fn p2_a_long_rise_is_over_when_it_is_read_or_its_calls_explain_it() {
        let read = |next, by_calls, left, came| {
            Reading { next, by_calls, left: wei(left), ..Reading::of(&rise()) }.account(&rise(), wei(came))
        };
        let open = |amount| Some((RiseState::Open, wei(amount)));
        assert_eq!(read(15, false, 0, 10), (open(20), wei(0), false));
        assert_eq!(read(15, false, 0, 30), (open(0), wei(0), false), "something may have come and left in the others");
        assert_eq!(read(15, false, 0, 50), (open(0), wei(20), false), "what left is further on");
        assert_eq!(read(21, false, 5, 35), (None, wei(5), true));
        assert_eq!(read(21, false, 0, 10), (open(20), wei(0), false), "the calls are asked for");
        assert_eq!(read(12, true, 0, 30), (None, wei(0), true), "as soon as nothing is missing");
        assert_eq!(read(12, true, 0, 10), (open(20), wei(0), false));
        assert_eq!(read(21, true, 0, 29), (Some((RiseState::Nobody, wei(1))), wei(0), true));
        let missed = Reading { next: 21, by_calls: true, missed: true, ..Reading::of(&rise()) };
        assert_eq!(missed.account(&rise(), wei(29)), (open(1), wei(0), false), "it may be in the block whose calls nobody tells");
        assert_eq!(missed.account(&rise(), wei(30)), (None, wei(0), true));
        assert_eq!(read(21, true, 0, 32), (None, wei(2), true));
    }
}
