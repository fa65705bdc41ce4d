//! A shop, its chain, and visitors with keys.

use std::{path::Path, sync::Arc, time::Duration};

use alloy::signers::{SignerSync, local::PrivateKeySigner};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use coinslot::{
    chain::{Chain, ChainSettings, Finality},
    evm::{Address, TxHash},
    ledger::{Books, NewRun},
    model::Model,
    money::{Amount, Money},
    network::{Network, Token},
    runs::{Pace, Streams, worker},
    server::{
        assets::Site,
        limits::{Doorkeeper, Limits, Quota},
    },
    session::message::{Nonce, SignIn},
    x402::{
        desk::{Desk, Fittings},
        facilitator::Facilitator,
        known_failure,
        offers::{self, Ask, Seal},
        till,
        wire::{self, Offer, PaymentRequired, Settlement},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

#[allow(clippy::duplicate_mod)] // some of the targets that take this harness have the whole of `anvil` too
#[path = "../anvil/process.rs"]
mod anvil_process;

use anvil_process::AnvilProcess;

pub const PUBLIC_URL: &str = "http://127.0.0.1:4020";
pub const SHOP: Address = Address([0x50; 20]);
pub const PRICE: u128 = 100_000_000_000_000;
pub const NETWORK: &str = "eip155:31337";
const CHAIN_ID: u64 = 31337;

/// So that a test of a second instance, or of a quiet stream, waits for milliseconds.
pub const QUICK: Pace =
    Pace { heartbeat: Duration::from_millis(100), look: Duration::from_millis(50), life: Duration::from_secs(60) };

/// A chain that mines only when it is told to.
pub struct Node {
    anvil: AnvilProcess,
    http: reqwest::Client,
}

impl Node {
    pub fn start() -> Self {
        Self::start_with(CHAIN_ID, &["--no-mining"])
    }

    /// Another chain than [`NETWORK`].
    pub fn of_chain(chain_id: u64) -> Self {
        Self::start_with(chain_id, &["--no-mining"])
    }

    /// Its blocks are from so many hours ago.
    #[allow(dead_code)] // not every target that is opened with this harness looks back
    pub fn that_lags(hours: i64) -> Self {
        let then = coinslot::x402::desk::now_ms() / 1000 - hours * 3600;
        Self::start_with(CHAIN_ID, &["--no-mining", "--timestamp", &then.to_string()])
    }

    /// A block every tenth of a second, whatever is in it.
    pub fn that_mines() -> Self {
        Self::start_with(CHAIN_ID, &["--block-time", "0.1"])
    }

    /// A block every so many seconds.
    #[allow(dead_code)] // not every target that is opened with this harness counts blocks
    pub fn that_mines_every(seconds: &str) -> Self {
        Self::start_with(CHAIN_ID, &["--block-time", seconds])
    }

    fn start_with(chain_id: u64, blocks: &[&str]) -> Self {
        let anvil = AnvilProcess::start(chain_id, blocks);
        Self { anvil, http: coinslot::http_client::builder().build().unwrap() }
    }

    pub fn url(&self) -> url::Url {
        self.anvil.url()
    }

    pub fn key(&self, index: usize) -> PrivateKeySigner {
        PrivateKeySigner::from_bytes(&self.anvil.keys()[index]).unwrap()
    }

    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer: Value = self.http.post(self.anvil.url()).json(&body).send().await.unwrap().json().await.unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub async fn mine(&self, blocks: u64) {
        for _ in 0..blocks {
            self.rpc("evm_mine", json!([])).await;
        }
    }

    /// What is sent before is final after this.
    pub async fn finalize(&self) {
        self.mine(3).await;
    }

    pub async fn send(&self, transaction: Value) -> TxHash {
        self.rpc("eth_sendTransaction", json!([transaction])).await.as_str().unwrap().parse().unwrap()
    }
}

pub struct Shop {
    pub node: Arc<Node>,
    pub desk: Desk,
    pub router: Router,
    pub data: Arc<TempDir>,
    stop: CancellationToken,
}

/// What a shop can be opened without, for the tests of what another instance does then.
#[derive(Clone, Copy, PartialEq)]
pub enum Staff {
    All,
    /// It answers requests, but neither follows the chain nor works.
    CounterOnly,
    /// It follows the chain, but no worker runs.
    NoWorker,
}

impl Shop {
    pub async fn open() -> Self {
        Self::with(Arc::new(Node::start()), Arc::new(tempfile::tempdir().unwrap()), Staff::All).await
    }

    pub async fn with(node: Arc<Node>, data: Arc<TempDir>, staff: Staff) -> Self {
        let url = node.anvil.url();
        Self::at(node, data, staff, vec![url]).await
    }

    pub async fn at(node: Arc<Node>, data: Arc<TempDir>, staff: Staff, rpc_urls: Vec<url::Url>) -> Self {
        Self::with_tokens(node, data, staff, rpc_urls, Vec::new(), |_| None).await
    }

    /// `settles`: who settles the tokens.
    pub async fn with_tokens(
        node: Arc<Node>,
        data: Arc<TempDir>,
        staff: Staff,
        rpc_urls: Vec<url::Url>,
        tokens: Vec<Token>,
        settles: impl FnOnce(Chain) -> Option<Facilitator>,
    ) -> Self {
        let chain = chain(Network { tokens, ..network() }, rpc_urls);
        let facilitator = settles(chain.clone());
        Self::on_chains(node, data, staff, vec![chain], facilitator, QUICK, None).await
    }

    /// The same, and it looks at its chain so often.
    #[allow(dead_code)] // not every target that is opened with this harness counts looks
    pub async fn that_polls(
        every: Duration,
        node: Arc<Node>,
        rpc_url: url::Url,
        tokens: Vec<Token>,
        settles: impl FnOnce(Chain) -> Option<Facilitator>,
    ) -> Self {
        let settings = chain(Network { tokens, ..network() }, vec![rpc_url]).settings().clone();
        let chain = Chain::new(ChainSettings { poll: every, ..settings });
        let facilitator = settles(chain.clone());
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::on_chains(node, data, Staff::All, vec![chain], facilitator, QUICK, None).await
    }

    /// One whose streams are kept at another pace.
    pub async fn at_pace(pace: Pace) -> Self {
        let node = Arc::new(Node::start());
        let chains = vec![chain(network(), vec![node.url()])];
        Self::on_chains(node, Arc::new(tempfile::tempdir().unwrap()), Staff::All, chains, None, pace, None).await
    }

    /// One whose nodes are taken to be wrong sooner than usual.
    #[allow(dead_code)] // not every target that is opened with this harness has wrong nodes
    pub async fn patient(
        node: Arc<Node>,
        data: Arc<TempDir>,
        rpc_urls: Vec<url::Url>,
        patience: coinslot::chain::Patience,
    ) -> Self {
        let chain = Chain::with_patience(chain(network(), rpc_urls).settings().clone(), patience);
        Self::on_chains(node, data, Staff::All, vec![chain], None, QUICK, None).await
    }

    /// A shop that is paid on another chain as well.
    pub async fn on_two(node: Arc<Node>, other: &Node, other_id: u64) -> Self {
        let second = Network {
            id: format!("eip155:{other_id}"),
            chain_id: other_id,
            name: "Other chain".into(),
            slug: "other".into(),
            ..network()
        };
        let chains = vec![chain(network(), vec![node.url()]), chain(second, vec![other.url()])];
        Self::on_chains(node, Arc::new(tempfile::tempdir().unwrap()), Staff::All, chains, None, QUICK, None).await
    }

    /// A shop that looks at its balance every 100 ms, also while nobody waits, and asks these nodes for traces (none: the others).
    #[allow(dead_code)] // not every target that is opened with this harness looks
    pub async fn that_looks(look: Look) -> Self {
        let Look { node, data, staff, rpc_url, trace_urls, pay_to } = look;
        let settings = chain(network(), vec![rpc_url]).settings().clone();
        let chain = Chain::new(ChainSettings { trace_urls, idle_look: Duration::from_millis(100), ..settings });
        let shop = Self::paid_at(pay_to, node, data, staff, vec![chain], None, QUICK, None).await;
        if staff != Staff::CounterOnly {
            // What comes after the first look is a payment; `serve` waits for it before it says that it is open.
            eventually_some(async || shop.desk.books.explained(NETWORK, pay_to).await.unwrap()).await;
        }
        shop
    }

    /// A shop with a language model.
    #[allow(dead_code)] // not every target that is opened with this harness has one
    pub async fn with_model(node: Arc<Node>, data: Arc<TempDir>, staff: Staff, model: Option<Model>) -> Self {
        let chain = chain(network(), vec![node.url()]);
        Self::on_chains(node, data, staff, vec![chain], None, QUICK, model).await
    }

    /// `facilitator`: of the tokens on the first of the chains.
    async fn on_chains(
        node: Arc<Node>,
        data: Arc<TempDir>,
        staff: Staff,
        chains: Vec<Chain>,
        facilitator: Option<Facilitator>,
        pace: Pace,
        model: Option<Model>,
    ) -> Self {
        Self::paid_at(SHOP, node, data, staff, chains, facilitator, pace, model).await
    }

    /// A shop with these books.
    #[allow(dead_code)] // not every target that is opened with this harness has others than its own
    pub async fn with_books(books: Books) -> Self {
        let node = Arc::new(Node::start());
        let chains = vec![chain(network(), vec![node.url()])];
        Self::kept_in(books, SHOP, node, Arc::new(tempfile::tempdir().unwrap()), Staff::All, chains, None, QUICK, None).await
    }

    /// As every shop, and this is where it is paid.
    #[allow(clippy::too_many_arguments)]
    async fn paid_at(
        pay_to: Address,
        node: Arc<Node>,
        data: Arc<TempDir>,
        staff: Staff,
        chains: Vec<Chain>,
        facilitator: Option<Facilitator>,
        pace: Pace,
        model: Option<Model>,
    ) -> Self {
        let books = Books::open(&sqlite(data.path())).await.unwrap();
        Self::kept_in(books, pay_to, node, data, staff, chains, facilitator, pace, model).await
    }

    #[allow(clippy::too_many_arguments)]
    async fn kept_in(
        books: Books,
        pay_to: Address,
        node: Arc<Node>,
        data: Arc<TempDir>,
        staff: Staff,
        chains: Vec<Chain>,
        facilitator: Option<Facilitator>,
        pace: Pace,
        model: Option<Model>,
    ) -> Self {
        let stop = CancellationToken::new();
        let desk = Desk::new(Fittings {
            books,
            seal: Seal::new([7; 32]),
            chains,
            pay_to,
            public_url: PUBLIC_URL.into(),
            agents: super::agents::all(),
            offer_ttl_ms: 300_000,
            facilitators: facilitator.map(|facilitator| (NETWORK.to_owned(), facilitator)).into_iter().collect(),
            model,
            streams: Streams::new(pace, stop.clone()),
        });
        for chain in &desk.chains {
            assert!(coinslot::server::tokens::look(&desk, chain).await, "every token is what it should be");
        }
        known_failure::read(&desk).await;
        known_failure::start(&desk, &stop);
        if staff != Staff::CounterOnly {
            till::start(&desk, &stop);
        }
        if staff == Staff::All {
            worker::start(&desk, 4, &stop);
        }
        let router = router(&desk);
        Self { node, desk, router, data, stop }
    }

    /// As a crash would: everything of this process ends, the chain and the files live on.
    pub async fn reopen(self, staff: Staff) -> Self {
        let (node, data) = (self.node.clone(), self.data.clone());
        self.stop.cancel();
        drop(self);
        Self::with(node, data, staff).await
    }

    /// As by Ctrl-C: everything of it is told to end.
    pub fn closes(&self) {
        self.stop.cancel();
    }

    /// As a browser sends it: what carries a cookie says that it comes from our own page, or it is refused (tests/outside.rs).
    pub async fn ask(&self, mut request: Request<Body>) -> Answer {
        if request.headers().contains_key("cookie") {
            request.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
        }
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(get(path).body(Body::empty()).unwrap()).await
    }

    /// A call without a payment.
    pub async fn price(&self, agent: &str, say: &str) -> Answer {
        self.ask(post(&format!("/api/x402/{agent}"), &body(say)).body(Body::from(body(say))).unwrap()).await
    }

    /// The parrot's native offer, as if it had been made at another time or price.
    pub fn sealed_offer(&self, price: &Money, holds: std::ops::Range<i64>) -> Offer {
        let method = offers::Method::TransactionProof { finality: "finalized".into() };
        self.desk.seal.offer(&Ask {
            agent: "parrot",
            price,
            amount: price.amount,
            pay_to: SHOP,
            method,
            holds,
            max_timeout_s: 300,
        })
    }

    /// An agent's EIP-3009 offer, as if it had been made at another time.
    pub fn sealed_token_offer(&self, agent: &str, price: &Money, token: &Token, holds: std::ops::Range<i64>) -> Offer {
        let method = offers::Method::Eip3009(token);
        self.desk.seal.offer(&Ask { agent, price, amount: price.amount, pay_to: SHOP, method, holds, max_timeout_s: 300 })
    }

    pub async fn offer(&self, agent: &str) -> PaymentRequired {
        self.price(agent, "an offer, please").await.offers()
    }

    pub fn visitor(&self, index: usize) -> Visitor {
        Visitor { key: self.node.key(index), cookie: None }
    }

    pub async fn signed_in(&self, index: usize) -> Visitor {
        let mut visitor = self.visitor(index);
        visitor.sign_in(self).await;
        visitor
    }

    pub async fn assert_balanced(&self) {
        assert_eq!(self.desk.books.audit().await.unwrap().findings, Vec::<String>::new());
    }
}

/// How a shop that looks is opened.
#[allow(dead_code)]
#[derive(Clone)]
pub struct Look {
    pub node: Arc<Node>,
    pub data: Arc<TempDir>,
    pub staff: Staff,
    pub rpc_url: url::Url,
    pub trace_urls: Vec<url::Url>,
    pub pay_to: Address,
}

#[allow(dead_code)]
impl Look {
    pub fn at(node: Node) -> Self {
        let (rpc_url, data) = (node.url(), Arc::new(tempfile::tempdir().unwrap()));
        Self { node: Arc::new(node), data, staff: Staff::All, rpc_url, trace_urls: Vec::new(), pay_to: SHOP }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn chain(network: Network, rpc_urls: Vec<url::Url>) -> Chain {
    Chain::new(ChainSettings {
        network,
        rpc_urls,
        finality: Finality::Tag("finalized".into()),
        poll: Duration::from_millis(30),
        timeout: Duration::from_secs(2),
        trace_urls: Vec::new(),
        idle_look: Duration::from_secs(3600),
    })
}

pub fn network() -> Network {
    Network {
        id: NETWORK.into(),
        chain_id: CHAIN_ID,
        name: "Local chain".into(),
        slug: "local".into(),
        symbol: "MON".into(),
        decimals: 18,
        wallet_rpc_url: "http://127.0.0.1:8545".into(),
        explorer: Some("https://explorer.example".into()),
        faucet: None,
        gas_price_hint: Amount::from_atomic(100_000_000_000),
        wallet_sponsors_gas: false,
        tokens: Vec::new(),
    }
}

pub fn sqlite(data: &Path) -> String {
    format!("sqlite://{}", data.join("coinslot.db").display())
}

pub fn limits_off() -> Limits {
    let off = || Quota::per_second(0, 1);
    Limits { pages: off(), api: off(), sign_in: off() }
}

/// The real one, with every layer; only the limits per address are off, since all visitors here have one.
pub fn router(desk: &Desk) -> Router {
    let doorkeeper = Doorkeeper::new(limits_off(), Vec::new());
    coinslot::server::router::router(desk.clone(), Site::new([]), None, doorkeeper)
}

pub fn body(say: &str) -> String {
    json!({ "say": say }).to_string()
}

/// What a request for the parrot's work writes down before anything is looked at.
#[allow(dead_code)] // not every target that is opened with this harness writes rows of its own
pub fn row(payer: Address, say: &str, proof: &str) -> NewRun {
    let input = body(say);
    NewRun {
        id: uuid::Uuid::now_v7().to_string(),
        agent: "parrot".into(),
        version: "7".into(),
        payer,
        input_sha256: alloy::hex::encode(<sha2::Sha256 as sha2::Digest>::digest(input.as_bytes())),
        input,
        network: NETWORK.into(),
        proof: proof.to_owned(),
        payment_id: None,
        terms: None,
        key_sha256: "0".repeat(64),
    }
}

/// As a program reads an address that it was given: a run's key behind the `#` goes in a header.
pub fn get(path: &str) -> axum::http::request::Builder {
    match path.split_once("#key=") {
        Some((path, key)) => Request::get(path).header("authorization", format!("Bearer {key}")),
        None => Request::get(path),
    }
}

pub fn post(path: &str, _body: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::POST).uri(path).header("content-type", "application/json")
}

pub struct Answer {
    pub status: u16,
    pub headers: axum::http::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and code together: what a test says of a refusal.
    #[track_caller]
    pub fn is(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    #[track_caller]
    pub fn said(&self, say: &str) -> &Self {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.bytes));
        assert_eq!(self.json(), json!({ "said": say }));
        self
    }

    pub fn offers(&self) -> PaymentRequired {
        wire::decode(self.header("payment-required").expect("a 402 carries its offers")).unwrap()
    }
}

pub struct Visitor {
    pub key: PrivateKeySigner,
    pub cookie: Option<String>,
}

impl Visitor {
    pub fn address(&self) -> Address {
        Address(self.key.address().into_array())
    }

    pub async fn nonce(&self, shop: &Shop) -> Nonce {
        let text = json!({ "address": self.address() }).to_string();
        let answer = shop.ask(post("/api/session/nonce", "").body(Body::from(text)).unwrap()).await;
        assert_eq!(answer.status, 200);
        serde_json::from_value(answer.json()).unwrap()
    }

    pub fn text(&self, nonce: &Nonce) -> SignIn {
        SignIn {
            domain: PUBLIC_URL.trim_start_matches("http://").into(),
            address: nonce.address.clone().unwrap(),
            uri: PUBLIC_URL.into(),
            chain_id: nonce.chain_id,
            nonce: nonce.nonce.clone(),
            issued_at: nonce.issued_at.clone(),
            expiration_time: nonce.expiration_time.clone(),
        }
    }

    pub async fn present_sign_in(&self, shop: &Shop, text: &SignIn) -> Answer {
        let message = text.text();
        let signature = alloy::hex::encode_prefixed(self.key.sign_message_sync(message.as_bytes()).unwrap().as_bytes());
        let body = json!({ "message": message, "signature": signature }).to_string();
        shop.ask(post("/api/session", "").body(Body::from(body)).unwrap()).await
    }

    pub async fn sign_in(&mut self, shop: &Shop) {
        let nonce = self.nonce(shop).await;
        let answer = self.present_sign_in(shop, &self.text(&nonce)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        self.cookie = Some(cookie);
    }

    pub async fn session(&self, shop: &Shop) -> Value {
        self.get(shop, "/api/session").await.json()
    }

    pub async fn get(&self, shop: &Shop, path: &str) -> Answer {
        let mut request = get(path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        shop.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Credit in wei, as decimal text.
    pub async fn credit(&self, shop: &Shop) -> String {
        self.session(shop).await["credit"].get(0).map_or("0".into(), |credit| credit["amount"].as_str().unwrap().to_owned())
    }

    /// Sends a transfer to the shop; it is not in a block yet.
    pub async fn pays(&self, shop: &Shop, wei: u128) -> TxHash {
        shop.node.send(json!({ "from": self.address(), "to": SHOP, "value": format!("{wei:#x}"), "gas": "0x5208" })).await
    }

    /// Sends a transfer, and waits until it is final.
    pub async fn paid(&self, shop: &Shop, wei: u128) -> TxHash {
        let hash = self.pays(shop, wei).await;
        shop.node.finalize().await;
        hash
    }

    /// Posts a call with this text in both payment headers; `wait`: seconds that the server may take.
    pub async fn call_with(&self, shop: &Shop, agent: &str, say: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = post(&format!("/api/x402/{agent}"), "");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        shop.ask(request.body(Body::from(body(say))).unwrap()).await
    }

    /// The page's way: the same v2 payload under both names.
    pub async fn call(&self, shop: &Shop, agent: &str, say: &str, payment: &str) -> Answer {
        self.call_with(shop, agent, say, &[("payment-signature", payment), ("x-payment", payment)]).await
    }

    /// As [`Self::call`], but wants to know how far it is at once.
    pub async fn glance(&self, shop: &Shop, agent: &str, say: &str, payment: &str) -> Answer {
        self.call_with(shop, agent, say, &[("payment-signature", payment), ("prefer", "wait=0")]).await
    }
}

/// The payload that shows a transaction for the first offer.
pub fn proof(offers: &PaymentRequired, transaction: TxHash) -> String {
    payload(offers, json!({ "transaction": transaction }))
}

pub fn from_credit(offers: &PaymentRequired, id: &str) -> String {
    payload(offers, json!({ "credit": id }))
}

pub fn payload(offers: &PaymentRequired, proof: Value) -> String {
    payload_for(offers, &offers.accepts[0], proof)
}

pub fn payload_for(offers: &PaymentRequired, offer: &Offer, proof: Value) -> String {
    let payload = json!({ "x402Version": 2, "resource": offers.resource, "accepted": offer, "payload": proof });
    BASE64_STANDARD.encode(payload.to_string())
}

/// A version 1 payment.
pub fn v1_payload(network: &str, payload: &Value) -> Value {
    json!({ "x402Version": 1, "scheme": "exact", "network": network, "payload": payload })
}

/// The receipt of an answer.
pub fn settlement(answer: &Answer) -> Settlement {
    wire::decode(answer.header("payment-response").expect("it has a receipt")).unwrap()
}

/// What `look` finds, as soon as it does; a test that waits for ever has failed.
pub async fn eventually_some<T>(look: impl AsyncFn() -> Option<T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it comes")
}
