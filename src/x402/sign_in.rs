//! The sign-in-with-x extension (CAIP-122 over EIP-4361; x402-foundation/x402, `specs/extensions`; docs/protocol.md, "A program signs in"): a program
//! that has no session spends its credit, or shows a payment as its own.
//!
//! A call's 402 carries a challenge, and no row is written for it: the nonce is half random, half our HMAC over that, the resource and the issue time.
//! (The 402 of a question about the price carries none: registries ask it, and take an agent that offers a sign-in for free.)
//! The program signs it and sends the same request again with the header `SIGN-IN-WITH-X`:
//!
//! - with a payment that needs a payer (`{"credit": …}`, a transaction without a proof), it says who pays;
//! - with no payment at all, as the official client does, it is the order to pay this one call from credit, on the network that it was signed for,
//!   under the terms of [`order`]. Where there is too little credit, the answer is another 402, and the client pays anew.
//!
//! **A signature is for one payment.** [`spend`] ties its nonce to the first payment that it is shown with, so the same request may be sent again
//! while the signature lives (five minutes) and finds the same run; with anything else it is refused. After that:
//!
//! - a 202 has a `Location` with the run's key: whoever polls that needs no signature any more;
//! - or any call without a payment gets a 402 with a fresh challenge: signed, the *same payment* finds the same run under any signature of its payer.
//!   An order without a payment cannot be repeated that way, since its id is the nonce: poll its `Location`.

use alloy::primitives::eip191_hash_message;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Caller, broken},
    desk::{CLOCK_SLACK_MS, Desk},
    offers::{Seal, Terms, hex, random_hex, same},
    presented,
    signer::{self, By, Claim},
    wire,
};
use crate::{
    card::Card,
    error::{CallError, Code},
    evm::Address,
    money::Money,
};

/// Its key in `extensions`, and the name of the request's header.
pub const SIGN_IN_WITH_X: &str = "sign-in-with-x";
/// From the 402 to the end of the signature: what the official server grants.
const SIGNATURE_MS: i64 = 5 * 60 * 1000;
/// Who may have signed: a key, a contract (ERC-1271), or one that is not there yet (ERC-6492). A hint: which of them did is found out.
const SCHEMES: [&str; 3] = ["eip191", "eip1271", "eip6492"];
/// What the program's owner may read before he lets it sign. It is an order to pay, so it says so; only a text with it is one.
const STATEMENT: &str = "Sign in to Coinslot. Sent without a payment, this pays for one run from the credit of this wallet.";

/// What the 402 of `resource`, an address of ours, says under [`SIGN_IN_WITH_X`].
pub fn extension(desk: &Desk, resource: &str, now_ms: i64) -> Value {
    Here::of(desk, resource).challenge(now_ms)
}

/// Who signed the request's header, if it has one. Its `uri` is the address that was called, as its 402 names it. A contract's signature is asked about
/// on the network that it was made for.
///
/// # Errors
/// [`Code::BadPaymentHeader`] if it cannot be read; `bad_domain`, `bad_nonce`, `sign_in_expired` or `bad_signature` if it does not hold here and now;
/// those of [`signer::of`].
pub async fn read(desk: &Desk, caller: Caller<'_>, now_ms: i64) -> Result<Option<Signed>, CallError> {
    let Some(header) = header_of(caller.headers)? else { return Ok(None) };
    let (signed, claim) = Here::of(desk, caller.resource).claimed(header, now_ms)?;
    match signer::of(desk, &signed.network, &claim, caller.allowance).await? {
        Some(by) => Ok(Some(Signed { by, ..signed })),
        None => Err(forged(
            "the EIP-4361 text of these fields was not signed by address: neither by its key nor, as the network says, by its contract",
        )),
    }
}

fn header_of(headers: &HeaderMap) -> Result<Option<&str>, CallError> {
    presented::only_one(headers, SIGN_IN_WITH_X).map_err(|why| unreadable(why.details.unwrap_or_default()))
}

