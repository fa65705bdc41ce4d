//! The transaction-proof method: a native transfer that was already sent (docs/protocol.md, "Native coin").
//!
//! Pure judgement, no chain and no database: what a final transaction is worth to us, and what a deposit buys its presenter.

use crate::{
    chain::Transfer,
    error::{CallError, Code},
    evm::{Address, TxHash},
    ledger::{Deposit, How, Run},
    money::{Amount, Asset},
};

/// A payment's block may be this much older than its offer: block times are whole seconds, and clocks differ a little.
const CLOCK_SLACK_MS: i64 = 2_000;
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

/// What a final transaction brought us.
///
/// # Errors
/// Why it brought nothing: reverted, to somebody else, inside a contract call, or nothing at all.
pub fn deposit_of(transfer: &Transfer, network: &str, pay_to: Address, how: How) -> Result<Deposit, CallError> {
    let refused = |code: Code| Err(CallError::from(code).with_transaction(transfer.hash));
    if !transfer.succeeded {
        return refused(Code::PaymentReverted);
    }
    if transfer.to != Some(pay_to) {
        return refused(if transfer.has_data { Code::UnsupportedTransfer } else { Code::WrongRecipient });
    }
    if transfer.value.is_zero() {
        return Err(CallError::saying(Code::AmountTooLow, "The transaction moved nothing. The price was not paid.")
            .with_transaction(transfer.hash));
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
        deposit_of(&Transfer { block_time_ms, ..transfer() }, NET, SHOP, How::Hash).unwrap()
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
        let to = |transfer: Transfer| code(deposit_of(&transfer, NET, SHOP, How::Hash));
        assert_eq!(to(Transfer { succeeded: false, ..transfer() }), Code::PaymentReverted);
        assert_eq!(to(Transfer { to: Some(EVE), ..transfer() }), Code::WrongRecipient);
        assert_eq!(to(Transfer { to: None, has_data: true, ..transfer() }), Code::UnsupportedTransfer);
        assert_eq!(to(Transfer { to: Some(EVE), has_data: true, ..transfer() }), Code::UnsupportedTransfer);
        assert_eq!(to(Transfer { value: Amount::ZERO, ..transfer() }), Code::AmountTooLow);
        let booked = deposit_of(&transfer(), NET, SHOP, How::Watch).unwrap();
        assert_eq!((booked.payer, booked.amount), (ADA, amount(100)));
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
    fn o5_an_older_payment_buys_no_run_by_itself() {
        assert!(price_for(&run(true), &deposit(ISSUED - 2_000), amount(1), ISSUED).is_ok());
        assert_eq!(code(price_for(&run(true), &deposit(ISSUED - 2_001), amount(1), ISSUED)), Code::PaymentTooOld);
        let day = 24 * 60 * 60 * 1000;
        assert!(price_for(&run(false), &deposit(ISSUED), amount(1), ISSUED + day).is_ok());
        assert_eq!(code(price_for(&run(false), &deposit(ISSUED), amount(1), ISSUED + day + 1)), Code::PaymentTooOld);
    }
}
