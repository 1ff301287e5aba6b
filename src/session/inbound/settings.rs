use std::sync::Arc;

use crate::token::{Carriers, TokenMemo};

/// What all clones of a layer and its services share.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) memo: Arc<TokenMemo>,
    pub(super) carriers: Carriers,
    pub(super) set_cookies: bool,
}
