//! What a program shows instead of a session: its signature over a transaction, a signed sign-in, its own id for a payment.

use alloy::{
    primitives::{Address as Word20, B256, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::{SolStruct, eip712_domain},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use coinslot::{evm::TxHash, x402::wire::PaymentRequired};
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    dollars::{PRICE as DOLLARS, offer_by, pays, shop_for_dollars, taken},
    harness::{Answer, PRICE, PUBLIC_URL, SHOP, Shop, Visitor, body, from_credit, payload_for},
};

sol! {
    struct PaymentProof {
        bytes32 transaction; address from; address payTo; uint256 amount;
        string resource; bytes32 offerHash; bytes32 requestHash; uint256 validBefore;
    }
}

/// What a program signs for a native payment. Every part can be made wrong.
pub struct Native<'a> {
    pub offers: &'a PaymentRequired,
    pub transaction: TxHash,
    pub from: Word20,
    pub resource: String,
    pub body: String,
    pub valid_before: u64,
}

impl<'a> Native<'a> {
    pub fn of(offers: &'a PaymentRequired, transaction: TxHash, key: &PrivateKeySigner, say: &str) -> Self {
        let valid_before = crate::dollars::now_s() + 300;
        Self { offers, transaction, from: key.address(), resource: offers.resource.url.clone(), body: body(say), valid_before }
    }

    pub fn payload(&self, key: &PrivateKeySigner) -> Value {
        let offer = offer_by(self.offers, "transaction-proof");
        let request_hash = keccak256(self.body.as_bytes());
        let digest = PaymentProof {
            transaction: B256::from(self.transaction.0),
            from: self.from,
            payTo: Word20::from(SHOP.0),
            amount: U256::from(PRICE),
            resource: self.resource.clone(),
            offerHash: keccak256(offer.extra.offer.as_deref().unwrap()),
            requestHash: request_hash,
            validBefore: U256::from(self.valid_before),
        }
        .eip712_signing_hash(&eip712_domain! { name: "x402 Native Payment", version: "1", chain_id: 31337, });
        json!({
            "transaction": self.transaction, "from": self.from.to_string(), "requestHash": request_hash,
            "validBefore": self.valid_before.to_string(),
            "signature": crate::dollars::hex(&key.sign_hash_sync(&digest).unwrap().as_bytes()),
        })
    }
}

async fn show(shop: &Shop, program: &Visitor, offers: &PaymentRequired, say: &str, payload: Value) -> Answer {
    program.call(shop, "parrot", say, &payload_for(offers, offer_by(offers, "transaction-proof"), payload)).await
}

#[tokio::test]
async fn n29_a_program_proves_with_its_key_that_a_transaction_is_its_own() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    let hash = ada.paid(&shop, PRICE).await;
    let offers = shop.offer("parrot").await;
    let honest = || Native::of(&offers, hash, &ada.key, "proven");
    show(&shop, &ada, &offers, "proven", json!({ "transaction": hash, "from": ada.address() })).await.is(401, "payer_not_proven");
    show(&shop, &ada, &offers, "proven", honest().payload(&eve.key)).await.is(403, "payer_mismatch");
    let other_body = Native { body: body("another"), ..honest() };
    show(&shop, &ada, &offers, "proven", other_body.payload(&ada.key)).await.is(401, "payer_not_proven");
    for valid_before in [crate::dollars::now_s() - 1, crate::dollars::now_s() + 700] {
        let untimely = Native { valid_before, ..honest() };
        show(&shop, &ada, &offers, "proven", untimely.payload(&ada.key)).await.is(401, "payer_not_proven");
    }
    let elsewhere = Native { resource: "https://elsewhere.example".into(), ..honest() };
    show(&shop, &ada, &offers, "proven", elsewhere.payload(&ada.key)).await.is(403, "payer_mismatch");
    assert_eq!(worked_on("proven"), 0);
    show(&shop, &ada, &offers, "proven", honest().payload(&ada.key)).await.said("proven");
    // She signs for a transaction that is not hers: it stays its payer's.
    let hers = Native { from: eve.key.address(), ..honest() };
    show(&shop, &eve, &offers, "proven", hers.payload(&eve.key)).await.is(403, "payer_mismatch");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n25_a_signed_hash_that_no_node_knows_is_pending_until_its_own_time_is_over() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let hash = ada.pays(&shop, PRICE).await;
    shop.node.rpc("anvil_dropTransaction", json!([hash])).await;
    let offers = shop.offer("parrot").await;
    let until = crate::dollars::now_s() + 2;
    let signed = Native { valid_before: until, ..Native::of(&offers, hash, &ada.key, "n25") }.payload(&ada.key);
    let payment = payload_for(&offers, offer_by(&offers, "transaction-proof"), signed);
    ada.glance(&shop, "parrot", "n25", &payment).await.is(202, "payment_pending");
    // It is told to whoever waits across that moment; a proof that is shown after it is none.
    let waited = [("payment-signature", payment.as_str()), ("prefer", "wait=4")];
    ada.call_with(&shop, "parrot", "n25", &waited).await.is(410, "payment_not_found");
    ada.glance(&shop, "parrot", "n25", &payment).await.is(401, "payer_not_proven");
    assert_eq!(worked_on("n25"), 0);
}

