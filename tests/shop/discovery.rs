//! What a program that has never heard of us finds: everything comes from the cards and their types, and all of it agrees.

use std::{collections::HashSet, time::Duration};

use axum::{Router, body::Body, http::Request};
use coinslot::{
    chain::{Chain, ChainSettings, Finality},
    error::{CallError, Code, FieldError},
    evm::TxHash,
    ledger::Books,
    money::{Amount, Money},
    network::{Network, Token},
    runs::{Agent, Pace, Streams},
    x402::{
        desk::{Desk, Fittings},
        facilitator::{Facilitator, Operator},
        offers::{Ask, Method, Seal},
        wire::{Offer, encode},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::harness::{Answer, SHOP, Shop, network, post, proof, sqlite};

const ROOT: &str = "https://shop.example";
const DOCUMENTS: [&str; 4] = ["/api/agents", "/openapi.json", "/llms.txt", "/.well-known/x402"];

/// A shop on two networks with a dollar on each, whose nodes are all away: who asks a chain fails.
struct Window {
    desk: Desk,
    router: Router,
    _data: TempDir,
}

impl Window {
    async fn open() -> Self {
        Self::on(2).await
    }

    async fn on(networks: usize) -> Self {
        let data = tempfile::tempdir().unwrap();
        let chain = |network| {
            Chain::new(ChainSettings {
                network,
                rpc_urls: vec!["http://127.0.0.1:1".parse().unwrap()],
                finality: Finality::Tag("finalized".into()),
                poll: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                trace_urls: Vec::new(),
                idle_look: Duration::from_secs(3600),
            })
        };
        let chains: Vec<Chain> = [on(143, "Monad"), on(10143, "Monad testnet")].into_iter().take(networks).map(chain).collect();
        let operator = |chain: &Chain| Facilitator::Operator(Operator::new(&[7; 32], chain.clone()).unwrap());
        let desk = Desk::new(Fittings {
            books: Books::open(&sqlite(data.path())).await.unwrap(),
            seal: Seal::new([7; 32]),
            facilitators: chains.iter().map(|chain| (chain.network().id.clone(), operator(chain))).collect(),
            chains,
            pay_to: SHOP,
            public_url: ROOT.into(),
            agents: everything(),
            offer_ttl_ms: 300_000,
            model: None,
            streams: Streams::new(Pace::default(), CancellationToken::new()),
        });
        for network in desk.chains.iter().map(|chain| chain.network()) {
            desk.take_token(network.token_money(&network.tokens[0], Amount::ZERO).asset);
        }
        Self { router: crate::harness::router(&desk), desk, _data: data }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn document(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}");
        answer.json()
    }

    /// What a 402 offers, without what only this one has.
    async fn unsealed(&self, agent: &str) -> Value {
        let mut accepts = self.get(&format!("/api/x402/{agent}")).await.offers().accepts;
        for offer in &mut accepts {
            assert!(offer.extra.offer.take().is_some() && offer.extra.expires_at_ms.take().is_some());
        }
        serde_json::to_value(accepts).unwrap()
    }
}

/// What is really on sale, and the test's own agents.
fn everything() -> Vec<Agent> {
    coinslot::agents::workers().into_iter().chain(crate::agents::all()).collect()
}

fn on(chain_id: u64, name: &str) -> Network {
    let dollar = Token {
        address: "0x754704bc059f8c67012fed69bc8a327a5aafb603".parse().unwrap(),
        symbol: "USDC".into(),
        decimals: 6,
        name: "USD Coin".into(),
        version: "2".into(),
        eip3009: true,
        permit2: true,
    };
    Network { id: format!("eip155:{chain_id}"), chain_id, name: name.into(), tokens: vec![dollar], ..network() }
}

#[track_caller]
fn assert_valid(schema: &Value, instance: &Value, what: &str) {
    let schema = jsonschema::validator_for(schema).unwrap_or_else(|cause| panic!("{what}: the schema is none: {cause}"));
    let wrong: Vec<String> =
        schema.iter_errors(instance).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert_eq!(wrong, Vec::<String>::new(), "{what}: {instance:#}");
}

/// A component of the OpenAPI document as a schema of its own.
fn component(document: &Value, name: &str) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": document["components"],
    })
}

