//! What a final transaction brought the shop: by a plain transfer, or by its calls.
//!
//! The payer is the account whose coin moved, not who sent the transaction. Where no node traces, the recipient's balance says at least whether
//! something arrived: then nobody is asked for it again.

use std::collections::HashMap;

use tracing::warn;

use super::{
    desk::{Desk, now_ms},
    native::{self, Inside},
};
use crate::{
    chain::{Chain, Move, Stood, Touched, Transfer, Unavailable},
    error::{CallError, Code},
    evm::{Address, TxHash},
    ledger::{BooksError, Deposit, How, Standing},
    money::{Amount, Asset},
};

/// What a transaction came to.
#[allow(clippy::large_enum_variant)] // a `CallError` is the whole answer, made once and moved along
#[derive(Clone, Debug, PartialEq)]
pub enum Brought {
    /// One for each account that paid.
    Deposits(Vec<Deposit>),
    /// Nothing for us.
    Nothing(CallError),
    /// Something arrived in its block that nothing explains, and no node tells whose it is.
    Arrived,
    /// No node tells.
    Unknown,
}

/// # Errors
/// The books'. What the chain does not tell is no error: [`Brought::Unknown`].
pub async fn brought(desk: &Desk, chain: &Chain, transfer: &Transfer, how: How) -> Result<Brought, BooksError> {
    let network = &chain.network().id;
    let recipients = desk.recipients();
    let inside = match native::deposit_of(transfer, network, &recipients, how) {
        Ok(deposit) => return Ok(Brought::Deposits(vec![deposit])),
        Err(Inside::Refused(why)) => return Ok(Brought::Nothing(why)),
        Err(Inside::Perhaps) => chain.moves(transfer.hash, &transfer.block_hash, &recipients).await,
    };
    let booked = desk.books.deposits_in(network, transfer.hash).await?;
    let booked: Vec<Deposit> = booked.into_iter().filter(|deposit| deposit.asset.token.is_none()).collect();
    match inside {
        Ok(moves) => {
            let place = Place { network, block: transfer.block, time_ms: transfer.block_time_ms, how };
            let new = unbooked(place.deposits(transfer.hash, &moves, &recipients), &booked);
            let all: Vec<_> = booked.into_iter().chain(new).collect();
            Ok(if all.is_empty() { Brought::Nothing(paid_nobody_here(transfer)) } else { Brought::Deposits(all) })
        }
        // What an operator has said stands.
        Err(_) if !booked.is_empty() => Ok(Brought::Deposits(booked)),
        Err(cause) => by_balance(desk, chain, transfer, &recipients, &cause).await,
    }
}

fn paid_nobody_here(transfer: &Transfer) -> CallError {
    CallError::from(Code::WrongRecipient).with_transaction(transfer.hash)
}

/// Where moves are, for the deposits that they are.
pub(super) struct Place<'a> {
    pub network: &'a str,
    pub block: u64,
    pub time_ms: i64,
    pub how: How,
}

impl Place<'_> {
    /// One for each account that paid, however many of its calls did.
    pub fn deposits(&self, transaction: TxHash, moves: &[Move], recipients: &[Address]) -> Vec<Deposit> {
        let mut deposits: Vec<Deposit> = Vec::new();
        for one in moves.iter().filter(|one| recipients.contains(&one.to) && !recipients.contains(&one.from)) {
            match deposits.iter_mut().find(|known| known.payer == one.from) {
                Some(known) => known.amount = known.amount.plus(one.value).unwrap_or(known.amount),
                None => deposits.push(Deposit {
                    network: self.network.to_owned(),
                    proof: native::proof_of(transaction),
                    transaction,
                    payer: one.from,
                    pay_to: one.to,
                    asset: Asset::native(self.network),
                    amount: one.value,
                    block: self.block,
                    block_time_ms: self.time_ms,
                    how: self.how,
                }),
            }
        }
        deposits
    }
}

/// Of what a trace tells, what may be booked beside what is booked already: never more for a transaction than it moved, since part of it may have been
/// credited by hand to somebody else.
pub(super) fn unbooked(traced: Vec<Deposit>, booked: &[Deposit]) -> Vec<Deposit> {
    let add = |sum: Amount, more: Amount| sum.plus(more).unwrap_or(sum);
    let mut room: HashMap<TxHash, Amount> = HashMap::new();
    for deposit in &traced {
        let sum = room.entry(deposit.transaction).or_default();
        *sum = add(*sum, deposit.amount);
    }
    for deposit in booked {
        if let Some(left) = room.get_mut(&deposit.transaction) {
            *left = left.minus(deposit.amount).unwrap_or(Amount::ZERO);
        }
    }
    let is_known =
        |deposit: &Deposit| booked.iter().any(|known| known.transaction == deposit.transaction && known.payer == deposit.payer);
    traced
        .into_iter()
        .filter(|deposit| !is_known(deposit))
        .filter(|deposit| {
            let rest = room.get(&deposit.transaction).and_then(|left| left.minus(deposit.amount));
            rest.map(|rest| room.insert(deposit.transaction, rest)).is_some()
        })
        .collect()
}

