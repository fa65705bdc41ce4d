//! A token transfer that its payer signed, read once at the edge: EIP-3009's `transferWithAuthorization`, or Permit2 through
//! x402's exact proxy.
//!
//! What can be known without a chain is known here: whose numbers they are, whether they fit the price, who signed them.
//! Refusals carry x402's own reason words (those of the official facilitator, else the spec's `scheme_exact_evm.md`).

use std::borrow::Cow;

use alloy::{
    hex,
    primitives::{B256, Signature, U256},
    sol_types::{Eip712Domain, SolCall, SolStruct, eip712_domain},
};
use serde_json::{Map, Value, json};

use super::wire::{EIP3009, EXACT, Eip3009Proof, PERMIT2, Permit2Proof, Proof, Resource};
use crate::{
    chain::{self, EXACT_PROXY, SignedTransfer, token as calls},
    evm::{Address, TxHash},
    ledger::Deposit,
    money::{Amount, Asset, Money},
    network::{Network, Token},
};

/// Hexadecimal digits of the longest signature that is read: a contract wallet's may hold several.
const SIGNATURE_DIGITS_MAX: usize = 8 * 1024;

/// A payment must still be good for so long when it is shown, or it is over before it is on the chain.
const MARGIN_S: u64 = 6;

/// It may begin to hold so much later: its payer's clock is ahead of ours, or the payer wants it so. It is waited for, and then settled.
const EARLY_S_MAX: u64 = 30;

/// `maxTimeoutSeconds` towards facilitators; the signature's own times are what counts.
const TIMEOUT_S: u64 = 300;

mod typed {
    // Names and order of the fields are what payers sign.
    alloy::sol! {
        struct TransferWithAuthorization {
            address from;
            address to;
            uint256 value;
            uint256 validAfter;
            uint256 validBefore;
            bytes32 nonce;
        }

        struct TokenPermissions {
            address token;
            uint256 amount;
        }

        struct Witness {
            address to;
            uint256 validAfter;
        }

        struct PermitWitnessTransferFrom {
            TokenPermissions permitted;
            address spender;
            uint256 nonce;
            uint256 deadline;
            Witness witness;
        }
    }
}

pub use crate::ledger::Method;

impl Method {
    /// Has this token been set up for it?
    pub fn is_of(self, token: &Token) -> bool {
        match self {
            Self::Eip3009 => token.eip3009,
            Self::Permit2 => token.permit2,
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::Eip3009 => &Words {
                signature: "invalid_exact_evm_signature",
                unreadable_signature: "invalid_exact_evm_failed_to_parse_signature",
                recipient: "invalid_exact_evm_recipient_mismatch",
                expired: "invalid_exact_evm_payload_authorization_valid_before",
                early: "invalid_exact_evm_payload_authorization_valid_after",
                amount: "invalid_exact_evm_payload_authorization_value_mismatch",
                used: "invalid_exact_evm_nonce_already_used",
                balance: "invalid_exact_evm_insufficient_balance",
                simulation: "invalid_exact_evm_transaction_simulation_failed",
                failed: "invalid_exact_evm_transaction_failed",
            },
            Self::Permit2 => &Words {
                signature: "invalid_permit2_signature",
                unreadable_signature: "invalid_permit2_signature",
                recipient: "invalid_permit2_recipient_mismatch",
                expired: "permit2_deadline_expired",
                early: "permit2_not_yet_valid",
                amount: "permit2_amount_mismatch",
                used: "permit2_invalid_nonce",
                balance: "permit2_insufficient_balance",
                simulation: "permit2_simulation_failed",
                failed: "invalid_transaction_state",
            },
        }
    }
}

/// The two methods' words for the same refusals.
pub(super) struct Words {
    pub signature: &'static str,
    pub unreadable_signature: &'static str,
    pub recipient: &'static str,
    pub expired: &'static str,
    pub early: &'static str,
    pub amount: &'static str,
    pub used: &'static str,
    pub balance: &'static str,
    pub simulation: &'static str,
    /// It was sent, and reverted.
    pub failed: &'static str,
}

/// Why an authorization does not pay, in x402's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    pub reason: Cow<'static, str>,
}