/// Every value under this key, wherever it is.
fn under<'v>(key: &str, value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key));
            object.values().for_each(|value| under(key, value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| under(key, value, found)),
        _ => {}
    }
}

#[test]
fn an_agents_example_and_sample_are_what_its_schemas_say() {
    for agent in everything() {
        let slug = agent.card.slug;
        for schema in [&agent.input_schema, &agent.output_schema] {
            assert!(jsonschema::meta::is_valid(schema), "{slug}: {schema:#}");
            let mut references = Vec::new();
            under("$ref", schema, &mut references);
            assert!(references.iter().all(|to| to.as_str().unwrap().starts_with('#')), "{slug}: a schema stands alone");
        }
        assert_valid(&agent.input_schema, &agent.example, slug);
        assert_valid(&agent.output_schema, &agent.sample, slug);
        let text = agent.example.to_string();
        assert_eq!((agent.check)(text.as_bytes()), Ok(text.clone()), "{slug}: its example may be paid for");
        assert!(text.len() <= agent.card.input_max, "{slug}");
    }
}

#[test]
fn a_schema_refuses_what_the_agent_refuses() {
    let xray = everything().into_iter().find(|agent| agent.card.slug == "contract-xray").unwrap();
    let schema = jsonschema::validator_for(&xray.input_schema).unwrap();
    for input in [
        json!({}),
        json!({ "address": format!("0x{}", "11".repeat(20)), "bytecode": "0x00" }),
        json!({ "address": "0x11" }),
        json!({ "bytecode": "0x0" }),
        json!({ "bytecode": "00" }),
        json!({ "contract": "0x00" }),
    ] {
        assert!(!schema.is_valid(&input) && (xray.check)(input.to_string().as_bytes()).is_err(), "{input}");
    }
    for input in [json!({ "address": format!("0x{}", "11".repeat(20)) }), json!({ "bytecode": "0x00" })] {
        assert!(schema.is_valid(&input) && (xray.check)(input.to_string().as_bytes()).is_ok(), "{input}");
    }
}

#[tokio::test]
async fn every_402_says_what_its_agent_takes() {
    let window = Window::open().await;
    for agent in &window.desk.agents {
        let slug = agent.card.slug;
        let unpaid = post(&agent.card.endpoint(), "").body(Body::from(agent.example.to_string())).unwrap();
        let bazaar = window.ask(unpaid).await.offers().extensions.remove("bazaar").expect(slug);
        let (info, schema) = (&bazaar["info"], &bazaar["schema"]);
        assert!(jsonschema::meta::is_valid(schema), "{slug}: {schema:#}");
        assert_valid(schema, info, slug);
        assert_eq!(
            info["input"],
            json!({ "type": "http", "method": "POST", "bodyType": "json", "body": agent.example }),
            "{slug}"
        );
        let mut other = info.clone();
        other["input"]["body"] = json!({ "no": "such field" });
        assert!(!jsonschema::validator_for(schema).unwrap().is_valid(&other), "{slug}: the schema knows the agent's input");
    }
    let bazaar = |slug| window.desk.bazaar(window.desk.agent(slug).unwrap().card).unwrap();
    assert_eq!(bazaar("parrot")["info"]["output"]["example"], json!({ "said": "Pieces of eight" }), "a small sample is shown");
    assert!(bazaar("contract-xray")["info"].get("output").is_none(), "a large one is not");
}

/// An EIP-3009 offer's twin: no Permit2 can be looked for here.
fn by_permit2(desk: &Desk, agent: &Agent, offer: &Offer) -> Offer {
    let network = desk.chain(&offer.network).unwrap().network();
    let token = &network.tokens[0];
    let (price, until) = (network.token_money(token, offer.amount), offer.extra.expires_at_ms.unwrap());
    desk.seal.offer(&Ask {
        agent: agent.card.slug,
        price: &price,
        amount: price.amount,
        pay_to: SHOP,
        method: Method::Permit2(token),
        holds: until - 300_000..until,
        max_timeout_s: offer.max_timeout_seconds,
    })
}

