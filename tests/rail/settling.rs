//! What goes well, and what must still cost the payer once.

use coinslot::{
    chain::{At, Seen},
    network::Token,
    x402::{
        authorization::{Method, SignedBy},
        facilitator::{look, token_is_as_configured},
    },
};
use futures::future::join_all;

use super::{
    anvil::{Anvil, settings},
    bed::{Bed, Ledger, METHODS, OPERATOR, PAYER, PRICE, SOMEBODY, call, code, deploy, refused, settle, unknown},
};

#[tokio::test]
async fn an_authorization_is_verified_and_settled_once_by_either_method() {
    let bed = Bed::new().await;
    let operator = bed.operator();
    for (done, method) in METHODS.into_iter().enumerate() {
        let (authorization, ledger) = (bed.authorization(method, 1), Ledger::default());
        assert_eq!(authorization.signed_by(), SignedBy::Payer);
        let since = bed.anvil.height().await;
        operator.verify(&authorization).await.unwrap();
        assert_eq!(bed.earned().await, PRICE * done as u64, "verifying moves nothing");
        assert!(matches!(look(&bed.chain, &authorization, None, since, At::Latest).await.unwrap(), Seen::Unused { .. }));

        let hash = operator.settle(&authorization, &*ledger.record()).await.unwrap();
        assert_eq!(ledger.hashes(), [hash], "it is the transaction that was recorded");
        assert_eq!(bed.earned().await, PRICE * (done as u64 + 1));

        // Again: refused, nothing is sent, and the chain says who was paid.
        assert!(refused(operator.verify(&authorization).await).is_used());
        unknown(operator.settle(&authorization, &*ledger.record()).await);
        assert_eq!((bed.earned().await, ledger.rows().len()), (PRICE * (done as u64 + 1), 1));
        for known in [Some(hash), None] {
            let seen = look(&bed.chain, &authorization, known, since, At::Latest).await.unwrap();
            assert!(matches!(seen, Seen::Paid { transaction, block, .. } if transaction == hash && block > since), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn five_settlements_at_once_are_five_transactions() {
    let bed = Bed::new().await;
    let (operator, ledger) = (bed.operator(), Ledger::default());
    let authorizations: Vec<_> = (1..=5).map(|nonce| bed.authorization(METHODS[nonce as usize % 2], nonce)).collect();
    let record = ledger.record();
    let mut hashes: Vec<_> = join_all(authorizations.iter().map(|authorization| operator.settle(authorization, &*record)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!((hashes.len(), ledger.rows().len(), bed.earned().await), (5, 5, 5 * PRICE));
}

#[tokio::test]
async fn twenty_settlements_of_one_authorization_move_its_money_once() {
    let bed = Bed::new().await;
    let (operator, authorization) = (bed.operator(), bed.authorization(Method::Eip3009, 1));
    let since = bed.anvil.height().await;
    let answers = join_all((0..20).map(|_| settle(&operator, &authorization))).await;
    assert!(answers.iter().any(Result::is_ok), "{answers:?}");
    assert_eq!(bed.earned().await, PRICE);
    let Seen::Paid { transaction, .. } = look(&bed.chain, &authorization, None, since, At::Latest).await.unwrap() else {
        panic!("it was paid")
    };
    for answer in answers {
        match answer {
            Ok(hash) => assert_eq!(hash, transaction),
            answer => drop(unknown(answer)), // a late one was in vain; nobody is told that nothing was paid
        }
    }
}

#[tokio::test]
async fn a_contract_wallet_pays_if_it_says_that_the_signature_is_its_own() {
    let bed = Bed::new().await;
    let owner = format!("{}{}", "0".repeat(24), &bed.account(SOMEBODY).to_string()[2..]);
    let wallet = deploy(&bed.anvil, code("Wallet1271", "creation") + &owner).await;
    bed.mint(wallet, 5 * PRICE).await;
    use alloy::{primitives::U256, sol_types::SolCall};
    let data = super::bed::approveCall { spender: coinslot::chain::PERMIT2.0.into(), value: U256::MAX }.abi_encode();
    let data = super::bed::executeCall { to: bed.token.address.0.into(), value: U256::ZERO, data: data.into() }.abi_encode();
    bed.anvil.transact(call(bed.account(SOMEBODY), wallet, data)).await;

    let operator = bed.operator();
    for (done, method) in METHODS.into_iter().enumerate() {
        let mut unsigned = bed.authorization(method, 1);
        unsigned.from = wallet;
        let wrong = bed.signed(unsigned.clone(), PAYER);
        let word = if method == Method::Eip3009 { "invalid_exact_evm_signature" } else { "invalid_permit2_signature" };
        assert_eq!(refused(operator.verify(&wrong).await).reason, word);

        let right = bed.signed(unsigned, SOMEBODY);
        assert_eq!(right.signed_by(), SignedBy::Unknown);
        operator.verify(&right).await.unwrap();
        settle(&operator, &right).await.unwrap();
        assert_eq!(bed.earned().await, PRICE * (done as u64 + 1));
    }
}

#[tokio::test]
async fn a_token_that_differs_from_its_settings_is_told() {
    let bed = Bed::new().await;
    let is_as = async |token: Token| token_is_as_configured(&bed.chain, &token).await.unwrap();
    assert!(is_as(bed.token.clone()).await);
    assert!(!is_as(Token { version: "1".to_owned(), ..bed.token.clone() }).await);
    assert!(!is_as(Token { name: "USDC".to_owned(), ..bed.token.clone() }).await);
    assert!(!is_as(Token { decimals: 18, ..bed.token.clone() }).await, "prices would be wrong by a factor of 10¹²");
    assert!(!is_as(Token { address: bed.account(PAYER), ..bed.token.clone() }).await, "there is no contract");
}

#[tokio::test]
async fn only_what_the_network_has_is_supported() {
    let (bed, bare) = (Bed::new().await, Anvil::start().await);
    let (operator, without) = (bed.operator(), bed.operator_over(bare.chain()));
    assert!(!operator.supports(&bed.token, Method::Permit2), "nobody has looked yet");
    operator.refresh().await.unwrap();
    without.refresh().await.unwrap();
    assert!(METHODS.into_iter().all(|method| operator.supports(&bed.token, method)));
    assert!(without.supports(&bed.token, Method::Eip3009));
    assert!(!without.supports(&bed.token, Method::Permit2));
    assert!(!operator.supports(&Token { eip3009: false, ..bed.token.clone() }, Method::Eip3009));
    let nobody = bed.operator_over(coinslot::chain::Chain::new(settings([])));
    nobody.refresh().await.unwrap_err();
    assert_eq!(bed.anvil.account(OPERATOR).to_string().len(), 42);
}
