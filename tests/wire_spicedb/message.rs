//! What the tests read of recorded messages, without the crate's code.

use crate::common::wire::protobuf::{fields, messages};
pub(crate) use crate::common::wire::spicedb::{
    ConsistencyLevel, at_head, consistency, in_canonical_spelling, is_check, is_write, questions, token, tokens,
    tokens_in, without_consistency,
};

/// The decision of a check: 1 for no, 2 for yes, 3 for conditional.
pub(crate) fn decision(body: &[u8]) -> u8 {
    let fields = fields(messages(body)[0]);
    let decision = fields.iter().find(|(number, ..)| *number == 2);
    decision.unwrap().1[1]
}
