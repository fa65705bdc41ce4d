//! The start: it listens first, and its networks are met beside it.

use std::{sync::Arc, time::Duration};

use alloy::signers::SignerSync;
use coinslot::{
    chain::{Chain, ChainSettings},
    ledger::Books,
    server::{
        assets::Site,
        opening::{self, CannotOpen, Kind, Opening},
        settings::{Settings, Sources},
    },
    session::message::{Nonce, SignIn},
    x402::wire::{self, PaymentRequired},
};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    anvil::{
        self,
        proxy::{Fault, OF_CHAIN_5, Proxy},
    },
    harness::{Node, PRICE, SHOP, Shop, Staff, Visitor, body, eventually_some, from_credit, proof, sqlite},
    paying::eventually,
};

/// A shop as the binary opens it, in this process.
struct Opened {
    url: String,
    client: Client,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), CannotOpen>>,
    _data: tempfile::TempDir,
}

impl Opened {
    async fn over(urls: &[&Url]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let urls: Vec<String> = urls.iter().map(|url| url.to_string()).collect();
        let env = [
            ("COINSLOT_ADDR", "127.0.0.1:0".to_owned()),
            ("COINSLOT_DATA", data.path().display().to_string()),
            ("COINSLOT_NETWORKS", "local".to_owned()),
            ("COINSLOT_NETWORK__LOCAL__RPC_URLS", urls.join(",")),
            ("COINSLOT_NETWORK__LOCAL__TIMEOUT_MS", "1000".to_owned()),
            ("COINSLOT_PAY_TO", SHOP.to_string()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let settings = Settings::read(&Sources { env, ..Sources::default() }).unwrap_or_else(|wrong| panic!("{wrong}"));
        let listener = opening::bind(&settings).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let networks = settings.sold_on();
        let site = Site::new(["pkg/coinslot.wasm", "pkg/coinslot.js"].map(|path| (path.to_owned(), b"x".as_slice().into())));
        let agents = crate::agents::all();
        let stop = CancellationToken::new();
        let opening = Opening { settings, kind: Kind::Serve, listener, networks, pay_to: SHOP, agents, site, demo: None };
        let running = tokio::spawn(opening::run(opening, stop.clone()));
        let client = coinslot::http_client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { url, client, stop, running, _data: data }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str, body: String) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.url));
        request.header("content-type", "application/json").header("sec-fetch-site", "same-origin").body(body)
    }

    async fn ready(&self) -> Value {
        self.get("/readyz").send().await.unwrap().json().await.unwrap()
    }

    /// The cookie of a session.
    async fn sign_in(&self, visitor: &Visitor) -> String {
        let asked = self.post("/api/session/nonce", json!({ "address": visitor.address() }).to_string());
        let nonce: Nonce = asked.send().await.unwrap().json().await.unwrap();
        let text = SignIn {
            domain: self.url.trim_start_matches("http://").into(),
            address: nonce.address.clone().unwrap(),
            uri: self.url.clone(),
            chain_id: nonce.chain_id,
            nonce: nonce.nonce.clone(),
            issued_at: nonce.issued_at.clone(),
            expiration_time: nonce.expiration_time.clone(),
        };
        let message = text.text();
        let signature = alloy::hex::encode_prefixed(visitor.key.sign_message_sync(message.as_bytes()).unwrap().as_bytes());
        let answer = self.post("/api/session", json!({ "message": message, "signature": signature }).to_string());
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }
}

fn offers(answer: &Response) -> PaymentRequired {
    wire::decode(answer.headers()["payment-required"].to_str().unwrap()).unwrap()
}

/// With every RPC hanging nothing that waits for one would ever be answered: so these do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s8_a_shop_whose_networks_hang_serves_at_once_and_takes_their_payments_when_they_answer() {
    let node = Node::start();
    let (first, second) = (Proxy::before(node.url()).await, Proxy::before(node.url()).await);
    first.fault(Fault::Hang);
    second.fault(Fault::Hang);
    let shop = Opened::over(&[&first.url, &second.url]).await;
    for path in ["/healthz", "/", "/history", "/credit", "/api/agents", "/openapi.json"] {
        let answer = shop.get(path).send().await.unwrap();
        assert!(answer.status().as_u16() < 500, "{path}: {}", answer.status());
    }
    let ready = shop.get("/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200, "an RPC outage must not empty a balancer");
    let network = ready.json::<Value>().await.unwrap()["networks"][0].clone();
    assert_eq!((&network["network"], &network["state"]), (&json!("eip155:31337"), &json!("not_met")), "{network}");
    first.until("which chain it is of", |asked| asked.requests > 0).await;
    second.until("the same, although the first hangs", |asked| asked.requests > 0).await;

    let unpaid = shop.post("/api/x402/parrot", body("s8 waits")).send().await.unwrap();
    assert_eq!(unpaid.status(), 402, "the price is no matter of the chain");
    let ada = Visitor { key: node.key(1), cookie: None };
    let cookie = shop.sign_in(&ada).await;
    let paid = json!({ "from": ada.address(), "to": SHOP, "value": format!("{PRICE:#x}"), "gas": "0x5208" });
    let payment = proof(&offers(&unpaid), node.send(paid).await);
    node.finalize().await;
    let call = async || {
        let call = shop.post("/api/x402/parrot", body("s8 waits")).header("cookie", &cookie);
        call.header("payment-signature", &payment).header("prefer", "wait=1").send().await.unwrap()
    };
    let early = call().await;
    assert_eq!((early.status().as_u16(), early.headers().get("payment-required")), (503, None));
    let early: Value = early.json().await.unwrap();
    assert_eq!((&early["code"], &early["retry"]), (&json!("verifier_unavailable"), &json!("same_payment")), "{early}");

    first.heal();
    let answered = eventually_some(async || Some(call().await).filter(|answer| answer.status() == 200)).await;
    assert_eq!(answered.json::<Value>().await.unwrap(), json!({ "said": "s8 waits" }));
    assert_eq!(shop.ready().await["networks"][0]["state"], json!("open"));
    shop.stop.cancel();
    shop.running.await.unwrap().unwrap();
}

