use std::sync::Mutex;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::shards::Shards;
use crate::token::{Carriers, TokenError, Zookie};

/// The cookies that each thread has set last: while a window lasts, most replies set the same ones.
#[derive(Debug)]
pub(super) struct LastCookies(Shards<Mutex<Option<Prepared>>>);

#[derive(Debug)]
struct Prepared {
    zookie: Zookie,
    values: Vec<HeaderValue>,
}

impl LastCookies {
    pub(super) fn new() -> Self {
        Self(Shards::new(|| Mutex::new(None)))
    }

    /// Has a reply set the zookie's cookies: see [`Carriers::set_cookies`].
    pub(super) fn set(&self, headers: &mut HeaderMap, carriers: &Carriers, zookie: &Zookie) -> Result<(), TokenError> {
        let Ok(mut last) = self.0.mine().try_lock() else {
            return carriers.set_cookies(headers, zookie);
        };
        let prepared = match last.take().filter(|prepared| prepared.zookie == *zookie) {
            Some(prepared) => prepared,
            None => Prepared {
                zookie: zookie.clone(),
                values: carriers.cookies(zookie)?,
            },
        };
        for value in &prepared.values {
            headers.append(SET_COOKIE, value.clone());
        }
        *last = Some(prepared);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_zookie_is_set_as_the_carriers_would() {
        let (carriers, last) = (Carriers::default().secure(true), LastCookies::new());
        for text in ["a", "a", "b", "a"] {
            let zookie = Zookie::new(text, 10).unwrap();
            let (mut expected, mut set) = (HeaderMap::new(), HeaderMap::new());
            carriers.set_cookies(&mut expected, &zookie).unwrap();
            last.set(&mut set, &carriers, &zookie).unwrap();
            assert_eq!(set, expected);
        }
    }
}
