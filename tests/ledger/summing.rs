//! The sum, under load and under anything that can be done in any order.

use std::collections::HashMap;

use coinslot::{
    evm::Address,
    ledger::{HeldOrNot, Leased, Presented},
    money::Amount,
    run::RunState,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

/// One thing that a payer, the chain or a worker does. Numbers choose a payer, a payment or a run among few, so that they meet.
#[derive(Clone, Debug)]
enum Deed {
    Show {
        payer: u8,
        payment: u8,
    },
    Pay {
        payer: u8,
        payment: u8,
        wei: u128,
    },
    Hold {
        payer: u8,
        payment: u8,
        wei: u128,
    },
    Void {
        payer: u8,
        payment: u8,
    },
    Lease,
    Succeed {
        lease: usize,
    },
    Fail {
        lease: usize,
    },
    /// Time passes: leases end.
    Wait,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let who = || (0..3_u8, 0..6_u8);
    let deed = prop_oneof![
        3 => who().prop_map(|(payer, payment)| Deed::Show { payer, payment }),
        3 => (who(), 0..200_u128).prop_map(|((payer, payment), wei)| Deed::Pay { payer, payment, wei }),
        5 => (who(), 1..150_u128).prop_map(|((payer, payment), wei)| Deed::Hold { payer, payment, wei }),
        1 => who().prop_map(|(payer, payment)| Deed::Void { payer, payment }),
        4 => Just(Deed::Lease),
        3 => (0..8_usize).prop_map(|lease| Deed::Succeed { lease }),
        2 => (0..8_usize).prop_map(|lease| Deed::Fail { lease }),
        1 => Just(Deed::Wait),
    ];
    prop::collection::vec(deed, 1..60)
}

/// What the books should say, by the plain rules and in plain numbers.
#[derive(Default)]
struct Model {
    /// By payment: a proof is booked once, to whoever the chain says.
    deposits: HashMap<u8, u8>,
    credit: HashMap<u8, u128>,
    held: HashMap<u8, u128>,
    revenue: u128,
    runs: HashMap<(u8, u8), ModelRun>,
    failures: HashMap<u8, u32>,
    leases: Vec<(String, (u8, u8))>,
}

struct ModelRun {
    id: String,
    state: RunState,
    price: u128,
    token: String,
}

/// Each case has wallets and payments of its own, in the same books.
async fn act(books: &TestBooks, case: u32, deeds: Vec<Deed>) -> Model {
    let mut model = Model::default();
    let mut now_ms = NOON + i64::from(case) * DAY;
    let wallet = |payer: u8| wallet_of(case, payer);
    let proof = |n: u8| payment(u64::from(case) * 256 + u64::from(n));
    for (n, deed) in deeds.into_iter().enumerate() {
        match deed {
            Deed::Show { payer, payment } => {
                let shown = books.present(&by(wallet(payer), &proof(payment)), now_ms).await.unwrap();
                match (shown, model.runs.get(&(payer, payment))) {
                    (Presented::New(run), None) => {
                        let new = ModelRun { id: run.id, state: run.state, price: 0, token: String::new() };
                        model.runs.insert((payer, payment), new);
                    }
                    (Presented::Same(run), Some(known)) => assert_eq!((run.id, run.state), (known.id.clone(), known.state)),
                    (Presented::TooManyUnseen, _) => {}
                    other => panic!("{:?}", other.0),
                }
            }
            Deed::Pay { payer, payment, wei } => {
                let deposit = coinslot::ledger::Deposit {
                    amount: Amount::from_atomic(wei),
                    ..arrived(wallet(payer), &proof(payment), "0")
                };
                let new = !model.deposits.contains_key(&payment);
                assert_eq!(books.deposit(&deposit, now_ms).await.unwrap(), new);
                if new {
                    model.deposits.insert(payment, payer);
                    *model.credit.entry(payer).or_default() += wei;
                }
            }
            Deed::Hold { payer, payment, wei } => {
                let Some(run) = model.runs.get_mut(&(payer, payment)) else { continue };
                let credit = model.credit.entry(payer).or_default();
                let held = books.hold(&run.id, &coin(), Amount::from_atomic(wei), now_ms).await.unwrap();
                match held {
                    HeldOrNot::Held(_) => {
                        assert!(matches!(run.state, RunState::Waiting | RunState::Failed));
                        *credit = credit.checked_sub(wei).expect("never below zero");
                        *model.held.entry(payer).or_default() += wei;
                        (run.state, run.price) = (RunState::Held, wei);
                    }
                    HeldOrNot::TooLow(has) => {
                        assert_eq!(has, Amount::from_atomic(*credit));
                        assert!(*credit < wei);
                    }
                    HeldOrNot::NotWaiting(_) => assert!(!matches!(run.state, RunState::Waiting | RunState::Failed)),
                    HeldOrNot::FailingTooOften(_) => assert!(model.failures[&payer] >= 5),
                }
            }
            Deed::Void { payer, payment } => {
                let Some(run) = model.runs.get_mut(&(payer, payment)) else { continue };
                books.void(&run.id, &coinslot::error::Code::PaymentReverted.into(), now_ms).await.unwrap();
                if run.state == RunState::Waiting {
                    run.state = RunState::Void;
                }
            }
            Deed::Lease => {
                let token = format!("{case}/{n}");
                let Some(leased) = books.lease_run(&token, now_ms, LEASE).await.unwrap() else { continue };
                let (Leased::Work { run, .. } | Leased::GaveOut { run, .. } | Leased::Settle { run, .. }) = leased;
                let (key, known) = model.runs.iter_mut().find(|(_, known)| known.id == run.id).expect("a run of this case");
                assert!(matches!(known.state, RunState::Held | RunState::Running));
                known.state = RunState::Running;
                known.token.clone_from(&token);
                model.leases.push((token, *key));
            }
            Deed::Succeed { lease } | Deed::Fail { lease } => {
                let Some((token, key)) = model.leases.get(lease).cloned() else { continue };
                let run = model.runs.get_mut(&key).expect("it was leased");
                let ours = run.state == RunState::Running && run.token == token;
                let held = model.held.entry(key.0).or_default();
                if let Deed::Succeed { .. } = deed {
                    assert_eq!(books.capture(&run.id, &token, "{}", "computed", now_ms).await.unwrap(), ours);
                    if ours {
                        run.state = RunState::Done;
                        *held -= run.price;
                        model.revenue += run.price;
                    }
                } else {
                    assert_eq!(books.release(&run.id, &token, &agent_failed(), now_ms).await.unwrap(), ours);
                    if ours {
                        run.state = RunState::Failed;
                        *held -= run.price;
                        *model.credit.entry(key.0).or_default() += run.price;
                        *model.failures.entry(key.0).or_default() += 1;
                    }
                }
            }
            Deed::Wait => now_ms += LEASE,
        }
    }
    // What is under way must not meet the next case.
    now_ms += LEASE;
    for n in 0.. {
        let token = format!("{case}/end {n}");
        let Some(Leased::Work { run, .. } | Leased::GaveOut { run, .. }) = books.lease_run(&token, now_ms, LEASE).await.unwrap()
        else {
            break;
        };
        assert!(books.release(&run.id, &token, &agent_failed(), now_ms).await.unwrap());
        let (key, known) = model.runs.iter_mut().find(|(_, known)| known.id == run.id).expect("a run of this case");
        known.state = RunState::Failed;
        *model.credit.entry(key.0).or_default() += known.price;
    }
    model
}

fn wallet_of(case: u32, payer: u8) -> Address {
    let mut wallet = [payer + 1; 20];
    wallet[..4].copy_from_slice(&case.to_be_bytes());
    Address(wallet)
}

both_databases! {
    /// Whatever is done in whatever order, the books say what plain arithmetic says, and the audit is clean.
    async fn any_sequence_of_deeds_balances(books: &TestBooks) {
        let mut runner = TestRunner::deterministic();
        for case in 0..16 {
            let deeds = deeds().new_tree(&mut runner).expect("deeds").current();
            let told = format!("{deeds:?}");
            let model = act(books, case, deeds).await;
            for payer in 0..3 {
                let credit = Amount::from_atomic(model.credit.get(&payer).copied().unwrap_or_default());
                assert_eq!(books.credit_of(wallet_of(case, payer)).await, credit, "{told}");
            }
            for run in model.runs.values() {
                assert_eq!(books.run(&run.id).await.unwrap().unwrap().state, run.state, "{told}");
            }
            let audit = books.audit().await.unwrap();
            assert!(audit.findings.is_empty(), "{:#?} after {told}", audit.findings);
        }
    }

    /// One payer's row, wanted by all: nobody gets more than there is, and nobody is turned away while there is some.
    async fn sixteen_who_hold_at_once_never_overdraw(books: &TestBooks) {
        const TASKS: u32 = 16;
        const EACH: u32 = 4;
        // Enough for half of them.
        books.pays(ADA, &payment(1), "0.0032").await;
        let mut runs = Vec::new();
        for n in 0..TASKS * EACH {
            runs.push(books.shown(&call(&credit(n))).await.id);
        }
        let second = books.another().await;
        let tasks = futures::future::join_all(runs.chunks(EACH as usize).enumerate().map(|(n, runs)| {
            let (books, runs) = (if n % 2 == 0 { (**books).clone() } else { second.clone() }, runs.to_vec());
            tokio::spawn(async move {
                let mut held = 0;
                for run in runs {
                    match books.hold(&run, &coin(), mon("0.0001"), NOON).await.unwrap() {
                        HeldOrNot::Held(_) => held += 1,
                        HeldOrNot::TooLow(has) => assert!(has.is_zero()),
                        other => panic!("{other:?}"),
                    }
                }
                held
            })
        }))
        .await;
        assert_eq!(tasks.into_iter().map(Result::unwrap).sum::<u32>(), TASKS * EACH / 2);
        assert!(books.credit_of(ADA).await.is_zero());
        books.assert_balanced().await;
    }

    /// Deposits, holds, captures and releases of few payers, on two instances, with audits in between: each sees balanced books.
    async fn everything_at_once_balances_at_every_moment(books: &TestBooks) {
        let second = books.another().await;
        let tasks: Vec<_> = (0..6_u64)
            .map(|task| {
                let books = if task % 2 == 0 { (**books).clone() } else { second.clone() };
                tokio::spawn(async move {
                    let payer = if task < 3 { ADA } else { BOB };
                    for n in 0..8 {
                        let run = books.shown(&by(payer, &credit((task * 100 + n) as u32))).await;
                        books.pays(payer, &payment(task * 100 + n), "0.0002").await;
                        books.held(&run, "0.0001").await;
                        let token = format!("{task}/{n}");
                        let Some(Leased::Work { run, token }) = books.lease_run(&token, NOON, LEASE).await.unwrap() else {
                            continue;
                        };
                        let ended = books.capture(&run.id, &token, "{}", "computed", NOON);
                        assert!(ended.await.unwrap());
                    }
                })
            })
            .collect();
        while tasks.iter().any(|task| !task.is_finished()) {
            books.assert_balanced().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(books.audit().await.unwrap().deposits, 48);
        assert_eq!((books.credit_of(ADA).await, books.credit_of(BOB).await), (mon("0.0024"), mon("0.0024")));
        books.assert_balanced().await;
    }
}