/// What has nothing to do with the chain goes on: credit is spent, and a payment is written down and told to come again.
#[tokio::test]
async fn s8_a_network_that_is_not_met_takes_credit_and_keeps_payments_for_later() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let hash = ada.paid(&shop, 2 * PRICE).await;
    ada.call(&shop, "parrot", "s8 met", &proof(&offers, hash)).await.said("s8 met");

    // As after a restart, by what the start does.
    let shop = shop.reopen(Staff::NoWorker).await;
    shop.desk.unmet.set("eip155:31337", "node 1 of 1: no answer within 5s");
    let offers = shop.offer("parrot").await;
    let next = ada.paid(&shop, PRICE).await;
    let early = ada.call(&shop, "parrot", "s8 early", &proof(&offers, next)).await;
    early.is(503, "verifier_unavailable");
    assert_eq!(early.json()["retry"], json!("same_payment"));
    let run = early.json()["run"].as_str().expect("it is written down").to_owned();
    assert!(shop.desk.books.run(&run).await.unwrap().is_some());
    let credit = ada.glance(&shop, "parrot", "s8 credit", &from_credit(&offers, "3f0b7a52-8a0b-4a57-9d0c-2f6c4f9c8e02")).await;
    credit.is(202, "running");
    assert_eq!(credit.json()["stage"], json!("running"), "it is held, and waits for a worker");
    assert_eq!(shop.get("/readyz").await.json()["networks"][0]["state"], json!("not_met"));
    shop.desk.unmet.clear("eip155:31337");
    eventually(async || ada.glance(&shop, "parrot", "s8 early", &proof(&offers, next)).await.json()["stage"] == json!("running"))
        .await;
    shop.assert_balanced().await;
}

/// One node that is right is enough; one that is wrong is no reason to close while another may be right; if all are wrong, it is another chain.
#[tokio::test]
async fn s8_a_network_is_another_chain_only_where_all_of_its_nodes_say_so() {
    let node = Arc::new(Node::start());
    let (first, second) = (Proxy::before(node.url()).await, Proxy::before(node.url()).await);
    let data = tempfile::tempdir().unwrap();
    let books = Books::open(&sqlite(data.path())).await.unwrap();
    let chain = || {
        let settings = anvil::settings([first.url.clone(), second.url.clone()]);
        Chain::new(ChainSettings { timeout: Duration::from_millis(300), ..settings })
    };
    first.fault(OF_CHAIN_5);
    assert!(matches!(opening::meet(&books, &chain()).await, Ok(Ok(()))), "the second one is right");
    second.fault(Fault::Hang);
    let away = opening::meet(&books, &chain()).await.unwrap().unwrap_err().to_string();
    assert!(away.contains("node 2 of 2: no answer within") && away.contains("its chain id is 5"), "{away}");
    second.fault(OF_CHAIN_5);
    let wrong = opening::meet(&books, &chain()).await.unwrap_err();
    assert!(matches!(wrong, CannotOpen::WrongChain { found: 5, .. }), "{wrong}");

    // Of another chain with the same id.
    let gone = Fault::Rewrite(|method, params, answer| {
        if method == "eth_getBlockByNumber" && params[0] == "0x0" {
            answer["result"]["hash"] = json!(coinslot::evm::TxHash([6; 32]));
        }
    });
    first.fault(gone.clone());
    second.heal();
    assert!(matches!(opening::meet(&books, &chain()).await, Ok(Ok(()))), "the second one has the blocks that the books know");
    second.fault(gone);
    assert!(matches!(opening::meet(&books, &chain()).await, Err(CannotOpen::ChainGone { .. })));
}
