//! Times of day for reports, in UTC, without a time-zone database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A second in UTC, written `2026-01-31T23:59:59Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcTime {
    text: String,
}

impl UtcTime {
    /// This second.
    pub fn now() -> Self {
        Self::since_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// The second that is `duration` after the start of 1970.
    pub fn since_epoch(duration: Duration) -> Self {
        const DAY_S: u64 = 86_400;
        let seconds = duration.as_secs();
        let (year, month, day) = date(seconds / DAY_S);
        let rest = seconds % DAY_S;
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        Self { text }
    }

    /// How long after the start of 1970 it is; `None` if a report says something that is no time.
    pub(crate) fn after_epoch(&self) -> Option<Duration> {
        let fields: Vec<u64> =
            self.text.split(|c: char| !c.is_ascii_digit()).map_while(|f| f.parse().ok()).collect();
        let &[year, month, day, hour, minute, second] = fields.as_slice() else { return None };
        // The day is found by the function that the text was made with: there are few enough to halve.
        let (mut low, mut high) = (0, 3_000_000);
        while low < high {
            let middle = u64::midpoint(low, high);
            if date(middle) < (year, month, day) { low = middle + 1 } else { high = middle }
        }
        Some(Duration::from_secs(low * 86_400 + hour * 3600 + minute * 60 + second))
    }

    /// The same second as the name of a folder: without colons.
    pub fn folder_name(&self) -> String {
        self.text.replace(':', "")
    }
}

impl std::fmt::Display for UtcTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Year, month and day of a day counted from the start of 1970, in the proleptic Gregorian calendar.
///
/// Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`, for days that are not negative.
fn date(days: u64) -> (u64, u64, u64) {
    // Count from 1 March of year 0, so that the leap day ends a year; 400 years have 146097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_seconds_have_their_known_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, expected) in cases {
            let time = UtcTime::since_epoch(Duration::from_secs(seconds));
            assert_eq!(time.to_string(), expected);
            assert_eq!(time.after_epoch(), Some(Duration::from_secs(seconds)));
        }
        let time = UtcTime::since_epoch(Duration::from_secs(951_782_399));
        assert_eq!(time.folder_name(), "2000-02-28T235959Z");
    }
}
