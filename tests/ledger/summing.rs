//! The sum, under load and under anything that can be done in any order.

use std::collections::{HashMap, HashSet};

use coinslot::{
    error::Code,
    evm::Address,
    ledger::{Claimed, Deposit, HeldOrNot, Leased, NewAuthorization, Presented, Retried},
    money::{Amount, Asset},
    run::RunState,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

/// Of a test's runs: a payer's, paid by coin or by an authorization. Few, so that deeds meet.
type Key = (u8, Paid, u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Paid {
    Coin,
    Signed,
}

impl Paid {
    fn asset(self) -> Asset {
        match self {
            Self::Coin => coin(),
            Self::Signed => dollar(),
        }
    }
}

/// What each authorization of a test is for: `usd("0.001")`.
const SIGNED_FOR: u128 = 1000;

/// One thing that a payer, the chain or a worker does.
#[derive(Clone, Debug)]
enum Deed {
    Show {
        payer: u8,
        payment: u8,
    },
    Claim {
        payer: u8,
        payment: u8,
        first: bool,
    },
    Pay {
        payer: u8,
        payment: u8,
        wei: u128,
    },
    /// A final block has an authorization, whoever sent it.
    Settle {
        payer: u8,
        payment: u8,
    },
    Hold {
        key: Key,
        wei: u128,
    },
    Retry {
        payer: u8,
        payment: u8,
    },
    Void {
        key: Key,
    },
    Unused {
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
    SettlementFails {
        lease: usize,
    },
    /// Time passes: leases end, and then authorizations.
    Wait,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let who = || (0..3_u8, 0..6_u8);
    let signer = || (0..3_u8, 0..4_u8);
    let some_run = || {
        prop_oneof![
            who().prop_map(|(payer, payment)| (payer, Paid::Coin, payment)),
            signer().prop_map(|(payer, payment)| (payer, Paid::Signed, payment)),
        ]
    };
    let deed = prop_oneof![
        3 => who().prop_map(|(payer, payment)| Deed::Show { payer, payment }),
        5 => (signer(), any::<bool>()).prop_map(|((payer, payment), first)| Deed::Claim { payer, payment, first }),
        3 => (who(), 0..200_u128).prop_map(|((payer, payment), wei)| Deed::Pay { payer, payment, wei }),
        3 => signer().prop_map(|(payer, payment)| Deed::Settle { payer, payment }),
        5 => (some_run(), 1..150_u128).prop_map(|(key, wei)| Deed::Hold { key, wei }),
        2 => signer().prop_map(|(payer, payment)| Deed::Retry { payer, payment }),
        1 => some_run().prop_map(|key| Deed::Void { key }),
        1 => signer().prop_map(|(payer, payment)| Deed::Unused { payer, payment }),
        5 => Just(Deed::Lease),
        4 => (0..8_usize).prop_map(|lease| Deed::Succeed { lease }),
        2 => (0..8_usize).prop_map(|lease| Deed::Fail { lease }),
        2 => (0..8_usize).prop_map(|lease| Deed::SettlementFails { lease }),
        1 => Just(Deed::Wait),
    ];
    prop::collection::vec(deed, 1..90)
}

/// What the books should say, by the plain rules and in plain numbers.
#[derive(Default)]
struct Model {
    /// By payer and payment: in one transaction several may pay, and what each of them paid is booked once.
    deposits: HashSet<(u8, u8)>,
    credit: HashMap<(u8, Paid), u128>,
    held: HashMap<(u8, Paid), u128>,
    runs: HashMap<Key, ModelRun>,
    failures: HashMap<u8, u32>,
    leases: Vec<(String, Key)>,
}

struct ModelRun {
    id: String,
    state: RunState,
    price: u128,
    token: String,
    /// Of a run that an authorization pays.
    settled: bool,
    unused: bool,
    answered: bool,
}

impl ModelRun {
    fn new(id: String, state: RunState, price: u128) -> Self {
        Self { id, state, price, token: String::new(), settled: false, unused: false, answered: false }
    }

    fn under_way(&self) -> bool {
        matches!(self.state, RunState::Waiting | RunState::Held | RunState::Running)
    }
}

impl Model {
    /// Nothing is held for it: its authorization is not settled.
    fn is_unsettled(&self, key: Key) -> bool {
        key.1 == Paid::Signed && !self.runs[&key].settled
    }

    fn unsettled_of(&self, payer: u8) -> usize {
        let counts = |(key, run): &(&Key, &ModelRun)| {
            key.0 == payer && key.1 == Paid::Signed && !run.settled && !run.unused && run.under_way()
        };
        self.runs.iter().filter(counts).count()
    }

    fn fails(&mut self, payer: u8) {
        *self.failures.entry(payer).or_default() += 1;
    }

    fn fails_too_often(&self, payer: u8) -> bool {
        self.failures.get(&payer).is_some_and(|failures| *failures >= 5)
    }

    /// What the books should answer, and what they should be like after it.
    fn settle(&mut self, key: Key) -> bool {
        let run = self.runs.get_mut(&key).expect("it was claimed");
        if run.settled {
            return false;
        }
        run.settled = true;
        match run.state {
            RunState::Running if run.answered => run.state = RunState::Done,
            RunState::Held | RunState::Running => *self.held.entry((key.0, key.1)).or_default() += SIGNED_FOR,
            _ => *self.credit.entry((key.0, key.1)).or_default() += SIGNED_FOR,
        }
        true
    }
}

/// Each case has wallets and payments of its own, in the same books.
async fn act(books: &TestBooks, case: u32, deeds: Vec<Deed>) -> Model {
    let mut model = Model::default();
    let began_ms = NOON + i64::from(case) * DAY;
    let mut now_ms = began_ms;
    // Some are over before all is done.
    let until_ms = began_ms + 2 * LEASE;
    let wallet = |payer: u8| wallet_of(case, payer);
    let proof = |n: u8| payment(u64::from(case) * 256 + u64::from(n));
    for (n, deed) in deeds.into_iter().enumerate() {
        match deed {
            Deed::Show { payer, payment } => {
                let shown = books.present(&by(wallet(payer), &proof(payment)), now_ms).await.unwrap();
                let key = (payer, Paid::Coin, payment);
                match (shown, model.runs.get(&key)) {
                    (Presented::New(run), None) => {
                        model.runs.insert(key, ModelRun::new(run.id, run.state, 0));
                    }
                    (Presented::Same(run), Some(known)) => assert_eq!((run.id, run.state), (known.id.clone(), known.state)),
                    (Presented::TooManyUnseen, _) => {}
                    other => panic!("{:?}", other.0),
                }
            }
            Deed::Claim { payer, payment, first } => {
                let authorization = NewAuthorization { settle_first: first, valid_before_ms: until_ms, ..signed() };
                let claimed = books.claim(&signed_call(wallet(payer), payment.into()), &authorization, now_ms).await.unwrap();
                let key = (payer, Paid::Signed, payment);
                match (claimed, model.runs.get(&key)) {
                    (Claimed::New(run), None) => {
                        assert!(model.unsettled_of(payer) < 3 && !model.fails_too_often(payer));
                        assert_eq!(run.state, if first { RunState::Waiting } else { RunState::Held });
                        let price = if first { 0 } else { SIGNED_FOR };
                        model.runs.insert(key, ModelRun::new(run.id, run.state, price));
                    }
                    (Claimed::Same(run), Some(known)) => assert_eq!((run.id, run.state), (known.id.clone(), known.state)),
                    (Claimed::TooMany, None) => assert_eq!(model.unsettled_of(payer), 3),
                    (Claimed::FailingTooOften(_), None) => assert!(model.fails_too_often(payer)),
                    other => panic!("{:?}", other.0),
                }
            }
            Deed::Pay { payer, payment, wei } => {
                let deposit = Deposit { amount: Amount::from_atomic(wei), ..arrived(wallet(payer), &proof(payment), "0") };
                let new = model.deposits.insert((payer, payment));
                assert_eq!(books.deposit(&deposit, now_ms).await.unwrap(), new);
                if new {
                    *model.credit.entry((payer, Paid::Coin)).or_default() += wei;
                }
            }
            Deed::Settle { payer, payment } => {
                let key = (payer, Paid::Signed, payment);
                let Some(id) = model.runs.get(&key).map(|run| run.id.clone()) else { continue };
                let deposit = settlement(wallet(payer), payment.into());
                assert_eq!(books.settle(&id, &deposit, now_ms).await.unwrap(), model.settle(key));
            }
            Deed::Hold { key, wei } => {
                if !model.runs.contains_key(&key) {
                    continue;
                }
                let may = {
                    let unsettled = model.is_unsettled(key);
                    !unsettled && matches!(model.runs[&key].state, RunState::Waiting | RunState::Failed)
                };
                let too_often = model.fails_too_often(key.0);
                let run = model.runs.get_mut(&key).expect("it is there");
                let credit = model.credit.entry((key.0, key.1)).or_default();
                let held = books.hold(&run.id, &key.1.asset(), Amount::from_atomic(wei), now_ms).await.unwrap();
                match held {
                    HeldOrNot::Held(_) => {
                        assert!(may);
                        *credit = credit.checked_sub(wei).expect("never below zero");
                        *model.held.entry((key.0, key.1)).or_default() += wei;
                        (run.state, run.price) = (RunState::Held, wei);
                    }
                    HeldOrNot::TooLow(has) => {
                        assert_eq!(has, Amount::from_atomic(*credit));
                        assert!(may && *credit < wei);
                    }
                    HeldOrNot::NotWaiting(_) => assert!(!may),
                    HeldOrNot::FailingTooOften(_) => assert!(may && too_often),
                }
            }
            Deed::Retry { payer, payment } => {
                let key = (payer, Paid::Signed, payment);
                let Some(run) = model.runs.get(&key) else { continue };
                let open = !run.settled && !run.unused && now_ms < until_ms;
                match books.retry_authorized(&run.id, None, now_ms).await.unwrap() {
                    Retried::Held(_) => {
                        assert!(run.state == RunState::Failed && open);
                        assert!(model.unsettled_of(payer) < 3 && !model.fails_too_often(payer));
                        model.runs.get_mut(&key).expect("it is there").state = RunState::Held;
                    }
                    Retried::NotFailed(_) => assert_ne!(run.state, RunState::Failed),
                    Retried::Over(_) => assert!(!open),
                    Retried::TooMany => assert_eq!(model.unsettled_of(payer), 3),
                    Retried::Beyond => panic!("nobody said what its payer has"),
                    Retried::FailingTooOften(_) => assert!(model.fails_too_often(payer)),
                }
            }
            Deed::Void { key } => {
                let Some(run) = model.runs.get_mut(&key) else { continue };
                books.void(&run.id, &Code::PaymentReverted.into(), now_ms).await.unwrap();
                if run.state == RunState::Waiting {
                    run.state = RunState::Void;
                }
            }
            Deed::Unused { payer, payment } => {
                let Some(run) = model.runs.get_mut(&(payer, Paid::Signed, payment)) else { continue };
                give_up(books, run, now_ms, until_ms).await;
            }
            Deed::Lease => {
                let token = format!("{case}/{n}");
                let Some(leased) = books.lease_run(&token, now_ms, LEASE).await.unwrap() else { continue };
                let to_settle = matches!(leased, Leased::Settle { .. });
                let (Leased::Work { run, .. } | Leased::GaveOut { run, .. } | Leased::Settle { run, .. }) = leased;
                let (key, known) = model.runs.iter_mut().find(|(_, known)| known.id == run.id).expect("a run of this case");
                assert!(matches!(known.state, RunState::Held | RunState::Running));
                assert_eq!(to_settle, key.1 == Paid::Signed && !known.settled && known.answered);
                known.state = RunState::Running;
                known.token.clone_from(&token);
                model.leases.push((token, *key));
            }
            Deed::Succeed { lease } | Deed::Fail { lease } | Deed::SettlementFails { lease } => {
                let Some((token, key)) = model.leases.get(lease).cloned() else { continue };
                let unsettled = model.is_unsettled(key);
                let run = model.runs.get_mut(&key).expect("it was leased");
                let ours = run.state == RunState::Running && run.token == token;
                let held = model.held.entry((key.0, key.1)).or_default();
                match deed {
                    Deed::Succeed { .. } => {
                        let ended = match key.1 {
                            Paid::Coin => books.capture(&run.id, &token, "{}", "computed", now_ms).await.unwrap(),
                            Paid::Signed => books.answered(&run.id, &token, "{}", "computed", now_ms).await.unwrap(),
                        };
                        assert_eq!(ended, ours);
                        if ours && unsettled {
                            run.answered = true;
                        } else if ours {
                            run.state = RunState::Done;
                            *held -= run.price;
                        }
                    }
                    Deed::Fail { .. } => {
                        assert_eq!(books.release(&run.id, &token, &agent_failed(), now_ms).await.unwrap(), ours);
                        if ours {
                            (run.state, run.answered) = (RunState::Failed, run.answered && !unsettled);
                            if !unsettled {
                                *held -= run.price;
                                *model.credit.entry((key.0, key.1)).or_default() += run.price;
                            }
                            model.fails(key.0);
                        }
                    }
                    _ => {
                        let why = Code::SettlementFailed.into();
                        let failed = books.settlement_failed(&run.id, &token, &why, now_ms).await.unwrap();
                        assert_eq!(failed, ours && unsettled);
                        if failed {
                            run.state = RunState::Void;
                            model.fails(key.0);
                        }
                    }
                }
            }
            Deed::Wait => now_ms += LEASE,
        }
    }
    end(books, case, &mut model, now_ms.max(until_ms) + LEASE, until_ms).await;
    model
}

async fn give_up(books: &TestBooks, run: &mut ModelRun, now_ms: i64, until_ms: i64) {
    let busy = matches!(run.state, RunState::Held | RunState::Running);
    let may = !run.settled && !run.unused && !busy && now_ms >= until_ms;
    assert_eq!(books.authorization_unused(&run.id, now_ms).await.unwrap(), may);
    if may {
        run.unused = true;
        if run.state == RunState::Waiting {
            run.state = RunState::Void;
        }
    }
}

/// What is under way must not meet the next case.
async fn end(books: &TestBooks, case: u32, model: &mut Model, now_ms: i64, until_ms: i64) {
    for n in 0.. {
        let token = format!("{case}/end {n}");
        let Some(leased) = books.lease_run(&token, now_ms, LEASE).await.unwrap() else { break };
        let to_settle = matches!(leased, Leased::Settle { .. });
        let (Leased::Work { run, .. } | Leased::GaveOut { run, .. } | Leased::Settle { run, .. }) = leased;
        let key = *model.runs.iter().find(|(_, known)| known.id == run.id).expect("a run of this case").0;
        if to_settle {
            let deposit = settlement(wallet_of(case, key.0), key.2.into());
            model.runs.get_mut(&key).expect("it is there").state = RunState::Running;
            assert!(books.settle(&run.id, &deposit, now_ms).await.unwrap() && model.settle(key));
            continue;
        }
        assert!(books.release(&run.id, &token, &agent_failed(), now_ms).await.unwrap());
        let unsettled = model.is_unsettled(key);
        let known = model.runs.get_mut(&key).expect("it is there");
        known.state = RunState::Failed;
        if !unsettled {
            *model.credit.entry((key.0, key.1)).or_default() += known.price;
        }
    }
    for (_, run) in model.runs.iter_mut().filter(|(key, _)| key.1 == Paid::Signed) {
        give_up(books, run, now_ms, until_ms).await;
    }
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
        for case in 0..24 {
            let deeds = deeds().new_tree(&mut runner).expect("deeds").current();
            let told = format!("{deeds:?}");
            let model = act(books, case, deeds).await;
            for (payer, paid) in (0..3).flat_map(|payer| [(payer, Paid::Coin), (payer, Paid::Signed)]) {
                let credit = Amount::from_atomic(model.credit.get(&(payer, paid)).copied().unwrap_or_default());
                assert_eq!(books.balance(wallet_of(case, payer), &paid.asset()).await.unwrap(), credit, "{told}");
            }
            for run in model.runs.values() {
                let there = books.run(&run.id).await.unwrap().unwrap();
                assert_eq!((there.state, there.output.is_some()), (run.state, run.state == RunState::Done), "{told}");
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
            // Few of an hour may wait.
            let Presented::New(run) = books.present(&call(&credit(n)), NOON + i64::from(n) * HOUR).await.unwrap() else {
                panic!("it is new")
            };
            runs.push(run.id);
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
