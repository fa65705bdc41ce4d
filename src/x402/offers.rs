//! The sealed price of a 402. An offer is stateless: its terms travel with it, under our HMAC, and no row is written before somebody pays.
//!
//! `extra.offer` is `v1.<terms>.<mac>`, both base64url without padding (`packed`). The payer echoes it, so the price is locked from the moment it was shown;
//! its 128 random bits never reach the chain, so who holds them has seen the offer (docs/protocol.md, "The seal").

use std::ops::Range;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

use super::{
    packed,
    wire::{EIP3009, EXACT, Extra, NATIVE, Offer, PERMIT2, TRANSACTION_PROOF},
};
use crate::{
    evm::Address,
    ledger::SealedTerms,
    money::{Amount, Asset, Money},
    network::Token,
};

/// How an offer is to be paid: its `assetTransferMethod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method<'t> {
    /// A transfer of the coin that the payer has sent himself; `finality` in words.
    TransactionProof { finality: String },
    /// A signed `transferWithAuthorization`.
    Eip3009(&'t Token),
    /// A signed Permit2 transfer.
    Permit2(&'t Token),
}

impl Method<'_> {
    pub fn word(&self) -> &'static str {
        match self {
            Self::TransactionProof { .. } => TRANSACTION_PROOF,
            Self::Eip3009(_) => EIP3009,
            Self::Permit2(_) => PERMIT2,
        }
    }

    fn extra(&self) -> Extra {
        match self {
            Self::TransactionProof { finality } => {
                Extra { payment_flow: Some("upfront".to_owned()), finality: Some(finality.clone()), ..Extra::default() }
            }
            Self::Eip3009(token) | Self::Permit2(token) => {
                Extra { name: Some(token.name.clone()), version: Some(token.version.clone()), ..Extra::default() }
            }
        }
    }
}

/// What is asked for one call.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The card's slug.
    pub agent: &'a str,
    /// What one call costs: always the full price.
    pub price: &'a Money,
    /// What is still to be sent of it.
    pub amount: Amount,
    pub pay_to: Address,
    pub method: Method<'a>,
    /// From its issue to its expiry, Unix milliseconds.
    pub holds: Range<i64>,
    /// For how long what its payer signs has to hold, in seconds.
    pub max_timeout_s: u64,
}

/// What an offer says, as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The card's slug.
    pub agent: String,
    /// What one call costs: always the full price.
    pub price: Amount,
    /// What the offer asks to send: less than the price where credit is there already.
    pub amount: Amount,
    pub asset: Asset,
    /// `assetTransferMethod`.
    pub method: String,
    pub pay_to: Address,
    /// Unix milliseconds.
    pub issued_ms: i64,
    pub expires_ms: i64,
    /// 128 random bits.
    pub nonce: [u8; 16],
}

impl Terms {
    /// As the run's row keeps them: the random bits hashed, so that a copy of the database shows nobody's.
    pub fn for_the_books(&self) -> SealedTerms {
        SealedTerms {
            price: self.price,
            asset: self.asset.clone(),
            issued_ms: self.issued_ms,
            expires_ms: self.expires_ms,
            nonce_sha256: sha256_hex(&self.nonce),
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
    /// The keys of what every 402 has, ready to be used.
    offers: Keyed,
    challenges: Keyed,
}

type Keyed = Hmac<Sha256>;

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// What a seal begins with.
const SEAL_VERSION: &str = "v1.";
/// An offer's seal is a few hundred characters; more is not read.
const SEAL_MAX: usize = 2048;

impl Seal {
    pub fn new(secret: [u8; 32]) -> Self {
        let key = |purpose| keyed(&key_of(&secret, purpose));
        Self { offers: key("offer"), challenges: key("sign-in-with-x nonce"), secret }
    }

    /// HMAC-SHA-256 under a key of its own for each purpose, so that a seal of one kind is never one of another.
    pub(crate) fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        finished(keyed(&key_of(&self.secret, purpose)), message)
    }

    /// Of a sign-in-with-x challenge.
    pub(super) fn challenge_mac(&self, message: &[u8]) -> [u8; 32] {
        finished(self.challenges.clone(), message)
    }

    pub fn offer(&self, ask: &Ask) -> Offer {
        let Ask { price, amount, pay_to, .. } = *ask;
        let terms = Terms {
            agent: ask.agent.to_owned(),
            price: price.amount,
            amount,
            asset: price.asset.clone(),
            method: ask.method.word().to_owned(),
            pay_to,
            issued_ms: ask.holds.start,
            expires_ms: ask.holds.end,
            nonce: random(),
        };
        Offer {
            scheme: EXACT.to_owned(),
            network: price.asset.network.clone(),
            amount,
            asset: price.asset.token.map_or_else(|| NATIVE.to_owned(), |token| token.to_string()),
            pay_to,
            max_timeout_seconds: ask.max_timeout_s,
            extra: Extra {
                asset_transfer_method: Some(terms.method.clone()),
                decimals: Some(price.decimals),
                symbol: Some(price.symbol.clone()),
                expires_at_ms: Some(terms.expires_ms),
                offer: Some(self.close(&terms)),
                ..ask.method.extra()
            },
        }
    }

    fn close(&self, terms: &Terms) -> String {
        // A card's name and a network's number are short: its terms can always be packed. An offer without would be opened by nobody.
        let packed = packed::pack(terms).unwrap_or_default();
        format!(
            "{SEAL_VERSION}{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(&packed),
            BASE64_URL_SAFE_NO_PAD.encode(self.offer_mac(&packed))
        )
    }

    /// The terms inside a seal of ours, packed.
    pub(super) fn packed_in(token: &str) -> Option<Vec<u8>> {
        BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix(SEAL_VERSION)?.split_once('.')?.0).ok()
    }

