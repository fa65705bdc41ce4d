//! Wallets that are contracts sign in, prove what they paid and spend their credit (P5, M6): ERC-1271 and ERC-6492, asked of a real chain.

use std::sync::Arc;

use alloy::{
    primitives::{Address as Word20, B256, Bytes, U256, eip191_hash_message, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolValue,
};
use axum::{body::Body, http::Request};
use base64::{Engine, prelude::BASE64_STANDARD};
use coinslot::{
    evm::{Address, TxHash},
    session::message::{Nonce, SignIn},
    x402::wire::PaymentRequired,
};
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    anvil::proxy::{Fault, Proxy},
    dollars::{
        Dollar, Eip3009, PRICE as DOLLARS, PURSE, chain_with_dollars, hex, mined, now_s, offer_by, open, shop_for_dollars,
    },
    harness::{Answer, NETWORK, Node, PRICE, PUBLIC_URL, SHOP, Shop, Staff, Visitor, from_credit, payload_for, post},
    programs::Native,
};

/// The deterministic deployer that anvil, as most chains, has from the start: called with a salt and creation code, it makes the contract.
const FACTORY: &str = "0x4e59b44847b379578588920ca78fbf26c0b4956c";
/// ERC-1271's word to every call.
const FOOL: &str = "0x631626ba7e60e01b5f5260205ff3";
/// Calls the address in the first word with the value in the second, for whoever asks.
const FORWARDS: &str = "0x60006000600060006020356000355af100";

/// A wallet that is a contract, whose owner has a key.
struct Contract {
    address: Address,
    owner: PrivateKeySigner,
    /// What the factory is called with to make it.
    makes: Vec<u8>,
}

impl Contract {
    /// Not deployed yet.
    fn of(owner: PrivateKeySigner) -> Self {
        let path = format!("{}/end2end/contracts/out/Wallet1271.json", env!("CARGO_MANIFEST_DIR"));
        let artifact: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let creation = alloy::hex::decode(artifact["creation"].as_str().unwrap()).unwrap();
        let creation = [creation, owner.address().abi_encode()].concat();
        let salt = B256::repeat_byte(7);
        let address = FACTORY.parse::<Word20>().unwrap().create2(salt, keccak256(&creation));
        Self { address: Address(address.into_array()), owner, makes: [salt.to_vec(), creation].concat() }
    }

