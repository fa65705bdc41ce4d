//! The migrations, compiled in, in their order. The text of one that is out in the world is never changed.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Number, name and text of each file in `migrations/`.
const ALL: &[(i64, &str, &str)] = &[
    (1, "books", include_str!("../../migrations/1_books.sql")),
    (2, "payers", include_str!("../../migrations/2_payers.sql")),
    (3, "wrapped", include_str!("../../migrations/3_wrapped.sql")),
    (4, "watches", include_str!("../../migrations/4_watches.sql")),
    (5, "sign_in", include_str!("../../migrations/5_sign_in.sql")),
    (6, "followed_transactions", include_str!("../../migrations/6_followed_transactions.sql")),
    (7, "unseen", include_str!("../../migrations/7_unseen.sql")),
    (9, "halts", include_str!("../../migrations/9_halts.sql")),
    (10, "turns", include_str!("../../migrations/10_turns.sql")),
    (11, "failures", include_str!("../../migrations/11_failures.sql")),
    (12, "probes", include_str!("../../migrations/12_probes.sql")),
];

/// Applies what a database does not have yet, each once, under a lock.
pub(super) fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(ALL.iter().map(migration).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
        let mut files: Vec<_> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let mut listed: Vec<_> = ALL.iter().map(|(version, name, _)| format!("{version}_{name}.sql")).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn the_numbers_rise() {
        assert!(ALL.is_sorted_by(|(earlier, ..), (later, ..)| earlier < later));
    }
}
