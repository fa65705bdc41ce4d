//! What it takes to send a transaction of our own: fees, gas, nonce, and whether it is in a block.

use alloy::{hex, primitives::U256};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Chain, Unavailable,
    node::{Call, Fault, Said, parse},
    question::{One, is_execution_failure, receipt_of},
    rpc::{ok, ran},
    wire::{Number, Quantity, Receipt},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// What a unit of gas may cost in an EIP-1559 transaction, in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    pub max_fee_per_gas: u128,
    pub max_priority_fee_per_gas: u128,
}

/// Twice the next block's base fee is enough for six full blocks in a row: EIP-1559 raises it by an eighth at most.
const BASE_FEE_FACTOR: u128 = 2;

/// Of how many blocks the tips are looked at, and which of each block's: the one that a fifth of its gas paid less than.
const FEE_BLOCKS: u64 = 10;
const TIP_PERCENTILE: f64 = 20.0;

/// A call as a node tries it out: from whom, to whom, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    pub from: Address,
    pub to: Address,
    pub data: &'a [u8],
}

impl Trial<'_> {
    fn request(&self) -> Value {
        json!({"from": self.from, "to": self.to, "data": hex::encode_prefixed(self.data)})
    }
}

impl Chain {
    /// `eth_call` at the newest block with this much gas. `None`: it reverted, or would need more.
    pub async fn simulate(&self, trial: Trial<'_>, gas_max: u64) -> Result<Option<Vec<u8>>, Unavailable> {
        let mut request = trial.request();
        request["gas"] = format!("{gas_max:#x}").into();
        self.answer(&One { call: Call::new("eth_call", json!([request, "latest"])), read: ran }).await
    }

    /// The gas that a transaction would take. `None`: it would revert.
    pub async fn estimate_gas(&self, trial: Trial<'_>, fees: Fees) -> Result<Option<u64>, Unavailable> {
        let mut request = trial.request();
        request["maxFeePerGas"] = format!("{:#x}", fees.max_fee_per_gas).into();
        request["maxPriorityFeePerGas"] = format!("{:#x}", fees.max_priority_fee_per_gas).into();
        let read = |said: Said| match said {
            Err(error) if is_execution_failure(&error) => Ok(None),
            said => ok(said).and_then(|raw| parse::<Number>(&raw)).map(|gas| Some(gas.0)),
        };
        self.answer(&One { call: Call::new("eth_estimateGas", json!([request])), read }).await
    }

    /// What a transaction should offer to get into one of the next blocks.
    pub async fn fees(&self) -> Result<Fees, Unavailable> {
        let params = json!([format!("{FEE_BLOCKS:#x}"), "latest", [TIP_PERCENTILE]]);
        let read = |said| ok(said).and_then(|raw| parse::<FeeHistory>(&raw)).and_then(|history| history.fees());
        self.answer(&One { call: Call::new("eth_feeHistory", params), read }).await
    }

    /// The nonce of an account's next transaction, those counted that wait for a block.
    pub async fn next_nonce(&self, account: Address) -> Result<u64, Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Number>(&raw)).map(|nonce| nonce.0);
        self.answer(&One { call: Call::new("eth_getTransactionCount", json!([account, "pending"])), read }).await
    }

    /// `None`: it is in no block that the node knows. Else whether it succeeded; its block may still vanish.
    pub async fn succeeded(&self, hash: TxHash) -> Result<Option<bool>, Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Option<Receipt>>(&raw)).map(|receipt| receipt.map(|r| r.succeeded));
        self.answer(&One { call: receipt_of(hash), read }).await
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeeHistory {
    /// One more than there are blocks: the last is the next block's.
    base_fee_per_gas: Vec<Quantity>,
    #[serde(default)]
    reward: Option<Vec<Vec<Quantity>>>,
}

impl FeeHistory {
    fn fees(self) -> Result<Fees, Fault> {
        let too_much = || Fault::of_node("a gas price beyond 128 bits");
        let small = |amount: Amount| u128::try_from(U256::from_be_bytes(amount.to_be_bytes())).map_err(|_| too_much());
        let base = self.base_fee_per_gas.last().ok_or_else(|| Fault::of_node("a fee history of no block"))?;
        let base = small(base.0)?;
        let tips = self.reward.unwrap_or_default().into_iter().filter_map(|tips| tips.first().map(|tip| tip.0));
        let mut tips = tips.map(small).filter(|tip| *tip != Ok(0)).collect::<Result<Vec<_>, _>>()?;
        tips.sort_unstable();
        // No tip at all is refused by some nodes.
        let tip = tips.get(tips.len() / 2).copied().unwrap_or(1);
        let most = base.checked_mul(BASE_FEE_FACTOR).and_then(|base| base.checked_add(tip));
        let max_fee_per_gas = most.ok_or_else(too_much)?;
        Ok(Fees { max_fee_per_gas, max_priority_fee_per_gas: tip })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fees(history: Value) -> Result<Fees, Fault> {
        serde_json::from_value::<FeeHistory>(history).unwrap().fees()
    }

    #[test]
    fn the_next_blocks_base_fee_counts_twice_and_the_middle_tip_once() {
        let history = json!({"baseFeePerGas": ["0x1", "0x64"], "reward": [["0x5"], ["0x0"], ["0x9"], ["0x2"]]});
        assert_eq!(fees(history).unwrap(), Fees { max_fee_per_gas: 205, max_priority_fee_per_gas: 5 });
    }

    #[test]
    fn a_chain_without_tips_is_offered_the_smallest_one() {
        let alone = Fees { max_fee_per_gas: 201, max_priority_fee_per_gas: 1 };
        assert_eq!(fees(json!({"baseFeePerGas": ["0x64"], "reward": null})).unwrap(), alone);
        assert_eq!(fees(json!({"baseFeePerGas": ["0x64"], "reward": [["0x0"]]})).unwrap(), alone);
    }

    #[test]
    fn a_history_of_nothing_or_of_too_much_is_no_price() {
        assert!(fees(json!({"baseFeePerGas": []})).is_err());
        assert!(fees(json!({"baseFeePerGas": [format!("0x{}", "f".repeat(40))]})).is_err());
        assert!(fees(json!({"baseFeePerGas": [format!("0x{}", "f".repeat(32))]})).is_err());
    }
}