/// Ties the signature to a payment, by its name in the books (`credit/…`, `tx/…`). To be done last before the payment's row is written.
///
/// # Errors
/// [`Code::BadNonce`]: it was used for another payment. [`Code::BadDomain`]: a contract signed it, and the payment is on another network.
pub async fn spend(desk: &Desk, signed: &Signed, network: &str, proof: &str, now_ms: i64) -> Result<(), CallError> {
    may_be_spent(desk, signed, network, proof).await?;
    let used_for = signed.used_for(proof);
    // Remembered for as long as an instance whose clock is behind would take it.
    let until_ms = signed.until_ms.saturating_add(CLOCK_SLACK_MS);
    match desk.books.spend_nonce_for(&signed.nonce, &used_for, now_ms, until_ms).await.map_err(broken)? {
        true => Ok(()),
        false => Err(spent()),
    }
}

fn spent() -> CallError {
    CallError::saying(
        Code::BadNonce,
        "This sign-in was already used for another payment. Sign the challenge of a fresh 402. Nothing was charged.",
    )
}

/// The same, before it is known whether anything is written for the payment: nothing is.
///
/// # Errors
/// As of [`spend`].
pub async fn may_be_spent(desk: &Desk, signed: &Signed, network: &str, proof: &str) -> Result<(), CallError> {
    if signed.by == By::Contract && signed.network != network {
        return Err(CallError::saying(
            Code::BadDomain,
            "A contract's signature counts on its own network alone: sign for the network of the payment. Nothing was charged.",
        )
        .with_details(format_args!("signed for {}, the payment is on {network}", signed.network)));
    }
    match desk.books.nonce_used_for(&signed.nonce).await.map_err(broken)? {
        Some(other) if other != signed.used_for(proof) => Err(spent()),
        _ => Ok(()),
    }
}

/// What a signature without a payment buys: one run, at today's price, from the first credit on its network that covers it. The proof is
/// [`Signed::proof`].
///
/// # Errors
/// [`Code::PaymentRequired`]: no such credit, and nothing was bought with this signature before.
pub async fn order(desk: &Desk, card: &Card, signed: &Signed) -> Result<Terms, CallError> {
    // In this order: where a twin of this request has just held the price, its run is there.
    let credit = desk.books.balances(signed.wallet).await.map_err(broken)?;
    let known = desk.books.find_run(&signed.network, &signed.proof(), signed.wallet).await.map_err(broken)?;
    let covers = |price: &Money| credit.iter().any(|(asset, amount)| *asset == price.asset && *amount >= price.amount);
    let mut prices = desk.prices(card).into_iter().filter(|price| price.asset.network == signed.network);
    match prices.find(|price| known.is_some() || covers(price)) {
        Some(price) => Ok(signed.terms(card, &price, desk.pay_to)),
        None => Err(CallError::saying(
            Code::PaymentRequired,
            "The credit of this wallet does not cover the price. Nothing was charged.",
        )),
    }
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub wallet: Address,
    /// The network whose chain was signed for (CAIP-2), one of ours: where an order without a payment spends.
    pub network: String,
    by: By,
    nonce: String,
    /// Unix milliseconds, by our own clock.
    until_ms: i64,
}

impl Signed {
    /// The name in the books of the payment that it stands for, where it comes without one. The nonce is its id: 128 bits, of which half are random.
    pub fn proof(&self) -> String {
        format!("credit/{}", self.id())
    }

    fn used_for(&self, proof: &str) -> String {
        format!("{}/{proof}", self.network)
    }

    fn id(&self) -> uuid::Uuid {
        // Ours, so it is 32 hexadecimal digits.
        self.nonce.parse().unwrap_or_else(|_| uuid::Uuid::nil())
    }