    /// As [`Self::close`], where another seal of terms of the same length stood. `None`: these have another length; what stood there is spoilt.
    pub(super) fn close_over(&self, packed: &[u8], token: &mut [u8]) -> Option<()> {
        let (_, token) = token.split_at_mut_checked(SEAL_VERSION.len())?;
        let (terms, mac) = token.split_at_mut_checked(base64_len(packed.len()))?;
        let (dot, mac) = mac.split_first_mut()?;
        let written = BASE64_URL_SAFE_NO_PAD.encode_slice(packed, terms).ok()?;
        let sealed = BASE64_URL_SAFE_NO_PAD.encode_slice(self.offer_mac(packed), mac).ok()?;
        (*dot == b'.' && written == terms.len() && sealed == mac.len()).then_some(())
    }

    /// 128 bits of it: as many as the random bits have, and as short.
    fn offer_mac(&self, packed: &[u8]) -> [u8; 16] {
        let mut mac = [0; 16];
        mac.copy_from_slice(&finished(self.offers.clone(), packed)[..16]);
        mac
    }

    /// # Errors
    /// [`NotOurs`] for anything that this shop's secret did not seal, byte for byte. Says nothing about expiry.
    pub fn open(&self, token: &str) -> Result<Terms, NotOurs> {
        if token.len() > SEAL_MAX {
            return Err(NotOurs);
        }
        let (packed, mac) = token.strip_prefix(SEAL_VERSION).and_then(|rest| rest.split_once('.')).ok_or(NotOurs)?;
        let packed = BASE64_URL_SAFE_NO_PAD.decode(packed).map_err(|_| NotOurs)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).map_err(|_| NotOurs)?;
        if !same(&self.offer_mac(&packed), &mac) {
            return Err(NotOurs);
        }
        packed::unpack(&packed).ok_or(NotOurs)
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

fn key_of(secret: &[u8; 32], purpose: &str) -> [u8; 32] {
    finished(keyed(secret), purpose.as_bytes())
}

fn keyed(key: &[u8; 32]) -> Keyed {
    // RFC 2104: a key shorter than the block is padded with zeros.
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    Keyed::new(&block.into())
}

fn finished(mut mac: Keyed, message: &[u8]) -> [u8; 32] {
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Characters of so many bytes in base64 without padding.
fn base64_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
        text
    })
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    fill_random(&mut bytes);
    bytes
}

pub(super) fn fill_random(bytes: &mut [u8]) {
    rand::rng().fill(bytes);
}

pub(crate) fn random_hex<const N: usize>() -> String {
    hex(&random::<N>())
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
        offer_by(seal, &price(), Method::TransactionProof { finality: "finalized".into() })
    }

    fn offer_by(seal: &Seal, price: &Money, method: Method) -> Offer {
        let pay_to = Address([7; 20]);
        seal.offer(&Ask {
            agent: "contract-xray",
            price,
            amount: price.amount,
            pay_to,
            method,
            holds: NOW..NOW + 300_000,
            max_timeout_s: 300,
        })
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
    fn s5_a_seal_that_is_written_over_another_is_the_one_that_would_be_made() {
        let seal = Seal::new([1; 32]);
        let mut token = offer(&seal).extra.offer.unwrap().into_bytes();
        let other = Seal::new([1; 32]).open(&offer(&seal).extra.offer.unwrap()).unwrap();
        seal.close_over(&packed::pack(&other).unwrap(), &mut token).unwrap();
        assert_eq!(
            (String::from_utf8(token.clone()).unwrap(), seal.open(&seal.close(&other))),
            (seal.close(&other), Ok(other.clone()))
        );
        let longer = Terms { agent: "contract-xray-2".into(), ..other };
        assert_eq!(seal.close_over(&packed::pack(&longer).unwrap(), &mut token), None);
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

    #[test]
    fn a_token_offer_says_what_its_payer_signs() {
        let token = Token {
            address: Address([0x75; 20]),
            symbol: "USDC".into(),
            decimals: 6,
            name: "USDC".into(),
            version: "2".into(),
            eip3009: true,
            permit2: true,
        };
        let asset = Asset { network: "eip155:143".into(), token: Some(token.address) };
        let price = Money { amount: Amount::from_atomic(1000), asset, symbol: "USDC".into(), decimals: 6 };
        for (method, word) in [(Method::Eip3009(&token), "eip3009"), (Method::Permit2(&token), "permit2")] {
            let json = serde_json::to_value(offer_by(&Seal::new([1; 32]), &price, method)).unwrap();
            assert_eq!(
                (json["asset"].as_str(), json["amount"].as_str()),
                (Some(token.address.to_string().as_str()), Some("1000"))
            );
            let extra = &json["extra"];
            assert_eq!(
                (&extra["name"], &extra["version"], &extra["assetTransferMethod"]),
                (&"USDC".into(), &"2".into(), &word.into())
            );
            assert!(extra.get("paymentFlow").is_none(), "the spec's default: settled after the work");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = Seal::new([1; 32]).open(&text);
            let _ = Seal::new([1; 32]).open(&format!("v1.{text}.{text}"));
        }
    }
}
