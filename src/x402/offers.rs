//! The sealed price of a 402. An offer is stateless: its terms travel with it, under our HMAC, and no row is written before somebody pays.
//!
//! `extra.offer` is `v1.<terms>.<mac>`, both base64url without padding. The payer echoes it, so the price is locked from the moment it was shown;
//! its 128 random bits never reach the chain, so who holds them has seen the offer (docs/protocol.md, "The seal").

use std::ops::Range;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::wire::{EXACT, Extra, NATIVE, Offer, TRANSACTION_PROOF};
use crate::{
    evm::Address,
    ledger::SealedTerms,
    money::{Amount, Asset, Money},
};

/// What an offer says, as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The card's slug.
    #[serde(rename = "g")]
    pub agent: String,
    /// What one call costs: always the full price.
    #[serde(rename = "p")]
    pub price: Amount,
    /// What the offer asks to send: less than the price where credit is there already.
    #[serde(rename = "a")]
    pub amount: Amount,
    #[serde(rename = "s")]
    pub asset: Asset,
    #[serde(rename = "t")]
    pub pay_to: Address,
    /// Unix milliseconds.
    #[serde(rename = "i")]
    pub issued_ms: i64,
    #[serde(rename = "e")]
    pub expires_ms: i64,
    /// 128 random bits, lower-case hex.
    #[serde(rename = "n")]
    pub nonce: String,
}

impl Terms {
    /// As the run's row keeps them: the random bits hashed, so that a copy of the database shows nobody's.
    pub fn for_the_books(&self) -> SealedTerms {
        SealedTerms {
            price: self.price,
            asset: self.asset.clone(),
            issued_ms: self.issued_ms,
            expires_ms: self.expires_ms,
            nonce_sha256: sha256_hex(self.nonce.as_bytes()),
        }
    }
}

/// Not ours, or changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this offer was not made here")]
pub struct NotOurs;

/// What is derived from the one secret of a shop. From the settings, else made once and kept in the data directory.
#[derive(Clone)]
pub struct Seal {
    secret: [u8; 32],
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// An offer's seal is a few hundred characters; more is not read.
const SEAL_MAX: usize = 2048;

impl Seal {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// HMAC-SHA-256 under a key of its own for each purpose, so that a seal of one kind is never one of another.
    pub(crate) fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let key = hmac(&self.secret, purpose.as_bytes());
        hmac(&key, message)
    }

    /// Makes the native offer of `price`, of which `amount` is still to be sent. `holds`: from its issue to its expiry, Unix milliseconds.
    pub fn native_offer(
        &self,
        agent: &str,
        price: &Money,
        amount: Amount,
        pay_to: Address,
        finality: String,
        holds: Range<i64>,
    ) -> Offer {
        let terms = Terms {
            agent: agent.to_owned(),
            price: price.amount,
            amount,
            asset: price.asset.clone(),
            pay_to,
            issued_ms: holds.start,
            expires_ms: holds.end,
            nonce: random_hex::<16>(),
        };
        Offer {
            scheme: EXACT.to_owned(),
            network: price.asset.network.clone(),
            amount,
            asset: NATIVE.to_owned(),
            pay_to,
            max_timeout_seconds: u64::try_from((holds.end - holds.start) / 1000).unwrap_or(1).max(1),
            extra: Extra {
                asset_transfer_method: Some(TRANSACTION_PROOF.to_owned()),
                payment_flow: Some("upfront".to_owned()),
                decimals: Some(price.decimals),
                symbol: Some(price.symbol.clone()),
                finality: Some(finality),
                expires_at_ms: Some(terms.expires_ms),
                offer: Some(self.close(&terms)),
                ..Extra::default()
            },
        }
    }

    fn close(&self, terms: &Terms) -> String {
        // Plain data: it always serialises.
        let json = serde_json::to_vec(terms).unwrap_or_default();
        let mac = self.mac("offer", &json);
        format!("v1.{}.{}", BASE64_URL_SAFE_NO_PAD.encode(&json), BASE64_URL_SAFE_NO_PAD.encode(mac))
    }

    /// # Errors
    /// [`NotOurs`] for anything that this shop's secret did not seal, byte for byte. Says nothing about expiry.
    pub fn open(&self, token: &str) -> Result<Terms, NotOurs> {
        if token.len() > SEAL_MAX {
            return Err(NotOurs);
        }
        let (json, mac) = token.strip_prefix("v1.").and_then(|rest| rest.split_once('.')).ok_or(NotOurs)?;
        let json = BASE64_URL_SAFE_NO_PAD.decode(json).map_err(|_| NotOurs)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).map_err(|_| NotOurs)?;
        if !same(&self.mac("offer", &json), &mac) {
            return Err(NotOurs);
        }
        serde_json::from_slice(&json).map_err(|_| NotOurs)
    }

    /// The key that shows a run to whoever holds it, 128 bits, lower-case hex. Derived, so that every answer can name it again; the row has its hash.
    pub fn run_key(&self, run: &str) -> String {
        hex(&self.mac("run key", run.as_bytes())[..16])
    }
}

/// Compares in constant time.
pub(crate) fn same(ours: &[u8], theirs: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(ours, theirs).into()
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // RFC 2104: a key shorter than the block is padded with zeros.
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn random_hex<const N: usize>() -> String {
    let mut bytes = [0_u8; N];
    rand::rng().fill(&mut bytes[..]);
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn price() -> Money {
        Money {
            amount: Amount::from_atomic(100_000_000_000_000),
            asset: Asset::native("eip155:10143"),
            symbol: "MON".into(),
            decimals: 18,
        }
    }

    fn offer(seal: &Seal) -> Offer {
        seal.native_offer("contract-xray", &price(), price().amount, Address([7; 20]), "finalized".into(), NOW..NOW + 300_000)
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        let seal = Seal::new([1; 32]);
        let terms = seal.open(offer(&seal).extra.offer.as_deref().unwrap()).unwrap();
        assert_eq!((terms.agent.as_str(), terms.price, terms.expires_ms), ("contract-xray", price().amount, NOW + 300_000));
    }

    #[test]
    fn no_changed_byte_passes() {
        let seal = Seal::new([1; 32]);
        let token = offer(&seal).extra.offer.unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open(&String::from_utf8(changed).unwrap()), Err(NotOurs), "byte {at}");
        }
        assert_eq!(Seal::new([2; 32]).open(&token), Err(NotOurs), "another shop's secret");
    }

    #[test]
    fn two_offers_never_share_their_random_bits() {
        let seal = Seal::new([1; 32]);
        assert_ne!(offer(&seal).extra.offer, offer(&seal).extra.offer);
    }

    #[test]
    fn a_native_offer_keeps_token_clients_off() {
        // facts of x402 clients: with `name` and `version` in `extra`, or the zero address, they would sign a token authorization.
        let json = serde_json::to_value(offer(&Seal::new([1; 32]))).unwrap();
        assert_eq!((json["asset"].as_str(), json["extra"]["paymentFlow"].as_str()), (Some("native"), Some("upfront")));
        assert!(json["extra"].get("name").is_none() && json["extra"].get("version").is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = Seal::new([1; 32]).open(&text);
            let _ = Seal::new([1; 32]).open(&format!("v1.{text}.{text}"));
        }
    }
}