    async fn deployed(owner: PrivateKeySigner, node: &Node) -> Self {
        let wallet = Self::of(owner);
        // A chain that mines only when it is told to.
        let hash = node.send(json!({ "from": node.key(9).address(), "to": FACTORY, "data": hex(&wallet.makes) })).await;
        node.mine(1).await;
        let receipt = node.rpc("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        wallet
    }

    /// Its owner has it send the shop so much, by an inner call: an account without a key signs no transaction. In no block yet.
    async fn pays(&self, node: &Node, wei: u128) -> TxHash {
        node.rpc("anvil_setBalance", json!([self.address, "0xde0b6b3a7640000"])).await;
        node.mine(1).await;
        let asked = (Word20::from(SHOP.0), U256::from(wei), Bytes::new()).abi_encode_params();
        let data = [&keccak256("execute(address,uint256,bytes)")[..4], &asked].concat();
        node.send(json!({ "from": self.owner.address(), "to": self.address, "data": hex(&data), "gas": "0x30d40" })).await
    }

    /// The owner's signature, as the contract takes it.
    fn sign(&self, hash: B256) -> Vec<u8> {
        self.owner.sign_hash_sync(&hash).unwrap().as_bytes().to_vec()
    }

    /// The same with how the contract is made (ERC-6492).
    fn wrap(&self, signature: Vec<u8>) -> Vec<u8> {
        let factory: Word20 = FACTORY.parse().unwrap();
        let inner = (factory, Bytes::from(self.makes.clone()), Bytes::from(signature)).abi_encode_params();
        [inner, [0x64, 0x92].repeat(16)].concat()
    }

    fn checksummed(&self) -> String {
        Word20::from(self.address.0).to_checksum(None)
    }

    async fn text(&self, shop: &Shop) -> SignIn {
        let asked = json!({ "address": self.address, "chainId": 31337 }).to_string();
        let answer = shop.ask(post("/api/session/nonce", "").body(Body::from(asked)).unwrap()).await;
        let nonce: Nonce = serde_json::from_value(answer.json()).unwrap();
        assert_eq!(nonce.address.as_deref(), Some(self.checksummed().as_str()));
        SignIn {
            domain: PUBLIC_URL.trim_start_matches("http://").into(),
            address: self.checksummed(),
            uri: PUBLIC_URL.into(),
            chain_id: nonce.chain_id,
            nonce: nonce.nonce,
            issued_at: nonce.issued_at,
            expiration_time: nonce.expiration_time,
        }
    }

    /// The page's way to a session; `None`: what was answered instead.
    async fn signs_in(&self, shop: &Shop, wrapped: bool) -> Result<Visitor, Answer> {
        let text = self.text(shop).await.text();
        let signature = self.sign(eip191_hash_message(&text));
        let signature = if wrapped { self.wrap(signature) } else { signature };
        let answer = session(shop, &text, &signature).await;
        if answer.status != 200 {
            return Err(answer);
        }
        assert_eq!(answer.json()["address"], json!(self.address));
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Ok(Visitor { key: self.owner.clone(), cookie: Some(cookie) })
    }

    /// The `SIGN-IN-WITH-X` header for a 402's challenge.
    fn header(&self, offers: &PaymentRequired, wrapped: bool) -> String {
        let mut info = offers.extensions["sign-in-with-x"]["info"].clone();
        let text = |field: &str| info[field].as_str().unwrap().to_owned();
        let message = format!(
            "{} wants you to sign in with your Ethereum account:\n{}\n\n{}\n\nURI: {}\nVersion: 1\nChain ID: 31337\nNonce: {}\n\
             Issued At: {}\nExpiration Time: {}",
            text("domain"),
            self.checksummed(),
            text("statement"),
            text("uri"),
            text("nonce"),
            text("issuedAt"),
            text("expirationTime"),
        );
        let signature = self.sign(eip191_hash_message(message));
        let signature = if wrapped { self.wrap(signature) } else { signature };
        info["address"] = json!(self.checksummed());
        info["chainId"] = json!(NETWORK);
        info["type"] = json!("eip191");
        info["signatureScheme"] = json!(if wrapped { "eip6492" } else { "eip1271" });
        info["signature"] = json!(hex(&signature));
        BASE64_STANDARD.encode(info.to_string())
    }
}

/// What is answered, once the nodes may be asked again: there are more questions in a test than in a visitor's day.
async fn session(shop: &Shop, message: &str, signature: &[u8]) -> Answer {
    for _ in 0..100 {
        let answer = session_at_once(shop, message, signature).await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no node was asked for ten seconds");
}

async fn session_at_once(shop: &Shop, message: &str, signature: &[u8]) -> Answer {
    let body = json!({ "message": message, "signature": hex(signature) }).to_string();
    shop.ask(post("/api/session", "").body(Body::from(body)).unwrap()).await
}

/// The nodes' questions of one method.
fn calls(proxy: &Proxy) -> usize {
    proxy.asked().calls("eth_call")
}

/// A shop whose node is behind a proxy that counts.
async fn watched_shop(node: &Arc<Node>) -> (Shop, Proxy) {
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    (Shop::at(node.clone(), data, Staff::All, vec![proxy.url.clone()]).await, proxy)
}

#[tokio::test]
async fn p5_a_contract_signs_in_as_its_chain_says() {
    let node = Arc::new(Node::start());
    let (shop, _proxy) = watched_shop(&node).await;
    let safe = Contract::deployed(node.key(1), &node).await;
    let visitor = safe.signs_in(&shop, false).await.map_err(|answer| answer.json()).unwrap();
    assert_eq!(visitor.session(&shop).await["address"], json!(safe.address));
    // Another's signature, and the owner's over another text, are not the contract's.
    let text = safe.text(&shop).await.text();
    let by_eve = node.key(2).sign_hash_sync(&eip191_hash_message(&text)).unwrap().as_bytes().to_vec();
    session(&shop, &text, &by_eve).await.is(401, "bad_signature");
    session(&shop, &text, &safe.sign(eip191_hash_message("another text"))).await.is(401, "bad_signature");
    session(&shop, &text, &[]).await.is(401, "bad_signature");
    // A refused sign-in leaves its nonce.
    assert_eq!(session(&shop, &text, &safe.sign(eip191_hash_message(&text))).await.status, 200);
    session(&shop, &text, &safe.sign(eip191_hash_message(&text))).await.is(401, "bad_nonce");
    // A contract that keeps what it has signed is asked about an empty signature (Safe's messages).
    let fool = Contract { address: Address([0xf0; 20]), ..Contract::of(node.key(1)) };
    node.rpc("anvil_setCode", json!([fool.address, FOOL])).await;
    let text = fool.text(&shop).await.text();
    assert_eq!(session(&shop, &text, &[]).await.status, 200);
}

#[tokio::test]
async fn p5_a_wallet_that_is_not_deployed_yet_signs_in() {
    let node = Arc::new(Node::start());
    let (shop, _proxy) = watched_shop(&node).await;
    let wallet = Contract::of(node.key(1));
    let without = wallet.signs_in(&shop, false).await.err().unwrap();
    without.is(401, "bad_signature");
    assert!(wallet.signs_in(&shop, true).await.is_ok());
    assert_eq!(node.rpc("eth_getCode", json!([wallet.address, "latest"])).await, "0x", "nothing was deployed");
    // Wrapped all the same, once it is there.
    let wallet = Contract::deployed(node.key(1), &node).await;
    assert!(wallet.signs_in(&shop, true).await.is_ok());
    assert!(wallet.signs_in(&shop, false).await.is_ok());
    // Another's signature in the right wrapper; the right one in a wrapper that makes another wallet.
    let text = wallet.text(&shop).await.text();
    let other = Contract::of(node.key(2));
    let by_eve = wallet.wrap(other.sign(eip191_hash_message(&text)));
    session(&shop, &text, &by_eve).await.is(401, "bad_signature");
    let stranger = Contract { address: Address([0x77; 20]), ..Contract::of(node.key(1)) };
    stranger.signs_in(&shop, true).await.err().unwrap().is(401, "bad_signature");
}

#[tokio::test]
async fn p5_what_is_no_wallet_signs_for_nobody() {
    let node = Arc::new(Node::start());
    let (shop, _proxy) = watched_shop(&node).await;
    let owner = || node.key(1);
    let at = |last: u8| {
        let mut address = [0; 20];
        address[19] = last;
        Contract { address: Address(address), ..Contract::of(owner()) }
    };
    // Precompiles answer: the identity echoes the very call, which begins with ERC-1271's word.
    for last in 0..=10 {
        let precompile = at(last);
        for wrapped in [false, true] {
            precompile.signs_in(&shop, wrapped).await.err().unwrap().is(401, "bad_signature");
        }
    }
    // Echoes its input · reverts · never ends · answers one byte, 1 · half of the word.
    for code in ["0x365f5f37365ff3", "0x5f5ffd", "0x5b5f56", "0x60015f5360015ff3", "0x631626ba7e60e01b5f5260045ff3"] {
        let odd = Contract { address: Address([0x0d; 20]), ..Contract::of(owner()) };
        node.rpc("anvil_setCode", json!([odd.address, code])).await;
        for wrapped in [false, true] {
            odd.signs_in(&shop, wrapped).await.err().unwrap().is(401, "bad_signature");
        }
    }
    // A factory that says yes in the wallet's place, or burns all gas.
    for code in [FOOL, "0x5b5f56"] {
        node.rpc("anvil_setCode", json!([Address([0xfa; 20]), code])).await;
        let nobody = Contract::of(owner());
        let text = nobody.text(&shop).await.text();
        let inner = (Word20::repeat_byte(0xfa), Bytes::from(vec![1]), Bytes::from(nobody.sign(eip191_hash_message(&text))));
        let wrapped = [inner.abi_encode_params(), [0x64, 0x92].repeat(16)].concat();
        session(&shop, &text, &wrapped).await.is(401, "bad_signature");
    }
    // Somebody's key, in whose place nobody else signs.
    let ada = Contract { address: Address(node.key(3).address().into_array()), ..Contract::of(owner()) };
    ada.signs_in(&shop, true).await.err().unwrap().is(401, "bad_signature");
}

#[tokio::test]
async fn p5_an_account_that_lends_its_code_still_has_its_key() {
    let node = Arc::new(Node::start());
    let (shop, proxy) = watched_shop(&node).await;
    let mut ada = shop.visitor(1);
    // EIP-7702's mark, and a delegate that says no to everything.
    node.rpc("anvil_setCode", json!([Address([0xde; 20]), "0x5f5ffd"])).await;
    node.rpc("anvil_setCode", json!([ada.address(), format!("0xef0100{}", "de".repeat(20))])).await;
    let before = calls(&proxy);
    ada.sign_in(&shop).await;
    assert_eq!((ada.session(&shop).await["address"].clone(), calls(&proxy)), (json!(ada.address()), before), "no node was asked");
}

#[tokio::test]
async fn p5_a_node_that_is_away_is_never_a_wrong_signature() {
    let node = Arc::new(Node::start());
    let (shop, proxy) = watched_shop(&node).await;
    let safe = Contract::deployed(node.key(1), &node).await;
    let offers = shop.offer("parrot").await;
    let text = safe.text(&shop).await.text();
    let signature = safe.sign(eip191_hash_message(&text));
    proxy.fault(Fault::Status(502));
    let away = session_at_once(&shop, &text, &signature).await;
    away.is(503, "verifier_unavailable");
    assert_eq!(away.json()["retry"], "same_payment");
    let header = safe.header(&offers, false);
    let payment = from_credit(&offers, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f11");
    let program = shop.visitor(9);
    let headers = [("payment-signature", payment.as_str()), ("sign-in-with-x", header.as_str())];
    program.call_with(&shop, "parrot", "p5 away", &headers).await.is(503, "verifier_unavailable");
    // A key signs in all the same.
    shop.visitor(2).sign_in(&shop).await;
    proxy.heal();
    assert_eq!(session(&shop, &text, &signature).await.status, 200);
}

#[tokio::test]
async fn p5_what_anybody_can_have_asked_of_a_node_is_bounded() {
    let node = Arc::new(Node::start());
    let (shop, proxy) = watched_shop(&node).await;
    let wallet = Contract::of(node.key(1));
    let text = wallet.text(&shop).await;
    let before = calls(&proxy);
    // Everything that can be known without it comes first: place, network, nonce, time, and the signature's shape.
    let wrong = |change: fn(&mut SignIn)| {
        let mut text = text.clone();
        change(&mut text);
        text.text()
    };
    let others = [
        (wrong(|text| text.domain = "evil.example".into()), "bad_domain"),
        (wrong(|text| text.uri = "https://evil.example".into()), "bad_domain"),
        (wrong(|text| text.chain_id = 1), "bad_domain"),
        (wrong(|text| text.nonce = "0".repeat(64)), "bad_nonce"),
        (wrong(|text| text.expiration_time = "2020-01-01T00:00:00Z".into()), "sign_in_expired"),
    ];
    for (text, code) in &others {
        session(&shop, text, &[7; 65]).await.is(401, code);
    }
    for shapeless in [vec![0; 5_000], [0x64, 0x92].repeat(16)] {
        session(&shop, &text.text(), &shapeless).await.is(401, "bad_signature");
    }
    assert_eq!(calls(&proxy), before, "no node was asked");
    // The same refused signature is asked about once.
    for _ in 0..5 {
        session(&shop, &text.text(), &[7; 65]).await.is(401, "bad_signature");
    }
    assert_eq!(calls(&proxy), before + 1);
    // However many come, the nodes are for the payers: the rest is told to come again, never that it is wrong.
    let begun = std::time::Instant::now();
    for n in 0..100_u8 {
        let answer = session_at_once(&shop, &text.text(), &[n; 64]).await;
        assert!([(401, "bad_signature".into()), (503, "verifier_unavailable".into())].contains(&(answer.status, answer.code())));
    }
    let may_be_asked = 20 + 5 * (begun.elapsed().as_secs() as usize + 1);
    assert!(calls(&proxy) - before <= may_be_asked.min(90), "{} questions in {:?}", calls(&proxy) - before, begun.elapsed());
}

#[tokio::test]
async fn p5_each_address_may_have_so_many_signatures_asked_about() {
    use coinslot::server::{
        assets::Site,
        limits::{Doorkeeper, Limits, Quota},
    };
    use tower::ServiceExt;

    let node = Arc::new(Node::start());
    let (shop, proxy) = watched_shop(&node).await;
    let wallet = Contract::of(node.key(1));
    let off = || Quota::per_second(0, 1);
    let limits = Limits { pages: off(), api: off(), sign_in: Quota::per_minute(1, 3) };
    let router = coinslot::server::router::router(shop.desk.clone(), Site::new([]), None, Doorkeeper::new(limits, Vec::new()));
    let offers = shop.offer("parrot").await;
    let before = calls(&proxy);
    let mut codes = Vec::new();
    for n in 0..5_u8 {
        let mut info: Value = serde_json::from_slice(&BASE64_STANDARD.decode(wallet.header(&offers, false)).unwrap()).unwrap();
        info["signature"] = json!(hex(&[n; 64]));
        let header = BASE64_STANDARD.encode(info.to_string());
        let request = post("/api/x402/parrot", "").header("sign-in-with-x", header);
        let request = request.body(Body::from(crate::harness::body("p5 many"))).unwrap();
        codes.push(Answer::of(router.clone().oneshot(request).await.unwrap()).await.code());
    }
    assert_eq!(codes, ["bad_signature", "bad_signature", "bad_signature", "rate_limited", "rate_limited"]);
    assert_eq!(calls(&proxy), before + 3);
}

#[tokio::test]
async fn p5_a_contracts_native_payment_is_shown_to_be_its_own() {
    let shop = Shop::open().await;
    let node = shop.node.clone();
    let safe = Contract::deployed(node.key(1), &node).await;
    let offers = shop.offer("parrot").await;
    let hash = safe.pays(&node, PRICE).await;
    node.finalize().await;
    let program = shop.visitor(9);
    let offer = offer_by(&offers, "transaction-proof");
    let proof = Native { from: Word20::from(safe.address.0), ..Native::of(&offers, hash, &safe.owner, "p5 proof") };
    let of = |payload: Value| payload_for(&offers, offer, payload);
    let by_eve = of(proof.payload(&node.key(2)));
    program.call(&shop, "parrot", "p5 proof", &by_eve).await.is(403, "payer_mismatch");
    let mut nonsense = proof.payload(&safe.owner);
    nonsense["signature"] = json!("0x07");
    program.call(&shop, "parrot", "p5 proof", &of(nonsense)).await.is(401, "payer_not_proven");
    assert_eq!(worked_on("p5 proof"), 0);
    // Wrapped or not, it is its own.
    let mut wrapped = proof.payload(&safe.owner);
    let inner = alloy::hex::decode(wrapped["signature"].as_str().unwrap()).unwrap();
    wrapped["signature"] = json!(hex(&safe.wrap(inner)));
    program.call(&shop, "parrot", "p5 proof", &of(wrapped)).await.said("p5 proof");
    program.call(&shop, "parrot", "p5 proof", &of(proof.payload(&safe.owner))).await.said("p5 proof");
    assert_eq!(worked_on("p5 proof"), 1);
    shop.assert_balanced().await;
}

/// What is said of a payment beside no call.
async fn no_call(shop: &Shop, payment: &str, cookie: Option<&str>) -> Value {
    let request =
        Request::get("/api/x402/parrot").header("payment-signature", payment).header("cookie", cookie.unwrap_or("none"));
    let answer = shop.ask(request.body(Body::empty()).unwrap()).await;
    answer.is(405, "method_not_allowed");
    let said = answer.json();
    assert_eq!((&said["retry"], said.get("accepts")), (&json!("same_payment"), None), "{said}");
    said
}

#[tokio::test]
async fn m3_what_a_contract_sent_is_followed_beside_no_call_as_its_chain_says() {
    let node = Arc::new(Node::start());
    let (shop, proxy) = watched_shop(&node).await;
    let safe = Contract::deployed(node.key(1), &node).await;
    let offers = shop.offer("parrot").await;
    let hash = safe.pays(&node, PRICE).await;
    let proof = Native { from: Word20::from(safe.address.0), ..Native::of(&offers, hash, &safe.owner, "m3 of a contract") };
    let of = |key: &PrivateKeySigner| payload_for(&offers, offer_by(&offers, "transaction-proof"), proof.payload(key));
    let said = async |payment: &str| no_call(&shop, payment, None).await["error"].as_str().unwrap().to_owned();
    // Its network cannot be asked: that is not "no".
    proxy.fault(Fault::Status(502));
    let away = said(&of(&safe.owner)).await;
    assert!(away.contains("the payment was not used") && away.contains("cannot be found out"), "{away}");
    proxy.heal();
    crate::paying::eventually(async || said(&of(&safe.owner)).await.contains("It is followed")).await;
    crate::paying::eventually(async || said(&of(&node.key(2))).await.contains("not shown to be yours")).await;
    node.finalize().await;
    let native = coinslot::money::Asset::native(NETWORK);
    let credit = async || shop.desk.books.balance(safe.address, &native).await.unwrap();
    crate::paying::eventually(async || credit().await == coinslot::money::Amount::from_atomic(PRICE)).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn p5_a_text_without_an_end_of_its_own_signs_in() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let endless = |text: &SignIn| text.text().rsplit_once("\nExpiration Time: ").unwrap().0.to_owned();
    let text = endless(&ada.text(&ada.nonce(&shop).await));
    let signature = ada.key.sign_message_sync(text.as_bytes()).unwrap().as_bytes();
    assert_eq!(session(&shop, &text, &signature).await.status, 200);
    // Its nonce's end is its end.
    let old = coinslot::x402::desk::now_ms() - 10 * 60 * 1000 - 1_000;
    let text = endless(&SignIn { nonce: nonce_of(old), ..ada.text(&ada.nonce(&shop).await) });
    let signature = ada.key.sign_message_sync(text.as_bytes()).unwrap().as_bytes();
    session(&shop, &text, &signature).await.is(401, "sign_in_expired");
}

/// As an instance of this shop makes it at that time.
fn nonce_of(at_ms: i64) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = |key: &[u8], message: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().into()
    };
    let head = format!("{at_ms:016x}{}", "0123456789abcdef");
    let sealed = mac(&mac(&[7; 32], b"sign-in nonce"), head.as_bytes());
    format!("{head}{}", alloy::hex::encode(&sealed[..16]))
}

#[tokio::test]
async fn m4_a_nonce_of_an_instance_that_is_ahead_of_us_signs_in() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    for ahead_ms in [1_000, 30_000, 115_000] {
        let text = SignIn { nonce: nonce_of(coinslot::x402::desk::now_ms() + ahead_ms), ..ada.text(&ada.nonce(&shop).await) };
        assert_eq!(ada.present_sign_in(&shop, &text).await.status, 200, "{ahead_ms} ms");
        ada.present_sign_in(&shop, &text).await.is(401, "bad_nonce");
    }
    let text = SignIn { nonce: nonce_of(coinslot::x402::desk::now_ms() + 130_000), ..ada.text(&ada.nonce(&shop).await) };
    ada.present_sign_in(&shop, &text).await.is(401, "sign_in_expired");
}