impl Refused {
    pub(super) const ALLOWANCE: &'static str = "permit2_allowance_required";

    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }

    /// The payer has to let Permit2 move the token first: HTTP status 412 instead of 402.
    pub fn needs_allowance(&self) -> bool {
        self.reason == Self::ALLOWANCE
    }

    /// The nonce is used on chain. By whom and for what, only a look at the chain tells: it may have paid us.
    pub fn is_used(&self) -> bool {
        [Method::Eip3009, Method::Permit2].iter().any(|method| self.reason == method.words().used)
    }
}

/// The transfer that a settlement's deposit was booked for, to be looked up again. `None`: it is no settlement's.
pub fn booked_transfer(deposit: &Deposit) -> Option<SignedTransfer> {
    let (nonce, token) = (booked_nonce(&deposit.proof)?, deposit.asset.token?);
    let valid_before_s = u64::try_from(deposit.block_time_ms).ok()? / 1000 + 1;
    Some(SignedTransfer { token, from: deposit.payer, to: deposit.pay_to, value: deposit.amount, nonce, valid_before_s })
}

/// The nonce that an authorization's identity names.
pub(super) fn booked_nonce(proof: &str) -> Option<chain::Nonce> {
    let mut parts = proof.split('/');
    match parts.next()? {
        EIP3009 => parts.nth(2)?.parse::<TxHash>().ok().map(|nonce| chain::Nonce::Eip3009(nonce.0)),
        PERMIT2 => parts.nth(1)?.parse::<Amount>().ok().map(|nonce| chain::Nonce::Permit2(nonce.to_be_bytes())),
        _ => None,
    }
}

/// Whose authorization a settlement's deposit was booked for, as its proof says.
pub fn booked_payer(deposit: &Deposit) -> Option<Address> {
    let mut parts = deposit.proof.split('/');
    match parts.next()? {
        EIP3009 => parts.nth(1)?.parse().ok(),
        PERMIT2 => parts.next()?.parse().ok(),
        _ => None,
    }
}

/// Whose signature it is, as far as arithmetic can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// The payer's own key.
    Payer,
    /// Another key or none: it may be a contract wallet's (ERC-1271), which the chain must say.
    Unknown,
}

/// A signed transfer of a token, whoever sends it. Money moves at most once with it: the nonce is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub method: Method,
    /// CAIP-2.
    pub network: String,
    pub chain_id: u64,
    pub token: Token,
    /// The payer.
    pub from: Address,
    pub to: Address,
    pub value: Amount,
    /// Unix seconds.
    pub valid_after: u64,
    /// Unix seconds: EIP-3009's `validBefore`, Permit2's `deadline`. As far ahead as its payer likes, to the last number there is: it is settled at once.
    pub valid_before: U256,
    /// A big-endian number for Permit2.
    pub nonce: [u8; 32],
    pub signature: Vec<u8>,
    /// What it buys, for a facilitator that lists what it saw paid. Nothing of it is signed, and none of it is the payer's word.
    pub bought: Option<Bought>,
}

/// What is paid for, as a payment says it to a facilitator: the 402's own `resource`, and those of its `extensions` that are meant for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub resource: Resource,
    pub extensions: Map<String, Value>,
}

impl Authorization {
    /// The same, with what it buys.
    pub fn buying(self, bought: Option<Bought>) -> Self {
        Self { bought, ..self }
    }

    /// Reads a payment's proof that was made for `token` on `network`.
    ///
    /// # Errors
    /// It is no authorization, not for this token, or not in numbers that make sense.
    pub fn read(proof: &Proof, network: &Network, token: &Token) -> Result<Self, Refused> {
        match proof {
            Proof::Eip3009(proof) => Self::read_eip3009(proof, network, token),
            Proof::Permit2(proof) => Self::read_permit2(proof, network, token),
            Proof::Transaction(_) | Proof::Credit(_) => Err(Refused::new("unsupported_payload_type")),
        }
    }

    fn read_eip3009(proof: &Eip3009Proof, network: &Network, token: &Token) -> Result<Self, Refused> {
        let (method, signed) = (Method::Eip3009, &proof.authorization);
        if !token.eip3009 {
            return Err(Refused::new("invalid_exact_evm_eip3009_not_supported"));
        }
        Ok(Self {
            method,
            network: network.id.clone(),
            chain_id: network.chain_id,
            token: token.clone(),
            from: signed.from,
            to: signed.to,
            value: signed.value,
            valid_after: seconds(signed.valid_after).ok_or_else(|| Refused::new(method.words().early))?,
            valid_before: number(signed.valid_before),
            nonce: signed.nonce.0,
            signature: signature(&proof.signature, method)?,
            bought: None,
        })
    }

