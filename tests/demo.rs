//! The demo's own chain, its faucet and its narrow door, against a real anvil.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use alloy::sol_types::eip712_domain;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use coinslot::{
    evm::Address,
    money::Amount,
    server::{
        demo::{self, CHAIN_ID, DOLLAR, OPERATOR_KEY, PAY_TO, Ready, WALLET},
        settings::{OperatorKey, Settings, Sources},
    },
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

/// What a contract answers, as one word.
async fn word(router: &Router, to: Address, data: &str) -> u128 {
    let answer = ask(router, "eth_call", json!([{ "to": to, "data": data }, "latest"])).await;
    let word = answer["result"].as_str().unwrap_or_else(|| panic!("{answer}"));
    u128::from_str_radix(&word[2..], 16).unwrap()
}

/// 10⁻⁶ dollars.
async fn dollars(router: &Router, of: Address) -> u128 {
    word(router, DOLLAR, &format!("0x70a08231{:0>64}", &of.to_string()[2..])).await
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

/// As MetaMask's sponsored payments land on Monad: somebody else's transaction, without value; the coin moves in an inner call.
#[tokio::test]
async fn p1_the_demo_wallet_pays_through_a_relayer_as_sponsored_wallets_do() {
    let (ready, router) = open(None).await;
    let pay = async |wei: u128| {
        let payment = json!({ "to": PAY_TO, "value": format!("{wei:#x}") });
        let (status, paid) = answer(&router, post("/demo/relay", &payment)).await;
        assert_eq!(status, StatusCode::OK, "{paid}");
        let receipt = async || ask(&router, "eth_getTransactionReceipt", json!([paid["transaction"]])).await["result"].clone();
        tokio::time::timeout(std::time::Duration::from_secs(10), async {
            while receipt().await.is_null() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await
        .expect("a block every 0.4 s");
        (receipt().await, ask(&router, "eth_getTransactionByHash", json!([paid["transaction"]])).await["result"].clone())
    };
    let before = balance(&router, WALLET).await;
    let (receipt, first) = pay(100_000_000_000_000).await;
    assert_eq!((&receipt["status"], &first["type"], &first["value"]), (&json!("0x1"), &json!("0x4"), &json!("0x0")), "{first}");
    assert_eq!((&first["to"], first["from"] == json!(WALLET)), (&json!(WALLET), false), "somebody else's");
    assert_eq!(balance(&router, PAY_TO).await, 100_000_000_000_000);
    assert_eq!(before - balance(&router, WALLET).await, 100_000_000_000_000, "and the payer bears no gas");

    // The account is delegated now: the next payment needs no word of its key.
    let (receipt, second) = pay(200_000_000_000_000).await;
    assert_eq!((&receipt["status"], second["authorizationList"].is_array()), (&json!("0x1"), false), "{second}");
    assert_eq!(balance(&router, PAY_TO).await, 300_000_000_000_000);

    // It still takes coins, and nobody else moves its own.
    assert_eq!(answer(&router, post("/demo/faucet", &json!({ "address": WALLET }))).await.0, StatusCode::OK);
    let theft =
        ask(&router, "eth_call", json!([{ "to": WALLET, "data": format!("0x{:0>64}{:0>64}", "ee", "1") }, "latest"])).await;
    assert!(theft["error"].is_object(), "{theft}");
    for odd in [json!({}), json!({ "to": PAY_TO, "value": "1" }), json!({ "to": "me", "value": "0x1" })] {
        assert_eq!(answer(&router, post("/demo/relay", &odd)).await.1["code"], "bad_json", "{odd}");
    }
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
async fn the_faucet_gives_one_mon_and_ten_dollars_and_not_for_ever() {
    let (ready, router) = open(None).await;
    let poor: Address = "0x00000000000000000000000000000000000abcde".parse().unwrap();
    let (status, gift) = answer(&router, post("/demo/faucet", &json!({ "address": poor }))).await;
    assert_eq!((status, &gift["amount"]), (StatusCode::OK, &json!("1000000000000000000")));
    assert_eq!(gift["transaction"].as_str().map(str::len), Some(66));
    assert_eq!(balance(&router, poor).await, 1_000_000_000_000_000_000, "it is there when the answer is");
    assert_eq!((&gift["dollars"]["amount"], &gift["dollars"]["token"]), (&json!("10000000"), &json!(DOLLAR)));
    assert_eq!(gift["dollars"]["transaction"].as_str().map(str::len), Some(66));
    assert_eq!(dollars(&router, poor).await, 10_000_000, "the dollars too");
    assert_eq!(answer(&router, post("/demo/faucet", &json!({ "address": "me" }))).await.1["code"], "bad_json");
    let wish = || answer(&router, post("/demo/faucet", &json!({ "address": poor })));
    let answers = futures::future::join_all((0..20).map(|_| wish())).await;
    let refused = answers
        .iter()
        .filter(|(status, told)| *status == StatusCode::TOO_MANY_REQUESTS && told["code"] == "rate_limited")
        .count();
    assert!((5..20).contains(&refused), "{refused} of 20 at once were refused");
    let given = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    assert_eq!(given + refused, 20, "and the others got theirs: {answers:?}");
    assert_eq!(dollars(&router, poor).await, 10_000_000 * (1 + given as u128));
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
    assert_eq!(
        (dollars(&router, poor).await, dollars(&router, WALLET).await),
        (10_000_000, 1_000_000_000),
        "and dollars given once"
    );
    again.chain.stop().await;
}

#[tokio::test]
async fn there_is_a_dollar_that_pays_as_usdc_does() {
    let (ready, router) = open(None).await;
    let [token] = ready.network.network.tokens.as_slice() else { panic!("one token") };
    assert_eq!((token.address, token.symbol.as_str(), token.eip3009, token.permit2), (DOLLAR, "USDC", true, true));
    assert_eq!(word(&router, DOLLAR, "0x313ce567").await, u128::from(token.decimals));
    assert_eq!(dollars(&router, WALLET).await, 1_000_000_000, "the demo wallet has some");
    let price = ready.network.network.price("0.001 USDC").unwrap().expect("cards can be priced in it");
    assert_eq!((price.amount, price.asset.token), (Amount::from_atomic(1000), Some(DOLLAR)));

    let domain = eip712_domain! {
        name: token.name.clone(),
        version: token.version.clone(),
        chain_id: CHAIN_ID,
        verifying_contract: token.address.0.into(),
    };
    let separator = ask(&router, "eth_call", json!([{ "to": DOLLAR, "data": "0x3644e515" }, "latest"])).await;
    assert_eq!(separator["result"], json!(domain.separator()), "signatures for what is offered are good there");
    for standin in ["0x000000000022d473030f116ddee9f6b43ac78ba3", "0x402085c248eea27d92e8b30b2c58ed07f9e20001"] {
        let code = ask(&router, "eth_getCode", json!([standin, "latest"])).await;
        assert!(code["result"].as_str().is_some_and(|code| code.len() > 1000), "{standin}: {code}");
    }

    let operator = OperatorKey::new(&OPERATOR_KEY).unwrap().address();
    assert!(![WALLET, PAY_TO].contains(&operator), "settling is nobody else's business");
    assert!(balance(&router, operator).await > 1_000_000_000_000_000_000, "it can pay for gas");
    ready.chain.stop().await;
}

/// The demo wallet signs, anybody takes it to the chain, and the dollars are where the signature says.
#[tokio::test]
async fn what_the_demo_wallet_signs_moves_its_dollars() {
    let (ready, router) = open(None).await;
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let nonce = format!("0x{}", "5a".repeat(32));
    let (value, before) = (2_500_000_u64, 4_000_000_000_u64);
    let typed = json!({
        "types": {
            "EIP712Domain":
                [field("name", "string"), field("version", "string"), field("chainId", "uint256"), field("verifyingContract", "address")],
            "TransferWithAuthorization": [
                field("from", "address"), field("to", "address"), field("value", "uint256"), field("validAfter", "uint256"),
                field("validBefore", "uint256"), field("nonce", "bytes32"),
            ],
        },
        "primaryType": "TransferWithAuthorization",
        "domain": { "name": "Demo Dollar", "version": "2", "chainId": CHAIN_ID, "verifyingContract": DOLLAR },
        "message": {
            "from": WALLET, "to": PAY_TO, "value": value.to_string(), "validAfter": "0", "validBefore": before.to_string(), "nonce": nonce,
        },
    });
    let other = ask(&router, "eth_signTypedData_v4", json!([PAY_TO, typed])).await;
    assert_eq!(other["error"]["code"], -32601, "nobody else's key: {other}");
    let signed = ask(&router, "eth_signTypedData_v4", json!([WALLET, typed])).await;
    let signature = signed["result"].as_str().unwrap_or_else(|| panic!("{signed}"));
    let (rs, v) = signature[2..].split_at(128);

    // transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)
    let word = |digits: &str| format!("{digits:0>64}");
    let (from, to) = (WALLET.to_string(), PAY_TO.to_string());
    let words = [
        word(&from[2..]),
        word(&to[2..]),
        format!("{value:064x}"),
        word("0"),
        format!("{before:064x}"),
        nonce[2..].to_owned(),
        word(v),
        rs.to_owned(),
    ];
    let data = format!("0xe3ee160e{}", words.concat());
    let sent =
        ask(&router, "eth_sendTransaction", json!([{ "from": WALLET, "to": DOLLAR, "data": data, "gas": "0x30d40" }])).await;
    assert!(sent["result"].is_string(), "{sent}");
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while dollars(&router, PAY_TO).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the dollar takes the signature");
    assert_eq!(dollars(&router, PAY_TO).await, u128::from(value));
    ready.chain.stop().await;
}

/// What is set for a real shop never acts in a demo.
#[test]
fn a_demo_has_its_own_operator_and_no_facilitator() {
    let env = [
        ("COINSLOT_OPERATOR_KEY", format!("0x{}", "11".repeat(32))),
        ("COINSLOT_NETWORK__MONAD_TESTNET__FACILITATOR_URL", "https://facilitator.example".to_owned()),
        ("COINSLOT_DATABASE_URL", "sqlite:///srv/shop.db".to_owned()),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let mut settings = Settings::read(&Sources { env, ..Sources::default() }).unwrap();
    let _home = demo::Home::of(&mut settings, false).unwrap();
    assert_eq!(settings.operator_key.map(|key| key.bytes()), Some(OPERATOR_KEY));
    assert!(settings.facilitator_urls.is_empty() && settings.database_url.is_none());
}

/// The number of the newest block. Asking is what keeps the chain awake.
async fn newest(router: &Router) -> u64 {
    let number = ask(router, "eth_blockNumber", json!([])).await["result"].as_str().unwrap().to_owned();
    u64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_nobody_asks_makes_no_blocks_and_wakes_at_a_question() {
    let (ready, router) = open(None).await;
    let before = newest(&router).await;
    // Time itself is the subject: in ten seconds a chain that never rests makes 25 blocks, one that rests after two makes 5 or 6.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after = newest(&router).await;
    assert!(after - before <= 8, "{} blocks while nobody asked", after - before);

    let goes_on = async { while newest(&router).await < after + 3 {} };
    tokio::time::timeout(Duration::from_secs(20), goes_on).await.expect("blocks come while somebody asks");
    ready.chain.stop().await;
}
