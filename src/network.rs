//! A network as its visitors see it: what the page needs to show a price, switch a wallet there and link a transaction.
//!
//! Everything here is public. How the server reaches the network (RPC URLs may hold keys) is `chain`'s.

use serde::{Deserialize, Serialize};

use crate::{
    evm::{Address, TxHash},
    money::{Amount, Asset, BadAmount, Money},
};

/// Gas of a plain transfer to an account without code. Monad charges the gas *limit*, so it is given exactly.
pub const TRANSFER_GAS: u64 = 21_000;

/// Monad's mainnet and testnet.
pub const CHARGE_GAS_LIMIT: [u64; 2] = [143, 10143];

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
    /// Do wallets pay the gas of their accounts' transfers here, as MetaMask does on Monad for an account that keeps 10 MON? Then the page says so.
    #[serde(default)]
    pub wallet_sponsors_gas: bool,
    /// What is sold for besides the coin, in the order of preference. Only those that somebody settles here (`x402::facilitator`).
    #[serde(default)]
    pub tokens: Vec<Token>,
}

/// An ERC-20 that is taken as payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub address: Address,
    /// As cards name it: `USDC`.
    pub symbol: String,
    pub decimals: u8,
    /// In the token's EIP-712 domain.
    pub name: String,
    /// In the token's EIP-712 domain.
    pub version: String,
    /// Takes `transferWithAuthorization`.
    pub eip3009: bool,
    /// Offered through Permit2 as well.
    pub permit2: bool,
}

impl Network {
    pub fn native(&self) -> Asset {
        Asset::native(&self.id)
    }

    /// An amount of the native coin.
    pub fn coin(&self, amount: Amount) -> Money {
        Money { amount, asset: self.native(), symbol: self.symbol.clone(), decimals: self.decimals }
    }

    pub fn token(&self, address: Address) -> Option<&Token> {
        self.tokens.iter().find(|token| token.address == address)
    }

    /// An amount of one of this network's tokens.
    pub fn token_money(&self, token: &Token, amount: Amount) -> Money {
        let asset = Asset { network: self.id.clone(), token: Some(token.address) };
        Money { amount, asset, symbol: token.symbol.clone(), decimals: token.decimals }
    }

    /// An amount of an asset of this network. `None`: it is of another network, or not taken here any more.
    pub fn money(&self, asset: &Asset, amount: Amount) -> Option<Money> {
        if asset.network != self.id {
            return None;
        }
        match asset.token {
            None => Some(self.coin(amount)),
            Some(token) => self.token(token).map(|token| self.token_money(token, amount)),
        }
    }

    /// Reads one of a card's prices. `None`: it is in an asset that is not taken here.
    ///
    /// # Errors
    /// It names an asset of this network, but no amount of it.
    pub fn price(&self, text: &str) -> Result<Option<Money>, BadAmount> {
        let Some((number, symbol)) = text.split_once(' ') else { return Ok(None) };
        if symbol == self.symbol {
            return Amount::parse_units(number, self.decimals).map(|amount| Some(self.coin(amount)));
        }
        match self.tokens.iter().find(|token| token.symbol == symbol) {
            Some(token) => Amount::parse_units(number, token.decimals).map(|amount| Some(self.token_money(token, amount))),
            None => Ok(None),
        }
    }

    /// What so much gas costs at `gas_price` wei for one unit of it, exactly. `None` past 256 bits.
    pub fn fee(&self, gas: u64, gas_price: Amount) -> Option<Money> {
        gas_price.times(gas).map(|fee| self.coin(fee))
    }

    /// The same of a plain transfer: limit × price.
    pub fn transfer_fee(&self, gas_price: Amount) -> Option<Money> {
        self.fee(TRANSFER_GAS, gas_price)
    }

    /// Is the gas *limit* charged here, and not what was used (docs.monad.xyz, "Gas pricing")?
    pub fn charges_gas_limit(&self) -> bool {
        CHARGE_GAS_LIMIT.contains(&self.chain_id)
    }

    pub fn transaction_url(&self, hash: TxHash) -> Option<String> {
        self.explorer.as_ref().map(|explorer| format!("{explorer}/tx/{hash}"))
    }

    /// As `wallet_switchEthereumChain` wants it: `0x279f`.
    pub fn chain_id_hex(&self) -> String {
        format!("{:#x}", self.chain_id)
    }
}

#[cfg(test)]
impl Network {
    /// For tests: a chain of Monad's coin at 100 gwei, without tokens.
    pub(crate) fn of_monads(chain_id: u64) -> Self {
        Self {
            id: format!("eip155:{chain_id}"),
            chain_id,
            name: "Monad".into(),
            slug: "monad".into(),
            symbol: "MON".into(),
            decimals: 18,
            wallet_rpc_url: String::new(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::from_atomic(100_000_000_000),
            wallet_sponsors_gas: false,
            tokens: Vec::new(),
        }
    }
}