    fn read_permit2(proof: &Permit2Proof, network: &Network, token: &Token) -> Result<Self, Refused> {
        let (method, signed) = (Method::Permit2, &proof.permit2_authorization);
        if !token.permit2 {
            return Err(Refused::new("unsupported_payload_type"));
        }
        if signed.spender != chain::EXACT_PROXY {
            return Err(Refused::new("invalid_permit2_spender"));
        }
        if signed.permitted.token != token.address {
            return Err(Refused::new("permit2_token_mismatch"));
        }
        Ok(Self {
            method,
            network: network.id.clone(),
            chain_id: network.chain_id,
            token: token.clone(),
            from: signed.from,
            to: signed.witness.to,
            value: signed.permitted.amount,
            valid_after: seconds(signed.witness.valid_after).ok_or_else(|| Refused::new(method.words().early))?,
            valid_before: number(signed.deadline),
            nonce: signed.nonce.to_be_bytes(),
            signature: signature(&proof.signature, method)?,
            bought: None,
        })
    }

    /// Its identity in the books, on its network: the same for every spelling of the same authorization.
    ///
    /// The payer is part of it, so it identifies only after the signature was found to be theirs.
    pub fn proof(&self) -> String {
        match self.method {
            Method::Eip3009 => format!("eip3009/{}/{}/{}", self.token.address, self.from, TxHash(self.nonce)),
            Method::Permit2 => format!("permit2/{}/{}", self.from, Amount::from_be_bytes(self.nonce)),
        }
    }

    pub fn asset(&self) -> Asset {
        Asset { network: self.network.clone(), token: Some(self.token.address) }
    }

    pub fn money(&self) -> Money {
        Money { amount: self.value, asset: self.asset(), symbol: self.token.symbol.clone(), decimals: self.token.decimals }
    }

