//! A payment that is a signature is claimed by one run, before the work.

use coinslot::{
    evm::Address,
    ledger::{
        AuthorizationState, BooksError, Claimed, Has, HeldOrNot, NewAuthorization, NewRun, Retried, authorizations::Method,
        runs::FAILURES_MAX,
    },
    money::Amount,
    run::RunState,
};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

fn first() -> NewAuthorization {
    NewAuthorization { settle_first: true, ..signed() }
}

/// With another offer's random bits.
fn other_offer(new: NewRun) -> NewRun {
    let terms = new.terms.map(|terms| coinslot::ledger::SealedTerms { nonce_sha256: sha256("copied"), ..terms });
    NewRun { terms, ..new }
}

/// The `n`th of many.
fn wallet(n: u8) -> Address {
    Address([n + 1; 20])
}

async fn fails(books: &TestBooks, run: &coinslot::ledger::Run, now_ms: i64) {
    let token = format!("fails at {now_ms}");
    assert_eq!(books.leased(&token, now_ms).await.id, run.id);
    assert!(books.release(&run.id, &token, &agent_failed(), now_ms).await.unwrap());
}

both_databases! {
    /// Its price is signed for, not held: no entry, no balance.
    async fn a_claimed_authorization_is_a_held_run_without_an_entry(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        assert_eq!((run.state, run.price.clone(), run.held_ms), (RunState::Held, Some((dollar(), usd("0.001"))), Some(NOON)));
        assert_eq!((run.transaction, run.deposit_block, run.output.clone()), (None, None, None));
        let paid = run.authorization.clone().unwrap();
        assert_eq!((paid.state, paid.answered, paid.sent), (AuthorizationState::Open, false, None));
        assert_eq!((paid.method, paid.asset, paid.amount, paid.pay_to), (Method::Eip3009, dollar(), usd("0.001"), SHOP));
        assert_eq!((paid.valid_before_ms, paid.since_block, paid.settle_first), (NOON + 5 * MINUTE, 6, false));
        assert_eq!(paid.signed, signed().signed);
        let audit = books.audit().await.unwrap();
        assert_eq!((audit.runs, audit.entries, audit.deposits, audit.findings), (1, 0, 0, vec![]));
        assert!(books.balances(ADA).await.unwrap().is_empty());

        let proof = authorization(ADA, 1);
        assert_eq!(books.find_run(NETWORK, &proof, ADA).await.unwrap(), Some(run.clone()));
        assert_eq!(books.find_run(NETWORK, &proof, BOB).await.unwrap(), None);
        assert_eq!(books.find_run(OTHER_NETWORK, &proof, ADA).await.unwrap(), None);
        assert_eq!(books.under_way(ADA, NOON).await.unwrap(), std::slice::from_ref(&run));
        let leased = books.leased("a", NOON).await;
        assert_eq!((leased.id, leased.attempts), (run.id, 1));
    }

    async fn where_the_money_comes_first_the_run_waits_for_it(books: &TestBooks) {
        let Claimed::New(run) = books.claim(&signed_call(ADA, 1), &first(), NOON).await.unwrap() else { panic!("it is new") };
        assert_eq!((run.state, run.price.clone(), run.held_ms), (RunState::Waiting, None, None));
        assert!(books.lease_run("a", NOON, LEASE).await.unwrap().is_none(), "no work before the money");
        // It is not judged before it is settled, whatever else its payer has.
        books.deposit(&coinslot::ledger::Deposit { asset: dollar(), ..arrived(ADA, &payment(1), "1") }, NOON).await.unwrap();
        assert!(books.waiting(NETWORK, NOON).await.unwrap().is_empty());
        assert!(books.waiting_unasked(NETWORK, NOON + DAY).await.unwrap().is_empty());
        let held = books.hold(&run.id, &dollar(), usd("0.001"), NOON).await.unwrap();
        assert!(matches!(held, HeldOrNot::NotWaiting(_)), "{held:?}");
        assert_eq!(books.unsettled(NETWORK, NOON).await.unwrap(), [run]);
        books.assert_balanced().await;
    }

    async fn the_same_authorization_again_is_the_same_run(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        let again = books.claim(&signed_call(ADA, 1), &signed(), NOON + MINUTE).await.unwrap();
        let Claimed::Same(again) = again else { panic!("{again:?}") };
        assert_eq!((again.id, again.presented_ms, again.created_ms), (run.id, NOON + MINUTE, NOON));
        books.assert_balanced().await;
    }

    async fn one_authorization_is_for_one_agent_and_one_body(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        let other_body = NewRun { input: "{}".into(), input_sha256: sha256("{}"), ..signed_call(ADA, 1) };
        let other_agent = NewRun { agent: "other".into(), ..signed_call(ADA, 1) };
        for other in [other_body, other_agent] {
            let claimed = books.claim(&other, &signed(), NOON).await.unwrap();
            assert!(matches!(&claimed, Claimed::OtherUse(first) if first.id == run.id), "{claimed:?}");
        }
        assert_eq!(books.runs_of(ADA, None, 10).await.unwrap().len(), 1);
    }

    /// Signature and nonce are public once it is settled; the offer's random bits never are.
    async fn who_copied_it_from_the_chain_learns_nothing(books: &TestBooks) {
        books.claimed(ADA, 1).await;
        let without = NewRun { terms: None, ..signed_call(ADA, 1) };
        for copied in [other_offer(signed_call(ADA, 1)), without] {
            assert!(matches!(books.claim(&copied, &signed(), NOON).await.unwrap(), Claimed::OtherOffer));
        }
        // A version 1 payment echoes no offer, the first time and every time.
        let v1 = NewRun { terms: None, ..signed_call(BOB, 1) };
        assert!(matches!(books.claim(&v1, &signed(), NOON).await.unwrap(), Claimed::New(_)));
        let v1 = NewRun { terms: None, ..signed_call(BOB, 1) };
        assert!(matches!(books.claim(&v1, &signed(), NOON).await.unwrap(), Claimed::Same(_)));
        assert!(matches!(books.claim(&signed_call(BOB, 1), &signed(), NOON).await.unwrap(), Claimed::OtherOffer));
    }

    async fn twenty_who_claim_it_at_once_are_one_run(books: &TestBooks) {
        let second = books.another().await;
        let claims = futures::future::join_all((0..20).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.claim(&signed_call(ADA, 1), &signed(), NOON).await.unwrap() })
        }))
        .await;
        let (mut new, mut same, mut ids) = (0, 0, std::collections::HashSet::new());
        for claimed in claims {
            match claimed.unwrap() {
                Claimed::New(run) => { new += 1; ids.insert(run.id); }
                Claimed::Same(run) => { same += 1; ids.insert(run.id); }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((new, same, ids.len()), (1, 19, 1));
        books.assert_balanced().await;
    }

    /// N signatures, one balance.
    async fn a_payer_has_few_that_are_not_settled(books: &TestBooks) {
        let (a, _b, _c) = (books.claimed(ADA, 1).await, books.claimed(ADA, 2).await, books.claimed(ADA, 3).await);
        let one_more = |n| async move { books.claim(&signed_call(ADA, n), &signed(), NOON).await.unwrap() };
        assert!(matches!(one_more(4).await, Claimed::TooMany));
        assert!(matches!(one_more(1).await, Claimed::Same(_)), "not against itself");
        assert!(matches!(books.claim(&signed_call(BOB, 1), &signed(), NOON).await.unwrap(), Claimed::New(_)), "not against others");
        // What failed makes room, and so does what is settled.
        fails(books, &a, NOON).await;
        assert!(matches!(one_more(4).await, Claimed::New(_)));
        assert!(matches!(one_more(5).await, Claimed::TooMany));
        assert!(books.settle(&books.find_run(NETWORK, &authorization(ADA, 2), ADA).await.unwrap().unwrap().id, &settlement(ADA, 2), NOON)
            .await.unwrap());
        assert!(matches!(one_more(5).await, Claimed::New(_)));
        // Trying again is another one under way.
        assert!(matches!(books.retry_authorized(&a.id, None, NOON).await.unwrap(), Retried::TooMany));
        books.assert_balanced().await;
    }

    async fn the_payers_limit_holds_also_when_all_come_at_once(books: &TestBooks) {
        let second = books.another().await;
        let claims = futures::future::join_all((0..12).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.claim(&signed_call(ADA, n), &signed(), NOON).await.unwrap() })
        }))
        .await;
        let new = claims.into_iter().filter(|claimed| matches!(claimed.as_ref().unwrap(), Claimed::New(_))).count();
        assert_eq!(new, 3);
    }

    async fn the_agents_limit_holds_also_when_all_come_at_once(books: &TestBooks) {
        let second = books.another().await;
        let claims = futures::future::join_all((0..40).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.claim(&signed_call(wallet(n), 1), &signed(), NOON).await.unwrap() })
        }))
        .await;
        let new = claims.into_iter().filter(|claimed| matches!(claimed.as_ref().unwrap(), Claimed::New(_))).count();
        assert_eq!(new, 32);
        let elsewhere = NewRun { agent: "other".into(), ..signed_call(ADA, 1) };
        assert!(matches!(books.claim(&elsewhere, &signed(), NOON).await.unwrap(), Claimed::New(_)), "another agent has its own");
    }

    /// It costs nobody an entry, and counts all the same.
    async fn failing_too_often_is_a_pause_here_too(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        fails(books, &run, NOON).await;
        for n in 1..i64::from(FAILURES_MAX) {
            assert!(matches!(books.retry_authorized(&run.id, None, NOON + n).await.unwrap(), Retried::Held(_)));
            fails(books, &run, NOON + n).await;
        }
        let now_ms = NOON + 4 * MINUTE;
        let wait = (56 * MINUTE) as u64;
        let again = books.retry_authorized(&run.id, None, now_ms).await.unwrap();
        assert!(matches!(again, Retried::FailingTooOften(wait_ms) if wait_ms == wait), "{again:?}");
        let another = books.claim(&signed_call(ADA, 2), &signed(), now_ms).await.unwrap();
        assert!(matches!(another, Claimed::FailingTooOften(wait_ms) if wait_ms == wait), "{another:?}");
        // Paid with coin, it is the same payer.
        let native = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        let held = books.hold(&native.id, &coin(), mon("0.0001"), now_ms).await.unwrap();
        assert!(matches!(held, HeldOrNot::FailingTooOften(wait_ms) if wait_ms == wait), "{held:?}");
        assert!(matches!(books.claim(&signed_call(BOB, 1), &signed(), now_ms).await.unwrap(), Claimed::New(_)));
        // Not forgotten early, and forgotten then.
        books.sweep(NOON + HOUR - 1).await.unwrap();
        let early = books.claim(&signed_call(ADA, 2), &signed(), NOON + HOUR - 1).await.unwrap();
        assert!(matches!(early, Claimed::FailingTooOften(1)), "{early:?}");
        assert!(matches!(books.claim(&signed_call(ADA, 2), &signed(), NOON + HOUR).await.unwrap(), Claimed::New(_)));
        books.assert_balanced().await;
    }

    /// Failures of both kinds are one count.
    async fn failures_with_and_without_an_entry_are_counted_together(books: &TestBooks) {
        let native = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        for n in 0..3 {
            books.fails_once(&native, NOON + n).await;
        }
        let run = books.claimed(ADA, 1).await;
        fails(books, &run, NOON + 3).await;
        assert!(matches!(books.retry_authorized(&run.id, None, NOON + 4).await.unwrap(), Retried::Held(_)), "four are not too many");
        fails(books, &run, NOON + 4).await;
        assert!(matches!(books.retry_authorized(&run.id, None, NOON + 5).await.unwrap(), Retried::FailingTooOften(_)));
    }

    async fn a_failed_run_is_tried_again_for_free_while_its_authorization_is_open(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        assert!(matches!(books.retry_authorized(&run.id, None, NOON).await.unwrap(), Retried::NotFailed(_)));
        fails(books, &run, NOON + 1).await;
        let failed = books.now(&run).await;
        assert_eq!((failed.state, failed.error, failed.price), (RunState::Failed, Some(agent_failed()), run.price.clone()));
        assert_eq!(failed.authorization.unwrap().state, AuthorizationState::Open);
        assert!(matches!(books.hold(&run.id, &dollar(), usd("0.001"), NOON).await.unwrap(), HeldOrNot::NotWaiting(_)), "nothing to hold");
        books.assert_balanced().await;

        let Retried::Held(held) = books.retry_authorized(&run.id, None, NOON + 2).await.unwrap() else { panic!("it is open") };
        assert_eq!((held.state, held.attempts, held.error, held.finished_ms), (RunState::Held, 0, None, None));
        books.assert_balanced().await;
        fails(books, &run, NOON + 3).await;
        let over = books.retry_authorized(&run.id, None, NOON + 5 * MINUTE).await.unwrap();
        assert!(matches!(over, Retried::Over(_)), "nobody could settle it after the work: {over:?}");
        assert_eq!(books.audit().await.unwrap().entries, 0);
        assert!(matches!(books.retry_authorized("no such run", None, NOON).await, Err(BooksError::Refused(_))));
        let native = books.bought(BOB, 1).await;
        assert!(matches!(books.retry_authorized(&native.id, None, NOON).await, Err(BooksError::Refused(_))));
    }

    async fn what_is_no_authorization_for_this_call_is_refused(books: &TestBooks) {
        let elsewhere = coinslot::money::Asset { network: OTHER_NETWORK.into(), token: Some(TOKEN) };
        for (new, authorization) in [
            (call(&payment(1)), signed()),
            (signed_call(ADA, 1), NewAuthorization { method: Method::Permit2, ..signed() }),
            (signed_call(ADA, 1), NewAuthorization { asset: elsewhere, ..signed() }),
            (signed_call(ADA, 1), NewAuthorization { asset: coin(), ..signed() }),
            (signed_call(ADA, 1), NewAuthorization { amount: Amount::ZERO, ..signed() }),
            // Less than the price, and more.
            (signed_call(ADA, 1), NewAuthorization { amount: usd("0.0009"), ..signed() }),
            (signed_call(ADA, 1), NewAuthorization { amount: usd("0.0011"), ..signed() }),
        ] {
            let claimed = books.claim(&new, &authorization, NOON).await;
            assert!(matches!(claimed, Err(BooksError::Refused(_))), "{authorization:?}: {claimed:?}");
        }
        assert!(matches!(books.present(&signed_call(ADA, 1), NOON).await, Err(BooksError::Refused(_))), "it is claimed, not presented");
        assert!(books.runs_of(ADA, None, 10).await.unwrap().is_empty());
    }

    /// N signatures, one balance: what is promised is never more than there is.
    async fn m8_open_authorizations_never_exceed_the_balance(books: &TestBooks) {
        let claim = async |payer, n, balance, spent: &[&coinslot::ledger::Run]| {
            let has = Has { balance: usd(balance), spent: spent.iter().map(|run| run.id.clone()).collect() };
            books.claim(&signed_call(payer, n), &NewAuthorization { has: Some(has), ..signed() }, NOON).await.unwrap()
        };
        let Claimed::New(a) = claim(ADA, 1, "0.0025", &[]).await else { panic!("it is covered") };
        let Claimed::New(b) = claim(ADA, 2, "0.0025", &[]).await else { panic!("it is covered") };
        assert!(matches!(claim(ADA, 3, "0.0025", &[]).await, Claimed::Beyond));
        assert!(matches!(claim(ADA, 2, "0.0025", &[]).await, Claimed::Same(_)), "not against itself");
        assert!(matches!(claim(BOB, 1, "0.001", &[]).await, Claimed::New(_)), "not against others");
        // Another token is another purse.
        let euro = coinslot::money::Asset { network: NETWORK.into(), token: Some(Address([0x76; 20])) };
        let new = signed_call(ADA, 9);
        let new = NewRun { terms: new.terms.map(|terms| coinslot::ledger::SealedTerms { asset: euro.clone(), ..terms }), ..new };
        let has = Some(Has { balance: usd("0.001"), spent: vec![] });
        let euros = books.claim(&new, &NewAuthorization { asset: euro, has, ..signed() }, NOON).await.unwrap();
        assert!(matches!(euros, Claimed::New(_)), "{euros:?}");
        for (token, of) in [("a", Some(&a)), ("b", Some(&b)), ("bob's", None), ("euros", None)] {
            let leased = books.leased(token, NOON).await;
            match of {
                Some(run) => assert_eq!(leased.id, run.id),
                None => assert!(books.release(&leased.id, token, &agent_failed(), NOON).await.unwrap()),
            }
        }
        // Its part is missing from the balance already, though the books do not know it yet.
        assert!(matches!(claim(ADA, 3, "0.0015", &[]).await, Claimed::Beyond));
        let Claimed::New(third) = claim(ADA, 3, "0.002", &[&a]).await else { panic!("it is covered") };
        assert_eq!(books.leased("third", NOON).await.id, third.id);
        assert!(books.release(&third.id, "third", &agent_failed(), NOON).await.unwrap());
        // What failed, and what is settled, promises nothing.
        assert!(books.release(&a.id, "a", &agent_failed(), NOON).await.unwrap());
        assert!(books.answered(&b.id, "b", "{}", "computed", NOON).await.unwrap());
        assert!(books.settle(&b.id, &settlement(ADA, 2), NOON).await.unwrap());
        assert!(matches!(claim(ADA, 4, "0.001", &[]).await, Claimed::New(_)));
        // Trying the failed one again is promised too.
        let has = |balance| Has { balance: usd(balance), spent: vec![] };
        assert!(matches!(books.retry_authorized(&a.id, Some(&has("0.0019")), NOON).await.unwrap(), Retried::Beyond));
        assert!(matches!(books.retry_authorized(&a.id, Some(&has("0.002")), NOON).await.unwrap(), Retried::Held(_)));
        books.assert_balanced().await;
    }

    async fn m8_the_balance_holds_also_when_all_come_at_once(books: &TestBooks) {
        let second = books.another().await;
        let claims = futures::future::join_all((0..12).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            let has = Some(Has { balance: usd("0.002"), spent: vec![] });
            tokio::spawn(async move { books.claim(&signed_call(ADA, n), &NewAuthorization { has, ..signed() }, NOON).await.unwrap() })
        }))
        .await;
        let claims: Vec<_> = claims.into_iter().map(Result::unwrap).collect();
        assert_eq!(claims.iter().filter(|claimed| matches!(claimed, Claimed::New(_))).count(), 2);
        assert_eq!(claims.iter().filter(|claimed| matches!(claimed, Claimed::Beyond)).count(), 10);
    }

    /// More than half of the last twenty: then nobody is worked for before they have paid.
    async fn m8_settlements_that_fail_are_counted_by_agent(books: &TestBooks) {
        let failed = async |now_ms| books.settlements_failed(XRAY, now_ms).await.unwrap();
        assert_eq!(failed(NOON).await, 0);
        let ends = async |n: u8, settled: bool| {
            let token = format!("ends {n}");
            let run = books.answered_for(wallet(n), u64::from(n), &token).await;
            match settled {
                true => assert!(books.settle(&run.id, &settlement(wallet(n), u64::from(n)), NOON).await.unwrap()),
                false => assert!(books.settlement_failed(&run.id, &token, &coinslot::error::Code::SettlementFailed.into(), NOON).await.unwrap()),
            }
        };
        for n in 0..11 {
            ends(n, false).await;
        }
        assert_eq!(failed(NOON).await, 11);
        assert_eq!(books.settlements_failed("other", NOON).await.unwrap(), 0, "another agent's are its own");
        // An agent that fails has nothing settled.
        let fails_itself = books.claimed(wallet(100), 1).await;
        fails(books, &fails_itself, NOON).await;
        assert_eq!(failed(NOON).await, 11);
        // Those that hold push the failures out: ten of twenty are not more than half.
        for n in 11..20 {
            ends(n, true).await;
        }
        assert_eq!(failed(NOON).await, 11);
        ends(20, true).await;
        assert_eq!(failed(NOON).await, 10);
        books.claimed(wallet(101), 1).await;
        assert_eq!(failed(NOON).await, 10, "what is under way is not known yet");
        // And an hour later nothing of it counts.
        let later = coinslot::x402::desk::now_ms() + HOUR + MINUTE;
        assert_eq!(failed(later).await, 0);
        books.assert_balanced().await;
    }

    async fn m8_a_payer_has_bought_once_they_were_charged(books: &TestBooks) {
        let has_bought = async |payer| books.has_bought(payer).await.unwrap();
        let run = books.answered_for(ADA, 1, "a").await;
        assert!(!has_bought(ADA).await, "it is not settled yet");
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert!(has_bought(ADA).await && !has_bought(BOB).await);
        let coin = books.bought(BOB, 1).await;
        assert!(!has_bought(BOB).await);
        books.leased("b", NOON).await;
        books.release(&coin.id, "b", &agent_failed(), NOON).await.unwrap();
        assert!(!has_bought(BOB).await, "a failure is no purchase");
        books.held(&coin, "0.0001").await;
        books.leased("c", NOON).await;
        books.capture(&coin.id, "c", "{}", "computed", NOON).await.unwrap();
        assert!(has_bought(BOB).await);
    }

    async fn a_watch_that_asked_for_this_run_is_answered(books: &TestBooks) {
        let watch = coinslot::ledger::watches::Watch {
            network: NETWORK.into(), wallet: ADA, from_block: 5, until_ms: NOON + HOUR, agent: XRAY.into(), input: INPUT.into(),
            amount: None, next_nonce: None,
        };
        books.open_watch(&watch, NOON).await.unwrap();
        books.claimed(ADA, 1).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty(), "that run is paid already, and this is credit");
    }
}