#[tokio::test]
async fn the_header_of_a_402_fits_through_proxies() {
    for (networks, bytes_max) in [(1, 6 * 1024), (2, 7 * 1024)] {
        let window = Window::on(networks).await;
        for agent in &window.desk.agents {
            let unpaid = post(&agent.card.endpoint(), "").body(Body::from(agent.example.to_string())).unwrap();
            let mut required = window.ask(unpaid).await.offers();
            let tokens: Vec<Offer> = required.accepts.iter().filter(|offer| !offer.is_native()).cloned().collect();
            required.accepts.extend(tokens.iter().map(|offer| by_permit2(&window.desk, agent, offer)));
            assert_eq!(required.accepts.len(), networks * if agent.card.price.len() == 2 { 3 } else { 1 });
            let bytes = encode(&required).len();
            assert!(bytes < bytes_max, "{} on {networks}: {bytes} bytes", agent.card.slug);
        }
    }
}

#[tokio::test]
async fn the_cards_say_everything_that_a_call_needs() {
    let window = Window::open().await;
    let (cards, openapi) = (window.document("/api/agents").await, window.document("/openapi.json").await);
    assert_eq!(cards.as_array().unwrap().len(), window.desk.agents.len());
    for (card, agent) in cards.as_array().unwrap().iter().zip(&window.desk.agents) {
        let slug = agent.card.slug;
        assert_valid(&component(&openapi, "Card"), card, slug);
        assert_eq!(card["slug"], json!(slug));
        assert_eq!(card["url"], json!(format!("{ROOT}/api/x402/{slug}")));
        assert_eq!(card["page"], json!(format!("{ROOT}/agents/{slug}")));
        assert_eq!(card["mcpTool"], json!(slug));
        assert_eq!((&card["inputSchema"], &card["outputSchema"]), (&agent.input_schema, &agent.output_schema), "{slug}");
        assert_eq!(card["example"], agent.example, "{slug}");
        assert_eq!(card["timeLimitMs"], json!(agent.card.time_limit.as_millis()), "{slug}");
        assert_eq!(card["inputMaxBytes"], json!(agent.card.input_max), "{slug}");
    }
}

#[tokio::test]
async fn a_price_is_the_same_wherever_it_is_read() {
    let window = Window::open().await;
    let (cards, openapi) = (window.document("/api/agents").await, window.document("/openapi.json").await);
    let manifest = window.document("/.well-known/x402").await;
    for (at, agent) in window.desk.agents.iter().enumerate() {
        let slug = agent.card.slug;
        let accepts = window.unsealed(slug).await;
        assert!(!accepts.as_array().unwrap().is_empty());
        assert_eq!(
            openapi["paths"][agent.card.endpoint()]["post"]["x-payment"],
            json!({ "x402Version": 2, "accepts": accepts }),
            "{slug}"
        );
        assert_eq!(manifest["resources"][at]["accepts"], accepts, "{slug}");
        assert_eq!(manifest["resources"][at]["resource"], json!(format!("{ROOT}/api/x402/{slug}")));

        let prices: Vec<Money> = serde_json::from_value(cards[at]["prices"].clone()).unwrap();
        let offered: HashSet<String> = accepts
            .as_array()
            .unwrap()
            .iter()
            .map(|offer| serde_json::from_value::<Offer>(offer.clone()).unwrap())
            .map(|offer| format!("{} {}", offer.amount, offer.asset().unwrap()))
            .collect();
        assert_eq!(
            prices.iter().map(|price| format!("{} {}", price.amount, price.asset)).collect::<HashSet<_>>(),
            offered,
            "{slug}"
        );
        assert_eq!(prices.len(), offered.len(), "{slug}: each asset once");
        for (price, told) in prices.iter().zip(cards[at]["prices"].as_array().unwrap()) {
            assert!(agent.card.price.contains(&price.to_string().as_str()), "{slug}: {price} is on the card");
            assert_eq!(told["network"], json!(price.asset.network));
        }
    }
}

