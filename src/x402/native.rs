//! The transaction-proof method: a native transfer that was already sent (docs/protocol.md, "Native coin").
//!
//! Pure judgement, no chain and no database: what a final transaction is worth to us, and what a deposit buys its presenter.

use super::desk::CLOCK_SLACK_MS;
use crate::{
    chain::Transfer,
    error::{CallError, Code},
    evm::{Address, TxHash},
    ledger::{Deposit, How, Run},
    money::{Amount, Asset},
};

/// Without an echoed offer there is no issue time: an older transaction buys no run by itself (O5).
const UNECHOED_AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// How a native payment is named in the books.
pub fn proof_of(hash: TxHash) -> String {
    format!("tx/{hash}")
}

/// The transaction of a proof. `None`: it is paid from credit.
pub fn transaction_of(proof: &str) -> Option<TxHash> {
    proof.strip_prefix("tx/")?.parse().ok()
}

/// Why a transaction is no plain transfer to us.
#[allow(clippy::large_enum_variant)] // a `CallError` is the whole answer, made once and moved along
#[derive(Clone, Debug, PartialEq)]
pub enum Inside {
    /// It brought nothing, and that is plain to see.
    Refused(CallError),
    /// It went elsewhere; its calls may have brought something (`brought`).
    Perhaps,
}

/// What a final transaction plainly brought us. `recipients`: where visitors pay to, and paid to before.
///
/// # Errors
/// It is no plain transfer to us.
pub fn deposit_of(transfer: &Transfer, network: &str, recipients: &[Address], how: How) -> Result<Deposit, Inside> {
    if !transfer.succeeded {
        return Err(Inside::Refused(CallError::from(Code::PaymentReverted).with_transaction(transfer.hash)));
    }
    let Some(pay_to) = transfer.to.filter(|to| recipients.contains(to)) else { return Err(Inside::Perhaps) };
    if transfer.value.is_zero() {
        let why = CallError::saying(Code::AmountTooLow, "The transaction moved nothing. The price was not paid.");
        return Err(Inside::Refused(why.with_transaction(transfer.hash)));
    }
    Ok(Deposit {
        network: network.to_owned(),
        proof: proof_of(transfer.hash),
        transaction: transfer.hash,
        payer: transfer.from,
        pay_to,
        asset: Asset::native(network),
        amount: transfer.value,
        block: transfer.block,
        block_time_ms: transfer.block_time_ms,
        how,
    })
}