    /// Unix milliseconds, at most the largest.
    pub fn valid_before_ms(&self) -> i64 {
        i64::try_from(self.valid_before_s().saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    /// Unix milliseconds, at most the largest: it holds after that second.
    pub fn valid_after_ms(&self) -> i64 {
        i64::try_from(self.valid_after.saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    /// Unix seconds, at most the largest.
    fn valid_before_s(&self) -> u64 {
        u64::try_from(self.valid_before).unwrap_or(u64::MAX)
    }

    /// Everything that can be checked without a chain, in the order of the official facilitator's checklist as far as it
    /// makes a difference. `price` and `pay_to` come from the offer, never from the payment.
    ///
    /// # Errors
    /// It does not pay this price to this account now.
    pub fn check(&self, price: Amount, pay_to: Address, now_ms: i64) -> Result<SignedBy, Refused> {
        let (words, now) = (self.method.words(), u64::try_from(now_ms).unwrap_or(0) / 1000);
        let refused = |reason| Err(Refused::new(reason));
        if self.signature.ends_with(&chain::signature::ERC6492_SUFFIX) {
            // Settling would call whatever factory the payer names, at our cost.
            return refused("eip6492_factory_not_allowed");
        }
        if self.to != pay_to {
            return refused(words.recipient);
        }
        if self.valid_before < U256::from(now + MARGIN_S) {
            return refused(words.expired);
        }
        if self.valid_after > now + EARLY_S_MAX {
            return refused(words.early);
        }
        if self.value != price {
            return refused(words.amount); // not even more: the excess would be taken as well
        }
        Ok(self.signed_by())
    }

    /// Which limit of ours it does not keep, where a refusal by [`Self::check`] is about its times: so that the next one does.
    pub fn limit(&self, why: &Refused) -> Option<String> {
        let words = self.method.words();
        if why.reason == words.early {
            return Some(format!("validAfter may be {EARLY_S_MAX} seconds ahead at most"));
        }
        (why.reason == words.expired).then(|| format!("it must be good for {MARGIN_S} seconds more at least"))
    }

    /// The call that carries it out, whoever makes it: to which contract, and its data.
    pub(crate) fn settlement(&self) -> (Address, Vec<u8>) {
        let (from, to, value) = (alloy_address(self.from), alloy_address(self.to), number(self.value));
        let (after, before) = (U256::from(self.valid_after), self.valid_before);
        let signature = self.signature.clone();
        match self.method {
            Method::Eip3009 => {
                // Of the token's two functions, the one with `v`, `r` and `s` is older: some tokens have no other.
                let data = match Signature::from_raw(&signature) {
                    Ok(plain) => calls::Token::transferWithAuthorization_1Call {
                        from,
                        to,
                        value,
                        validAfter: after,
                        validBefore: before,
                        nonce: self.nonce.into(),
                        v: 27 + u8::from(plain.v()),
                        r: plain.r().into(),
                        s: plain.s().into(),
                    }
                    .abi_encode(),
                    Err(_) => calls::Token::transferWithAuthorization_0Call {
                        from,
                        to,
                        value,
                        validAfter: after,
                        validBefore: before,
                        nonce: self.nonce.into(),
                        signature: signature.into(),
                    }
                    .abi_encode(),
                };
                (self.token.address, data)
            }
            Method::Permit2 => {
                let permitted = calls::TokenPermissions { token: alloy_address(self.token.address), amount: value };
                let permit = calls::PermitTransferFrom { permitted, nonce: U256::from_be_bytes(self.nonce), deadline: before };
                let witness = calls::Witness { to, validAfter: after };
                let call = calls::ExactProxy::settleCall { permit, owner: from, witness, signature: signature.into() };
                (EXACT_PROXY, call.abi_encode())
            }
        }
    }

    /// Who signed it, by arithmetic alone.
    pub fn signed_by(&self) -> SignedBy {
        let signature = match self.signature.len() {
            65 => Signature::from_raw(&self.signature).ok(),
            64 => Some(Signature::from_erc2098(&self.signature)),
            _ => None,
        };
        let signer = signature.and_then(|signature| signature.recover_address_from_prehash(&self.digest()).ok());
        match signer {
            Some(signer) if signer.into_array() == self.from.0 => SignedBy::Payer,
            _ => SignedBy::Unknown,
        }
    }

    /// What the payer signed: EIP-712's hash, made from our own token and spender.
    pub fn digest(&self) -> B256 {
        let (from, to) = (alloy_address(self.from), alloy_address(self.to));
        let (value, after, before) = (number(self.value), U256::from(self.valid_after), self.valid_before);
        match self.method {
            Method::Eip3009 => typed::TransferWithAuthorization {
                from,
                to,
                value,
                validAfter: after,
                validBefore: before,
                nonce: self.nonce.into(),
            }
            .eip712_signing_hash(&token_domain(&self.token, self.chain_id)),
            Method::Permit2 => typed::PermitWitnessTransferFrom {
                permitted: typed::TokenPermissions { token: alloy_address(self.token.address), amount: value },
                spender: alloy_address(chain::EXACT_PROXY),
                nonce: U256::from_be_bytes(self.nonce),
                deadline: before,
                witness: typed::Witness { to, validAfter: after },
            }
            .eip712_signing_hash(&eip712_domain! {
                name: "Permit2",
                chain_id: self.chain_id,
                verifying_contract: alloy_address(chain::PERMIT2),
            }),
        }
    }

    /// What of it the chain can show.
    pub fn transfer(&self) -> SignedTransfer {
        let nonce = match self.method {
            Method::Eip3009 => chain::Nonce::Eip3009(self.nonce),
            Method::Permit2 => chain::Nonce::Permit2(self.nonce),
        };
        let (token, from, to, value) = (self.token.address, self.from, self.to, self.value);
        SignedTransfer { token, from, to, value, nonce, valid_before_s: self.valid_before_s() }
    }

    /// The request that facilitators take for `/verify` and `/settle` (version 2). Offer and echo are both made from what
    /// was checked, and what is bought is in our own words, so it holds nothing that the payer added.
    pub(super) fn request(&self) -> Value {
        let offer = json!({
            "scheme": EXACT,
            "network": self.network,
            "amount": self.value,
            "asset": self.token.address,
            "payTo": self.to,
            "maxTimeoutSeconds": TIMEOUT_S,
            "extra": {"assetTransferMethod": self.method.word(), "name": self.token.name, "version": self.token.version},
        });
        let mut payment = json!({"x402Version": 2, "accepted": offer, "payload": self.payload()});
        if let Some(Bought { resource, extensions }) = &self.bought {
            payment["resource"] = json!(resource);
            payment["extensions"] = json!(extensions);
        }
        json!({"x402Version": 2, "paymentPayload": payment, "paymentRequirements": offer})
    }

    fn payload(&self) -> Value {
        let (after, before) = (self.valid_after.to_string(), self.valid_before.to_string());
        let signature = hex::encode_prefixed(&self.signature);
        match self.method {
            Method::Eip3009 => json!({
                "signature": signature,
                "authorization": {
                    "from": self.from, "to": self.to, "value": self.value, "validAfter": after, "validBefore": before,
                    "nonce": TxHash(self.nonce),
                },
            }),
            Method::Permit2 => json!({
                "signature": signature,
                "permit2Authorization": {
                    "permitted": {"token": self.token.address, "amount": self.value}, "from": self.from,
                    "spender": chain::EXACT_PROXY, "nonce": Amount::from_be_bytes(self.nonce), "deadline": before,
                    "witness": {"to": self.to, "validAfter": after},
                },
            }),
        }
    }
}

/// The domain in which a token's payers sign.
pub(super) fn token_domain(token: &Token, chain_id: u64) -> Eip712Domain {
    eip712_domain! {
        name: token.name.clone(),
        version: token.version.clone(),
        chain_id: chain_id,
        verifying_contract: alloy_address(token.address),
    }
}

pub(super) fn alloy_address(address: Address) -> alloy::primitives::Address {
    address.0.into()
}

pub(crate) fn number(amount: Amount) -> U256 {
    U256::from_be_bytes(amount.to_be_bytes())
}

fn seconds(number: Amount) -> Option<u64> {
    let word = number.to_be_bytes();
    let (high, low) = word.split_at(24);
    let low = <[u8; 8]>::try_from(low).ok()?;
    high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(low))
}

fn signature(text: &str, method: Method) -> Result<Vec<u8>, Refused> {
    let unreadable = || Refused::new(method.words().unreadable_signature);
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= SIGNATURE_DIGITS_MAX).ok_or_else(unreadable)?;
    hex::decode(digits).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const PAY_TO: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
    /// Within the times of both vectors, in Unix milliseconds.
    const NOW_MS: i64 = 1_795_476_118_000;
    const PRICE: u128 = 1000;

    fn network() -> Network {
        Network {
            id: "eip155:143".into(),
            chain_id: 143,
            name: String::new(),
            slug: String::new(),
            symbol: "MON".into(),
            decimals: 18,
            wallet_rpc_url: String::new(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::ZERO,
            wallet_sponsors_gas: false,
            tokens: vec![Token {
                address: "0x754704Bc059F8C67012fEd69BC8A327a5aafb603".parse().unwrap(),
                symbol: "USDC".into(),
                decimals: 6,
                name: "USDC".into(),
                version: "2".into(),
                eip3009: true,
                permit2: true,
            }],
        }
    }

    /// Made with viem and the private key 0x1111…
    fn eip3009() -> Value {
        json!({
            "signature": "0x297e8f552c1ed8a5eb667b73213d68e82c59b19491fe1249031df05476eafa8a4a8db555fc516adaf093d8b861719ff65809a72fe02ae1f4fd23b299dee852011c",
            "authorization": {
                "from": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", "to": PAY_TO, "value": "1000", "validAfter": "0",
                "validBefore": "1795476418", "nonce": format!("0x{}", "01".repeat(32)),
            },
        })
    }

    /// Made with viem and the private key 0x1111…
    fn permit2() -> Value {
        json!({
            "signature": "0x83a6a92d1134450b7dc88c72f1fd71e569a231fd06af9f62651b0950dbde7fd70219924c041e9a27d4d04babd07ae9671e28161c30c7927d4ee32eed65fac1cb1b",
            "permit2Authorization": {
                "permitted": {"token": "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "amount": "1000"},
                "from": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", "spender": "0x402085c248EeA27D92E8b30b2C58ed07f9E20001",
                "nonce": "7", "deadline": "1795476418", "witness": {"to": PAY_TO, "validAfter": "0"},
            },
        })
    }

    fn read(payload: Value) -> Result<Authorization, Refused> {
        let network = network();
        Authorization::read(&serde_json::from_value(payload).unwrap(), &network, &network.tokens[0])
    }

    /// The payload with one field changed, by its JSON pointer; then what it is refused with, or whose it is.
    fn verdict(mut payload: Value, field: &str, value: impl Into<Value>) -> Result<SignedBy, String> {
        *payload.pointer_mut(field).unwrap() = value.into();
        let checked = read(payload).and_then(|read| read.check(Amount::from_atomic(PRICE), PAY_TO.parse().unwrap(), NOW_MS));
        checked.map_err(|refused| refused.reason.into_owned())
    }

    #[test]
    fn both_methods_sign_what_viem_signs() {
        let (eip3009, permit2) = (read(eip3009()).unwrap(), read(permit2()).unwrap());
        assert_eq!(eip3009.digest().to_string(), "0x84274faf5d0ced81b3388c21bbf7d6b969a5a1bea343b5965cf46fca9bb7b017");
        assert_eq!(permit2.digest().to_string(), "0xf2610ad6a399eb1550f9a2fea9d585434e15563108eaff84f2d1791193cf31bb");
        for authorization in [eip3009, permit2] {
            let checked = authorization.check(Amount::from_atomic(PRICE), PAY_TO.parse().unwrap(), NOW_MS);
            assert_eq!(checked, Ok(SignedBy::Payer));
        }
    }

    #[test]
    fn a_domain_of_another_version_or_chain_is_another_signature() {
        let good = read(eip3009()).unwrap();
        let other_version = Token { version: "1".into(), ..good.token.clone() };
        assert_eq!(Authorization { token: other_version, ..good.clone() }.signed_by(), SignedBy::Unknown);
        assert_eq!(Authorization { chain_id: 10143, ..good }.signed_by(), SignedBy::Unknown);
        assert_eq!(Authorization { chain_id: 10143, ..read(permit2()).unwrap() }.signed_by(), SignedBy::Unknown);
    }

    #[test]
    fn what_does_not_pay_the_price_is_refused_in_the_words_of_the_protocol() {
        let now = NOW_MS / 1000;
        let after = |seconds: i64| (now + seconds).to_string();
        let own = "/authorization/";
        for (field, value, reason) in [
            ("to", "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A".into(), "invalid_exact_evm_recipient_mismatch"),
            ("value", "999".into(), "invalid_exact_evm_payload_authorization_value_mismatch"),
            ("value", "1001".into(), "invalid_exact_evm_payload_authorization_value_mismatch"),
            ("validBefore", after(5), "invalid_exact_evm_payload_authorization_valid_before"),
            ("validAfter", after(31), "invalid_exact_evm_payload_authorization_valid_after"),
            ("validAfter", "18446744073709551616".into(), "invalid_exact_evm_payload_authorization_valid_after"),
        ] {
            assert_eq!(verdict(eip3009(), &format!("{own}{field}"), value.clone()), Err(reason.into()), "{field} {value}");
        }
        // At the very edge they are taken, and found to be signed by nobody we know: the signature is over other numbers.
        assert_eq!(verdict(eip3009(), "/authorization/validBefore", after(6)), Ok(SignedBy::Unknown));
        assert_eq!(verdict(eip3009(), "/authorization/validAfter", after(30)), Ok(SignedBy::Unknown));
        let own = "/permit2Authorization/";
        for (field, value, reason) in [
            ("spender", "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002".into(), "invalid_permit2_spender"),
            ("witness/to", "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A".into(), "invalid_permit2_recipient_mismatch"),
            ("deadline", after(5), "permit2_deadline_expired"),
            ("witness/validAfter", after(60), "permit2_not_yet_valid"),
            ("permitted/amount", "999".into(), "permit2_amount_mismatch"),
            ("permitted/amount", "1001".into(), "permit2_amount_mismatch"),
            ("permitted/token", PAY_TO.into(), "permit2_token_mismatch"),
        ] {
            assert_eq!(verdict(permit2(), &format!("{own}{field}"), value.clone()), Err(reason.into()), "{field} {value}");
        }
    }

    #[test]
    fn m4_a_time_far_ahead_is_taken_to_the_last_number_there_is() {
        let (day, years, last) = ((NOW_MS / 1000 + 86_400).to_string(), "18446744073709551616".to_owned(), U256::MAX.to_string());
        for until in [day, years, last] {
            assert_eq!(verdict(eip3009(), "/authorization/validBefore", until.clone()), Ok(SignedBy::Unknown), "{until}");
            assert_eq!(verdict(permit2(), "/permit2Authorization/deadline", until.clone()), Ok(SignedBy::Unknown), "{until}");
            // What is signed, and what a facilitator is sent, is the number itself.
            let mut payload = eip3009();
            payload["authorization"]["validBefore"] = until.clone().into();
            let read = read(payload.clone()).unwrap();
            assert_eq!(read.request()["paymentPayload"]["payload"]["authorization"]["validBefore"], until);
            assert_ne!(read.digest(), self::read(eip3009()).unwrap().digest());
        }
        let mut ever = eip3009();
        ever["authorization"]["validBefore"] = U256::MAX.to_string().into();
        assert_eq!(read(ever).unwrap().valid_before_ms(), i64::MAX);
    }

    #[test]
    fn a_signature_is_the_payers_or_unknown_or_unreadable() {
        let other = permit2()["signature"].clone();
        assert_eq!(verdict(eip3009(), "/signature", other), Ok(SignedBy::Unknown));
        assert_eq!(verdict(eip3009(), "/signature", "0x"), Ok(SignedBy::Unknown));
        assert_eq!(verdict(permit2(), "/permit2Authorization/nonce", "8"), Ok(SignedBy::Unknown));
        for odd in ["", "0x0", "0xzz", "1234", &format!("0x{}", "00".repeat(SIGNATURE_DIGITS_MAX / 2 + 1))] {
            let parse = "invalid_exact_evm_failed_to_parse_signature";
            assert_eq!(verdict(eip3009(), "/signature", odd), Err(parse.into()), "{odd:.20}");
            assert_eq!(verdict(permit2(), "/signature", odd), Err("invalid_permit2_signature".into()), "{odd:.20}");
        }
    }

    #[test]
    fn a_wallet_that_does_not_exist_yet_is_refused_before_anybody_is_asked() {
        let wrapped = format!("0x{}{}", "ab".repeat(96), "6492".repeat(16));
        assert_eq!(verdict(eip3009(), "/signature", wrapped.clone()), Err("eip6492_factory_not_allowed".into()));
        assert_eq!(verdict(permit2(), "/signature", wrapped), Err("eip6492_factory_not_allowed".into()));
    }

    #[test]
    fn it_is_the_same_however_it_is_spelled() {
        let mut loud = eip3009();
        loud["authorization"]["nonce"] = format!("0x{}", "AB".repeat(32)).into();
        loud["authorization"]["from"] = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a".into();
        let proof = read(loud).unwrap().proof();
        let (token, from) = ("0x754704bc059f8c67012fed69bc8a327a5aafb603", "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
        assert_eq!(proof, format!("eip3009/{token}/{from}/0x{}", "ab".repeat(32)));
        let mut padded = permit2();
        padded["permit2Authorization"]["nonce"] = "007".into();
        assert_eq!(read(padded.clone()).unwrap().proof(), format!("permit2/{from}/7"));
        assert_eq!(read(padded).unwrap(), read(permit2()).unwrap());
    }

    #[test]
    fn a_facilitator_is_sent_what_was_read_and_nothing_else() {
        for payload in [eip3009(), permit2()] {
            let good = read(payload).unwrap();
            let request = good.request();
            assert!(request["paymentPayload"].get("resource").is_none() && request["paymentPayload"].get("extensions").is_none());
            assert_eq!(read(request["paymentPayload"]["payload"].clone()).unwrap(), good);
            assert_eq!(request["paymentPayload"]["accepted"], request["paymentRequirements"]);
            assert_eq!(request["paymentRequirements"]["amount"], "1000");
        }
    }

    #[test]
    fn f2_a_facilitator_is_told_what_was_bought() {
        let resource = Resource { url: "https://shop.example/api/x402/parrot".into(), description: None, mime_type: None };
        let extensions = Map::from_iter([("bazaar".to_owned(), json!({"info": {"input": 1}}))]);
        for payload in [eip3009(), permit2()] {
            let (resource, extensions) = (resource.clone(), extensions.clone());
            let request = read(payload).unwrap().buying(Some(Bought { resource, extensions })).request();
            let payment = &request["paymentPayload"];
            assert_eq!(payment["resource"], json!({"url": "https://shop.example/api/x402/parrot"}));
            assert_eq!(payment["extensions"], json!({"bazaar": {"info": {"input": 1}}}));
            assert!(request["paymentRequirements"].get("extensions").is_none());
        }
    }

    #[test]
    fn a_token_is_taken_only_in_the_ways_it_was_set_up_for() {
        let mut network = network();
        network.tokens[0].eip3009 = false;
        network.tokens[0].permit2 = false;
        for payload in [eip3009(), permit2(), json!({"credit": "an id"})] {
            let proof = serde_json::from_value(payload).unwrap();
            assert!(Authorization::read(&proof, &network, &network.tokens[0]).is_err());
        }
    }
}
