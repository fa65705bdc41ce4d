//! Coin that arrives inside somebody else's transaction, as a wallet's gas sponsor, a Safe or a batch sends it: it is a payment of the account
//! that it came from, shown or not, and nothing arrives unseen.

use alloy::{eips::eip7702::Authorization, hex, primitives::U256, signers::SignerSync};
use coinslot::{
    evm::{Address, TxHash},
    ledger::{Deposit, How, RiseState},
    money::Amount,
    server::{
        books::prove,
        check::{Line, State},
        credit::{Claim, credit},
        settings::{Settings, Sources},
    },
};
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    anvil::proxy::{Fault, Proxy},
    harness::{Look, NETWORK, Node, PRICE, SHOP, Shop, Staff, Visitor, proof},
    paying::eventually,
    watching::watch,
};

/// Calls the address in the first word with the value in the second, for whoever asks: for tests only.
const DELEGATE: Address = Address([0xde; 20]);
/// For each three words of its input: calls the first with the other two.
const BATCH: Address = Address([0xba; 20]);
/// Hands on what it gets to the shop, and fails.
const FAILS: Address = Address([0xfa; 20]);
/// Runs the shop's code, of which there is none, as its own.
const BORROWS: Address = Address([0xb0; 20]);
/// Ends, and leaves what it has to the shop.
const ENDS: Address = Address([0xed; 20]);

fn contracts() -> [(Address, String); 5] {
    let shop = hex::encode(SHOP.0);
    [
        (DELEGATE, "0x60006000600060006020356000355af100".to_owned()),
        (BATCH, "0x5f5b368110600b570000005b6040816020015f375f5f60405f5f85355af150606001600156".to_owned()),
        (FAILS, format!("0x5f5f5f5f3473{shop}5af1505f5ffd")),
        (BORROWS, format!("0x5f5f5f5f73{shop}5af45000")),
        (ENDS, format!("0x73{shop}ff")),
    ]
}

/// The account whose gas it costs.
const RELAYER: usize = 7;