    fn terms(&self, card: &Card, price: &Money, pay_to: Address) -> Terms {
        Terms {
            agent: card.slug.to_owned(),
            price: price.amount,
            amount: price.amount,
            asset: price.asset.clone(),
            // No offer was made, and none is sealed: the credit is in the books.
            method: String::new(),
            pay_to,
            issued_ms: self.until_ms.saturating_sub(SIGNATURE_MS),
            expires_ms: self.until_ms,
            nonce: self.id().into_bytes(),
        }
    }
}

/// The header's JSON, as `@x402/extensions` 2.27 writes it. What else it holds is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    domain: String,
    /// EIP-55 or lower case: the text has it as it is here.
    address: String,
    statement: Option<String>,
    uri: String,
    version: String,
    chain_id: String,
    #[serde(rename = "type")]
    kind: String,
    nonce: String,
    issued_at: String,
    expiration_time: Option<String>,
    not_before: Option<String>,
    request_id: Option<String>,
    resources: Option<Vec<String>>,
    signature_scheme: Option<String>,
    signature: String,
}

impl Payload {
    /// The EIP-4361 text that was signed. `chain` is the chain's number.
    fn text(&self, chain: &str) -> String {
        let mut text = format!("{} wants you to sign in with your Ethereum account:\n{}\n\n", self.domain, self.address);
        let lines = [
            self.statement.as_ref().map(|statement| format!("{statement}\n")),
            Some(format!("URI: {}\nVersion: {}\nChain ID: {chain}\nNonce: {}", self.uri, self.version, self.nonce)),
            Some(format!("Issued At: {}", self.issued_at)),
            self.expiration_time.as_ref().map(|at| format!("Expiration Time: {at}")),
            self.not_before.as_ref().map(|at| format!("Not Before: {at}")),
            self.request_id.as_ref().map(|id| format!("Request ID: {id}")),
            self.resources.as_ref().map(|all| all.iter().fold("Resources:".to_owned(), |list, one| list + "\n- " + one)),
        ];
        text.push_str(&lines.into_iter().flatten().collect::<Vec<_>>().join("\n"));
        text
    }
}

/// What a challenge is bound to.
struct Here<'a> {
    seal: &'a Seal,
    domain: &'a str,
    resource: &'a str,
    /// CAIP-2, in the order of preference.
    networks: Vec<&'a str>,
}

impl<'a> Here<'a> {
    fn of(desk: &'a Desk, resource: &'a str) -> Self {
        let networks = desk.chains.iter().map(|chain| chain.network().id.as_str()).collect();
        Self { seal: &desk.seal, domain: desk.domain(), resource, networks }
    }

    fn challenge(&self, now_ms: i64) -> Value {
        let Moment { nonce, issued_at, expiration_time } = moment(self.seal, self.resource, now_ms, &random_hex::<8>());
        let chains: Vec<_> = self.networks.iter().map(|id| json!({"chainId": id, "type": "eip191"})).collect();
        json!({
            "info": {
                "domain": self.domain,
                "uri": self.resource,
                "version": "1",
                "nonce": nonce,
                "issuedAt": issued_at,
                "expirationTime": expiration_time,
                "statement": STATEMENT,
            },
            "supportedChains": chains,
            "schema": schema(),
        })
    }

    fn nonce(&self, random: &str, issued_at: &str) -> String {
        nonce(self.seal, self.resource, random, issued_at)
    }