/// No node traces: did something arrive in its block that is not explained?
async fn by_balance(
    desk: &Desk,
    chain: &Chain,
    transfer: &Transfer,
    recipients: &[Address],
    cause: &Unavailable,
) -> Result<Brought, BooksError> {
    let Some((before, after, touched)) = around(chain, transfer.block, recipients).await else { return Ok(Brought::Unknown) };
    if after.hash != transfer.block_hash || touched.hash != transfer.block_hash {
        return Ok(Brought::Unknown);
    }
    let network = chain.network();
    let mut has_arrived = false;
    for (at, recipient) in recipients.iter().enumerate() {
        let (Some(had), Some(has)) = (standing(&before, at), standing(&after, at)) else { continue };
        let booked = desk.books.deposits_between(&network.id, *recipient, had.height, has.height).await?;
        let (came, left) = (came(&touched, *recipient, &booked), touched.of(*recipient).1);
        if let Difference::Rose(amount) = difference(had.balance, has.balance, came, left) {
            warn!(
                network = %network.id, block = has.height, %amount, %cause,
                "{} arrived in block {} of {}, and no node tells from whom: set trace_urls, or credit it by hand",
                network.coin(amount), has.height, network.name
            );
            desk.books.note_rise(&network.id, *recipient, (&had, &has), left, amount, now_ms()).await?;
            has_arrived = true;
        }
    }
    Ok(if has_arrived { Brought::Arrived } else { Brought::Nothing(paid_nobody_here(transfer)) })
}

/// What accounts had before and after a block, and what the block plainly did to them. `None`: no node tells.
pub async fn around(chain: &Chain, block: u64, accounts: &[Address]) -> Option<(Stood, Stood, Touched)> {
    let before = chain.stood(block.checked_sub(1)?, accounts).await.ok()?;
    let after = chain.stood(block, accounts).await.ok()?;
    Some((before, after, chain.touched(block, accounts).await.ok()?))
}

pub(super) fn standing(stood: &Stood, at: usize) -> Option<Standing> {
    let (balance, nonce) = *stood.accounts.get(at)?;
    Some(Standing { height: stood.height, hash: stood.hash, balance, nonce })
}

/// What is known to have come in a block: plainly, and what is booked besides.
pub fn came(touched: &Touched, recipient: Address, booked: &[Deposit]) -> Amount {
    let plainly = touched.of(recipient).0;
    let is_plain =
        |deposit: &&Deposit| touched.touches.iter().any(|touch| touch.hash == deposit.transaction && touch.to == Some(recipient));
    let besides = booked.iter().filter(|deposit| !is_plain(deposit));
    besides.fold(plainly, |sum, deposit| sum.plus(deposit.amount).unwrap_or(sum))
}

/// What an account has, against what it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    None,
    /// More.
    Rose(Amount),
    /// Less.
    Fell(Amount),
}

pub fn difference(had: Amount, has: Amount, came: Amount, left: Amount) -> Difference {
    // Past 256 bits there are no coins.
    let (is, should) = (has.plus(left).unwrap_or(has), had.plus(came).unwrap_or(had));
    match (is.minus(should), should.minus(is)) {
        (Some(more), _) if !more.is_zero() => Difference::Rose(more),
        (_, Some(less)) if !less.is_zero() => Difference::Fell(less),
        _ => Difference::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Address = Address([0x50; 20]);
    const ADA: Address = Address([0xad; 20]);
    const BOB: Address = Address([0xb0; 20]);
    const PLACE: Place<'static> = Place { network: "eip155:143", block: 7, time_ms: 7_000, how: How::Hash };
    const HASH: TxHash = TxHash([9; 32]);

    fn wei(wei: u128) -> Amount {
        Amount::from_atomic(wei)
    }

    fn moved(of: &[(Address, u128)]) -> Vec<Deposit> {
        let moves: Vec<Move> = of.iter().map(|(from, value)| Move { from: *from, to: SHOP, value: wei(*value) }).collect();
        PLACE.deposits(HASH, &moves, &[SHOP])
    }

    fn amounts(deposits: &[Deposit]) -> Vec<(Address, Amount)> {
        deposits.iter().map(|deposit| (deposit.payer, deposit.amount)).collect()
    }

    #[test]
    fn p1_several_payers_are_several_deposits_and_several_calls_of_one_are_one() {
        assert_eq!(amounts(&moved(&[(ADA, 3), (BOB, 5), (ADA, 4)])), [(ADA, wei(7)), (BOB, wei(5))]);
        assert!(moved(&[(SHOP, 3)]).is_empty(), "what one recipient sends another is nobody's payment");
    }

    #[test]
    fn p3_what_was_credited_by_hand_is_not_booked_again_when_a_node_traces() {
        let traced = moved(&[(ADA, 3), (BOB, 5)]);
        let by_hand = |payer, amount| Deposit { payer, amount: wei(amount), how: How::Hand, ..traced[0].clone() };
        assert_eq!(unbooked(traced.clone(), &[]), traced);
        assert_eq!(amounts(&unbooked(traced.clone(), &[by_hand(ADA, 3)])), [(BOB, wei(5))]);
        // All of it went to somebody else.
        let other = Address([0xee; 20]);
        assert!(unbooked(traced.clone(), &[by_hand(other, 8)]).is_empty());
        assert_eq!(amounts(&unbooked(traced.clone(), &[by_hand(other, 5)])), [(ADA, wei(3))], "as much as there is");
    }

    #[test]
    fn p2_a_fall_hides_no_arrival() {
        // Sent 30 and paid 2 for it, got 10 in the same block.
        assert_eq!(difference(wei(100), wei(78), wei(0), wei(32)), Difference::Rose(wei(10)));
        assert_eq!(difference(wei(100), wei(78), wei(10), wei(32)), Difference::None);
        assert_eq!(difference(wei(100), wei(60), wei(0), wei(32)), Difference::Fell(wei(8)));
    }
}
