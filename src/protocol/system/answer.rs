use std::time::{Duration, SystemTime};

use crate::protocol::call::Unreadable;
use crate::protocol::operation::{Field, Is};
use crate::protocol::wire::{Member, Reader};

/// An answer while its message is read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) token: Option<String>,
    /// The index of the verdict's name. A tree is verdict 0.
    pub(super) verdict: Option<usize>,
    pub(super) expires_in: Option<Duration>,
    /// It has something that a plain answer does not have: a trace, or a repeated or unknown field.
    pub(super) has_more: bool,
    now: SystemTime,
}

impl Answer {
    pub(super) fn new(now: SystemTime) -> Self {
        Self {
            token: None,
            verdict: None,
            expires_in: None,
            has_more: false,
            now,
        }
    }

    /// Reads the members of a message.
    pub(super) fn members<'m, R: Reader<'m>>(
        &mut self,
        message: &mut R,
        fields: &'static [Field],
    ) -> Result<(), Unreadable> {
        let mut seen = 0_u64;
        message.message(fields, |member, value| {
            self.note(&mut seen, member);
            self.member(member, value)
        })
    }

    /// Notes which fields were seen, and whether one is repeated.
    pub(super) fn note(&mut self, seen: &mut u64, member: &Member<'_>) {
        if let Some((index, _)) = member.field {
            self.has_more |= *seen & 1 << index != 0;
            *seen |= 1 << index;
        }
    }

    /// Reads a member.
    pub(super) fn member<'m, R: Reader<'m>>(&mut self, member: &Member<'_>, value: &mut R) -> Result<(), Unreadable> {
        let Some((_, field)) = member.field else {
            self.has_more = true;
            return value.raw().map(drop);
        };
        match field.is {
            Is::Token => {
                let text = value.text()?.into_owned();
                let text = String::from_utf8(text).map_err(|_| Unreadable("a token is not UTF-8"))?;
                if self.token.replace(text).is_some() {
                    return Err(Unreadable("the reply repeats its token"));
                }
                Ok(())
            }
            Is::Opened(fields) => self.members(value, fields),
            Is::Verdict(names) => {
                self.verdict = value.choice(names)?;
                Ok(())
            }
            Is::Tree => {
                let is_set = !value.is_unset()?;
                value.message(&[], |_, value| value.raw().map(drop))?;
                self.verdict = is_set.then_some(0);
                Ok(())
            }
            Is::Number => value.integer(),
            Is::Expiry => {
                match value.until(self.now) {
                    Ok(expires_in) => self.expires_in = Some(expires_in),
                    Err(_) => self.has_more = true,
                }
                Ok(())
            }
            Is::More => {
                self.has_more = true;
                value.raw().map(drop)
            }
            _ => value.raw().map(drop),
        }
    }

    /// Whether it is a plain verdict.
    pub(super) fn is_plain(&self) -> bool {
        self.verdict.is_some() && !self.has_more
    }
}