#[tokio::test]
async fn the_openapi_document_holds_together() {
    let window = Window::open().await;
    let document = window.document("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["servers"], json!([{ "url": ROOT }]));

    let mut references = Vec::new();
    under("$ref", &document, &mut references);
    assert!(references.len() > 50);
    for to in references {
        let to = to.as_str().unwrap();
        assert!(to.strip_prefix('#').and_then(|pointer| document.pointer(pointer)).is_some(), "{to} leads nowhere");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{name}");
        assert!(jsonschema::meta::is_valid(schema), "{name}");
    }
    let tags: HashSet<&str> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = HashSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'));
        for (method, operation) in operations.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(["get", "head", "post", "delete"].contains(&method.as_str()), "{what}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{what}: its operationId is another's");
            assert!(operation["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag.as_str().unwrap())), "{what}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.is_empty(), "{what}");
            for (status, response) in responses {
                assert!((200..600).contains(&status.parse::<u16>().unwrap()), "{what}: {status}");
                assert!(response.get("$ref").or_else(|| response.get("description")).is_some(), "{what}: {status}");
            }
            for name in
                operation["security"].as_array().into_iter().flatten().flat_map(|needed| needed.as_object().unwrap().keys())
            {
                assert!(document["components"]["securitySchemes"].get(name).is_some(), "{what}: {name}");
            }
            for name in path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
                let mut parameters = operation["parameters"].as_array().unwrap().iter();
                assert!(parameters.any(|parameter| parameter["name"] == name && parameter["in"] == "path"), "{what}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn every_agent_is_an_operation_with_its_types_and_its_refusals() {
    let window = Window::open().await;
    let document = window.document("/openapi.json").await;
    for agent in &window.desk.agents {
        let (slug, path) = (agent.card.slug, &document["paths"][agent.card.endpoint()]);
        let post = &path["post"];
        let body = &post["requestBody"]["content"]["application/json"];
        let answer = &post["responses"]["200"]["content"]["application/json"];
        for (said, instance, valid) in [(body, &agent.example, true), (answer, &agent.sample, true), (body, &json!(7), false)] {
            let schema = json!({ "$ref": said["schema"]["$ref"], "components": document["components"] });
            assert_eq!(jsonschema::validator_for(&schema).unwrap().is_valid(instance), valid, "{slug}: {instance}");
        }
        assert_eq!((&body["example"], &answer["example"]), (&agent.example, &agent.sample), "{slug}");
        for status in ["200", "202", "400", "401", "402", "403", "409", "410", "413", "415", "429", "500", "503"] {
            assert!(post["responses"].get(status).is_some(), "{slug}: {status}");
        }
        assert_eq!(post["responses"]["402"]["$ref"], json!("#/components/responses/PaymentRequired"), "{slug}");
    }
    assert!(document["components"]["responses"]["PaymentRequired"]["headers"].get("PAYMENT-REQUIRED").is_some());
}

/// Puts what each `$ref` names in its place, as registries do: how many values there are then.
fn put_in_place(document: &Value, schema: &Value, depth: usize) -> usize {
    assert!(depth < 200, "a `$ref` leads back to where it came from");
    match schema {
        Value::Object(object) => {
            let named = object.get("$ref").and_then(Value::as_str).map(|to| document.pointer(&to[1..]).expect(to));
            1 + named.into_iter().chain(object.values()).map(|part| put_in_place(document, part, depth + 1)).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(|item| put_in_place(document, item, depth + 1)).sum(),
        _ => 1,
    }
}

#[tokio::test]
async fn f1_no_schema_has_a_cycle() {
    let window = Window::open().await;
    let document = window.document("/openapi.json").await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let values = put_in_place(&document, operation, 0);
            assert!(values < 100_000, "{method} {path}: {values} values");
        }
    }
    for agent in &window.desk.agents {
        for schema in [&agent.input_schema, &agent.output_schema] {
            // The whole without its definitions: they are where they are named.
            let mut body = schema.clone();
            body.as_object_mut().unwrap().remove("$defs");
            assert!(put_in_place(schema, &body, 0) < 50_000, "{}", agent.card.slug);
        }
    }
}

#[tokio::test]
async fn f1_registries_find_each_agent_once_paid_and_with_its_price() {
    let window = Window::open().await;
    let document = window.document("/openapi.json").await;
    assert!(document["info"]["x-guidance"].as_str().unwrap().contains("PAYMENT-REQUIRED"));
    for agent in &window.desk.agents {
        let (slug, path) = (agent.card.slug, &document["paths"][agent.card.endpoint()]);
        assert_eq!(path.as_object().unwrap().keys().collect::<Vec<_>>(), ["post"], "{slug}");
        let post = &path["post"];
        // A scheme of the kind `apiKey` would make a registry ask for a key.
        assert_eq!(post["security"], json!([]), "{slug}");
        let info = &post["x-payment-info"];
        assert_eq!(info["price"]["mode"], "fixed", "{slug}");
        let (currency, amount) = match agent.card.price {
            [_, dollars] => ("USD", dollars.strip_suffix(" USDC").unwrap()),
            [coin] => ("MON", coin.strip_suffix(" MON").unwrap()),
            other => panic!("{other:?}"),
        };
        assert_eq!((&info["price"]["currency"], &info["price"]["amount"]), (&json!(currency), &json!(amount)), "{slug}");
        assert_eq!(info["protocols"][0]["x402"]["networks"], json!(["eip155:143", "eip155:10143"]), "{slug}");
    }
}

#[tokio::test]
async fn one_schema_describes_every_error() {
    let window = Window::open().await;
    let document = window.document("/openapi.json").await;
    let codes: Vec<Value> = Code::ALL.iter().filter(|code| code.status() != 0).map(|code| json!(code)).collect();
    assert_eq!(document["components"]["schemas"]["Error"]["properties"]["code"]["enum"], json!(codes));
    let responses = document["components"]["responses"].as_object().unwrap();
    for code in Code::ALL.iter().filter(|code| code.status() != 0) {
        let listed =
            responses.values().filter(|response| response["description"].as_str().unwrap().contains(&format!("`{code}`")));
        assert_eq!(listed.count(), 1, "{code}");
    }
    // One with everything: no member of an error is left out.
    let fields = vec![FieldError { field: "say".into(), error: "Say something.".into() }];
    let credit = network().coin(Amount::from_atomic(7));
    let error = CallError { fields, ..Code::AmountTooLow.into() }
        .with_transaction(TxHash([7; 32]))
        .with_credit(credit)
        .with_reason("insufficient_funds")
        .with_run("0190a0a0-0000-7000-8000-000000000000")
        .with_details("its own words")
        .at_stage(coinslot::error::Stage::Included)
        .after_ms(1);
    let mut closed = document.clone();
    closed["components"]["schemas"]["Error"]["additionalProperties"] = json!(false);
    assert_valid(&component(&closed, "Error"), &serde_json::to_value(error).unwrap(), "an error");
}

#[tokio::test]
async fn what_the_shop_answers_is_what_the_document_says() {
    let shop = Shop::open().await;
    let document = shop.get("/openapi.json").await.json();
    let is = |name: &str, instance: &Value| assert_valid(&component(&document, name), instance, name);

    let ada = shop.signed_in(1).await;
    is("Nonce", &serde_json::to_value(ada.nonce(&shop).await).unwrap());
    let unpaid = shop.price("parrot", "discovery").await;
    is("PaymentRequiredBody", &unpaid.json());
    let offers = unpaid.offers();
    is("PaymentRequired", &serde_json::to_value(&offers).unwrap());

    let hash = ada.pays(&shop, crate::harness::PRICE).await;
    let pending = ada.glance(&shop, "parrot", "discovery", &proof(&offers, hash)).await;
    assert_eq!(pending.status, 202);
    is("Error", &pending.json());
    is("Session", &ada.session(&shop).await);
    shop.node.finalize().await;
    let answer = ada.call(&shop, "parrot", "discovery", &proof(&offers, hash)).await;
    answer.said("discovery");
    is("parrot.Output", &answer.json());
    let receipt: Value = coinslot::x402::wire::decode(answer.header("payment-response").unwrap()).unwrap();
    is("Settlement", &receipt);
    is("Run", &shop.get(answer.header("content-location").unwrap()).await.json());
}

#[tokio::test]
async fn the_text_for_models_names_every_agent_and_its_links_lead_somewhere() {
    let window = Window::open().await;
    let answer = window.get("/llms.txt").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    let text = String::from_utf8(answer.bytes).unwrap();
    assert!(text.starts_with("# Coinslot\n\n> "), "a title and a summary come first (llmstxt.org)");
    for agent in &window.desk.agents {
        for said in [
            format!("- [{}]({ROOT}{}): {}\n", agent.card.name, agent.card.page(), agent.card.summary),
            format!("`POST {ROOT}{}`", agent.card.endpoint()),
            format!("{} on Monad (eip155:143)", agent.card.headline_price()),
            format!("Example: `{}`", agent.example),
        ] {
            assert!(text.contains(&said), "{said}\n{text}");
        }
        for field in agent.input_schema["properties"].as_object().unwrap().keys() {
            assert!(text.contains(&format!("Input `{field}`")), "{field}");
        }
    }
    assert!(text.contains("Input `say` (required)") && text.contains("Input `address` (optional): Of a contract on the network"));
    let links: Vec<&str> = text.split(&format!("]({ROOT}")).skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 5);
    // The test's agents have no page, and MCP no GET.
    for path in links.into_iter().filter(|path| {
        !["/agents/parrot", "/agents/cockatoo", "/agents/macaw", "/agents/kea", "/agents/galah", "/agents/heron", "/mcp"]
            .contains(path)
    }) {
        assert_eq!(window.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_manifest_says_what_is_sold_here_and_how_it_is_paid() {
    let window = Window::open().await;
    let manifest = window.document("/.well-known/x402").await;
    assert_eq!((&manifest["x402Version"], &manifest["payTo"]), (&json!(2), &json!(SHOP)));
    assert_eq!(manifest["networks"][1]["network"], json!("eip155:10143"));
    let assets: Vec<&str> =
        manifest["networks"][0]["assets"].as_array().unwrap().iter().map(|asset| asset["asset"].as_str().unwrap()).collect();
    assert_eq!(assets, ["eip155:143/erc20:0x754704bc059f8c67012fed69bc8a327a5aafb603", "eip155:143/native"]);
    for kind in manifest["kinds"].as_array().unwrap() {
        assert_eq!((&kind["x402Version"], &kind["scheme"]), (&json!(2), &json!("exact")));
    }
    let kinds: Vec<&str> = manifest["kinds"].as_array().unwrap().iter().map(|kind| kind["network"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().copied().collect::<HashSet<_>>(), HashSet::from(["eip155:143", "eip155:10143"]));
    for (name, path) in [("mcp", "/mcp"), ("openapi", "/openapi.json"), ("agents", "/api/agents"), ("llms", "/llms.txt")] {
        assert_eq!(manifest[name], json!(format!("{ROOT}{path}")));
    }
}

#[tokio::test]
async fn no_seal_gets_into_a_document_that_stands() {
    let window = Window::open().await;
    let seal = window.get("/api/x402/parrot").await.offers().accepts[0].extra.offer.clone().unwrap();
    let kind = seal.split_once('.').map(|(kind, _)| format!("\"{kind}.")).unwrap();
    for path in DOCUMENTS {
        let text = String::from_utf8(window.get(path).await.bytes).unwrap();
        for secret in [kind.as_str(), "\"offer\":", "expiresAtMs\":1", "expiresAtMs\": 1"] {
            assert!(!text.contains(secret), "{path} holds {secret}");
        }
    }
}

#[tokio::test]
async fn documents_are_kept_for_a_minute_and_asked_about_by_their_tag() {
    let window = Window::open().await;
    for path in DOCUMENTS {
        let first = window.get(path).await;
        assert_eq!(first.header("cache-control"), Some("public, max-age=60"), "{path}");
        let tag = first.header("etag").unwrap().to_owned();
        let again = |tag: &str| Request::get(path).header("if-none-match", tag).body(Body::empty()).unwrap();
        let unchanged = window.ask(again(&tag)).await;
        assert_eq!((unchanged.status, unchanged.bytes.len(), unchanged.header("etag")), (304, 0, Some(tag.as_str())), "{path}");
        assert_eq!(window.ask(again("W/\"0000000000000000\"")).await.status, 200, "{path}");
        let head = window.ask(Request::head(path).body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.bytes.len(), head.header("etag")), (200, 0, Some(tag.as_str())), "{path}");
    }
}

#[tokio::test]
async fn a_network_that_is_halted_is_not_advertised() {
    let window = Window::open().await;
    let before = window.get("/api/agents").await;
    window.desk.set_halted("eip155:143");
    let after = window.get("/api/agents").await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert!(before.json()[0]["prices"].to_string().contains("eip155:143/"));
    for path in ["/api/agents", "/openapi.json"] {
        assert!(!window.get(path).await.json().to_string().contains("\"eip155:143\""), "{path}");
    }
}

#[tokio::test]
async fn discovery_writes_no_row() {
    let window = Window::open().await;
    for path in DOCUMENTS {
        assert_eq!(window.get(path).await.status, 200, "{path}");
    }
    let audit = window.desk.books.audit().await.unwrap();
    assert_eq!((audit.runs, audit.deposits, audit.entries), (0, 0, 0));
}
