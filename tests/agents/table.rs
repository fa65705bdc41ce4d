//! The table that `make agents-check` prints.

/// One thing that one agent says, compared case by case with what another tool says of it.
#[derive(Debug)]
pub struct Row {
    pub agent: &'static str,
    /// What is compared, and with whose word: `selectors (solc)`.
    pub what: &'static str,
    /// Hundredths of a percent of the cases that have to agree: 10 000 is all of them.
    pub target: usize,
    pub cases: usize,
    /// One line for each case in which they differ: which, what the agent says, what the other says.
    pub differences: Vec<String>,
}

impl Row {
    /// Hundredths of a percent.
    fn agreement(&self) -> usize {
        (self.cases - self.differences.len()) * 10_000 / self.cases.max(1)
    }

    /// A row without cases has shown nothing.
    pub fn is_met(&self) -> bool {
        self.cases > 0 && self.agreement() >= self.target
    }
}

pub fn print(rows: &[Row]) {
    println!("{:<16} {:<44} {:>6} {:>10} {:>8}", "agent", "what (compared with)", "cases", "agreement", "target");
    for row in rows {
        let mark = if row.is_met() { "" } else { "  NOT MET" };
        println!(
            "{:<16} {:<44} {:>6} {:>10} {:>8}{mark}",
            row.agent,
            row.what,
            row.cases,
            percent(row.agreement()),
            percent(row.target)
        );
        for difference in &row.differences {
            println!("    differs: {difference}");
        }
    }
}

fn percent(hundredths: usize) -> String {
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}
