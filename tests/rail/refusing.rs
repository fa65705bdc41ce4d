//! What would not be carried out is refused in x402's own words, and nothing is sent.

use alloy::{primitives::U256, sol_types::SolCall};
use coinslot::{
    chain::{At, Seen},
    evm::Address,
    money::Amount,
    network::Token,
    x402::{
        authorization::{Authorization, Method},
        facilitator::{Facilitator, SettleError, look},
    },
};

use super::bed::{Bed, DEPLOYER, Ledger, METHODS, OPERATOR, PAYER, PRICE, SHOP, SOMEBODY, blacklistCall, call, refused, unknown};

/// Verified and settled, both refused with this word, and nothing was signed.
async fn is_refused(operator: &Facilitator, authorization: &Authorization, word: &str) {
    assert_eq!(refused(operator.verify(authorization).await).reason, word);
    let ledger = Ledger::default();
    match operator.settle(authorization, &*ledger.record()).await {
        Err(SettleError::Refused(refused)) => assert_eq!(refused.reason, word),
        other => panic!("settled: {other:?}"),
    }
    assert!(ledger.rows().is_empty());
}

#[tokio::test]
async fn a_payer_who_cannot_pay_is_told_why() {
    let bed = Bed::new().await;
    let operator = bed.operator();
    for (method, signature, balance, expired, simulation) in [
        (
            Method::Eip3009,
            "invalid_exact_evm_signature",
            "invalid_exact_evm_insufficient_balance",
            "invalid_exact_evm_payload_authorization_valid_before",
            "invalid_exact_evm_transaction_simulation_failed",
        ),
        (
            Method::Permit2,
            "invalid_permit2_signature",
            "permit2_insufficient_balance",
            "permit2_deadline_expired",
            "permit2_simulation_failed",
        ),
    ] {
        let good = bed.authorization(method, 1);
        is_refused(&operator, &bed.signed(good.clone(), SOMEBODY), signature).await;
        is_refused(&operator, &Authorization { signature: vec![], ..good.clone() }, signature).await;
        let rich = Authorization { value: Amount::from_atomic((5 * PRICE + 1).into()), ..good.clone() };
        is_refused(&operator, &bed.signed(rich, PAYER), balance).await;
        let over = Authorization { valid_before: U256::ONE, ..good.clone() };
        is_refused(&operator, &bed.signed(over, PAYER), expired).await;
        let nowhere = Token { address: Address([7; 20]), ..bed.token.clone() };
        is_refused(
            &operator,
            &bed.signed(Authorization { token: nowhere, ..good.clone() }, PAYER),
            "asset_not_deployed_contract",
        )
        .await;
        if method == Method::Permit2 {
            let data = blacklistCall { account: bed.account(SHOP).0.into() }.abi_encode();
            bed.anvil.transact(call(bed.account(DEPLOYER), bed.token.address, data)).await;
            is_refused(&operator, &good, simulation).await;
            is_refused(&operator, &bed.authorization(Method::Eip3009, 1), "invalid_exact_evm_transaction_simulation_failed")
                .await;
        }
    }
    assert_eq!(bed.earned().await, 0);
}

#[tokio::test]
async fn a_payer_who_has_not_allowed_permit2_is_told_so_with_its_own_status() {
    let bed = Bed::new().await;
    bed.allow(PAYER, U256::from(PRICE - 1)).await;
    let operator = bed.operator();
    let authorization = bed.authorization(Method::Permit2, 1);
    is_refused(&operator, &authorization, "permit2_allowance_required").await;
    assert!(refused(operator.verify(&authorization).await).needs_allowance());
    operator.verify(&bed.authorization(Method::Eip3009, 1)).await.unwrap();
}

#[tokio::test]
async fn a_nonce_that_paid_somebody_else_does_not_pay_us() {
    let bed = Bed::new().await;
    let (operator, since) = (bed.operator(), bed.anvil.height().await);
    for method in METHODS {
        let ours = bed.authorization(method, 1);
        let theirs = bed.signed(Authorization { to: bed.account(SOMEBODY), ..ours.clone() }, PAYER);
        bed.front_run(&theirs).await;
        let refused = refused(operator.verify(&ours).await);
        assert!(refused.is_used(), "{refused}");
        if method == Method::Eip3009 {
            assert_eq!(refused.reason, "invalid_exact_evm_nonce_already_used");
        }
        // Settling does not judge: only the chain knows for what it was used.
        unknown(operator.settle(&ours, &*Ledger::default().record()).await);
        assert_eq!(look(&bed.chain, &ours, None, since, At::Latest).await.unwrap(), Seen::Elsewhere);
    }
    assert_eq!(bed.earned().await, 0);
}

#[tokio::test]
async fn a_wallet_that_burns_gas_gets_none() {
    let bed = Bed::new().await;
    let wallet = Address([0x77; 20]);
    bed.mint(wallet, PRICE).await;
    bed.anvil.set_code(wallet, "0x5b5f56").await; // for ever
    for method in METHODS {
        let authorization = Authorization { from: wallet, ..bed.authorization(method, 1) };
        assert!(bed.operator().verify(&authorization).await.is_err());
    }
    // One that answers, after more work than is paid for: it counts down from 20 000, then says yes.
    let counting_from = |number: &str| format!("0x61{number}5b6001900380600357631626ba7e60e01b5f5260205ff3");
    bed.anvil.set_code(wallet, &counting_from("4e20")).await;
    let authorization = Authorization { from: wallet, ..bed.authorization(Method::Eip3009, 1) };
    let ledger = Ledger::default();
    assert!(bed.operator().verify(&authorization).await.is_err(), "it is tried out with no more gas than is sent");
    assert!(bed.operator().settle(&authorization, &*ledger.record()).await.is_err());
    assert!(ledger.rows().is_empty());
    bed.anvil.set_code(wallet, &counting_from("0064")).await;
    bed.operator().verify(&authorization).await.unwrap();
}

#[tokio::test]
async fn an_operator_without_gas_refuses_nobody() {
    let bed = Bed::new().await;
    bed.anvil.set_balance(bed.account(OPERATOR), 0).await;
    for method in METHODS {
        let (authorization, ledger) = (bed.authorization(method, 1), Ledger::default());
        bed.operator().verify(&authorization).await.unwrap();
        let unknown = unknown(bed.operator().settle(&authorization, &*ledger.record()).await);
        assert_eq!(unknown.transaction.is_some(), !ledger.rows().is_empty());
    }
}
