//! What the tests read of recorded messages, with nothing of the crate.

use crate::common::wire::protobuf::{fields, messages};
pub(crate) use crate::common::wire::spicedb::{
    Wish, at_head, in_canonical_spelling, is_check, is_write, questions, token, tokens, tokens_in, unwished, wish,
};

/// The verdict of a check: 1 for no, 2 for yes, 3 for conditional.
pub(crate) fn verdict(body: &[u8]) -> u8 {
    let fields = fields(messages(body)[0]);
    let verdict = fields.iter().find(|(number, ..)| *number == 2);
    verdict.unwrap().1[1]
}
