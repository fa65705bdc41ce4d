//! A moment: in UTC from the server, in the visitor's own zone once the browser has taken over.
//!
//! Plain integer arithmetic: a date library costs more bytes than the rest of the page.

use super::Erase;
use leptos::prelude::*;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `ms`: Unix milliseconds.
#[component]
pub fn TimeView(ms: i64) -> impl IntoView {
    let shown = RwSignal::new(utc_text(ms));
    // In an effect: the server does not know the visitor's zone, and both must render the same first.
    Effect::new(move |_| shown.set(local_text(ms)));
    view! { <time datetime=utc_date_time(ms) title=utc_date_time(ms)>{move || shown.get()}</time> }.erase()
}

/// `25 Nov 2026, 00:51 UTC`
pub fn utc_text(ms: i64) -> String {
    format!("{} UTC", Moment::of(ms).words())
}

/// `2026-11-25T00:51:07Z`
pub fn utc_date_time(ms: i64) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// In the visitor's own zone.
pub(super) fn local_text(ms: i64) -> String {
    // Minutes that UTC is ahead of here, at that moment: summer time is in it. Milliseconds of any date the browser knows fit an f64.
    let behind = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(ms as f64)).get_timezone_offset();
    // A date that the browser cannot tell is NaN here, which becomes 0: UTC.
    Moment::of(ms.saturating_sub(behind as i64 * 60_000)).words()
}

/// Civil date and time, proleptic Gregorian calendar.
#[derive(Debug, PartialEq, Eq)]
struct Moment {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Moment {
    /// After Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is a year's last one.
    fn of(ms: i64) -> Self {
        let seconds = ms.div_euclid(1000);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days since 1 March of the year 0; 146,097 of them are 400 years.
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From 0 for March to 11 for February: five months have 153 days, wherever one starts.
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as usize,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    fn words(&self) -> String {
        let month = MONTHS.get(self.month.wrapping_sub(1)).copied().unwrap_or_default();
        format!("{} {month} {}, {:02}:{:02}", self.day, self.year, self.hour, self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_have_their_known_dates() {
        for (ms, date_time) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59Z"),
            (1_795_567_867_000, "2026-11-25T00:51:07Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc_date_time(ms), date_time, "{ms}");
        }
        assert_eq!(utc_text(1_795_567_867_000), "25 Nov 2026, 00:51 UTC");
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut before = Moment::of(-12_000_000_000_000);
        for day in 1..292_000 {
            let now = Moment::of(-12_000_000_000_000 + day * 86_400_000);
            let leap = before.year % 4 == 0 && (before.year % 100 != 0 || before.year % 400 == 0);
            let last = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][before.month - 1];
            let expected = match (before.day == last, before.month) {
                (false, month) => (before.year, month, before.day + 1),
                (true, 12) => (before.year + 1, 1, 1),
                (true, month) => (before.year, month + 1, 1),
            };
            assert_eq!((now.year, now.month, now.day), expected);
            before = now;
        }
    }

    #[test]
    fn no_moment_panics() {
        for ms in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let _ = (utc_text(ms), utc_date_time(ms));
        }
    }
}
