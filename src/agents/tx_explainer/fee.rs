//! What a transaction costs. Monad charges the gas *limit* (facts: gas charged = gas limit × price), other networks what was used.

use super::{
    report::{Charged, Fee},
    tokens::Assets,
    tx::Tx,
};
use crate::{chain::record::Included, money::Amount, network::CHARGE_GAS_LIMIT};

pub fn charged(chain_id: Option<u64>) -> Charged {
    match chain_id {
        Some(id) if CHARGE_GAS_LIMIT.contains(&id) => Charged::GasLimit,
        _ => Charged::GasUsed,
    }
}

pub fn fee(tx: &Tx, included: Option<&Included>, chain_id: Option<u64>, assets: &Assets) -> Fee {
    let charged = charged(chain_id);
    let Some(included) = included else {
        let price = tx.max_fee.or(tx.gas_price);
        let most = price.and_then(|price| price.times(tx.gas_limit));
        return Fee {
            paid: None,
            most: most.map(|most| assets.coin(most)),
            gas_limit: tx.gas_limit,
            gas_used: None,
            charged,
            gas_price: None,
            words: match price {
                Some(price) => format!("At most the gas limit of {} × {} gwei.", tx.gas_limit, gwei(price)),
                None => "It names no price.".to_owned(),
            },
        };
    };
    let gas = match charged {
        Charged::GasLimit => tx.gas_limit,
        Charged::GasUsed => included.gas_used,
    };
    let price = gwei(included.gas_price);
    Fee {
        paid: included.gas_price.times(gas).map(|paid| assets.coin(paid)),
        most: None,
        gas_limit: tx.gas_limit,
        gas_used: Some(included.gas_used),
        charged,
        gas_price: Some(included.gas_price.to_string()),
        words: match charged {
            Charged::GasLimit => format!("The gas limit of {gas} × {price} gwei: Monad charges the limit, not what was used."),
            Charged::GasUsed => format!("The {gas} gas that were used × {price} gwei; the limit was {}.", tx.gas_limit),
        },
    }
}

/// Wei, told in billions.
fn gwei(price: Amount) -> String {
    price.to_units(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monad_charges_the_limit_and_others_what_was_used() {
        let tx = Tx { gas_limit: 100_000, ..Tx::default() };
        let included = Included {
            block: 1,
            block_hash: [0; 32],
            time_s: 0,
            index: 0,
            succeeded: true,
            gas_used: 21_000,
            gas_price: Amount::from_atomic(100_000_000_000),
            created: None,
            logs: Vec::new(),
            latest: 1,
            safe: None,
            final_height: None,
        };
        let paid = |chain: u64| fee(&tx, Some(&included), Some(chain), &Assets::elsewhere(Some(chain))).paid.map(|sum| sum.words);
        assert_eq!(paid(143).as_deref(), Some("0.01 coins"));
        assert_eq!(paid(10143).as_deref(), Some("0.01 coins"));
        assert_eq!(paid(1).as_deref(), Some("0.0021 coins"));
        let most = fee(&Tx { max_fee: Some(Amount::from_atomic(2)), ..tx }, None, Some(1), &Assets::elsewhere(Some(1)));
        assert_eq!(most.most.map(|sum| sum.amount).as_deref(), Some("200000"));
    }
}