#[tokio::test]
async fn p5_another_chain_is_refused_with_those_that_would_do() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let mut text = ada.text(&ada.nonce(&shop).await);
    text.chain_id = 1;
    let refused = ada.present_sign_in(&shop, &text).await;
    refused.is(401, "bad_domain");
    assert_eq!(
        refused.json()["error"],
        "This sign-in was made for another network, Chain ID 1. Sign in on Local chain (Chain ID 31337)."
    );
}

#[tokio::test]
async fn p5_a_contract_is_somebody_on_its_own_network_alone() {
    let (node, other) = (Arc::new(Node::start()), Node::of_chain(31338));
    let shop = Shop::on_two(node.clone(), &other, 31338).await;
    // The same address on both: ours here, somebody else's there, who has credit.
    let here = Contract::deployed(node.key(1), &node).await;
    other.rpc("anvil_setBalance", json!([here.address, "0xde0b6b3a7640000"])).await;
    other.rpc("anvil_setCode", json!([here.address, FORWARDS])).await;
    other.mine(1).await;
    let asked = hex(&(Word20::from(SHOP.0), U256::from(2 * PRICE)).abi_encode());
    let hash = other.send(json!({ "from": other.key(7).address(), "to": here.address, "data": asked, "gas": "0x30d40" })).await;
    other.mine(1).await;
    other.rpc("anvil_setCode", json!([here.address, FOOL])).await;
    other.finalize().await;
    let visitor = here.signs_in(&shop, false).await.map_err(|answer| answer.json()).unwrap();
    let offers = shop.offer("parrot").await;
    let over_there = offers.accepts.iter().find(|offer| offer.network == "eip155:31338").unwrap();
    let shown = payload_for(&offers, over_there, json!({ "transaction": hash }));
    visitor.call(&shop, "parrot", "p5 elsewhere", &shown).await.is(401, "not_signed_in");
    // The other one shows it.
    let text = SignIn { chain_id: 31338, ..here.text(&shop).await }.text();
    let answer = session(&shop, &text, &[]).await;
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let theirs = Visitor { key: node.key(9), cookie: Some(cookie) };
    theirs.call(&shop, "parrot", "p5 elsewhere", &shown).await.said("p5 elsewhere");
    assert_eq!(theirs.session(&shop).await["credit"][0]["amount"], json!(PRICE.to_string()));
    // Nothing of it is to be seen or spent from here: not by the session, not by a signature.
    let credit = payload_for(&offers, over_there, json!({ "credit": "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f12" }));
    assert_eq!(visitor.session(&shop).await["credit"], json!([]));
    visitor.call(&shop, "parrot", "p5 stolen", &credit).await.is(401, "not_signed_in");
    let header = here.header(&shop.offer("parrot").await, false);
    let headers = [("payment-signature", credit.as_str()), ("sign-in-with-x", header.as_str())];
    shop.visitor(9).call_with(&shop, "parrot", "p5 stolen", &headers).await.is(401, "bad_domain");
    // Nor is a payment over there shown to be this session's, where it comes beside no call.
    let beside = no_call(&shop, &shown, visitor.cookie.as_deref()).await;
    assert!(beside["error"].as_str().unwrap().contains("not shown to be yours"), "{beside}");
    for page in ["/api/page/history", "/api/page/statement"] {
        let (ours, others) = (visitor.get(&shop, page).await.json(), theirs.get(&shop, page).await.json());
        let rows = |page: &Value| ["runs", "lines"].iter().filter_map(|rows| page[rows].as_array()).map(Vec::len).sum::<usize>();
        assert!(rows(&ours) == 0 && rows(&others) > 0, "{ours} {others}");
    }
    let run = theirs.get(&shop, "/api/page/history").await.json()["runs"][0]["id"].as_str().unwrap().to_owned();
    visitor.get(&shop, &format!("/api/runs/{run}")).await.is(404, "no_such_run");
    assert_eq!(theirs.get(&shop, &format!("/api/runs/{run}")).await.status, 200);
    assert_eq!(worked_on("p5 stolen"), 0);
    shop.assert_balanced().await;
}

