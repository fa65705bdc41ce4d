//! A network as its visitors see it: what the page needs to show a price, switch a wallet there and link a transaction.
//!
//! Everything here is public. How the server reaches the network (RPC URLs may hold keys) is `chain`'s.

use serde::{Deserialize, Serialize};

use crate::{
    evm::TxHash,
    money::{Amount, Asset, BadAmount, Money},
};

/// Gas of a plain transfer to an account without code. Monad charges the gas *limit*, so it is given exactly.
pub const TRANSFER_GAS: u64 = 21_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// CAIP-2: `eip155:10143`.
    pub id: String,
    pub chain_id: u64,
    /// `Monad testnet`
    pub name: String,
    /// One lower-case word, as the workflow's `chain`: `monad`.
    pub slug: String,
    /// Of the native coin: `MON`.
    pub symbol: String,
    pub decimals: u8,
    /// What a wallet that does not know the network is told (EIP-3085). Never holds a key.
    pub wallet_rpc_url: String,
    /// Block explorer, without a trailing slash; a transaction is at `<explorer>/tx/<hash>`.
    #[serde(default)]
    pub explorer: Option<String>,
    /// Where test coins come from.
    #[serde(default)]
    pub faucet: Option<String>,
    /// Wei for one unit of gas, for the estimate that is shown before a wallet is connected.
    pub gas_price_hint: Amount,
}

impl Network {
    pub fn native(&self) -> Asset {
        Asset::native(&self.id)
    }

    /// An amount of the native coin.
    pub fn coin(&self, amount: Amount) -> Money {
        Money { amount, asset: self.native(), symbol: self.symbol.clone(), decimals: self.decimals }
    }

    /// Reads one of a card's prices. `None`: it is in another asset.
    ///
    /// # Errors
    /// It names this network's coin, but no amount of it.
    pub fn price(&self, text: &str) -> Result<Option<Money>, BadAmount> {
        match text.split_once(' ') {
            Some((number, symbol)) if symbol == self.symbol => {
                Amount::parse_units(number, self.decimals).map(|amount| Some(self.coin(amount)))
            }
            _ => Ok(None),
        }
    }

    /// What a plain transfer costs at `gas_price` wei: limit × price.
    pub fn transfer_fee(&self, gas_price: Amount) -> Option<Money> {
        gas_price.times(TRANSFER_GAS).map(|fee| self.coin(fee))
    }

    pub fn transaction_url(&self, hash: TxHash) -> Option<String> {
        self.explorer.as_ref().map(|explorer| format!("{explorer}/tx/{hash}"))
    }

    /// As `wallet_switchEthereumChain` wants it: `0x279f`.
    pub fn chain_id_hex(&self) -> String {
        format!("{:#x}", self.chain_id)
    }
}
