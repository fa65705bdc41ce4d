//! What coins and tokens are called, and how many decimals they have, as the chain tells. A token's name for itself is its own claim.

use std::collections::BTreeMap;

use alloy::dyn_abi::DynSolType;

use super::{
    abi::{self, Budget, Value},
    logs::{Grant, Granted, Moved},
    report::{Allows, Standard, Sum},
};
use crate::{
    agents::names::selector,
    evm::Address,
    money::{Amount, Asset},
    network::Network,
};

/// Tokens that are asked what they are, in one batch.
pub const TOKENS_MAX: usize = 16;
/// More are no decimals but a mistake, or worse.
const DECIMALS_MAX: u8 = 36;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    pub symbol: Option<String>,
    pub decimals: Option<u8>,
    /// It is one that this shop takes: its symbol is no claim of its own.
    pub is_listed: bool,
}

/// What things are called on one network.
#[derive(Clone, Debug)]
pub struct Assets {
    /// CAIP-2. `None`: no network is meant.
    pub network: Option<String>,
    symbol: String,
    decimals: u8,
    tokens: BTreeMap<Address, Token>,
    /// Symbols of the network's own list: another token that has one of them imitates it.
    listed: Vec<String>,
}

impl Assets {
    pub fn of(network: &Network) -> Self {
        let token = |token: &crate::network::Token| {
            (token.address, Token { symbol: Some(token.symbol.clone()), decimals: Some(token.decimals), is_listed: true })
        };
        Self {
            network: Some(network.id.clone()),
            symbol: network.symbol.clone(),
            decimals: network.decimals,
            tokens: network.tokens.iter().map(token).collect(),
            listed: network.tokens.iter().map(|token| token.symbol.clone()).chain([network.symbol.clone()]).collect(),
        }
    }

    /// A network that nobody here knows more of than its number.
    pub fn elsewhere(chain_id: Option<u64>) -> Self {
        let network = chain_id.map(|id| format!("eip155:{id}"));
        Self { network, symbol: "coins".to_owned(), decimals: 18, tokens: BTreeMap::new(), listed: Vec::new() }
    }

    /// The first tokens of these that are not known yet.
    pub fn unknown(&self, moved: &[Moved], granted: &[Granted]) -> Vec<Address> {
        let mut unknown = Vec::new();
        for token in moved.iter().filter_map(|moved| moved.token).chain(granted.iter().filter_map(|granted| granted.token)) {
            if !self.tokens.contains_key(&token) && !unknown.contains(&token) {
                unknown.push(token);
                if unknown.len() == TOKENS_MAX {
                    break;
                }
            }
        }
        unknown
    }

    /// What a token is asked: its symbol, its decimals.
    pub fn questions(tokens: &[Address]) -> Vec<(Address, Vec<u8>)> {
        let both = |token: &Address| ["symbol()", "decimals()"].map(|question| (*token, selector(question).to_vec()));
        tokens.iter().flat_map(both).collect()
    }

    /// What they answered.
    pub fn learn(&mut self, tokens: &[Address], answers: &[Option<Vec<u8>>]) {
        for (token, answers) in tokens.iter().zip(answers.chunks(2)) {
            let said = |place: usize| answers.get(place).and_then(Option::as_deref);
            let decimals = said(1).and_then(|word| word.split_first_chunk::<32>()).map(|(word, _)| Amount::from_be_bytes(*word));
            let decimals = decimals.and_then(super::tx::narrow).and_then(|decimals| u8::try_from(decimals).ok());
            let token_says =
                Token { symbol: said(0).and_then(symbol), decimals: decimals.filter(|decimals| *decimals <= DECIMALS_MAX), is_listed: false };
            self.tokens.insert(*token, token_says);
        }
    }

    pub fn token(&self, token: Address) -> Option<&Token> {
        self.tokens.get(&token)
    }

