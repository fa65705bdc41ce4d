//! `coinslot credit` for tokens: a relayer's bundle, of which nothing says what each transfer was signed for, and that nobody showed.

use coinslot::server::{
    books::prove,
    check::State,
    credit::{Claim, credit},
    settings::{Settings, Sources},
};

use crate::{
    agents::goes_on,
    dollars::{EXACT_PROXY, PRICE, Permit2, approve_permit2, batch, pays, shop_for_dollars, taken},
    harness::{SHOP, Shop, Visitor, eventually_some, from_credit},
};

/// Of the commands, for this shop.
fn settings(shop: &Shop, token: &coinslot::network::Token) -> Settings {
    let of_token = |key: &str, value: &str| (format!("COINSLOT_NETWORK__LOCAL__TOKEN__USDC__{key}"), value.to_owned());
    let env = vec![
        ("COINSLOT_NETWORKS".to_owned(), "local".to_owned()),
        ("COINSLOT_DATA".to_owned(), shop.data.path().display().to_string()),
        ("COINSLOT_PAY_TO".to_owned(), SHOP.to_string()),
        ("COINSLOT_NETWORK__LOCAL__RPC_URLS".to_owned(), shop.node.url().to_string()),
        of_token("ADDRESS", &token.address.to_string()),
        of_token("NAME", &token.name),
        of_token("VERSION", &token.version),
        of_token("DECIMALS", "6"),
        of_token("EIP3009", "true"),
        of_token("PERMIT2", "true"),
    ];
    Settings::read(&Sources { env, ..Sources::default() }).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[tokio::test]
async fn p3_tokens_that_a_relayer_bundled_are_credited_by_hand_once() {
    let (shop, token) = shop_for_dollars().await;
    let (ada, bob) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let mut calls = Vec::new();
    for (payer, nonces) in [(&ada, 1..=2), (&bob, 1..=1)] {
        approve_permit2(&shop, &token, payer.address()).await;
        for nonce in nonces {
            let permit = Permit2::of(&payer.key, nonce);
            let signature = permit.payload(&payer.key, &token)["signature"].as_str().unwrap().to_owned();
            calls.push((EXACT_PROXY.parse().unwrap(), alloy::hex::decode(permit.calldata(&token, &signature)).unwrap()));
        }
    }
    let hash = batch(&shop, calls).await;
    assert_eq!(taken(&shop, &token).await, 3 * PRICE);

    let settings = settings(&shop, &token);
    let claim = |payer: &Visitor, amount: Option<&str>| Claim {
        transaction: hash,
        payer: payer.address(),
        network: None,
        amount: amount.map(str::to_owned),
        by: "alice".to_owned(),
    };
    // What is under way is booked by itself: it could be one of these.
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "p3 under way");
    ada.glance(&shop, "macaw", "gate:p3 under way", &payment).await.is(202, "running");
    let final_now =
        async || Some(credit(&settings, &claim(&ada, None)).await).filter(|said| !said.sentence.contains("not final"));
    let said = eventually_some(final_now).await;
    assert!(said.state == State::Bad && said.sentence.contains("still under way"), "{said:?}");
    goes_on("gate:p3 under way", 1);
    ada.call(&shop, "macaw", "gate:p3 under way", &payment).await.said("gate:p3 under way");

    let more = credit(&settings, &claim(&ada, Some("0.003 USDC"))).await;
    assert!(more.state == State::Bad && more.sentence.contains("only 0.002 USDC"), "{more:?}");
    let said = credit(&settings, &claim(&ada, None)).await;
    assert!(said.state == State::Ok && said.sentence.contains("0.002 USDC") && said.sentence.contains("alice"), "{said:?}");
    let again = credit(&settings, &claim(&ada, None)).await;
    assert!(again.state == State::Bad && again.sentence.contains("booked"), "{again:?}");
    let stranger = credit(&settings, &claim(&shop.visitor(3), Some("0.001 USDC"))).await;
    assert!(stranger.state == State::Bad && stranger.sentence.contains("sent no such token"), "{stranger:?}");
    assert_eq!(credit(&settings, &claim(&bob, None)).await.state, State::Ok);
    assert_eq!((ada.credit(&shop).await, bob.credit(&shop).await), ((2 * PRICE).to_string(), PRICE.to_string()));

    // It is credit as any other.
    let spent = from_credit(&shop.offer("macaw").await, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f41");
    ada.call(&shop, "macaw", "p3 from credit", &spent).await.said("p3 from credit");
    assert_eq!(ada.credit(&shop).await, PRICE.to_string());
    let lines = prove(&settings, true).await;
    assert!(lines.iter().all(|line| line.state != State::Bad), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.subject == "by hand" && line.sentence.contains("alice")).count(), 2, "{lines:#?}");
    shop.assert_balanced().await;
}
