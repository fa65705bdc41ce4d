//! What an account has of a token, and what it has promised of it, at one block: a balance and the nonces that are used up belong together.

use alloy::{hex, sol_types::SolCall};
use serde_json::json;

use super::{
    Chain, Nonce, Unavailable,
    node::{Answers, Blame, Call, Fault, Node, parse},
    question::{Question, by_tag, header_at},
    rpc::{bytes, ok},
    settled::{is_used, state_of},
    token::Token,
    wire::{Header, Quantity},
};
use crate::{evm::Address, money::Amount};

/// Nonces in one batch.
pub const NONCES_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purse {
    /// Of the token, in the newest block.
    pub balance: Amount,
    /// It is a contract, or has lent itself a contract's code (EIP-7702): what it says of its signatures may change with the block.
    pub has_code: bool,
    /// For each nonce that was asked about: is it used up? What it moved is missing from the balance already.
    pub used: Vec<bool>,
}

impl Chain {
    /// What `owner` has of `token`, and which of these nonces (at most [`NONCES_MAX`]) are used up. All of one block of one node.
    ///
    /// # Errors
    /// No node could tell all of it.
    pub async fn purse(&self, token: Address, owner: Address, nonces: &[Nonce]) -> Result<Purse, Unavailable> {
        self.answer(&Look { token, owner, nonces: &nonces[..nonces.len().min(NONCES_MAX)] }).await
    }
}

/// Where no nonces are asked about, nothing has to be of the same block.
pub(super) fn calls(token: Address, owner: Address) -> [Call; 2] {
    let balance = Token::balanceOfCall { account: owner.0.into() }.abi_encode();
    let view = json!({"to": token, "data": hex::encode_prefixed(&balance)});
    [Call::new("eth_getCode", json!([owner, "latest"])), Call::new("eth_call", json!([view, "latest"]))]
}

/// The answers to [`calls`].
pub(super) fn read(answers: &mut Answers) -> Result<Purse, Fault> {
    let has_code = !bytes(&ok(answers.raw()?)?)?.is_empty();
    let balance = parse::<Quantity>(&ok(answers.raw()?)?)?.0;
    Ok(Purse { balance, has_code, used: Vec::new() })
}

struct Look<'a> {
    token: Address,
    owner: Address,
    nonces: &'a [Nonce],
}

impl Question for Look<'_> {
    type Answer = Purse;

    async fn put_to(&self, node: &Node) -> Result<Purse, Fault> {
        let balance = Token::balanceOfCall { account: self.owner.0.into() }.abi_encode();
        if self.nonces.is_empty() {
            return read(&mut node.batch(&calls(self.token, self.owner)).await?);
        }
        let newest: Header = node.batch(&[by_tag("latest")]).await?.read()?;
        let at = format!("{:#x}", newest.height);
        let view = |to: Address, data: &[u8]| Call::new("eth_call", json!([{"to": to, "data": hex::encode_prefixed(data)}, at]));
        let states: Vec<_> = self.nonces.iter().map(|nonce| state_of(self.token, self.owner, *nonce)).collect();
        let mut calls =
            vec![header_at(newest.height), Call::new("eth_getCode", json!([self.owner, at])), view(self.token, &balance)];
        calls.extend(states.iter().map(|state| view(state.contract, &state.data)));
        let mut answers = node.batch(&calls).await?;
        let block: Option<Header> = answers.read()?;
        if block.is_none_or(|block| block.hash != newest.hash) {
            return Err(Fault { cause: "its newest block is being replaced".to_owned(), blame: Blame::Question });
        }
        let has_code = !bytes(&ok(answers.raw()?)?)?.is_empty();
        let word = |said| parse::<Quantity>(&ok(said)?).map(|word| word.0);
        let balance = word(answers.raw()?)?;
        let used = states.iter().map(|state| Ok(is_used(word(answers.raw()?)?, state))).collect::<Result<_, Fault>>()?;
        Ok(Purse { balance, has_code, used })
    }
}