    /// Tokens that call themselves as another does that this shop takes, or as the network's coin.
    pub fn imitations(&self) -> Vec<(Address, String)> {
        let imitates = |(address, token): (&Address, &Token)| {
            let symbol = token.symbol.as_ref().filter(|_| !token.is_listed)?;
            self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(symbol)).then(|| (*address, symbol.clone()))
        };
        self.tokens.iter().filter_map(imitates).collect()
    }

    /// An amount of the network's own coin.
    pub fn coin(&self, amount: Amount) -> Sum {
        Sum { amount: amount.to_string(), asset: self.asset(None), words: format!("{} {}", amount.to_units(self.decimals), self.symbol) }
    }

    /// An amount of a token. `None`: of the contract that is called, whichever that is.
    pub fn tokens(&self, token: Option<Address>, amount: Amount) -> Sum {
        let Some(address) = token else {
            return Sum { amount: amount.to_string(), asset: "token".to_owned(), words: format!("{amount} units of the called token") };
        };
        let known = self.tokens.get(&address).cloned().unwrap_or_default();
        let name = known.symbol.unwrap_or_else(|| address.short());
        let words = match known.decimals {
            Some(decimals) => format!("{} {name}", amount.to_units(decimals)),
            None => format!("{amount} units of {name}"),
        };
        Sum { amount: amount.to_string(), asset: self.asset(token), words }
    }

    fn asset(&self, token: Option<Address>) -> String {
        match (&self.network, token) {
            (Some(network), token) => Asset { network: network.clone(), token }.to_string(),
            (None, Some(token)) => token.to_string(),
            (None, None) => "native".to_owned(),
        }
    }

    /// What a token or collection is called.
    pub fn name(&self, token: Option<Address>) -> String {
        let symbol = token.and_then(|token| self.tokens.get(&token)).and_then(|token| token.symbol.clone());
        symbol.or_else(|| token.map(|token| token.short())).unwrap_or_else(|| "the called token".to_owned())
    }

    pub fn moved(&self, moved: &Moved) -> Sum {
        let counted = |words: String| Sum {
            amount: moved.amount.to_string(),
            asset: moved.token.map_or_else(|| "token".to_owned(), |token| self.asset(Some(token))),
            words,
        };
        match (moved.standard, moved.id) {
            (Standard::Native, _) => self.coin(moved.amount),
            (Standard::Erc721, Some(id)) => counted(format!("{} #{}", self.name(moved.token), short_id(&id.to_string()))),
            (Standard::Erc1155, Some(id)) => {
                counted(format!("{} × {} #{}", moved.amount, self.name(moved.token), short_id(&id.to_string())))
            }
            _ => self.tokens(moved.token, moved.amount),
        }
    }

    /// What it allows, how much, and in words.
    pub fn granted(&self, granted: &Granted) -> (Allows, Option<Sum>, String) {
        let sum = |amount: Amount| self.tokens(granted.token, amount);
        let name = || self.name(granted.token);
        match &granted.grant {
            Grant::Amount(amount) if amount.is_zero() => (Allows::Nothing, Some(sum(*amount)), format!("nothing of {} any more", name())),
            Grant::Amount(amount) | Grant::More(amount) if super::asked::is_unlimited(*amount) => {
                (Allows::Unlimited, Some(sum(*amount)), format!("an unlimited amount of {}", name()))
            }
            Grant::Amount(amount) => (Allows::Bounded, Some(sum(*amount)), sum(*amount).words),
            Grant::More(amount) => (Allows::Bounded, Some(sum(*amount)), format!("{} more than before", sum(*amount).words)),
            Grant::Less(amount) => (Allows::Nothing, Some(sum(*amount)), format!("{} less than before", sum(*amount).words)),
            Grant::One(id) => {
                let nobody = granted.spender == Address([0; 20]);
                let words = format!("{} #{}", name(), short_id(&id.to_string()));
                if nobody { (Allows::Nothing, None, format!("{words}: nobody any more")) } else { (Allows::Bounded, None, words) }
            }
            Grant::All(true) => (Allows::All, None, format!("everything the owner has of {}", name())),
            Grant::All(false) => (Allows::Nothing, None, format!("nothing of {} any more", name())),
            Grant::Account(true) => (Allows::Account, None, "everything the account can do".to_owned()),
            Grant::Account(false) => (Allows::Nothing, None, "no code any more".to_owned()),
        }
    }
}

/// Some collections number their things by hashes.
fn short_id(id: &str) -> String {
    if id.len() > 12 { format!("{}…{}", &id[..5], &id[id.len() - 4..]) } else { id.to_owned() }
}

/// As a string, or as 32 bytes, as the first tokens did.
fn symbol(answer: &[u8]) -> Option<String> {
    let text = match abi::decode(&[DynSolType::String], answer, &mut Budget::default()).map(|decoded| decoded.values) {
        Ok(values) => match values.into_iter().next() {
            Some(Value::Text(text)) => text,
            _ => return None,
        },
        Err(_) => String::from_utf8_lossy(answer.get(..32)?).trim_end_matches('\0').to_owned(),
    };
    clean(&text)
}

/// Short, and without signs that turn the text around or hide.
fn clean(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| c.is_alphanumeric() || "$-_.+/*₮€£¥& ".contains(*c)).take(20).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::dyn_abi::DynSolValue;

    use super::*;

    #[test]
    fn a_symbol_is_read_both_ways_and_cleaned() {
        let string = |text: &str| DynSolValue::Tuple(vec![DynSolValue::String(text.to_owned())]).abi_encode_params();
        assert_eq!(symbol(&string("USDC")).as_deref(), Some("USDC"));
        let mut old = [0; 32];
        old[..3].copy_from_slice(b"MKR");
        assert_eq!(symbol(&old).as_deref(), Some("MKR"));
        assert_eq!(symbol(&string("CD\u{202e}SU\n<b>")).as_deref(), Some("CDSUb"));
        assert_eq!(symbol(&string(&"A".repeat(5_000))).unwrap().len(), 20);
        assert_eq!(symbol(&string("\u{200b}")), None);
        assert_eq!(symbol(&[]), None);
    }

    #[test]
    fn a_token_that_takes_another_s_name_is_found() {
        let mut assets = Assets::elsewhere(Some(1));
        assets.listed = vec!["USDC".to_owned()];
        let answers = [Some(DynSolValue::Tuple(vec![DynSolValue::String("usdc".to_owned())]).abi_encode_params()), Some(vec![255; 32])];
        assets.learn(&[Address([7; 20])], &answers);
        assert_eq!(assets.imitations(), [(Address([7; 20]), "usdc".to_owned())]);
        assert_eq!(assets.tokens(Some(Address([7; 20])), Amount::from_atomic(5)).words, "5 units of usdc");
    }
}
