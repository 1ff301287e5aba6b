use std::borrow::Cow;

const FEW: usize = 12;

/// The names of one object or query. It finds repeated names, and does not allocate for up to twelve.
#[derive(Default)]
pub(crate) struct Names<'a> {
    few: [&'a str; FEW],
    len: usize,
    many: Vec<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    pub(crate) fn push(&mut self, name: Cow<'a, str>) {
        match name {
            Cow::Borrowed(name) if self.len < FEW => {
                self.few[self.len] = name;
                self.len += 1;
            }
            name => self.many.push(name),
        }
    }

    pub(crate) fn repeated(mut self) -> bool {
        let few = &self.few[..self.len];
        self.many.sort_unstable();
        self.many.windows(2).any(|pair| pair[0] == pair[1])
            || few.iter().enumerate().any(|(index, name)| {
                few[..index].contains(name) || self.many.binary_search_by(|other| (**other).cmp(name)).is_ok()
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_every_repeated_name(names in prop::collection::vec((0u8..40, any::<bool>()), 0..30)) {
            let spelled: Vec<_> = names.iter().map(|(name, _)| name.to_string()).collect();
            let mut seen = Names::default();
            for (name, (_, owned)) in spelled.iter().zip(&names) {
                seen.push(if *owned { Cow::Owned(name.clone()) } else { Cow::Borrowed(name) });
            }
            let distinct: HashSet<_> = spelled.iter().collect();
            prop_assert_eq!(seen.repeated(), distinct.len() < spelled.len());
        }
    }
}