/// The `SIGN-IN-WITH-X` header for a 402's challenge (CAIP-122 over EIP-4361), as the official client makes it.
pub fn signed_in_with(offers: &PaymentRequired, key: &PrivateKeySigner, change: impl FnOnce(&mut Value)) -> String {
    let mut info = offers.extensions["sign-in-with-x"]["info"].clone();
    change(&mut info);
    let text = |field: &str| info[field].as_str().unwrap_or_default().to_owned();
    let address = key.address().to_checksum(None);
    let mut message = format!("{} wants you to sign in with your Ethereum account:\n{address}\n\n", text("domain"));
    if info["statement"].is_string() {
        message += &format!("{}\n\n", text("statement"));
    }
    message += &format!(
        "URI: {}\nVersion: {}\nChain ID: 31337\nNonce: {}\nIssued At: {}",
        text("uri"),
        text("version"),
        text("nonce"),
        text("issuedAt"),
    );
    if info["expirationTime"].is_string() {
        message += &format!("\nExpiration Time: {}", text("expirationTime"));
    }
    if let Some(resources) = info["resources"].as_array() {
        message += "\nResources:";
        for resource in resources {
            message += &format!("\n- {}", resource.as_str().unwrap());
        }
    }
    let signature = crate::dollars::hex(&key.sign_message_sync(message.as_bytes()).unwrap().as_bytes());
    let mut payload = info;
    payload["address"] = json!(address);
    payload["chainId"] = json!("eip155:31337");
    payload["type"] = json!("eip191");
    payload["signature"] = json!(signature);
    BASE64_STANDARD.encode(payload.to_string())
}

const ID: &str = "0d8f5c0e-0f7e-4f57-8c5c-3c6d4c1d7a01";

/// Somebody with credit for one call and no session any more.
pub async fn with_credit(shop: &Shop) -> Visitor {
    let mut ada = shop.signed_in(1).await;
    let hash = ada.paid(shop, 2 * PRICE).await;
    ada.call(shop, "parrot", "credit comes", &crate::harness::proof(&shop.offer("parrot").await, hash))
        .await
        .said("credit comes");
    assert_eq!(ada.credit(shop).await, PRICE.to_string());
    ada.cookie = None;
    ada
}

