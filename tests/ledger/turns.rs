//! Whose run is begun next, and how many workers a payer has (S6): on one instance and on two.

use std::sync::Arc;

use coinslot::{
    evm::Address,
    ledger::{Books, HeldOrNot, Leased, Run, Whose},
    runs::hands::{Hand, Hands},
};

use crate::{books::both_databases, people::*};

const CAROL: Address = Address([0xca; 20]);
const DAN: Address = Address([0xda; 20]);

/// Shown and paid before; held now.
async fn bought_at(books: &Books, payer: Address, n: u64, now_ms: i64) -> Run {
    let run = books.shown(&by(payer, &payment(n))).await;
    books.pays(payer, &payment(n), "0.0001").await;
    match books.hold(&run.id, &coin(), mon("0.0001"), now_ms).await.unwrap() {
        HeldOrNot::Held(run) => run,
        other => panic!("{other:?}"),
    }
}

/// Takes the next run, works on it and ends it, all in one moment: the only worker there is.
async fn works_once(books: &Books, now_ms: i64) -> Option<(Address, String)> {
    let Some(Leased::Work { run, token }) = books.lease_run("only", now_ms, LEASE).await.unwrap() else { return None };
    assert!(books.capture(&run.id, &token, "{}", "computed", now_ms).await.unwrap());
    Some((run.payer, run.id))
}

/// Instances with workers; each run that was begun, with the worker that has it.
struct Instance {
    books: Books,
    hands: Arc<Hands>,
    begun: Vec<(Run, String, Hand)>,
}

impl Instance {
    fn new(books: Books, workers: usize) -> Self {
        Self { books, hands: Arc::new(Hands::new(workers)), begun: Vec::new() }
    }

    /// Whose run its next free worker begins.
    async fn begins(&mut self, now_ms: i64) -> Option<Address> {
        match self.hands.lease(&self.books, now_ms, LEASE).await.unwrap()? {
            Leased::Work { run, token } => {
                let payer = run.payer;
                self.begun.push((run, token, self.hands.take(payer)));
                Some(payer)
            }
            other => panic!("{other:?}"),
        }
    }

    fn of(&self, payer: Address) -> usize {
        self.begun.iter().filter(|(run, ..)| run.payer == payer).count()
    }

    /// The oldest run of this payer ends here.
    async fn ends(&mut self, payer: Address, now_ms: i64) {
        let n = self.begun.iter().position(|(run, ..)| run.payer == payer).unwrap();
        let (run, token, _hand) = self.begun.remove(n);
        assert!(self.books.capture(&run.id, &token, "{}", "computed", now_ms).await.unwrap());
    }
}

/// In turn, until neither begins anything.
async fn all_begin(instances: &mut [Instance], now_ms: i64) {
    loop {
        let mut begun = 0;
        for instance in &mut *instances {
            begun += usize::from(instance.begins(now_ms).await.is_some());
        }
        if begun == 0 {
            return;
        }
    }
}