/// A shop for dollars, and a contract that owns some and whose owner has a key.
async fn contract_with_dollars(shop: &Shop, token: &coinslot::network::Token) -> Contract {
    let wallet = Contract::of(shop.node.key(1));
    mined(&shop.node, json!({ "from": shop.node.key(9).address(), "to": FACTORY, "data": hex(&wallet.makes) })).await;
    use alloy::{primitives::U256, sol_types::SolCall};
    let call = Dollar::mintCall { to: Word20::from(wallet.address.0), value: U256::from(PURSE) };
    let data = hex(&call.abi_encode());
    mined(&shop.node, json!({ "from": shop.node.key(8).address(), "to": token.address, "data": data })).await;
    wallet
}

#[tokio::test]
async fn m6_credit_of_a_contract_whose_paid_run_failed_is_its_own_to_spend() {
    let (shop, token) = shop_for_dollars().await;
    let wallet = contract_with_dollars(&shop, &token).await;
    let program = shop.visitor(9);
    // Settled first, then it fails for good: twice, for the two ways back to the money.
    for say in ["never:m6 one", "never:m6 two"] {
        let offers = shop.offer("kea").await;
        let signed = Eip3009 { from: Word20::from(wallet.address.0), ..Eip3009::of(&wallet.owner, say) };
        let payload = signed.payload(&signed.sign(&wallet.owner, &token));
        let paid = payload_for(&offers, offer_by(&offers, "eip3009"), payload);
        program.call(&shop, "kea", say, &paid).await.is(500, "agent_failed");
    }
    // The page's way.
    let visitor = wallet.signs_in(&shop, false).await.map_err(|answer| answer.json()).unwrap();
    assert_eq!(visitor.credit(&shop).await, (2 * DOLLARS).to_string());
    let offers = shop.offer("kea").await;
    let spent = payload_for(&offers, offer_by(&offers, "eip3009"), json!({ "credit": "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f13" }));
    visitor.call(&shop, "kea", "m6 by session", &spent).await.said("m6 by session");
    assert_eq!(visitor.credit(&shop).await, DOLLARS.to_string());
    // A program's way: the signed order alone.
    let header = wallet.header(&shop.offer("kea").await, false);
    program.call_with(&shop, "kea", "m6 by order", &[("sign-in-with-x", &header)]).await.said("m6 by order");
    program.call_with(&shop, "kea", "m6 by order", &[("sign-in-with-x", &header)]).await.said("m6 by order");
    assert_eq!((visitor.credit(&shop).await, worked_on("m6 by order")), ("0".into(), 1));
    let poor = wallet.header(&shop.offer("kea").await, true);
    program.call_with(&shop, "kea", "m6 poor", &[("sign-in-with-x", &poor)]).await.is(402, "payment_required");
    assert_eq!(worked_on("m6 poor"), 0);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m4_an_authorization_that_holds_in_a_moment_is_waited_for_and_settled() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let dated = async |say: &str, after: u64, before: alloy::primitives::U256| {
        let offers = shop.offer("macaw").await;
        let signed = Eip3009 { valid_after: after, ..Eip3009::of(&ada.key, say) };
        let payload = signed_until(&signed, before, &ada.key, &token);
        ada.call(&shop, "macaw", say, &payload_for(&offers, offer_by(&offers, "eip3009"), payload)).await
    };
    let soon = || alloy::primitives::U256::from(now_s() + 300);
    dated("m4 now", now_s(), soon()).await.said("m4 now");
    dated("m4 soon", now_s() + 5, soon()).await.said("m4 soon");
    let late = dated("m4 late", now_s() + 33, soon()).await;
    late.is(402, "payment_invalid");
    assert_eq!(late.json()["reason"], "invalid_exact_evm_payload_authorization_valid_after");
    assert_eq!(late.json()["details"], "validAfter may be 30 seconds ahead at most", "a limit that is enforced is named");
    let over = dated("m4 over", 0, alloy::primitives::U256::from(now_s() + 3)).await;
    over.is(402, "payment_invalid");
    assert!(over.json()["details"].as_str().unwrap().contains("6 seconds"), "{}", over.json());
    // Good for ever is good now.
    let year = alloy::primitives::U256::from(now_s() + 365 * 86_400);
    dated("m4 a year", 0, year).await.said("m4 a year");
    dated("m4 for ever", 0, alloy::primitives::U256::MAX).await.said("m4 for ever");
    assert_eq!(crate::dollars::taken(&shop, &token).await, 4 * DOLLARS);
    shop.assert_balanced().await;
}