#[tokio::test]
async fn a_program_spends_its_credit_with_a_signed_sign_in() {
    let shop = Shop::open().await;
    let ada = with_credit(&shop).await;
    let offers = shop.offer("parrot").await;
    assert_eq!(offers.extensions["sign-in-with-x"]["info"]["domain"], PUBLIC_URL.trim_start_matches("http://"));
    let payment = from_credit(&offers, ID);
    ada.call(&shop, "parrot", "from credit", &payment).await.is(401, "not_signed_in");
    let elsewhere = signed_in_with(&offers, &ada.key, |info| info["domain"] = json!("elsewhere.example"));
    let refused =
        ada.call_with(&shop, "parrot", "from credit", &[("payment-signature", &payment), ("sign-in-with-x", &elsewhere)]).await;
    assert_eq!(refused.status, 401, "{}", refused.json());
    let forged = signed_in_with(&offers, &ada.key, |info| info["nonce"] = json!("0123456789abcdef0123456789abcdef"));
    let refused =
        ada.call_with(&shop, "parrot", "from credit", &[("payment-signature", &payment), ("sign-in-with-x", &forged)]).await;
    assert_eq!(refused.status, 401, "{}", refused.json());
    let signed = signed_in_with(&offers, &ada.key, |_| {});
    let headers = [("payment-signature", payment.as_str()), ("sign-in-with-x", signed.as_str())];
    ada.call_with(&shop, "parrot", "from credit", &headers).await.said("from credit");
    // The same request again is the same run; another payment under the same signature is refused.
    ada.call_with(&shop, "parrot", "from credit", &headers).await.said("from credit");
    let other = from_credit(&offers, "0d8f5c0e-0f7e-4f57-8c5c-3c6d4c1d7a02");
    let reused = ada.call_with(&shop, "parrot", "another", &[("payment-signature", &other), ("sign-in-with-x", &signed)]).await;
    reused.is(401, "bad_nonce");
    assert_eq!((worked_on("from credit"), worked_on("another")), (1, 0));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_sign_in_without_a_payment_is_the_order_to_pay_from_credit_once() {
    let shop = Shop::open().await;
    let ada = with_credit(&shop).await;
    let signed = signed_in_with(&shop.offer("parrot").await, &ada.key, |_| {});
    ada.call_with(&shop, "parrot", "ordered", &[("sign-in-with-x", &signed)]).await.said("ordered");
    ada.call_with(&shop, "parrot", "ordered", &[("sign-in-with-x", &signed)]).await.said("ordered");
    assert_eq!(worked_on("ordered"), 1);
    let poor = signed_in_with(&shop.offer("parrot").await, &ada.key, |_| {});
    ada.call_with(&shop, "parrot", "ordered twice", &[("sign-in-with-x", &poor)]).await.is(402, "payment_required");
    assert_eq!(worked_on("ordered twice"), 0);
    shop.assert_balanced().await;
}

/// A payment with the client's own id for it.
fn with_id(payment: &str, id: &str) -> String {
    let mut payload: Value = serde_json::from_slice(&BASE64_STANDARD.decode(payment).unwrap()).unwrap();
    payload["extensions"] = json!({ "payment-identifier": { "info": { "required": false, "id": id } } });
    BASE64_STANDARD.encode(payload.to_string())
}

#[tokio::test]
async fn n36_a_payments_own_id_is_for_one_payment() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    assert_eq!(offers.extensions["payment-identifier"]["info"]["required"], false);
    let first = with_id(&pays(&offers, &ada.key, &token, "n36 a"), "a-payment-id-of-mine");
    ada.call(&shop, "macaw", "n36", &first).await.said("n36");
    ada.call(&shop, "macaw", "n36", &first).await.said("n36");
    let second = with_id(&pays(&offers, &ada.key, &token, "n36 b"), "a-payment-id-of-mine");
    ada.call(&shop, "macaw", "n36", &second).await.is(409, "payment_already_used");
    let short = with_id(&pays(&offers, &ada.key, &token, "n36 c"), "too-short");
    ada.call(&shop, "macaw", "n36", &short).await.is(400, "bad_payment_header");
    // Another payer's ids are his own.
    let eve = shop.visitor(2);
    let hers = with_id(&pays(&offers, &eve.key, &token, "n36 d"), "a-payment-id-of-mine");
    eve.call(&shop, "macaw", "n36", &hers).await.said("n36");
    assert_eq!((worked_on("n36"), taken(&shop, &token).await), (2, 2 * DOLLARS));
    shop.assert_balanced().await;
}
