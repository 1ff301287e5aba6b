use std::time::Duration;

use crate::invalid_setting::InvalidSetting;

/// The limits of a store.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) gc_window: Duration,
    pub(super) max_revisions: u64,
    pub(super) max_check_steps: u64,
    pub(super) max_updates: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gc_window: Duration::from_secs(24 * 60 * 60),
            max_revisions: 100_000,
            max_check_steps: 1_000_000,
            max_updates: 1_000,
        }
    }
}

impl Settings {
    pub(super) fn validate(&self) -> Result<(), InvalidSetting> {
        for (setting, is_valid, problem) in [
            (
                "max_revisions",
                self.max_revisions > 0,
                "is 0, but a store always has its current revision; set it to 1 or more",
            ),
            (
                "max_check_steps",
                self.max_check_steps > 0,
                "is 0, so no check could be answered; set it to 1 or more",
            ),
            (
                "max_updates",
                self.max_updates > 0,
                "is 0, so nothing could be written; set it to 1 or more",
            ),
        ] {
            if !is_valid {
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        Ok(())
    }
}
