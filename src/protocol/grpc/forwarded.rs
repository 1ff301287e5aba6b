use crate::protobuf::{Field, fields};
use crate::protocol::call::{Call, Kind};

/// Which part of a message is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Forwarded<'o> {
    Whole,
    /// A bulk with only these items, ascending.
    Items(&'o [usize]),
}

impl<'o> Forwarded<'o> {
    /// The part to forward when the layer asks only the questions `open` of a call. `None` if the message is never
    /// rewritten.
    pub(in crate::protocol) fn of(call: &Call, open: &'o [usize]) -> Option<Self> {
        match &call.kind {
            Kind::Write { .. } | Kind::Page => None,
            Kind::Bulk(questions) if open.len() < questions.len() => Some(Self::Items(open)),
            Kind::Bulk(_) | Kind::Check(_) | Kind::Read { .. } => Some(Self::Whole),
        }
    }

    /// The fields of `message` that are forwarded. `item` is the field number of a bulk's items.
    pub(in crate::protocol) fn fields<'m>(self, message: &'m [u8], item: u32) -> impl Iterator<Item = Field<'m>> {
        let mut open = match self {
            Self::Whole => None,
            Self::Items(open) => Some(open.iter().copied().peekable()),
        };
        let mut nth = 0;
        fields(message).flatten().filter(move |field| match &mut open {
            Some(open) if field.number == item => {
                nth += 1;
                open.next_if_eq(&(nth - 1)).is_some()
            }
            _ => true,
        })
    }
}