/// The payload with an end that does not fit 64 bits.
fn signed_until(
    signed: &Eip3009,
    before: alloy::primitives::U256,
    key: &PrivateKeySigner,
    token: &coinslot::network::Token,
) -> Value {
    use alloy::{
        primitives::U256,
        sol_types::{SolStruct, eip712_domain},
    };
    let domain = eip712_domain! {
        name: token.name.clone(), version: "2", chain_id: 31337, verifying_contract: Word20::from(token.address.0),
    };
    let digest = crate::dollars::TransferWithAuthorization {
        from: signed.from,
        to: signed.to,
        value: U256::from(signed.value),
        validAfter: U256::from(signed.valid_after),
        validBefore: before,
        nonce: signed.nonce,
    }
    .eip712_signing_hash(&domain);
    let mut payload = signed.payload(&key.sign_hash_sync(&digest).unwrap().as_bytes());
    payload["authorization"]["validBefore"] = json!(before.to_string());
    payload
}

#[tokio::test]
async fn m4_whoever_wants_an_answer_sooner_gets_one_and_no_other_demand() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let signed = Eip3009 { valid_after: now_s() + 4, ..Eip3009::of(&ada.key, "m4 hurry") };
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signed.sign(&ada.key, &token)));
    let pending = ada.glance(&shop, "macaw", "m4 hurry", &payment).await;
    pending.is(202, "payment_pending");
    assert!(pending.header("payment-required").is_none() && pending.json()["retry"] == "same_payment");
    ada.call(&shop, "macaw", "m4 hurry", &payment).await.said("m4 hurry");
    assert_eq!(worked_on("m4 hurry"), 1);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m4_a_payment_in_a_block_that_is_dated_before_its_offer_buys_its_run() {
    // As where the server's clock is ahead of the blocks' time by so much.
    for ahead_ms in [2_500, 4_000, 100_000] {
        let shop = Shop::open().await;
        let ada = shop.signed_in(1).await;
        let hash = ada.paid(&shop, PRICE).await;
        let price = shop.desk.prices(&crate::agents::PARROT).remove(0);
        let issued = coinslot::x402::desk::now_ms() + ahead_ms;
        let mut offers = shop.offer("parrot").await;
        offers.accepts = vec![shop.sealed_offer(&price, issued..issued + 300_000)];
        let say = format!("m4 {ahead_ms}");
        ada.call(&shop, "parrot", &say, &crate::harness::proof(&offers, hash)).await.said(&say);
    }
}

