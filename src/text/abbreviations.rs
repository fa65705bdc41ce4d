//! Words that a period belongs to. Lower case, without their last period, sorted: they are looked up by halving.
//!
//! Gathered for English, German, French, Spanish, Italian, Portuguese and Dutch, in one list: which language a text is in is a guess, and
//! a period is no place for one. What is a word of its own in one of these languages (`art`, `sat`, `no`) ends a sentence before a capital.

/// What a period after a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abbreviation {
    /// Never the end: something must follow (`Dr.`, `e.g.`).
    Leads,
    /// Not the end before a figure (`p. 5`, `Nov. 24`), else as any word.
    Counts,
    /// The end only before a word that likes to begin a sentence (`Inc.`, `etc.`).
    Trails,
}

/// Of a word in lower case, without its last period.
pub(super) fn abbreviation(word: &str) -> Option<Abbreviation> {
    let within = |list: &[&str]| list.binary_search(&word).is_ok();
    match () {
        () if within(LEADS) => Some(Abbreviation::Leads),
        () if within(COUNTS) => Some(Abbreviation::Counts),
        () if within(TRAILS) => Some(Abbreviation::Trails),
        () => None,
    }
}

/// Does this word, as written, like to begin a sentence? It is asked after `Inc.` and its like, where a capital alone says little.
pub(super) fn begins(word: &str) -> bool {
    BEGINNERS.binary_search(&word).is_ok()
}

/// A month, by name, in lower case: after it or before it a number with a period is a day.
pub(super) fn month(word: &str) -> bool {
    MONTHS.binary_search(&word).is_ok()
}

/// After one of these a number with a period is an ordinal: `am 3. Tag`.
pub(super) fn before_ordinal(word: &str) -> bool {
    ["am", "ab", "bis", "das", "dem", "den", "der", "des", "die", "im", "seit", "vom", "zum", "zur"].contains(&word)
}

const LEADS: &[&str] = &[
    "abb", "adm", "av", "avv", "bzw", "c.f", "capt", "cf", "cmdr", "col", "cpl", "dept", "dhr", "dipl", "dott", "dr", "dra",
    "drs", "e.g", "eg", "etw", "evtl", "excma", "excmo", "exp", "fr", "gem", "gen", "ggf", "gov", "hr", "hrsg", "i.e", "ie",
    "inkl", "insb", "jhdt", "lt", "ltcol", "m.e", "mad", "maj", "mm", "mme", "mr", "mrs", "ms", "mt", "mw", "o.a", "p.ex",
    "pres", "prof", "profa", "pt", "rep", "rev", "rt", "sen", "sgt", "sig", "sog", "sr", "sra", "srta", "st", "ste", "supt",
    "tel", "u.a", "usf", "v", "vgl", "viz", "vs", "z.b", "z.t", "zb", "zgl", "zzgl",
];

const COUNTS: &[&str] = &[
    "abs", "app", "apr", "art", "aug", "bd", "cap", "ch", "chap", "dec", "dez", "eq", "eqn", "ex", "exs", "feb", "fig", "figs",
    "fol", "jan", "jun", "kap", "lib", "mar", "n", "no", "nos", "nov", "nr", "nrs", "nº", "núm", "oct", "okt", "op", "p", "pag",
    "par", "para", "pos", "pp", "pág", "ref", "s", "sec", "sect", "sep", "sept", "ss", "str", "tab", "tit", "tom", "v", "ver",
    "vol", "vols", "z", "ziff",
];

const TRAILS: &[&str] = &[
    "a.d", "a.m", "al", "approx", "assn", "ave", "b.c", "b.c.e", "bldg", "blvd", "bros", "c.e", "ca", "circa", "co", "corp",
    "cos", "d.c", "ecc", "ed", "eds", "est", "etc", "ff", "gmbh", "hrs", "inc", "jr", "ltd", "max", "min", "mio", "mrd", "p.m",
    "plc", "sq", "u.k", "u.n", "u.s", "u.s.a",
];

const BEGINNERS: &[&str] = &[
    "A", "Aber", "About", "After", "All", "Also", "Although", "An", "And", "Another", "As", "At", "Auch", "Aus", "Because",
    "Before", "Both", "But", "By", "Cette", "Como", "Con", "Da", "Dabei", "Dann", "Das", "De", "Der", "Despite", "Die", "Dies",
    "Diese", "Dieser", "Dieses", "Doch", "During", "Each", "Ein", "Eine", "El", "Elle", "En", "Er", "Es", "Et", "Even", "Every",
    "First", "For", "From", "Gli", "He", "Her", "Here", "Het", "His", "How", "However", "I", "Ich", "Il", "Ils", "Im", "In",
    "It", "Its", "Je", "La", "Las", "Le", "Les", "Lo", "Los", "Ma", "Mais", "Many", "Mit", "Most", "My", "Nach", "Nein", "No",
    "Not", "Nous", "Now", "On", "Once", "One", "Only", "Other", "Our", "Para", "Per", "Pero", "Por", "Pour", "Se", "She", "Sie",
    "Since", "So", "Some", "Still", "Su", "Such", "That", "The", "Their", "Then", "There", "These", "They", "This", "Those",
    "Though", "Thus", "To", "Today", "Two", "Un", "Una", "Und", "Under", "Une", "Until", "Vous", "Was", "We", "Wenn", "Were",
    "What", "When", "Where", "Which", "While", "Who", "Why", "Will", "Wir", "With", "Without", "Y", "Yet", "You", "Your", "Zu",
];

const MONTHS: &[&str] = &[
    "agosto",
    "août",
    "apr",
    "april",
    "august",
    "avril",
    "dec",
    "december",
    "dez",
    "dezember",
    "diciembre",
    "décembre",
    "enero",
    "feb",
    "febrero",
    "februar",
    "februari",
    "february",
    "février",
    "gennaio",
    "giugno",
    "jan",
    "januar",
    "januari",
    "january",
    "janvier",
    "juillet",
    "juin",
    "juli",
    "julio",
    "july",
    "jun",
    "june",
    "juni",
    "junio",
    "luglio",
    "maggio",
    "mai",
    "mar",
    "march",
    "mars",
    "marzo",
    "mayo",
    "mei",
    "märz",
    "nov",
    "november",
    "novembre",
    "noviembre",
    "oct",
    "october",
    "octobre",
    "octubre",
    "okt",
    "oktober",
    "ottobre",
    "sep",
    "sept",
    "september",
    "septembre",
    "septiembre",
    "settembre",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_the_order_that_halving_needs() {
        for list in [LEADS, COUNTS, TRAILS, BEGINNERS, MONTHS] {
            let mut sorted = list.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(list, sorted, "sort it");
        }
    }
}
