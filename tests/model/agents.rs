//! What is really on sale, for the harness.

pub fn all() -> Vec<coinslot::runs::Agent> {
    coinslot::agents::workers()
}