/// What the presenter of a deposit may have held for the run: the price.
///
/// # Errors
/// It is somebody else's payment, or too old. What arrived is its payer's credit in any case.
pub fn price_for(run: &Run, deposit: &Deposit, today: Amount, now_ms: i64) -> Result<Amount, CallError> {
    let refused = |code: Code| {
        let error = CallError::from(code);
        transaction_of(&deposit.proof).map_or(error.clone(), |hash| error.with_transaction(hash))
    };
    if deposit.payer != run.payer {
        return Err(refused(Code::PayerMismatch));
    }
    let Some(terms) = &run.terms else {
        let age = now_ms.saturating_sub(deposit.block_time_ms);
        return if age > UNECHOED_AGE_MAX_MS { Err(refused(Code::PaymentTooOld)) } else { Ok(today) };
    };
    // Fast programs pay within a second, by a chain whose clock may be behind ours; a reorganisation dates them anew.
    if deposit.block_time_ms < terms.issued_ms.saturating_sub(CLOCK_SLACK_MS) {
        return Err(refused(Code::PaymentTooOld));
    }
    Ok(if deposit.block_time_ms <= terms.expires_ms { terms.price } else { today })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ledger::SealedTerms, run::RunState};

    const ADA: Address = Address([0xad; 20]);
    const EVE: Address = Address([0xee; 20]);
    const SHOP: Address = Address([0x50; 20]);
    const NET: &str = "eip155:10143";
    const ISSUED: i64 = 1_795_000_000_000;

    fn amount(units: u128) -> Amount {
        Amount::from_atomic(units)
    }

    fn transfer() -> Transfer {
        Transfer {
            hash: TxHash([9; 32]),
            from: ADA,
            to: Some(SHOP),
            value: amount(100),
            succeeded: true,
            has_data: false,
            block: 5,
            block_hash: [5; 32],
            block_time_ms: ISSUED + 10_000,
        }
    }

    fn deposit(block_time_ms: i64) -> Deposit {
        deposit_of(&Transfer { block_time_ms, ..transfer() }, NET, &[SHOP], How::Hash).unwrap()
    }

    fn run(terms: bool) -> Run {
        Run {
            id: "r".into(),
            agent: "contract-xray".into(),
            version: "1".into(),
            payer: ADA,
            state: RunState::Waiting,
            input: None,
            input_sha256: String::new(),
            network: NET.into(),
            proof: proof_of(TxHash([9; 32])),
            terms: terms.then(|| SealedTerms {
                price: amount(100),
                asset: Asset::native(NET),
                issued_ms: ISSUED,
                expires_ms: ISSUED + 300_000,
                nonce_sha256: String::new(),
            }),
            price: None,
            included_block: None,
            deposit_block: Some(5),
            pay_to: Some(SHOP),
            transaction: Some(TxHash([9; 32])),
            authorization: None,
            output: None,
            output_sha256: None,
            engine: None,
            error: None,
            attempts: 0,
            broke: 0,
            key_sha256: String::new(),
            created_ms: ISSUED,
            presented_ms: ISSUED,
            held_ms: None,
            finished_ms: None,
        }
    }

    fn code<T: std::fmt::Debug>(result: Result<T, CallError>) -> Code {
        result.unwrap_err().code
    }

    #[test]
    fn o2_only_value_that_arrived_here_is_a_deposit() {
        let refused = |transfer: Transfer| match deposit_of(&transfer, NET, &[SHOP], How::Hash) {
            Err(Inside::Refused(why)) => Some(why.code),
            _ => None,
        };
        assert_eq!(refused(Transfer { succeeded: false, ..transfer() }), Some(Code::PaymentReverted));
        assert_eq!(refused(Transfer { value: Amount::ZERO, ..transfer() }), Some(Code::AmountTooLow));
        let booked = deposit_of(&transfer(), NET, &[SHOP], How::Watch).unwrap();
        assert_eq!((booked.payer, booked.amount), (ADA, amount(100)));
    }

    #[test]
    fn p1_what_went_elsewhere_may_have_brought_something_inside() {
        for other in [
            Transfer { to: Some(EVE), ..transfer() },
            Transfer { to: None, has_data: true, ..transfer() },
            Transfer { to: Some(EVE), has_data: true, value: Amount::ZERO, ..transfer() },
        ] {
            assert_eq!(deposit_of(&other, NET, &[SHOP], How::Hash), Err(Inside::Perhaps));
        }
    }

    #[test]
    fn m2_a_former_recipient_is_one_of_ours() {
        let former = Address([0x51; 20]);
        let booked = deposit_of(&Transfer { to: Some(former), ..transfer() }, NET, &[SHOP, former], How::Hash).unwrap();
        assert_eq!(booked.pay_to, former);
    }

    #[test]
    fn o4_somebody_elses_payment_buys_nothing() {
        let theirs = Run { payer: EVE, ..run(true) };
        assert_eq!(code(price_for(&theirs, &deposit(ISSUED), amount(1), ISSUED)), Code::PayerMismatch);
    }

    #[test]
    fn the_sealed_price_holds_until_the_offer_ends_and_todays_after() {
        let today = amount(250);
        assert_eq!(price_for(&run(true), &deposit(ISSUED + 300_000), today, ISSUED).unwrap(), amount(100));
        assert_eq!(price_for(&run(true), &deposit(ISSUED + 300_001), today, ISSUED).unwrap(), today);
        assert_eq!(price_for(&run(false), &deposit(ISSUED), today, ISSUED).unwrap(), today);
    }

    #[test]
    fn m4_a_payment_may_be_dated_two_minutes_before_its_offer() {
        for early_ms in [0, 2_000, 2_001, 4_000, 30_000, 120_000] {
            assert_eq!(price_for(&run(true), &deposit(ISSUED - early_ms), amount(1), ISSUED), Ok(amount(100)), "{early_ms}");
        }
    }

    #[test]
    fn o5_an_older_payment_buys_no_run_by_itself() {
        assert_eq!(code(price_for(&run(true), &deposit(ISSUED - 120_001), amount(1), ISSUED)), Code::PaymentTooOld);
        let day = 24 * 60 * 60 * 1000;
        assert!(price_for(&run(false), &deposit(ISSUED), amount(1), ISSUED + day).is_ok());
        assert_eq!(code(price_for(&run(false), &deposit(ISSUED), amount(1), ISSUED + day + 1)), Code::PaymentTooOld);
    }
}