fn word(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

fn wei(wei: u128) -> [u8; 32] {
    U256::from(wei).to_be_bytes()
}

/// Puts the contracts there, and upgrades these visitors' accounts (EIP-7702) as their wallet would.
async fn upgraded(node: &Node, visitors: &[&Visitor]) {
    for (address, code) in contracts() {
        node.rpc("anvil_setCode", json!([address, code])).await;
    }
    for visitor in visitors {
        let nonce = node.rpc("eth_getTransactionCount", json!([visitor.address(), "latest"])).await;
        let nonce = u64::from_str_radix(nonce.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
        let authorization = Authorization { chain_id: U256::from(31337), address: DELEGATE.0.into(), nonce };
        let signature = visitor.key.sign_hash_sync(&authorization.signature_hash()).unwrap();
        let signed = serde_json::to_value(authorization.into_signed(signature)).unwrap();
        let relayer = Address(node.key(RELAYER).address().into_array());
        node.send(json!({
            "type": "0x4", "from": relayer, "to": visitor.address(), "value": "0x0", "gas": "0x30d40", "authorizationList": [signed],
            "data": hex::encode_prefixed([word(Address([0; 20])), wei(0)].concat()),
        }))
        .await;
        node.mine(1).await;
        let code = node.rpc("eth_getCode", json!([visitor.address(), "latest"])).await;
        assert!(code.as_str().unwrap().starts_with("0xef0100"), "{code}");
    }
    node.finalize().await;
}

/// A third party's transaction that has the account send this to that address.
async fn relays(node: &Node, visitor: &Visitor, to: Address, value: u128) -> TxHash {
    third_party(node, visitor.address(), &[word(to), wei(value)].concat()).await
}

async fn third_party(node: &Node, to: Address, data: &[u8]) -> TxHash {
    let relayer = Address(node.key(RELAYER).address().into_array());
    node.send(json!({"from": relayer, "to": to, "gas": "0x7a120", "data": hex::encode_prefixed(data)})).await
}

/// Each of them pays the shop, in one transaction.
async fn batch(node: &Node, payments: &[(&Visitor, u128)]) -> TxHash {
    let calls = payments.iter().flat_map(|(visitor, value)| [word(visitor.address()), word(SHOP), wei(*value)].concat());
    third_party(node, BATCH, &calls.collect::<Vec<_>>()).await
}

async fn open() -> (Shop, Visitor, Visitor) {
    opened(Shop::that_looks(Look::at(Node::start())).await).await
}

async fn opened(shop: Shop) -> (Shop, Visitor, Visitor) {
    let (ada, bob) = (shop.signed_in(1).await, shop.signed_in(2).await);
    upgraded(&shop.node, &[&ada, &bob]).await;
    (shop, ada, bob)
}

async fn deposits(shop: &Shop) -> Vec<Deposit> {
    shop.desk.books.deposits_after("", 100).await.unwrap().into_iter().map(|(_, deposit)| deposit).collect()
}

/// The books balance, and so does the chain.
async fn proven(shop: &Shop) -> Vec<Line> {
    shop.assert_balanced().await;
    prove(&settings(shop), true).await
}

#[track_caller]
fn is_well(lines: &[Line]) {
    assert!(lines.iter().all(|line| line.state == State::Ok), "{lines:#?}");
    assert!(lines.iter().any(|line| line.subject == "balance" && line.sentence.contains("as the chain says")), "{lines:#?}");
}

/// Of `coinslot`'s commands, for this shop.
fn settings(shop: &Shop) -> Settings {
    let url = shop.desk.chains[0].settings().rpc_urls[0].to_string();
    let trace = shop.desk.chains[0].settings().trace_urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let env = [
        ("COINSLOT_NETWORKS", "local".to_owned()),
        ("COINSLOT_DATA", shop.data.path().display().to_string()),
        ("COINSLOT_PAY_TO", shop.desk.pay_to.to_string()),
        ("COINSLOT_NETWORK__LOCAL__RPC_URLS", url),
        ("COINSLOT_NETWORK__LOCAL__TRACE_URLS", trace),
    ];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Settings::read(&Sources { env, ..Sources::default() }).unwrap()
}

/// A node that does not trace.
async fn without_traces(node: &Node) -> Proxy {
    let proxy = Proxy::before(node.url()).await;
    proxy.fault(NO_TRACES);
    proxy
}

const NO_TRACES: Fault = Fault::Rewrite(|method, _, answer| {
    if method.starts_with("debug_") {
        let error = json!({"code": -32601, "message": format!("the method {method} does not exist/is not available")});
        *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": error});
    }
});

async fn balance_of(node: &Node, account: Address) -> u128 {
    let balance = node.rpc("eth_getBalance", json!([account, "latest"])).await;
    u128::from_str_radix(balance.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// The shop's own account sends this, in the next block.
async fn operator_sends(node: &Node, value: u128) -> TxHash {
    node.rpc("anvil_impersonateAccount", json!([SHOP])).await;
    node.send(json!({"from": SHOP, "to": Address([0x0b; 20]), "value": format!("{value:#x}"), "gas": "0x5208"})).await
}

#[tokio::test]
async fn p1_an_inner_transfer_is_a_payment() {
    let (shop, ada, _) = open().await;
    let offers = shop.offer("parrot").await;
    let hash = relays(&shop.node, &ada, SHOP, PRICE).await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "relayed", &proof(&offers, hash)).await.said("relayed");
    assert_eq!((worked_on("relayed"), ada.credit(&shop).await), (1, "0".into()));
    let [deposit] = &deposits(&shop).await[..] else { panic!("one deposit") };
    assert_eq!((deposit.payer, deposit.transaction, deposit.pay_to), (ada.address(), hash, SHOP));
    // Whoever sent the transaction has paid nothing.
    let relayer = shop.signed_in(RELAYER).await;
    relayer.call(&shop, "parrot", "stolen", &proof(&offers, hash)).await.is(403, "payer_mismatch");
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p1_two_payers_in_one_transaction_are_two_deposits_and_one_payer_twice_is_one() {
    let (shop, ada, bob) = open().await;
    let offers = shop.offer("parrot").await;
    let hash = batch(&shop.node, &[(&ada, PRICE), (&bob, PRICE + 5), (&ada, 7)]).await;
    // Shown before any block has it, by each of them.
    ada.glance(&shop, "parrot", "of two: ada", &proof(&offers, hash)).await.is(202, "payment_pending");
    bob.glance(&shop, "parrot", "of two: bob", &proof(&offers, hash)).await.is(202, "payment_pending");
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "of two: ada", &proof(&offers, hash)).await.said("of two: ada");
    bob.call(&shop, "parrot", "of two: bob", &proof(&offers, hash)).await.said("of two: bob");
    assert_eq!((ada.credit(&shop).await, bob.credit(&shop).await), ("7".into(), "5".into()));
    assert_eq!(deposits(&shop).await.len(), 2);
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p1_what_failed_inside_and_what_only_borrowed_code_moved_nothing() {
    let (shop, ada, _) = open().await;
    let offers = shop.offer("parrot").await;
    let failed = relays(&shop.node, &ada, FAILS, PRICE).await;
    let relayer = Address(shop.node.key(RELAYER).address().into_array());
    let borrowed = shop
        .node
        .send(json!({"from": relayer, "to": BORROWS, "gas": "0x7a120", "value": format!("{PRICE:#x}"), "data": "0x01"}))
        .await;
    shop.node.finalize().await;
    for (say, hash) in [("failed inside", failed), ("borrowed", borrowed)] {
        let receipt = shop.node.rpc("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], "0x1", "{say}");
        ada.call(&shop, "parrot", say, &proof(&offers, hash)).await.is(402, "wrong_recipient");
    }
    assert_eq!((deposits(&shop).await, balance_of(&shop.node, SHOP).await), (vec![], 0));
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p1_a_contract_that_hands_on_what_it_gets_is_the_payer() {
    let (shop, ada, _) = open().await;
    // No data at all: a splitter.
    let splits = Address([0x5a; 20]);
    shop.node.rpc("anvil_setCode", json!([splits, format!("0x5f5f5f5f3473{}5af15000", hex::encode(SHOP.0))])).await;
    let sent = json!({"from": ada.address(), "to": splits, "gas": "0x30d40", "value": format!("{PRICE:#x}")});
    let hash = shop.node.send(sent).await;
    shop.node.finalize().await;
    let offers = shop.offer("parrot").await;
    ada.call(&shop, "parrot", "split", &proof(&offers, hash)).await.is(403, "payer_mismatch");
    assert_eq!(deposits(&shop).await[0].payer, splits, "the account whose coin moved to us");
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p2_a_hash_that_never_reached_us_is_found_and_its_run_is_offered() {
    let (shop, ada, _) = open().await;
    assert_eq!(watch(&shop, &ada, "contract-xray", "a bundle's id").await.status, 200);
    let hash = relays(&shop.node, &ada, SHOP, PRICE).await;
    shop.node.finalize().await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    let arrived = ada.session(&shop).await["arrived"].clone();
    assert_eq!((&arrived[0]["transaction"], &arrived[0]["agent"]), (&json!(hash), &json!("contract-xray")));
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p2_what_is_sent_with_no_call_open_is_credit() {
    let (shop, ada, bob) = open().await;
    let plain = ada.paid(&shop, 8 * PRICE).await;
    eventually(async || ada.credit(&shop).await == (8 * PRICE).to_string()).await;
    let inside = relays(&shop.node, &bob, SHOP, 3).await;
    shop.node.finalize().await;
    eventually(async || bob.credit(&shop).await == "3").await;
    let found: Vec<_> = deposits(&shop).await.iter().map(|deposit| (deposit.transaction, deposit.how)).collect();
    assert_eq!(found, [(plain, How::Found), (inside, How::Found)]);
    // Shown afterwards, it buys its run all the same.
    let fresh = ada.paid(&shop, PRICE).await;
    eventually(async || ada.credit(&shop).await == (9 * PRICE).to_string()).await;
    let bare = ada.call_with(&shop, "parrot", "found first", &[("x-payment", &fresh.to_string())]).await;
    bare.said("found first");
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p2_a_payer_without_a_watch_is_found_in_the_block_that_somebody_elses_payment_is_followed_in() {
    let (shop, ada, bob) = open().await;
    watch(&shop, &ada, "contract-xray", "somebody waits").await;
    relays(&shop.node, &bob, SHOP, 11).await;
    ada.pays(&shop, PRICE).await;
    shop.node.finalize().await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string() && bob.credit(&shop).await == "11").await;
    is_well(&proven(&shop).await);
}

/// The balance is asked for with each block that is followed, however rarely it is while nobody waits: here once an hour.
#[tokio::test]
async fn p2_each_block_that_is_followed_is_looked_at_without_waiting_for_the_idle_look() {
    let shop = Shop::open().await;
    eventually(async || shop.desk.books.explained(NETWORK, SHOP).await.unwrap().is_some()).await;
    let (shop, ada, bob) = opened(shop).await;
    assert!(shop.desk.chains[0].settings().idle_look > std::time::Duration::from_secs(600));
    watch(&shop, &ada, "contract-xray", "somebody waits").await;
    relays(&shop.node, &bob, SHOP, 11).await;
    shop.node.finalize().await;
    eventually(async || bob.credit(&shop).await == "11").await;
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p2_an_outgoing_transfer_in_the_same_block_hides_nothing() {
    let (shop, ada, bob) = open().await;
    ada.paid(&shop, 10 * PRICE).await;
    shop.node.rpc("anvil_setBalance", json!([SHOP, "0xde0b6b3a7640000"])).await;
    shop.node.finalize().await;
    eventually(async || {
        let nobody = shop.desk.books.rises(NETWORK, RiseState::Nobody, 10).await.unwrap();
        nobody.len() == 1 && ada.credit(&shop).await == (10 * PRICE).to_string()
    })
    .await;
    // The balance falls by far more than what arrives.
    let sent = operator_sends(&shop.node, 5_000 * PRICE).await;
    relays(&shop.node, &bob, SHOP, PRICE).await;
    ada.pays(&shop, 2 * PRICE).await;
    shop.node.finalize().await;
    eventually(async || bob.credit(&shop).await == PRICE.to_string() && ada.credit(&shop).await == (12 * PRICE).to_string())
        .await;
    let lines = proven(&shop).await;
    is_well(&lines);
    let explained = shop.desk.books.explained(NETWORK, SHOP).await.unwrap().unwrap();
    let receipt = shop.node.rpc("eth_getTransactionReceipt", json!([sent])).await;
    let number = |of: &Value| u128::from_str_radix(of.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let fee = number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"]);
    assert_eq!(
        explained.left,
        Amount::from_atomic(5_000 * PRICE + fee),
        "the value, and the gas of the operator's own transaction"
    );
}

#[tokio::test]
async fn p2_what_no_call_brought_is_written_down_and_not_looked_for_again() {
    let (shop, ada, _) = open().await;
    shop.node.rpc("anvil_setBalance", json!([SHOP, "0x2a"])).await;
    shop.node.finalize().await;
    let nobody = || shop.desk.books.rises(NETWORK, RiseState::Nobody, 10);
    eventually(async || nobody().await.unwrap().len() == 1).await;
    assert_eq!(nobody().await.unwrap()[0].amount, Amount::from_atomic(42));
    assert_eq!(deposits(&shop).await, []);
    // What a contract leaves at its end is its own payment where the tracer tells, and nobody's where it does not.
    shop.node.rpc("anvil_setBalance", json!([ENDS, "0x9"])).await;
    third_party(&shop.node, ENDS, &[]).await;
    shop.node.finalize().await;
    eventually(async || {
        let to_contract: u128 = deposits(&shop).await.iter().map(|one| one.amount.to_string().parse::<u128>().unwrap()).sum();
        let to_nobody: u128 = nobody().await.unwrap().iter().map(|one| one.amount.to_string().parse::<u128>().unwrap()).sum();
        to_contract + to_nobody == 42 + 9
    })
    .await;
    // And then everything goes on.
    ada.paid(&shop, 5).await;
    eventually(async || ada.credit(&shop).await == "5").await;
    let lines = proven(&shop).await;
    is_well(&lines);
    assert!(lines.iter().any(|line| line.subject == "arrivals" && line.sentence.contains("came by no call")), "{lines:#?}");
}

#[tokio::test]
async fn p2_what_arrived_while_the_shop_was_closed_is_found_at_the_start() {
    let (shop, ada, bob) = open().await;
    let look = Look { node: shop.node.clone(), data: shop.data.clone(), staff: Staff::All, ..Look::at(Node::start()) };
    let look = Look { rpc_url: shop.node.url(), ..look };
    shop.closes();
    drop(shop);
    for (at, visitor) in [&ada, &bob, &ada].into_iter().enumerate() {
        look.node.mine(7 * at as u64).await;
        relays(&look.node, visitor, SHOP, PRICE).await;
        look.node.mine(9).await;
    }
    look.node.send(json!({"from": bob.address(), "to": SHOP, "value": "0x5", "gas": "0x186a0"})).await;
    look.node.finalize().await;
    let shop = Shop::that_looks(look).await;
    eventually(async || ada.credit(&shop).await == (2 * PRICE).to_string() && bob.credit(&shop).await == (PRICE + 5).to_string())
        .await;
    assert_eq!(deposits(&shop).await.len(), 4);
    is_well(&proven(&shop).await);
}

/// How a shop is opened again that was closed when Ada paid it plainly and Bob through somebody else. No block has it yet.
async fn closed() -> (Look, Proxy, Visitor, Visitor) {
    let (look, proxy, ada, bob) = not_open().await;
    ada_pays_plainly(&look.node, &ada, 4).await;
    relays(&look.node, &bob, SHOP, PRICE).await;
    (look, proxy, ada, bob)
}

/// The same, and nothing has come yet.
async fn not_open() -> (Look, Proxy, Visitor, Visitor) {
    let node = Node::start();
    let proxy = Proxy::before(node.url()).await;
    let shop = Shop::that_looks(Look { rpc_url: proxy.url.clone(), ..Look::at(node) }).await;
    let (shop, ada, bob) = opened(shop).await;
    let look = Look { node: shop.node.clone(), data: shop.data.clone(), rpc_url: proxy.url.clone(), ..Look::at(Node::start()) };
    shop.closes();
    drop(shop);
    (look, proxy, ada, bob)
}

/// A node that has no balances of blocks below this one.
fn forgets<const BELOW: u64>(method: &str, params: &Value, answer: &mut Value) {
    let height = params[1].as_str().and_then(|height| u64::from_str_radix(height.trim_start_matches("0x"), 16).ok());
    if method == "eth_getBalance" && height.is_some_and(|height| height < BELOW) {
        *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": "missing trie node"}});
    }
}

#[tokio::test]
async fn p2_where_no_node_has_the_state_between_the_blocks_are_read() {
    let (look, proxy, ada, bob) = closed().await;
    look.node.mine(30).await;
    // The newest final block's is there, and no other.
    proxy.fault(Fault::Rewrite(forgets::<33>));
    let shop = Shop::that_looks(look).await;
    eventually(async || ada.credit(&shop).await == "4" && bob.credit(&shop).await == PRICE.to_string()).await;
    proxy.heal();
    is_well(&proven(&shop).await);
}

/// More blocks than are read in one go: they are read bit by bit, first for what is plain to see, then for their calls.
#[tokio::test]
async fn p2_a_gap_of_thousands_of_blocks_without_a_balance_is_read_bit_by_bit() {
    let (look, proxy, ada, bob) = not_open().await;
    ada_pays_plainly(&look.node, &ada, 4).await;
    look.node.mine(1).await;
    // Blocks that are a second apart.
    look.node.rpc("anvil_mine", json!(["0x1068", "0x1"])).await;
    ada_pays_plainly(&look.node, &ada, 5).await;
    // In the last blocks: of older ones anvil has no traces any more.
    relays(&look.node, &bob, SHOP, PRICE).await;
    look.node.mine(3).await;
    // Only the last hundred blocks' balances are there.
    proxy.fault(Fault::Rewrite(forgets::<4_150>));
    let shop = Shop::that_looks(look).await;
    eventually_long(async || ada.credit(&shop).await == "9" && bob.credit(&shop).await == PRICE.to_string()).await;
    eventually(async || shop.desk.books.open_rises(NETWORK, 10).await.unwrap().is_empty()).await;
    assert_eq!(deposits(&shop).await.len(), 3);
    proxy.heal();
    is_well(&proven(&shop).await);
}

async fn ada_pays_plainly(node: &Node, ada: &Visitor, wei: u128) {
    node.send(json!({"from": ada.address(), "to": SHOP, "value": format!("{wei:#x}"), "gas": "0x186a0"})).await;
}

#[tokio::test]
async fn p2_two_instances_book_it_once() {
    let look = Look::at(Node::start());
    let first = Shop::that_looks(look.clone()).await;
    let second = Shop::that_looks(look).await;
    let (first, ada, bob) = opened(first).await;
    for _ in 0..3 {
        batch(&first.node, &[(&ada, 2), (&bob, 3)]).await;
        first.node.mine(1).await;
    }
    first.node.finalize().await;
    eventually(async || ada.credit(&second).await == "6" && bob.credit(&second).await == "9").await;
    // The one that looked is gone; the other takes over.
    first.closes();
    relays(&second.node, &ada, SHOP, 1).await;
    second.node.finalize().await;
    eventually(async || ada.credit(&second).await == "7").await;
    is_well(&proven(&second).await);
}

#[tokio::test]
async fn p2_books_that_do_not_come_to_the_balance_say_so() {
    let (shop, ada, bob) = open().await;
    ada.paid(&shop, PRICE).await;
    relays(&shop.node, &bob, SHOP, 7).await;
    shop.node.finalize().await;
    eventually(async || bob.credit(&shop).await == "7").await;
    is_well(&proven(&shop).await);
    // Closed, and something arrives.
    let settings = settings(&shop);
    let (node, _data) = (shop.node.clone(), shop.data.clone());
    shop.closes();
    eventually(async || !shop.desk.books.is_leased(&coinslot::x402::till::lease_name(NETWORK), 0).await.unwrap()).await;
    drop(shop);
    relays(&node, &bob, SHOP, 9).await;
    node.finalize().await;
    let lines = prove(&settings, true).await;
    assert!(lines.iter().any(|line| line.state == State::Bad && line.sentence.contains("not booked yet")), "{lines:#?}");
}

/// Ada and Bob paid in one transaction, no node tells whose it is, and Ada has shown it for these words: with that transaction, and her payment.
async fn untraced(say: &str) -> (Shop, Proxy, Visitor, Visitor, TxHash, String) {
    let node = Node::start();
    let proxy = without_traces(&node).await;
    let shop = Shop::that_looks(Look { rpc_url: proxy.url.clone(), ..Look::at(node) }).await;
    let (shop, ada, bob) = opened(shop).await;
    let offers = shop.offer("parrot").await;
    let hash = batch(&shop.node, &[(&ada, PRICE), (&bob, 5)]).await;
    shop.node.finalize().await;
    let payment = proof(&offers, hash);
    eventually(async || ada.glance(&shop, "parrot", say, &payment).await.code() == "payer_unknown").await;
    (shop, proxy, ada, bob, hash, payment)
}

#[tokio::test]
async fn p3_without_a_node_that_traces_nobody_is_asked_for_it_again_and_it_resolves_when_one_does() {
    let (shop, proxy, ada, bob, hash, payment) = untraced("untraced").await;
    let offers = shop.offer("parrot").await;
    let told = ada.glance(&shop, "parrot", "untraced", &payment).await;
    told.is(202, "payer_unknown");
    assert_eq!(told.json()["error"], json!("Your payment has arrived; we are finding out which account sent it."));
    assert_eq!((&told.json()["retry"], &told.json()["transaction"]), (&json!("same_payment"), &json!(hash)));
    assert!(told.header("payment-required").is_none(), "a client that sees offers pays");
    // Written down once, with its block and its amount, and named.
    eventually(async || shop.desk.books.open_rises(NETWORK, 10).await.unwrap().len() == 1).await;
    let [rise] = &shop.desk.books.open_rises(NETWORK, 10).await.unwrap()[..] else { panic!("one rise") };
    assert_eq!((rise.amount, rise.pay_to), (Amount::from_atomic(PRICE + 5), SHOP));
    let lines = proven(&shop).await;
    let named = lines.iter().find(|line| line.subject == "arrivals").unwrap();
    assert!(
        named.state == State::Bad
            && named.sentence.contains(&rise.blocks())
            && named.sentence.contains("0.000100000000000005 MON")
    );
    let checked = coinslot::server::check::check(&settings(&shop), &[]).await;
    assert!(checked.iter().any(|line| line.subject == "arrivals" && line.state == State::Bad), "{checked:#?}");
    assert!(checked.iter().any(|line| line.subject == "tracing" && line.state == State::Todo), "{checked:#?}");
    // A transaction that brought nothing is told so all the same: the balance says it.
    let other = relays(&shop.node, &bob, Address([0x77; 20]), 1).await;
    shop.node.finalize().await;
    bob.call(&shop, "parrot", "elsewhere", &proof(&offers, other)).await.is(402, "wrong_recipient");
    // The node traces again.
    proxy.heal();
    eventually_long(async || bob.credit(&shop).await == "5").await;
    ada.call(&shop, "parrot", "untraced", &payment).await.said("untraced");
    assert_eq!(shop.desk.books.open_rises(NETWORK, 10).await.unwrap(), []);
    is_well(&proven(&shop).await);
}

/// As `eventually`, for what is looked at every ten seconds.
async fn eventually_long(mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "it did not come about within a minute");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn p3_a_node_of_its_own_traces_where_the_others_do_not() {
    let node = Node::start();
    let proxy = without_traces(&node).await;
    let trace_urls = vec![node.url()];
    let shop = Shop::that_looks(Look { rpc_url: proxy.url.clone(), trace_urls, ..Look::at(node) }).await;
    let (shop, ada, _) = opened(shop).await;
    let offers = shop.offer("parrot").await;
    let hash = relays(&shop.node, &ada, SHOP, PRICE).await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "by trace_urls", &proof(&offers, hash)).await.said("by trace_urls");
    assert_eq!(proxy.asked().calls("debug_traceTransaction") + proxy.asked().calls("debug_traceBlockByNumber"), 0);
    let checked = coinslot::server::check::check(&settings(&shop), &[]).await;
    assert!(checked.iter().any(|line| line.subject == "tracing" && line.state == State::Ok), "{checked:#?}");
    is_well(&proven(&shop).await);
}

fn claim(shop: &Shop, transaction: TxHash, payer: Address) -> (Settings, Claim) {
    (settings(shop), Claim { transaction, payer, network: None, amount: None, by: "alice".to_owned() })
}

#[tokio::test]
async fn p3_an_operator_credits_by_hand_what_no_node_tells_once() {
    let (shop, proxy, ada, bob, hash, payment) = untraced("by hand").await;
    let (settings, all) = claim(&shop, hash, ada.address());
    let part = |amount: &str| Claim { amount: Some(amount.to_owned()), ..all.clone() };
    for (wrong, why) in [
        (part("0.0002 MON"), "only 0.000100000000000005 MON"),
        (part("7 apples"), "is no amount"),
        (Claim { by: String::new(), ..all.clone() }, "--by"),
        (Claim { transaction: TxHash([7; 32]), ..all.clone() }, "was not found"),
        (Claim { payer: SHOP, ..all.clone() }, "not who pays"),
    ] {
        let said = credit(&settings, &wrong).await;
        assert!(said.state == State::Bad && said.sentence.contains(why), "{said:?}");
    }
    let said = credit(&settings, &part("0.0001 MON")).await;
    assert!(said.state == State::Ok && said.sentence.contains("alice"), "{said:?}");
    let again = credit(&settings, &part("0.000000000000000001 MON")).await;
    assert!(again.state == State::Bad && again.sentence.contains("booked once"), "{again:?}");
    ada.call(&shop, "parrot", "by hand", &payment).await.said("by hand");
    // The rest is still waiting for its payer, and then it is all told.
    assert_eq!(shop.desk.books.open_rises(NETWORK, 10).await.unwrap()[0].amount, Amount::from_atomic(5));
    let rest = credit(&settings, &claim(&shop, hash, bob.address()).1).await;
    assert_eq!(rest.state, State::Ok, "{rest:?}");
    let nothing = credit(&settings, &claim(&shop, hash, Address([0xee; 20])).1).await;
    assert!(nothing.state == State::Bad && nothing.sentence.contains("without a payer"), "{nothing:?}");
    assert_eq!((ada.credit(&shop).await, bob.credit(&shop).await), ("0".into(), "5".into()));
    let lines = proven(&shop).await;
    assert!(lines.iter().any(|line| line.subject == "by hand" && line.sentence.contains("alice")), "{lines:#?}");
    is_well(&lines);
    // A node that traces later books nothing twice.
    proxy.heal();
    shop.node.finalize().await;
    let other = shop.signed_in(3).await;
    other.call(&shop, "parrot", "not theirs", &payment).await.is(403, "payer_mismatch");
    assert_eq!(deposits(&shop).await.len(), 2);
    is_well(&proven(&shop).await);
}

#[tokio::test]
async fn p3_what_a_contract_handed_on_for_others_is_moved_by_hand_once_for_each() {
    let (shop, ada, bob) = open().await;
    let splits = Address([0x5a; 20]);
    shop.node.rpc("anvil_setCode", json!([splits, format!("0x5f5f5f5f3473{}5af15000", hex::encode(SHOP.0))])).await;
    let relayer = Address(shop.node.key(RELAYER).address().into_array());
    let hash =
        shop.node.send(json!({"from": relayer, "to": splits, "gas": "0x30d40", "value": format!("{:#x}", 3 * PRICE)})).await;
    shop.node.finalize().await;
    eventually(async || deposits(&shop).await.len() == 1).await;
    let (settings, all) = claim(&shop, hash, ada.address());
    let part = |payer, amount: &str| Claim { payer, amount: Some(amount.to_owned()), ..all.clone() };
    let said = credit(&settings, &part(ada.address(), "0.0001 MON")).await;
    assert!(said.state == State::Ok && said.sentence.contains("alice"), "{said:?}");
    let again = credit(&settings, &part(ada.address(), "0.0001 MON")).await;
    assert!(again.state == State::Bad && again.sentence.contains("booked once"), "{again:?}");
    let said = credit(&settings, &part(bob.address(), "0.0003 MON")).await;
    assert!(said.state == State::Bad && said.sentence.contains("no 0.0003 MON of credit left"), "{said:?}");
    assert_eq!(credit(&settings, &part(bob.address(), "0.0002 MON")).await.state, State::Ok);
    assert_eq!((ada.credit(&shop).await, bob.credit(&shop).await), (PRICE.to_string(), (2 * PRICE).to_string()));
    let lines = proven(&shop).await;
    is_well(&lines);
    assert_eq!(lines.iter().filter(|line| line.subject == "by hand").count(), 2, "{lines:#?}");
}

#[tokio::test]
async fn p3_what_is_plain_needs_no_hand_and_no_hand_says_otherwise() {
    let (shop, ada, bob) = open().await;
    let hash = ada.paid(&shop, PRICE).await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    let (settings, of_bob) = claim(&shop, hash, bob.address());
    let said = credit(&settings, &of_bob).await;
    assert!(said.state == State::Bad && said.sentence.contains("plain transfer"), "{said:?}");
    let said = credit(&settings, &Claim { payer: ada.address(), ..of_bob }).await;
    assert!(said.state == State::Bad && said.sentence.contains("booked already"), "{said:?}");
    assert_eq!(bob.credit(&shop).await, "0");
}

#[tokio::test]
async fn p1_a_refusal_of_before_is_looked_at_again_when_it_is_shown_again() {
    let (shop, ada, _) = open().await;
    let offers = shop.offer("parrot").await;
    let hash = relays(&shop.node, &ada, SHOP, PRICE).await;
    shop.node.finalize().await;
    let payment = proof(&offers, hash);
    // As an older shop left it.
    ada.call(&shop, "parrot", "of before", &payment).await.said("of before");
    let refused = coinslot::error::CallError::from(coinslot::error::Code::UnsupportedTransfer);
    let other = relays(&shop.node, &ada, SHOP, PRICE).await;
    let shown = proof(&offers, other);
    ada.glance(&shop, "parrot", "refused before", &shown).await.is(202, "payment_pending");
    let run = shop.desk.books.under_way(ada.address(), coinslot::x402::desk::now_ms()).await.unwrap().remove(0);
    shop.desk.books.void(&run.id, &refused, coinslot::x402::desk::now_ms()).await.unwrap();
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "refused before", &shown).await.said("refused before");
}