    /// Everything that can be known without a chain: what the header says, and what is to be asked about its signature.
    fn claimed(&self, header: &str, now_ms: i64) -> Result<(Signed, Claim), CallError> {
        let payload: Payload = wire::decode(header).map_err(unreadable)?;
        if payload.kind != "eip191" || payload.signature_scheme.as_deref().is_some_and(|scheme| !SCHEMES.contains(&scheme)) {
            return Err(forged("type is eip191, and signatureScheme eip191, eip1271 or eip6492"));
        }
        let foreign = |details: &str| Err(CallError::from(Code::BadDomain).with_details(details));
        if payload.domain != self.domain {
            return foreign("domain is not the one of the challenge");
        }
        if payload.uri != self.resource {
            return foreign("uri is not the resource that was called");
        }
        let Some(network) = self.networks.iter().find(|id| **id == payload.chain_id) else {
            return foreign("chainId is none of supportedChains");
        };
        if payload.version != "1" || payload.statement.as_deref() != Some(STATEMENT) {
            return Err(forged("version or statement is not the one of the challenge"));
        }
        let ours = payload
            .nonce
            .get(..16)
            .is_some_and(|random| same(self.nonce(random, &payload.issued_at).as_bytes(), payload.nonce.as_bytes()));
        if !ours {
            return Err(
                CallError::from(Code::BadNonce).with_details("nonce and issuedAt are not those of a challenge for this resource")
            );
        }
        // Ours, so it is a time.
        let issued_ms = milliseconds(&payload.issued_at).ok_or_else(|| CallError::from(Code::BadNonce))?;
        let until_ms = issued_ms.saturating_add(SIGNATURE_MS);
        let holds = |at: &Option<String>, fine: fn(i64, i64) -> bool| match at {
            Some(at) => milliseconds(at).is_some_and(|at_ms| fine(at_ms, now_ms)),
            None => true,
        };
        let valid = now_ms < until_ms
            && issued_ms <= now_ms.saturating_add(CLOCK_SLACK_MS)
            && holds(&payload.expiration_time, |at_ms, now_ms| now_ms <= at_ms)
            && holds(&payload.not_before, |at_ms, now_ms| at_ms <= now_ms.saturating_add(CLOCK_SLACK_MS));
        if !valid {
            return Err(Code::SignInExpired.into());
        }
        let chain = network.split_once(':').map_or(*network, |(_, chain)| chain);
        let claim = claim(&payload, chain)?;
        let (wallet, network, nonce) = (claim.account, (*network).to_owned(), payload.nonce);
        Ok((Signed { wallet, network, by: By::Key, nonce, until_ms }, claim))
    }
}

/// What two challenges for one resource differ in.
pub(super) struct Moment {
    pub nonce: String,
    pub issued_at: String,
    pub expiration_time: String,
}

/// `random`: 16 hexadecimal digits.
pub(super) fn moment(seal: &Seal, resource: &str, now_ms: i64, random: &str) -> Moment {
    let issued_at = rfc3339(now_ms);
    let nonce = nonce(seal, resource, random, &issued_at);
    Moment { nonce, issued_at, expiration_time: rfc3339(now_ms.saturating_add(SIGNATURE_MS)) }
}

/// 32 hexadecimal digits: alphanumeric, as EIP-4361 wants it. `random` is the first half.
fn nonce(seal: &Seal, resource: &str, random: &str, issued_at: &str) -> String {
    let mac = seal.challenge_mac(format!("{random} {issued_at} {resource}").as_bytes());
    format!("{random}{}", hex(&mac[..8]))
}

/// That the wallet that the header names has signed the header's text.
fn claim(payload: &Payload, chain: &str) -> Result<Claim, CallError> {
    let texts = [&payload.expiration_time, &payload.not_before, &payload.request_id].into_iter().flatten();
    // Domain, statement, URI, version, nonce and issue time are ours. A field with a line of its own could be another's text in disguise.
    if texts.chain(payload.resources.iter().flatten()).any(|text| text.chars().any(char::is_control)) {
        return Err(forged("a field has a line break or another control character"));
    }
    let wallet: Address = payload.address.parse().map_err(|why| forged(&format!("address: {why}")))?;
    Claim::read(wallet, eip191_hash_message(payload.text(chain)), &payload.signature).ok_or_else(|| {
        forged("signature is no signature: 0x and the 65 bytes of a key's, or what a contract takes (ERC-1271, ERC-6492)")
    })
}

/// What a signed answer has to have. The types of its texts are not worth their bytes: it travels in a header with every 402.
fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["domain", "address", "uri", "version", "chainId", "type", "nonce", "issuedAt", "signature"],
    })
}

/// As JavaScript writes it, milliseconds included, whatever they are.
fn rfc3339(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or_default())
}

