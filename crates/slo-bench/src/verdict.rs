//! What a check came to, and the exit code that it stands for.

use std::process::ExitCode;

use gpu_core::ErrorKind;
use serde::{Deserialize, Serialize};

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It was not tried.
    Skipped {
        /// Why not.
        reason: String,
    },
    /// It was tried, but what was seen decides nothing. Never counts as a pass.
    Invalid {
        /// Why not.
        reason: String,
    },
}

impl Verdict {
    /// A check that was not tried because of `reason`.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// A check that decides nothing because of `reason`.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    /// Whether this stands in the way of an overall pass.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Fail | Self::Invalid { .. })
    }

    /// Why it was skipped or is invalid.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Skipped { reason } | Self::Invalid { reason } => Some(reason),
            Self::Pass | Self::Fail => None,
        }
    }

    /// What several come to together: a failure wins, then an invalid one, then a pass.
    /// All skipped, or none at all, is skipped.
    pub fn all<'a>(verdicts: impl IntoIterator<Item = &'a Self>) -> Self {
        let weight = |verdict: &Self| match verdict {
            Self::Skipped { .. } => 0,
            Self::Pass => 1,
            Self::Invalid { .. } => 2,
            Self::Fail => 3,
        };
        let mut worst: Option<&Self> = None;
        for verdict in verdicts {
            if worst.is_none_or(|worst| weight(verdict) > weight(worst)) {
                worst = Some(verdict);
            }
        }
        worst.cloned().unwrap_or_else(|| Self::skipped("there was nothing to check"))
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skipped { .. } => "SKIPPED",
            Self::Invalid { .. } => "INVALID",
        })
    }
}

/// `true` passes.
impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Pass } else { Self::Fail }
    }
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything holds; what needs a missing device was skipped.
    Pass,
    /// 1: a check failed or decided nothing.
    Fail,
    /// 2: bad usage or bad input.
    Usage,
    /// 3: the environment: a GPU that is required and missing, no driver, no image, a folder that cannot be written.
    Environment,
}

impl From<&Verdict> for Exit {
    fn from(verdict: &Verdict) -> Self {
        if verdict.is_bad() { Self::Fail } else { Self::Pass }
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Usage,
            ErrorKind::Unavailable => Self::Environment,
            ErrorKind::Exhausted | ErrorKind::Poisoned | ErrorKind::Transient => Self::Fail,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_and_an_invalid_check_is_no_pass() {
        let (skipped, invalid) = (Verdict::skipped("no GPU"), Verdict::invalid("too few samples"));
        assert_eq!(Verdict::all([&skipped, &Verdict::Pass]), Verdict::Pass);
        assert_eq!(Verdict::all([&Verdict::Pass, &invalid, &skipped]), invalid);
        assert_eq!(Verdict::all([&invalid, &Verdict::Fail]), Verdict::Fail);
        assert_eq!(Verdict::all([&skipped]), skipped);
        assert!(invalid.is_bad() && !skipped.is_bad());
        assert_eq!(Exit::from(&invalid), Exit::Fail);
        assert_eq!(Exit::from(&skipped), Exit::Pass);
    }

    #[test]
    fn an_error_that_is_the_callers_ends_as_usage_and_a_missing_thing_as_environment() {
        assert_eq!(Exit::from(ErrorKind::Invalid), Exit::Usage);
        assert_eq!(Exit::from(ErrorKind::Unavailable), Exit::Environment);
        assert_eq!(Exit::from(ErrorKind::Poisoned), Exit::Fail);
    }
}
