//! The demo's own chain, its faucet and its narrow door, against a real anvil.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use coinslot::{
    evm::Address,
    server::demo::{self, CHAIN_ID, PAY_TO, Ready, WALLET},
};
use serde_json::{Value, json};
use tower::ServiceExt;

const SHOP: &str = "http://127.0.0.1:4020";

async fn open(state: Option<&std::path::Path>) -> (Ready, Router) {
    let ready = demo::prepare(state, SHOP).await.unwrap_or_else(|cause| panic!("{cause}"));
    let router = ready.routes.clone().routes();
    (ready, router)
}

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header(header::HOST, "127.0.0.1:4020").header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    (status, serde_json::from_slice(&to_bytes(answer.into_body(), 1_000_000).await.unwrap()).unwrap())
}

async fn ask(router: &Router, method: &str, params: Value) -> Value {
    answer(router, post("/demo/rpc", &json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }))).await.1
}

async fn balance(router: &Router, of: Address) -> u128 {
    let balance = ask(router, "eth_getBalance", json!([of, "latest"])).await["result"].as_str().unwrap().to_owned();
    u128::from_str_radix(balance.trim_start_matches("0x"), 16).unwrap()
}

#[tokio::test]
async fn a_visitor_sees_the_chain_and_nothing_more_of_the_node() {
    let (ready, router) = open(None).await;
    assert_eq!(
        ask(&router, "eth_chainId", json!([])).await,
        json!({ "jsonrpc": "2.0", "id": 7, "result": format!("{CHAIN_ID:#x}") })
    );
    assert_eq!(ask(&router, "anvil_mine", json!(["0x2"])).await["error"]["code"], -32601);
    assert_eq!(ask(&router, "eth_accounts", json!([])).await["error"]["code"], -32601);

    // The wallet pays; the payee is an account that nobody can pay from.
    let sent = ask(
        &router,
        "eth_sendTransaction",
        json!([{ "from": WALLET, "to": PAY_TO, "value": "0x5af3107a4000", "gas": "0x5208" }]),
    )
    .await;
    let hash = sent["result"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned();
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while ask(&router, "eth_getTransactionReceipt", json!([hash])).await["result"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("a block every 0.4 s");
    assert_eq!(balance(&router, PAY_TO).await, 100_000_000_000_000);
    let foreign = ask(&router, "eth_sendTransaction", json!([{ "from": PAY_TO, "to": WALLET, "value": "0x1" }])).await;
    assert_eq!(foreign["error"]["code"], -32601);
    let signed = ask(&router, "personal_sign", json!(["0x68656c6c6f", WALLET])).await;
    assert_eq!(signed["result"].as_str().map(str::len), Some(132), "{signed}");

    // A batch keeps its order; a refused call does not spoil the others.
    let call = |id: u32, method: &str| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] });
    let (_, batch) =
        answer(&router, post("/demo/rpc", &json!([call(1, "eth_chainId"), call(2, "evm_mine"), call(3, "net_version")]))).await;
    assert_eq!([&batch[0]["id"], &batch[1]["error"]["code"], &batch[2]["result"]], [&json!(1), &json!(-32601), &json!("31337")]);
    let (_, many) = answer(&router, post("/demo/rpc", &Value::Array(vec![call(1, "eth_chainId"); 11]))).await;
    assert_eq!(many["error"]["code"], -32600);
    ready.chain.stop().await;
}

#[tokio::test]
async fn another_name_another_site_and_a_form_are_refused() {
    let (ready, router) = open(None).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] }).to_string();
    let with = |host: &str, kind: &str, origin: Option<&str>| {
        let request = Request::post("/demo/rpc").header(header::HOST, host).header(header::CONTENT_TYPE, kind);
        let request = origin.into_iter().fold(request, |request, origin| request.header(header::ORIGIN, origin));
        answer(&router, request.body(Body::from(call.clone())).unwrap())
    };
    let (here, json_) = ("127.0.0.1:4020", "application/json");
    assert_eq!(with(here, json_, None).await.0, StatusCode::OK);
    assert_eq!(with(here, json_, Some(SHOP)).await.0, StatusCode::OK);
    assert_eq!(
        with(here, json_, Some("chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn")).await.0,
        StatusCode::OK,
        "a visitor's own wallet"
    );
    assert_eq!(with("evil.example:4020", json_, None).await.1["code"], "cross_site", "a name that was pointed here");
    assert_eq!(with("127.0.0.1", json_, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(with(here, json_, Some("https://evil.example")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(with(here, json_, Some("null")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(with(here, "text/plain", None).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "what a form can send");
    ready.chain.stop().await;
}

#[tokio::test]
async fn the_faucet_gives_one_mon_and_not_for_ever() {
    let (ready, router) = open(None).await;
    let poor: Address = "0x00000000000000000000000000000000000abcde".parse().unwrap();
    let (status, gift) = answer(&router, post("/demo/faucet", &json!({ "address": poor }))).await;
    assert_eq!((status, &gift["amount"]), (StatusCode::OK, &json!("1000000000000000000")));
    assert_eq!(gift["transaction"].as_str().map(str::len), Some(66));
    assert_eq!(balance(&router, poor).await, 1_000_000_000_000_000_000, "it is there when the answer is");
    assert_eq!(answer(&router, post("/demo/faucet", &json!({ "address": "me" }))).await.1["code"], "bad_json");
    let wish = || answer(&router, post("/demo/faucet", &json!({ "address": poor })));
    let answers = futures::future::join_all((0..20).map(|_| wish())).await;
    let refused = answers
        .iter()
        .filter(|(status, told)| *status == StatusCode::TOO_MANY_REQUESTS && told["code"] == "rate_limited")
        .count();
    assert!((5..20).contains(&refused), "{refused} of 20 at once were refused");
    ready.chain.stop().await;
}

#[tokio::test]
async fn a_chain_that_is_kept_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("chain.json");
    let (first, router) = open(Some(&state)).await;
    let genesis = ask(&router, "eth_getBlockByNumber", json!(["0x0", false])).await["result"]["hash"].clone();
    assert!(genesis.is_string());
    let poor: Address = "0x00000000000000000000000000000000000abcde".parse().unwrap();
    let (_, gift) = answer(&router, post("/demo/faucet", &json!({ "address": poor }))).await;
    let url = first.chain.url().clone();
    let example = first.demo.example_contract;
    first.chain.stop().await;
    assert!(tokio::net::TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.is_err(), "it is gone");

    let (again, router) = open(Some(&state)).await;
    assert_eq!(ask(&router, "eth_getBlockByNumber", json!(["0x0", false])).await["result"]["hash"], genesis);
    assert_eq!(balance(&router, poor).await, 1_000_000_000_000_000_000);
    let receipt = ask(&router, "eth_getTransactionReceipt", json!([gift["transaction"]])).await;
    assert_eq!(receipt["result"]["status"], "0x1", "what was paid is still known: {receipt}");
    assert_eq!(again.demo.example_contract, example, "and not deployed twice");
    again.chain.stop().await;
}