#[tokio::test]
async fn m4_an_authorization_for_years_whose_run_failed_is_credit_when_somebody_sends_it() {
    let (node, token) = chain_with_dollars().await;
    let shop = open(node, Arc::new(tempfile::tempdir().unwrap()), &token, Staff::All).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let signed = Eip3009 { valid_before: now_s() + 10 * 365 * 86_400, ..Eip3009::of(&ada.key, "m4 years") };
    let signature = signed.sign(&ada.key, &token);
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signature));
    ada.call(&shop, "macaw", "never:m4 years", &payment).await.is(500, "agent_failed");
    let run = || async { shop.desk.books.unsettled(NETWORK, coinslot::x402::desk::now_ms() + 3_600_000).await.unwrap() };
    assert_eq!(run().await.len(), 1, "it is looked at within the hour");
    assert!(shop.desk.books.unsettled(NETWORK, coinslot::x402::desk::now_ms()).await.unwrap().is_empty());
    let calldata = signed.calldata(&signature);
    let theirs = mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": token.address, "data": calldata })).await;
    let number =
        async |block: Value| u64::from_str_radix(block["number"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let at = shop.node.rpc("eth_getTransactionByHash", json!([theirs])).await["blockNumber"].clone();
    let at = number(json!({ "number": at })).await;
    crate::paying::eventually(async || {
        number(shop.node.rpc("eth_getBlockByNumber", json!(["finalized", false])).await).await >= at
    })
    .await;
    let id = run().await.remove(0).id;
    // As if the hour were over.
    shop.desk.books.look_later(&id, None, coinslot::x402::desk::now_ms() - 3_600_000).await.unwrap();
    shop.desk.waiting.notify_waiters();
    let visitor = shop.signed_in(1).await;
    let credit = async || (visitor.credit(&shop).await == DOLLARS.to_string()).then_some(());
    crate::harness::eventually_some(credit).await;
    shop.assert_balanced().await;
}