fn milliseconds(rfc3339: &str) -> Option<i64> {
    rfc3339.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

fn unreadable(why: impl std::fmt::Display) -> CallError {
    CallError::saying(Code::BadPaymentHeader, "The SIGN-IN-WITH-X header cannot be read. Nothing was charged.").with_details(why)
}

fn forged(details: &str) -> CallError {
    CallError::from(Code::BadSignature).with_details(details)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy::signers::{SignerSync, local::PrivateKeySigner};
    use proptest::prelude::*;

    use super::*;

    const RESOURCE: &str = "https://coinslot.example/api/x402/contract-xray";
    const NOW: i64 = 1_795_476_118_000;
    const ADA: &str = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
    /// By `@x402/extensions` 2.27.0, `createSIWxPayload`, for the challenge `0011223344556677…` of [`NOW`].
    const OFFICIAL: &str = "0xfc032cc103c0854fba090db98fe39cdb403ad13546b08484e93ace545a330a24092bb8c2faf1ac3770094baa14b4f65891ecd43a7fd71fbeb90762864898e1541c";
    /// The same with [`others`].
    const OFFICIAL_WITH_OTHERS: &str = "0x3cb2aec1c75ed322c7f0a516725eb8331bff5b6f1beea64ad20d5d15249358be72ab43f297e568e47b363eb94000db8fd68980343721bf100f5927a4443604191b";

    fn here(seal: &Seal) -> Here<'_> {
        Here { seal, domain: "coinslot.example", resource: RESOURCE, networks: vec!["eip155:143", "eip155:10143"] }
    }

    fn seal() -> Seal {
        Seal::new([1; 32])
    }

    fn ada() -> PrivateKeySigner {
        format!("0x{}", "11".repeat(32)).parse().unwrap()
    }

    /// The challenge's fields and the wallet's, as a client puts them together.
    fn filled() -> Value {
        let mut fields = here(&seal()).challenge(NOW)["info"].take();
        fields["nonce"] = here(&seal()).nonce("0011223344556677", "2026-11-23T23:21:58.000Z").into();
        fields["address"] = ADA.into();
        fields["chainId"] = "eip155:143".into();
        fields["type"] = "eip191".into();
        fields
    }

    fn others(mut fields: Value) -> Value {
        fields["resources"] = json!([RESOURCE, "https://coinslot.example/other"]);
        fields["requestId"] = "r-1".into();
        fields["notBefore"] = fields["issuedAt"].clone();
        fields
    }

    /// Whatever the fields say now, Ada signs it.
    fn signed(mut fields: Value) -> Value {
        fields["signature"] = "".into();
        let payload: Payload = serde_json::from_value(fields.clone()).unwrap();
        let chain = payload.chain_id.split_once(':').map_or("", |(_, chain)| chain);
        let signature = ada().sign_message_sync(payload.text(chain).as_bytes()).unwrap();
        fields["signature"] = alloy::hex::encode_prefixed(signature.as_bytes()).into();
        fields
    }

    /// Where there is no contract anywhere.
    fn judged(fields: &Value, now_ms: i64) -> Result<Signed, CallError> {
        let (signed, claim) = here(&seal()).claimed(&wire::encode(fields), now_ms)?;
        if claim.is_by_key() { Ok(signed) } else { Err(forged("by nobody")) }
    }

    #[track_caller]
    fn refused(fields: &Value, code: Code) {
        assert_eq!(judged(fields, NOW + 1).map_err(|why| why.code), Err(code), "{fields}");
    }

    #[test]
    fn what_the_official_client_signs_is_read() {
        let mut fields = filled();
        assert_eq!(fields["issuedAt"], "2026-11-23T23:21:58.000Z", "as JavaScript writes it");
        fields["signature"] = OFFICIAL.into();
        let signed = judged(&fields, NOW + 1).unwrap();
        assert_eq!((signed.wallet, signed.network.as_str()), (ADA.parse().unwrap(), "eip155:143"));
        assert_eq!(signed.proof(), "credit/00112233-4455-6677-fff0-c635e0d915ee", "the nonce is the payment's id");
        let mut fields = others(filled());
        fields["signature"] = OFFICIAL_WITH_OTHERS.into();
        judged(&fields, NOW + 1).unwrap();
    }

    #[test]
    fn an_address_may_be_signed_in_lower_case() {
        let mut fields = filled();
        fields["address"] = ADA.to_lowercase().into();
        assert_eq!(judged(&signed(fields), NOW).unwrap().wallet, ADA.parse().unwrap());
    }

    #[test]
    fn it_holds_for_five_minutes() {
        let fields = signed(filled());
        let at = |now_ms| judged(&fields, now_ms).map(|_| ()).map_err(|why| why.code);
        assert_eq!(at(NOW + SIGNATURE_MS - 1), Ok(()));
        assert_eq!(at(NOW + SIGNATURE_MS), Err(Code::SignInExpired));
        assert_eq!(at(NOW - CLOCK_SLACK_MS), Ok(()));
        assert_eq!(at(NOW - CLOCK_SLACK_MS - 1), Err(Code::SignInExpired));
        // Its signer can make that shorter, never longer.
        let with = |field: &str, at: &str| {
            let mut fields = filled();
            fields[field] = at.into();
            signed(fields)
        };
        let longer = with("expirationTime", "2036-01-01T00:00:00Z");
        assert_eq!(judged(&longer, NOW + SIGNATURE_MS).map_err(|why| why.code), Err(Code::SignInExpired));
        refused(&with("expirationTime", "2026-11-23T23:21:58.000Z"), Code::SignInExpired);
        refused(&with("expirationTime", "soon"), Code::SignInExpired);
        refused(&with("notBefore", "2026-11-23T23:24:00Z"), Code::SignInExpired);
    }

    #[test]
    fn a_signature_for_another_place_is_refused() {
        let with = |field: &str, text: &str| {
            let mut fields = filled();
            fields[field] = text.into();
            signed(fields)
        };
        refused(&with("domain", "evil.example"), Code::BadDomain);
        refused(&with("uri", "https://coinslot.example/api/x402/another"), Code::BadDomain);
        refused(&with("uri", "https://evil.example/api/x402/contract-xray"), Code::BadDomain);
        refused(&with("chainId", "eip155:1"), Code::BadDomain);
        refused(&with("chainId", "solana:1"), Code::BadDomain);
        refused(&with("version", "2"), Code::BadSignature);
        refused(&with("statement", "Sign in to Coinslot. It costs nothing and moves no money."), Code::BadSignature);
        assert_eq!(judged(&with("chainId", "eip155:10143"), NOW).unwrap().network, "eip155:10143");
    }

    #[test]
    fn a_nonce_that_is_not_ours_is_refused() {
        let mine = filled()["nonce"].as_str().unwrap().to_owned();
        let theirs = here(&Seal::new([2; 32])).nonce(&mine[..16], "2026-11-23T23:21:58.000Z");
        for nonce in
            ["", "é", "00112233445566778899aabbccddeeff", &mine.to_uppercase(), &mine[..31], &format!("{mine}0"), &theirs]
        {
            let mut fields = filled();
            fields["nonce"] = nonce.into();
            refused(&signed(fields), Code::BadNonce);
        }
        // The issue time is sealed with it: no signature is made younger.
        let mut younger = filled();
        younger["issuedAt"] = "2026-11-23T23:21:59.000Z".into();
        refused(&signed(younger), Code::BadNonce);
    }

    #[test]
    fn only_the_wallet_that_is_named_signs() {
        let mut by_another = signed(filled());
        by_another["address"] = "0x00000000000000000000000000000000000000EE".into();
        refused(&by_another, Code::BadSignature);
        let mut changed = signed(others(filled()));
        changed["requestId"] = "r-2".into();
        refused(&changed, Code::BadSignature);
        for text in ["", "0x", "0x00", "nonsense", &format!("0x{}", "00".repeat(65)), &format!("0x{}", "ff".repeat(65))] {
            let mut fields = filled();
            fields["signature"] = text.into();
            refused(&fields, Code::BadSignature);
        }
    }

    #[test]
    fn a_field_with_a_line_of_its_own_is_refused() {
        for (field, value) in [("requestId", json!("r\nResources:\n- x")), ("resources", json!(["https://a.example\n- x"]))] {
            let mut fields = filled();
            fields[field] = value;
            refused(&signed(fields), Code::BadSignature);
        }
    }

    #[test]
    fn p5_a_signature_is_what_it_is_whatever_it_calls_itself() {
        for (field, word) in [("type", "ed25519"), ("signatureScheme", "ed25519")] {
            let mut fields = filled();
            fields[field] = word.into();
            refused(&signed(fields), Code::BadSignature);
        }
        for scheme in SCHEMES {
            let mut named = filled();
            named["signatureScheme"] = scheme.into();
            judged(&signed(named), NOW).unwrap();
        }
        // A contract's: all that is left is to ask.
        let mut fields = signed(filled());
        fields["signature"] = format!("0x{}", "07".repeat(300)).into();
        let (signed, claim) = here(&seal()).claimed(&wire::encode(&fields), NOW).unwrap();
        assert_eq!((signed.network.as_str(), claim.account, claim.is_by_key()), ("eip155:143", ADA.parse().unwrap(), false));
    }

    #[test]
    fn m4_a_challenge_of_an_instance_that_is_ahead_of_us_is_taken() {
        let fields = signed(others(filled()));
        for behind_ms in [1_000, 3_000, CLOCK_SLACK_MS] {
            judged(&fields, NOW - behind_ms).unwrap();
        }
        assert_eq!(judged(&fields, NOW - CLOCK_SLACK_MS - 1).map_err(|why| why.code), Err(Code::SignInExpired));
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        let read = |header: &str| here(&seal()).claimed(header, NOW).map(drop).map_err(|why| why.code);
        let fine = wire::encode(&signed(filled()));
        for header in ["", "%%%", "e30=", "W10=", &fine[..fine.len() / 2], &format!("{fine}%")] {
            assert_eq!(read(header), Err(Code::BadPaymentHeader), "{header}");
        }
    }

    #[test]
    fn the_challenge_is_for_every_network_and_its_schema_describes_what_comes_back() {
        let challenge = here(&seal()).challenge(NOW);
        let chains = json!([{"chainId": "eip155:143", "type": "eip191"}, {"chainId": "eip155:10143", "type": "eip191"}]);
        assert_eq!(challenge["supportedChains"], chains);
        assert_eq!(challenge["info"]["expirationTime"], "2026-11-23T23:26:58.000Z");
        let (one, other) = (&challenge["info"]["nonce"], &here(&seal()).challenge(NOW)["info"]["nonce"]);
        assert!(one != other && one.as_str().unwrap().len() == 32);
        let schema = jsonschema::validator_for(&challenge["schema"]).unwrap();
        assert!(schema.is_valid(&signed(others(filled()))));
        assert!(!schema.is_valid(&challenge["info"]), "nobody has signed yet");
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "[ -~]{0,300}", json in "\\{[ -~]{0,200}\\}") {
            let _ = here(&seal()).claimed(&text, NOW);
            let _ = here(&seal()).claimed(&base64::Engine::encode(&base64::prelude::BASE64_STANDARD, json), NOW);
        }

        #[test]
        fn no_field_panics(field in 0..13_usize, text in ".{0,60}") {
            let names = ["domain", "address", "statement", "uri", "version", "chainId", "type", "nonce", "issuedAt", "expirationTime", "notBefore", "requestId", "signature"];
            let mut fields = signed(filled());
            fields[names[field]] = text.into();
            prop_assert!(judged(&fields, NOW).is_err());
        }
    }
}