both_databases! {
    async fn s6_payers_take_turns_and_of_one_the_oldest_is_first(books: &TestBooks) {
        let mut of_ada = Vec::new();
        for n in 0..4 {
            of_ada.push(bought_at(books, ADA, n, NOON + i64::try_from(n).unwrap()).await.id);
        }
        let bobs = bought_at(books, BOB, 9, NOON + 100).await.id;
        // Ada was first, and has three more that are older than Bob's.
        assert_eq!(works_once(books, NOON + 200).await.unwrap(), (ADA, of_ada[0].clone()));
        assert_eq!(works_once(books, NOON + 300).await.unwrap(), (BOB, bobs));
        assert_eq!(works_once(books, NOON + 400).await.unwrap(), (ADA, of_ada[1].clone()));
        let carols = bought_at(books, CAROL, 10, NOON + 399).await.id;
        assert_eq!(works_once(books, NOON + 500).await.unwrap(), (CAROL, carols));
        assert_eq!(works_once(books, NOON + 600).await.unwrap(), (ADA, of_ada[2].clone()));
        assert_eq!(works_once(books, NOON + 700).await.unwrap(), (ADA, of_ada[3].clone()));
        assert_eq!(works_once(books, NOON + 800).await, None);
        books.assert_balanced().await;
    }

    /// Those who come now do not go before those who wait, whatever these bought before.
    async fn s6_who_was_served_before_is_not_overtaken_for_ever(books: &TestBooks) {
        bought_at(books, ADA, 1, NOON).await;
        assert_eq!(works_once(books, NOON + 1).await.unwrap().0, ADA);
        bought_at(books, ADA, 2, NOON + 1000).await;
        bought_at(books, BOB, 3, NOON + 2000).await;
        assert_eq!(works_once(books, NOON + 3000).await.unwrap().0, ADA, "her turn was before her run was held");
        // Two with many runs each, and newcomers that never end: nobody waits for more than one run of each other.
        for n in 0..3 {
            bought_at(books, ADA, 10 + n, NOON + 3001).await;
            bought_at(books, DAN, 20 + n, NOON + 3002).await;
        }
        let mut served = Vec::new();
        for n in 0..8 {
            let now_ms = NOON + 4000 + i64::try_from(n).unwrap() * 1000;
            bought_at(books, if n % 2 == 0 { CAROL } else { THIEF }, 100 + n, now_ms - 1).await;
            served.push(works_once(books, now_ms).await.unwrap().0);
        }
        let of = |payer| served.iter().filter(|served| **served == payer).count();
        assert!(of(ADA) >= 2 && of(DAN) >= 2 && of(BOB) == 1 && of(CAROL) + of(THIEF) >= 2, "{served:?}");
        books.assert_balanced().await;
    }

    /// The turn is of all instances: who was served by the one waits on the other.
    async fn s6_turns_are_kept_over_all_instances_and_forgotten_after_a_day(books: &TestBooks) {
        let second = books.another().await;
        for n in 0..3 {
            bought_at(books, ADA, n, NOON).await;
        }
        bought_at(books, BOB, 9, NOON + 1).await;
        assert_eq!(works_once(books, NOON + 2).await.unwrap().0, ADA);
        assert_eq!(works_once(&second, NOON + 3).await.unwrap().0, BOB);
        // A clock that is behind moves nobody forward.
        assert_eq!(works_once(&second, NOON + 1).await.unwrap().0, ADA);
        books.sweep(NOON + DAY).await.unwrap();
        assert_eq!(books.tamper("update turns set begun_ms = begun_ms").await, 2);
        books.sweep(NOON + DAY + HOUR).await.unwrap();
        assert_eq!(books.tamper("update turns set begun_ms = begun_ms").await, 0);
        assert_eq!(works_once(books, NOON + DAY + HOUR).await.unwrap().0, ADA);
        second.close().await;
    }

    async fn s6_a_payer_has_half_of_the_workers_while_others_wait(books: &TestBooks) {
        let mut shop = [Instance::new((**books).clone(), 4)];
        for n in 0..8 {
            bought_at(books, ADA, n, NOON).await;
        }
        for n in 10..13 {
            bought_at(books, BOB, n, NOON + 1).await;
        }
        all_begin(&mut shop, NOON + 2).await;
        assert_eq!((shop[0].of(ADA), shop[0].of(BOB)), (2, 2));
        // Whoever ends, the next one's turn is that of the one with less.
        shop[0].ends(ADA, NOON + 3).await;
        all_begin(&mut shop, NOON + 3).await;
        assert_eq!((shop[0].of(ADA), shop[0].of(BOB)), (2, 2), "Bob has his half, so it is Ada's");
        shop[0].ends(BOB, NOON + 4).await;
        all_begin(&mut shop, NOON + 4).await;
        assert_eq!((shop[0].of(ADA), shop[0].of(BOB)), (2, 2));
        // Nobody else waits any more: Ada takes what is left.
        shop[0].ends(BOB, NOON + 5).await;
        all_begin(&mut shop, NOON + 5).await;
        assert_eq!((shop[0].of(ADA), shop[0].of(BOB)), (3, 1));
    }

    /// They were begun while nobody else was there.
    async fn s6_four_slow_runs_do_not_hold_up_everybody_on_one_instance_or_two(books: &TestBooks) {
        let second = books.another().await;
        let mut shop = [Instance::new((**books).clone(), 4), Instance::new(second.clone(), 4)];
        for n in 0..12 {
            bought_at(books, ADA, n, NOON).await;
        }
        all_begin(&mut shop, NOON + 1).await;
        assert_eq!((shop[0].of(ADA), shop[1].of(ADA)), (4, 4), "alone, she has all workers");
        for (n, payer) in [(20, BOB), (21, CAROL), (22, DAN), (23, THIEF)] {
            bought_at(books, payer, n, NOON + 2).await;
        }
        all_begin(&mut shop, NOON + 3).await;
        for instance in &shop {
            assert_eq!((instance.of(ADA), instance.begun.len()), (4, 6), "half of each instance is for others, however many runs she has");
        }
        // One instance alone does the same.
        bought_at(books, BOB, 30, NOON + 4).await;
        assert_eq!(shop[0].begins(NOON + 5).await, None, "its workers are busy");
        shop[0].ends(ADA, NOON + 6).await;
        shop[0].ends(ADA, NOON + 6).await;
        assert_eq!(shop[0].begins(NOON + 6).await, None, "those two were lent");
        shop[0].ends(ADA, NOON + 7).await;
        assert_eq!(shop[0].begins(NOON + 7).await, Some(ADA), "she has one there now, and was served before Bob was");
        shop[0].ends(DAN, NOON + 7).await;
        assert_eq!(shop[0].begins(NOON + 7).await, Some(BOB));
        for instance in &mut shop {
            while let Some(payer) = instance.begun.first().map(|(run, ..)| run.payer) {
                instance.ends(payer, NOON + 8).await;
            }
        }
        books.assert_balanced().await;
        second.close().await;
    }

    /// With one worker half of them is that one.
    async fn s6_one_worker_serves_all_in_turn(books: &TestBooks) {
        let mut shop = [Instance::new((**books).clone(), 1)];
        for n in 0..3 {
            bought_at(books, ADA, n, NOON).await;
        }
        bought_at(books, BOB, 9, NOON + 1).await;
        let mut served = Vec::new();
        for n in 2..6 {
            let payer = shop[0].begins(NOON + n).await.unwrap();
            assert_eq!(shop[0].begins(NOON + n).await, None);
            shop[0].ends(payer, NOON + n).await;
            served.push(payer);
        }
        assert_eq!(served, [ADA, BOB, ADA, ADA]);
    }

    /// What is answered and only to be settled takes no worker, so it waits for none.
    async fn s6_settlements_wait_for_no_worker(books: &TestBooks) {
        let answered = books.answered_for(ADA, 1, "answers").await;
        let mut shop = [Instance::new((**books).clone(), 2)];
        let later = NOON + LEASE;
        for (n, payer) in [(2, ADA), (3, BOB), (4, CAROL)] {
            bought_at(books, payer, n, NOON + 1).await;
        }
        // It comes before all that is still to be worked on, too.
        let leased = shop[0].hands.lease(books, later, LEASE).await.unwrap();
        assert!(matches!(leased, Some(Leased::Settle { ref run, .. }) if run.id == answered.id), "{leased:?}");
        assert_eq!((shop[0].begins(later).await, shop[0].begins(later).await), (Some(ADA), Some(BOB)));
        assert_eq!(shop[0].begins(later).await, None, "all workers are busy");
        let leased = shop[0].hands.lease(books, later + LEASE - 1, LEASE).await.unwrap();
        assert!(leased.is_none(), "somebody settles it now");
        books.renew_lease(&shop[0].begun[0].0.id, &shop[0].begun[0].1, later + 9 * LEASE).await.unwrap();
        books.renew_lease(&shop[0].begun[1].0.id, &shop[0].begun[1].1, later + 9 * LEASE).await.unwrap();
        let leased = shop[0].hands.lease(books, later + LEASE, LEASE).await.unwrap();
        assert!(matches!(leased, Some(Leased::Settle { ref run, .. }) if run.id == answered.id), "{leased:?}");
        // Not of those who have their half, and theirs are settled all the same.
        let leased = books.lease_run_of(Whose::NotOf(&[ADA, CAROL]), "w", later + 2 * LEASE, LEASE).await.unwrap();
        assert!(matches!(leased, Some(Leased::Settle { ref run, .. }) if run.id == answered.id), "{leased:?}");
        assert!(books.lease_run_of(Whose::NotOf(&[ADA, CAROL]), "w", later + 2 * LEASE, LEASE).await.unwrap().is_none());
        assert!(books.settle(&answered.id, &settlement(ADA, 1), NOON).await.unwrap());
        books.assert_balanced().await;
    }
}
