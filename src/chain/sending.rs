//! What it takes to send a transaction of our own: fees, gas, nonce, and whether it is in a block.

use alloy::{hex, primitives::U256};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Chain, Unavailable,
    node::{Call, Fault, Node, Said, parse},
    purse::{self, Purse},
    question::{One, Question, is_execution_failure, receipt_of},
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
    /// `eth_call` at the newest block with this much gas; with it, what a transaction would have to offer now, and what `owner` has of `token`.
    pub async fn try_out(&self, trial: Trial<'_>, gas_max: u64, token: Address, owner: Address) -> Result<Tried, Unavailable> {
        self.answer(&TryOut { trial, gas_max, token, owner }).await
    }

    /// All that it takes to sign a transaction. `fees`: what it would about cost, if that is known: then a node tells whether its sender can pay that.
    pub async fn prepare(&self, trial: Trial<'_>, fees: Option<Fees>) -> Result<Prepared, Unavailable> {
        self.answer(&Preparation { trial, fees }).await
    }

    /// What a transaction should offer to get into one of the next blocks.
    pub async fn fees(&self) -> Result<Fees, Unavailable> {
        self.answer(&One { call: fee_history(), read: read_fees }).await
    }

    /// The nonce of an account's next transaction, those counted that wait for a block.
    pub async fn next_nonce(&self, account: Address) -> Result<u64, Unavailable> {
        self.answer(&One { call: count_of(account), read: read_number }).await
    }

    /// `None`: it is in no block that the node knows. Else whether it succeeded; its block may still vanish.
    pub async fn succeeded(&self, hash: TxHash) -> Result<Option<bool>, Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Option<Receipt>>(&raw)).map(|receipt| receipt.map(|r| r.succeeded));
        self.answer(&One { call: receipt_of(hash), read }).await
    }
}

/// What a transaction is signed with, of one moment of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    pub fees: Fees,
    /// The gas that it would take. `None`: it would revert.
    pub gas: Option<u64>,
    /// As [`Chain::next_nonce`].
    pub next_nonce: u64,
}

/// What a node says of a call that it has tried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// `None`: it reverted, or would need more gas.
    pub returned: Option<Vec<u8>>,
    pub fees: Fees,
    /// Without any nonces.
    pub purse: Purse,
}

struct TryOut<'a> {
    trial: Trial<'a>,
    gas_max: u64,
    token: Address,
    owner: Address,
}

impl Question for TryOut<'_> {
    type Answer = Tried;

    async fn put_to(&self, node: &Node) -> Result<Tried, Fault> {
        let mut request = self.trial.request();
        request["gas"] = format!("{:#x}", self.gas_max).into();
        let mut calls = vec![Call::new("eth_call", json!([request, "latest"])), fee_history()];
        calls.extend(purse::calls(self.token, self.owner));
        let mut answers = node.batch(&calls).await?;
        Ok(Tried { returned: ran(answers.raw()?)?, fees: read_fees(answers.raw()?)?, purse: purse::read(&mut answers)? })
    }
}

struct Preparation<'a> {
    trial: Trial<'a>,
    fees: Option<Fees>,
}

impl Question for Preparation<'_> {
    type Answer = Prepared;

    async fn put_to(&self, node: &Node) -> Result<Prepared, Fault> {
        let mut request = self.trial.request();
        if let Some(fees) = self.fees {
            request["maxFeePerGas"] = format!("{:#x}", fees.max_fee_per_gas).into();
            request["maxPriorityFeePerGas"] = format!("{:#x}", fees.max_priority_fee_per_gas).into();
        }
        let calls = [fee_history(), Call::new("eth_estimateGas", json!([request])), count_of(self.trial.from)];
        let mut answers = node.batch(&calls).await?;
        let fees = read_fees(answers.raw()?)?;
        let gas = match answers.raw()? {
            Err(error) if is_execution_failure(&error) => None,
            said => Some(read_number(said)?),
        };
        Ok(Prepared { fees, gas, next_nonce: read_number(answers.raw()?)? })
    }
}

fn fee_history() -> Call {
    Call::new("eth_feeHistory", json!([format!("{FEE_BLOCKS:#x}"), "latest", [TIP_PERCENTILE]]))
}

fn read_fees(said: Said) -> Result<Fees, Fault> {
    ok(said).and_then(|raw| parse::<FeeHistory>(&raw)).and_then(|history| history.fees())
}

fn count_of(account: Address) -> Call {
    Call::new("eth_getTransactionCount", json!([account, "pending"]))
}

fn read_number(said: Said) -> Result<u64, Fault> {
    ok(said).and_then(|raw| parse::<Number>(&raw)).map(|number| number.0)
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
