//! Leases, attempts, success and failure.

use coinslot::{
    error::{CallError, Retry},
    ledger::{Deposit, HeldOrNot, Leased, NewRun, runs::ATTEMPTS_MAX},
    money::Asset,
    run::RunState,
};

use crate::{books::both_databases, people::*};

both_databases! {
    async fn the_oldest_held_run_is_leased_first(books: &TestBooks) {
        let (first, second) = (books.bought(ADA, 1).await, books.bought(BOB, 2).await);
        let run = books.leased("a", NOON).await;
        assert_eq!((run.id, run.state, run.attempts), (first.id, RunState::Running, 1));
        assert_eq!(books.leased("b", NOON).await.id, second.id);
        assert!(books.lease_run("c", NOON, LEASE).await.unwrap().is_none(), "both are taken");
        books.assert_balanced().await;
    }

    async fn what_waits_for_its_payment_is_not_worked_on(books: &TestBooks) {
        books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        assert!(books.lease_run("a", NOON, LEASE).await.unwrap().is_none());
    }

    async fn success_takes_the_price_and_keeps_the_answer(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        let output = r#"{"functions":[],"name":"é"}"#;
        assert!(books.capture(&run.id, "a", output, "computed", NOON + 5).await.unwrap());
        let done = books.run(&run.id).await.unwrap().unwrap();
        assert_eq!((done.state, done.output.as_deref(), done.engine.as_deref()), (RunState::Done, Some(output), Some("computed")));
        assert_eq!((done.output_sha256, done.finished_ms, done.error), (Some(sha256(output)), Some(NOON + 5), None));
        assert_eq!(done.price, Some((coin(), mon("0.0001"))));
        assert!(books.credit_of(ADA).await.is_zero());
        books.assert_balanced().await;
    }

    async fn the_price_is_taken_once(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.pays(ADA, &payment(2), "1").await;
        books.leased("a", NOON).await;
        let ends = futures::future::join_all((0..8).map(|n| {
            let (books, run) = ((**books).clone(), run.id.clone());
            tokio::spawn(async move {
                if n % 2 == 0 {
                    books.capture(&run, "a", "{}", "computed", NOON).await.unwrap()
                } else {
                    books.release(&run, "a", &agent_failed(), NOON).await.unwrap()
                }
            })
        }))
        .await;
        assert_eq!(ends.into_iter().filter(|ended| *ended.as_ref().unwrap()).count(), 1);
        books.assert_balanced().await;
    }

    async fn a_failed_run_costs_nothing_and_can_be_tried_again_for_free(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        assert!(books.release(&run.id, "a", &agent_failed(), NOON + 5).await.unwrap());
        let failed = books.run(&run.id).await.unwrap().unwrap();
        assert_eq!((failed.state, failed.error, failed.finished_ms), (RunState::Failed, Some(agent_failed()), Some(NOON + 5)));
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
        books.assert_balanced().await;

        let held = books.held(&run, "0.0001").await;
        assert_eq!((held.state, held.attempts, held.error, held.finished_ms), (RunState::Held, 0, None, None));
        books.leased("b", NOON).await;
        assert!(books.capture(&run.id, "b", "{}", "computed", NOON).await.unwrap());
        books.assert_balanced().await;
    }

    /// Its price may have changed meanwhile.
    async fn trying_again_may_have_another_price(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.pays(ADA, &payment(2), "1").await;
        books.leased("a", NOON).await;
        books.release(&run.id, "a", &agent_failed(), NOON).await.unwrap();
        books.held(&run, "0.0007").await;
        books.assert_balanced().await;
        books.leased("b", NOON).await;
        assert!(books.capture(&run.id, "b", "{}", "computed", NOON).await.unwrap());
        assert_eq!(books.credit_of(ADA).await, mon("0.9994"));
        books.assert_balanced().await;
    }

    async fn a_run_whose_worker_died_is_leased_again(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("dies", NOON).await;
        assert!(books.lease_run("b", NOON + LEASE - 1, LEASE).await.unwrap().is_none(), "it may still live");
        let again = books.leased("b", NOON + LEASE).await;
        assert_eq!((again.id, again.attempts), (run.id, 2));
    }

    async fn three_attempts_and_it_gave_out(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        for n in 0..i64::from(ATTEMPTS_MAX) {
            let run = books.leased(&format!("dies {n}"), NOON + n * LEASE).await;
            assert_eq!(i64::from(run.attempts), n + 1);
        }
        let later = NOON + i64::from(ATTEMPTS_MAX) * LEASE;
        let Some(Leased::GaveOut { run: gave_out, token }) = books.lease_run("z", later, LEASE).await.unwrap() else {
            panic!("it gave out")
        };
        assert_eq!((gave_out.id.as_str(), gave_out.attempts, token.as_str()), (run.id.as_str(), ATTEMPTS_MAX, "z"));
        assert!(books.lease_run("y", later, LEASE).await.unwrap().is_none(), "one worker ends it");
        assert!(books.release(&run.id, "z", &agent_failed(), later).await.unwrap());
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
        // Held anew, its attempts begin anew.
        books.held(&run, "0.0001").await;
        assert_eq!(books.leased("again", later).await.attempts, 1);
        books.assert_balanced().await;
    }

    /// What a restart took with it is not the agent's own fault, and only the agent's own are what an input is known for.
    async fn m9_attempts_that_broke_are_counted_apart_from_those_that_were_lost(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        assert_eq!(books.leased("lost", NOON).await.broke, 0);
        let second = books.leased("breaks", NOON + LEASE).await;
        assert_eq!((second.attempts, second.broke), (2, 0), "its worker was switched off");
        assert!(!books.broke(&run.id, "lost", NOON + LEASE).await.unwrap(), "the lease is not its own");
        assert!(books.broke(&run.id, "breaks", NOON + LEASE).await.unwrap());
        let third = books.leased("third", NOON + LEASE).await;
        assert_eq!((third.attempts, third.broke), (3, 1), "the next attempt follows at once");
        assert!(books.release(&run.id, "third", &agent_failed(), NOON + LEASE).await.unwrap());
        assert!(!books.broke(&run.id, "third", NOON + LEASE).await.unwrap());
        books.held(&run, "0.0001").await;
        let anew = books.leased("anew", NOON + LEASE).await;
        assert_eq!((anew.attempts, anew.broke), (1, 0));
        books.assert_balanced().await;
    }

    async fn who_lost_its_lease_writes_nothing(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("slow", NOON).await;
        books.leased("fast", NOON + LEASE).await;
        assert!(!books.renew_lease(&run.id, "slow", NOON + 9 * LEASE).await.unwrap());
        assert!(!books.capture(&run.id, "slow", "{}", "computed", NOON).await.unwrap());
        assert!(!books.release(&run.id, "slow", &agent_failed(), NOON).await.unwrap());
        let still = books.run(&run.id).await.unwrap().unwrap();
        assert_eq!((still.state, still.output, still.error), (RunState::Running, None, None));
        assert!(books.capture(&run.id, "fast", r#"{"by":"fast"}"#, "computed", NOON).await.unwrap());
        assert!(!books.capture(&run.id, "fast", r#"{"by":"again"}"#, "computed", NOON).await.unwrap());
        assert!(!books.release(&run.id, "fast", &agent_failed(), NOON).await.unwrap(), "what succeeded stays paid");
        assert_eq!(books.run(&run.id).await.unwrap().unwrap().output.as_deref(), Some(r#"{"by":"fast"}"#));
        assert!(!books.capture("no such run", "fast", "{}", "computed", NOON).await.unwrap());
        books.assert_balanced().await;
    }

    async fn a_lease_that_is_renewed_is_kept(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        assert!(books.renew_lease(&run.id, "a", NOON + 2 * LEASE).await.unwrap());
        assert!(books.lease_run("b", NOON + LEASE, LEASE).await.unwrap().is_none());
        assert!(books.lease_run("b", NOON + 2 * LEASE, LEASE).await.unwrap().is_some());
    }

    /// Two instances with workers each.
    async fn many_workers_share_the_runs_and_none_is_done_twice(books: &TestBooks) {
        for n in 0..12 {
            books.bought(ADA, n).await;
        }
        let second = books.another().await;
        let workers = futures::future::join_all((0..6).map(|worker| {
            let books = if worker % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move {
                let mut done = Vec::new();
                for n in 0.. {
                    let token = format!("{worker}/{n}");
                    let Some(leased) = books.lease_run(&token, NOON, LEASE).await.unwrap() else { break };
                    let Leased::Work { run, token } = leased else { panic!("{leased:?}") };
                    assert!(books.capture(&run.id, &token, "{}", "computed", NOON).await.unwrap());
                    done.push(run.id);
                }
                done
            })
        }))
        .await;
        let mut done: Vec<String> = workers.into_iter().flat_map(|done| done.unwrap()).collect();
        done.sort();
        done.dedup();
        assert_eq!(done.len(), 12);
        books.assert_balanced().await;
    }

    async fn a_failure_that_is_final_for_its_input_is_known_before_the_next_payment(books: &TestBooks) {
        let known = |version: &'static str, input: &'static str| async move {
            let known = books.known_failures(XRAY, version, &sha256(input), NOON).await.unwrap();
            known.into_iter().next().map(|failure| failure.error)
        };
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        books.release(&run.id, "a", &agent_failed(), NOON).await.unwrap();
        assert_eq!(known("1", INPUT).await, None, "the next attempt may succeed");
        books.held(&run, "0.0001").await;
        books.leased("b", NOON).await;
        let for_good = CallError { retry: Retry::No, ..agent_failed() };
        books.release(&run.id, "b", &for_good, NOON).await.unwrap();
        assert_eq!(known("1", INPUT).await, Some(for_good));
        assert_eq!((known("2", INPUT).await, known("1", "{}").await), (None, None));
    }

    /// On the network where it failed, for an hour; the newest counts.
    async fn m5_a_final_failure_is_known_on_its_network_and_for_an_hour(books: &TestBooks) {
        let known = |now_ms| async move {
            let known = books.known_failures(XRAY, "1", &sha256(INPUT), now_ms).await.unwrap();
            known.into_iter().map(|failure| (failure.network, failure.error.error, failure.until_ms)).collect::<Vec<_>>()
        };
        let fails = async |payer, n, network: &str, why: &str, at_ms| {
            let asset = Asset::native(network);
            let terms = None;
            let run = books.shown(&NewRun { network: network.into(), terms, ..by(payer, &payment(n)) }).await;
            let deposit = Deposit { network: network.into(), asset: asset.clone(), ..arrived(payer, &payment(n), "0.0001") };
            assert!(books.deposit(&deposit, at_ms).await.unwrap());
            assert!(matches!(books.hold(&run.id, &asset, mon("0.0001"), at_ms).await.unwrap(), HeldOrNot::Held(_)));
            books.leased("w", at_ms).await;
            let why = CallError { retry: Retry::No, ..CallError::agent_failed(why) };
            assert!(books.release(&run.id, "w", &why, at_ms).await.unwrap());
            why.error
        };
        let first = fails(ADA, 1, OTHER_NETWORK, "no code there.", NOON).await;
        assert_eq!(known(NOON).await, [(OTHER_NETWORK.to_owned(), first, NOON + HOUR)]);
        let second = fails(BOB, 2, OTHER_NETWORK, "still none.", NOON + 10 * MINUTE).await;
        let third = fails(BOB, 3, NETWORK, "none here.", NOON + 20 * MINUTE).await;
        let here = (NETWORK.to_owned(), third, NOON + 80 * MINUTE);
        let there = (OTHER_NETWORK.to_owned(), second, NOON + 70 * MINUTE);
        assert_eq!(known(NOON + 30 * MINUTE).await, [here.clone(), there.clone()]);
        assert_eq!(known(NOON + 70 * MINUTE - 1).await, [here.clone(), there]);
        assert_eq!(known(NOON + 70 * MINUTE).await, [here]);
        assert_eq!(known(NOON + 80 * MINUTE).await, []);
        books.assert_balanced().await;
    }

    /// It broke, or its leases were lost: its payer is told that it is final for this payment, and nobody else is.
    async fn m5_a_run_that_was_given_up_is_no_failure_of_its_input(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        let for_good = CallError { retry: Retry::No, ..agent_failed() };
        assert!(!books.give_up_run(&run.id, "another", &for_good, NOON).await.unwrap(), "not with another's lease");
        assert!(books.give_up_run(&run.id, "a", &for_good, NOON).await.unwrap());
        let failed = books.now(&run).await;
        assert_eq!((failed.state, failed.error, books.credit_of(ADA).await), (RunState::Failed, Some(for_good), mon("0.0001")));
        assert_eq!(books.known_failures(XRAY, "1", &sha256(INPUT), NOON).await.unwrap(), []);
        // As one that an authorization pays, which moves nothing.
        let signed = books.claimed(BOB, 2).await;
        books.leased("b", NOON).await;
        let for_good = CallError { retry: Retry::No, ..agent_failed() };
        assert!(books.give_up_run(&signed.id, "b", &for_good, NOON).await.unwrap());
        assert_eq!(books.known_failures(XRAY, "1", &sha256(INPUT), NOON).await.unwrap(), []);
        books.assert_balanced().await;
    }
}
